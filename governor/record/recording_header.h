#pragma once

#include <cstdint>
#include <string>

#include "governor/record/recording.h"
#include "kernels/base/output_file.h"

namespace flyball {

inline constexpr char kRecordingMagic[8] = {'F', 'L', 'Y', 'R', 'E', 'C', '\0', '\1'};
inline constexpr OutputKind kRecordingOutput{"a flyball recording",
                                             {kRecordingMagic, sizeof kRecordingMagic}};
inline constexpr std::uint32_t kRecordingVersion = 5;
/// Of before forecasts were left out that are as they were, and which readings are held over was told; read
/// as well.
inline constexpr std::uint32_t kFormerVersion = 3, kFormerCompressedVersion = 4;

/// The file header: magic, version, JSON, checksum.
std::string encode_header(const RecordingInfo& info);
/// The JSON within it. Throws nlohmann::json::exception when it is not what encode_header writes.
RecordingInfo decode_header_json(const std::string& json);

}  // namespace flyball
