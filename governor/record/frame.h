#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "governor/record/block_writer.h"

namespace flyball {

// What a recording's blocks are stored in once it is closed, several of them as they were:
//   frame    magic "FLYZSTD1" | u32 n, their length | u32 m | m bytes, n bytes compressed by Zstandard
//            | u32 CRC-32C of all of it

inline constexpr char kFrameMagic[9] = "FLYZSTD1";
/// The longest block there can be; a frame holds no more, so that nothing unpacks to much.
inline constexpr std::size_t kMaxFrameBytes = kBlockHeaderBytes + kBlockPayloadBytes + 4;
inline constexpr std::uint32_t kCompressedVersion = 6;  ///< of the header of such a file

/// Whether this program was built with Zstandard.
bool can_compress();

/// Unpacks frames, in memory that is made at the first one.
class FrameReader {
 public:
  FrameReader();
  ~FrameReader();
  /// The blocks within a whole frame; empty when it does not unpack to what it says.
  const std::vector<std::uint8_t>& unpack(const std::vector<std::uint8_t>& frame);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::vector<std::uint8_t> blocks_;
};

/// Puts in place of a closed recording the same with its blocks in frames; one that a crash left, or
/// that gets no smaller, stays as it is. So does it when there is no room beside it: the reason is
/// returned, and nothing is lost. `inode`: of the file that was written, if known; where somebody else
/// records to that name by now, it is theirs.
std::string compress_recording(const std::string& path, std::uint64_t inode = 0);

}  // namespace flyball
