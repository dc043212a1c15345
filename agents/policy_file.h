#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/output_file.h"

namespace flyball {

/// What has been learned, as a file: magic "FLYPOL\0\1", version, hash of the spaces, agent name,
/// payload, CRC-32C; little-endian, no executable content.
struct PolicyFile {
  std::string agent;
  std::uint64_t spaces_hash = 0;
  std::vector<std::uint8_t> payload;
};

/// Of every version.
inline constexpr OutputKind kPolicyOutput{"a policy file", "FLYPOL"};

/// Atomic: temporary file beside it, fsync, rename, fsync of the folder. Throws Error (kFailure).
void write_policy(const std::string& path, const PolicyFile& policy);
/// Refuses, with the reason, a file that is truncated, too large, of another version or corrupt;
/// when run as root, also one that others can write to. Throws Error (kInput).
PolicyFile read_policy(const std::string& path);
/// Throws Error (kInput) unless `policy` was learned by `agent` in spaces with this hash.
void check_policy(const PolicyFile& policy, const std::string& path, const std::string& agent,
                  std::uint64_t spaces_hash);

}  // namespace flyball
