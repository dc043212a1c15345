#include "agents/policy_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "kernels/base/atomic_file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/control_character.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

namespace {

// magic 8, version 4, agent, features 4, platform, platform hash 8, times hash 8, payload length 4,
// payload, CRC-32C 4. A name is its length, 4 bytes, and its bytes.
constexpr std::string_view kMagic{"FLYPOL\0\1", 8};
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kMaxBytes = 16u
                                  << 20;  // the largest table, for four applications, has 0.3 MB
constexpr std::size_t kMaxName = 256;
constexpr const char* kTrainAgain = "train it again with 'flyball train'";

[[noreturn]] void refuse(const std::string& path, const std::string& why,
                         const std::string& remedy) {
  input_error(fmt::format("policy file '{}'", path), why, remedy);
}

/// The file's bytes, after what is known without reading them has been checked.
std::vector<std::uint8_t> read_trusted(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    refuse(path, std::strerror(errno), "give the file that 'flyball train --out' wrote");
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) refuse(path, std::strerror(errno), kTrainAgain);
  if (!S_ISREG(status.st_mode)) {
    refuse(path, "it is not a regular file", "give the file that 'flyball train --out' wrote");
  }
  // What root obeys, only root may have written.
  if (::geteuid() == 0) {
    if (status.st_uid != 0)
      refuse(path, "root does not own it", "as root: chown root it, if you trust it");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      refuse(path, "others than its owner can write to it", "chmod go-w it, if you trust it");
    }
  }
  if (status.st_size > static_cast<off_t>(kMaxBytes)) {
    refuse(path,
           fmt::format("it has {} bytes and no policy has more than {}", status.st_size, kMaxBytes),
           kTrainAgain);
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, std::strerror(errno), kTrainAgain);
    if (got == 0) refuse(path, "it became shorter while it was read", kTrainAgain);
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

std::vector<std::uint8_t> policy_bytes(const PolicyFile& policy) {
  const PolicyIdentity& identity = policy.identity;
  ByteWriter out;
  for (char c : kMagic) out.u8(static_cast<std::uint8_t>(c));
  out.u32(kVersion);
  out.text(identity.agent);
  out.u32(identity.features);
  out.text(identity.platform);
  out.u64(identity.platform_hash);
  out.u64(identity.times_hash);
  out.u32(static_cast<std::uint32_t>(policy.payload.size()));
  out.bytes(policy.payload);
  out.u32(crc32c(out.view().data(), out.view().size()));
  return out.take();
}

void write_policy(const std::string& path, const PolicyFile& policy) {
  const std::vector<std::uint8_t> bytes = policy_bytes(policy);
  if (policy.identity.agent.empty() || policy.identity.agent.size() > kMaxName ||
      policy.identity.platform.size() > kMaxName || bytes.size() > kMaxBytes) {
    failure(fmt::format("policy file '{}'", path), "a name in it or its payload is too long",
            "report this as a fault of flyball");
  }
  write_file_atomically(
      path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

PolicyFile read_policy(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_trusted(path);
  if (bytes.size() < kMagic.size() ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    refuse(path, "it is not a policy file", "give the file that 'flyball train --out' wrote");
  }
  const std::string what = fmt::format("policy file '{}'", path);
  if (bytes.size() < kMagic.size() + 8) refuse(path, "it is truncated", kTrainAgain);
  const auto word = [&](std::size_t at) {
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < 4; ++i) v |= std::uint32_t{bytes[at + i]} << (8 * i);
    return v;
  };
  if (const std::uint32_t version = word(kMagic.size()); version != kVersion) {
    refuse(path,
           fmt::format("it has format version {} and this program reads version {}", version,
                       kVersion),
           kTrainAgain);
  }
  if (crc32c(bytes.data(), bytes.size() - 4) != word(bytes.size() - 4)) {
    refuse(path, "its checksum does not match: it is damaged or truncated", kTrainAgain);
  }
  ByteReader in(bytes, what);
  in.skip(kMagic.size() + 4);
  PolicyFile policy;
  policy.identity.agent = printable(in.text(kMaxName));
  policy.identity.features = in.u32();
  policy.identity.platform = printable(in.text(kMaxName));
  policy.identity.platform_hash = in.u64();
  policy.identity.times_hash = in.u64();
  const std::size_t size = in.u32();
  if (bytes.size() - in.at() != size + 4) {
    refuse(path, "it is not as long as it says", kTrainAgain);
  }
  policy.payload.assign(bytes.begin() + static_cast<std::ptrdiff_t>(in.at()), bytes.end() - 4);
  if (policy.identity.agent.empty()) refuse(path, "it does not say who learned it", kTrainAgain);
  return policy;
}

std::string misfit(const PolicyIdentity& policy, const PolicyIdentity& here) {
  if (policy.agent != here.agent) {
    return fmt::format("'{}' learned it, not '{}'", policy.agent, here.agent);
  }
  if (policy.features != here.features) {
    return "it was learned by another version of the agent, with other features";
  }
  if (policy.platform_hash == here.platform_hash) return "";
  if (policy.platform != here.platform) {
    return fmt::format("it was learned on '{}', not on '{}'", policy.platform, here.platform);
  }
  return fmt::format("it was learned on a '{}' whose platform file had other numbers",
                     policy.platform);
}

void check_policy(const PolicyFile& policy, const std::string& path, const PolicyIdentity& here) {
  const std::string why = misfit(policy.identity, here);
  if (why.empty()) return;
  refuse(path, why,
         policy.identity.agent == here.agent && policy.identity.features == here.features
             ? "train it again, or take it as a prior with --from"
             : "train it again with 'flyball train'");
}

}  // namespace flyball
