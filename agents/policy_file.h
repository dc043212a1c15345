#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "kernels/base/output_file.h"

namespace flyball {

/// An application that the platform's description has.
struct LearnedApp {
  std::string name;
  std::uint64_t hash = 0;  ///< AppProfile::content_hash
  bool operator==(const LearnedApp&) const = default;
};

/// Those of a platform.
std::vector<LearnedApp> learned_apps(const PlatformSpec& platform);

/// What a policy is valid for: the platform as its file describes it (operating points and levels
/// with it), and who learned it, with the meaning of its features. Which other applications there
/// were, which machine profile gave the times and what was estimated meanwhile are no reason to refuse
/// it: where they differ it is a prior, and that is said (prior_note). Other costs or levels of an
/// application of the same name are one.
struct PolicyIdentity {
  std::string agent;
  std::uint32_t features = 0;       ///< Agent::feature_version()
  std::string platform;             ///< its name, for people
  std::uint64_t platform_hash = 0;  ///< PlatformSpec::content_hash
  std::uint64_t times_hash = 0;     ///< of the machine profile in use; 0: the file's times
  bool believed = false;            ///< the platform is what --belief names, not what was true
  std::vector<LearnedApp> apps{};   ///< empty in files of before
};

/// What has been learned, as a file: magic "FLYPOL\0\1", version, identity, payload, CRC-32C;
/// little-endian, no executable content.
struct PolicyFile {
  PolicyIdentity identity;
  std::vector<std::uint8_t> payload;
};

/// The bytes of such a file.
std::vector<std::uint8_t> policy_bytes(const PolicyFile& policy);
/// Of every version.
inline constexpr OutputKind kPolicyOutput{"a policy file", "FLYPOL"};

/// Atomic: temporary file beside it, fsync, rename, fsync of the folder. Throws Error (kFailure).
void write_policy(const std::string& path, const PolicyFile& policy);
/// Refuses, with the reason, a file that is truncated, too large, of another version or corrupt;
/// when run as root, also one that others can write to. Throws Error (kInput).
PolicyFile read_policy(const std::string& path);

/// How a policy that is valid here differs all the same, as the end of a sentence; empty when it does not.
std::string prior_note(const PolicyIdentity& policy, const PolicyIdentity& here);
/// Why a policy is not valid here; empty when it is.
std::string misfit(const PolicyIdentity& policy, const PolicyIdentity& here);
/// What to do about it.
std::string misfit_remedy(const PolicyIdentity& policy, const PolicyIdentity& here);
/// Throws Error (kInput) that names the file unless it is.
void check_policy(const PolicyFile& policy, const std::string& path, const PolicyIdentity& here);

}  // namespace flyball
