#include "agents/policy_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "kernels/base/bytes.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

namespace {

// magic 8, version 4, spaces hash 8, name length 2, name, payload length 4, payload, CRC-32C 4.
constexpr std::string_view kMagic{"FLYPOL\0\1", 8};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMaxBytes = 16u
                                  << 20;  // the largest table, for four applications, has 0.3 MB
constexpr std::size_t kMaxName = 64;
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

void write_policy(const std::string& path, const PolicyFile& policy) {
  ByteWriter out;
  for (char c : kMagic) out.u8(static_cast<std::uint8_t>(c));
  out.u32(kVersion);
  out.u64(policy.spaces_hash);
  out.u16(static_cast<std::uint16_t>(policy.agent.size()));
  for (char c : policy.agent) out.u8(static_cast<std::uint8_t>(c));
  out.u32(static_cast<std::uint32_t>(policy.payload.size()));
  out.bytes(policy.payload);
  std::vector<std::uint8_t> bytes = out.take();
  ByteWriter tail;
  tail.u32(crc32c(bytes.data(), bytes.size()));
  for (std::uint8_t b : tail.take()) bytes.push_back(b);
  if (policy.agent.empty() || policy.agent.size() > kMaxName || bytes.size() > kMaxBytes) {
    failure(fmt::format("policy file '{}'", path), "its agent's name or its payload is too long",
            "report this as a fault of flyball");
  }
  write_file_atomically(
      path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

PolicyFile read_policy(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_trusted(path);
  constexpr std::size_t kFixed = 8 + 4 + 8 + 2 + 4 + 4;
  if (bytes.size() < kMagic.size() ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    refuse(path, "it is not a policy file", "give the file that 'flyball train --out' wrote");
  }
  const auto little = [&](std::size_t at, int size) {
    std::uint64_t v = 0;
    for (int i = 0; i < size; ++i) v |= std::uint64_t{bytes[at + i]} << (8 * i);
    return v;
  };
  if (bytes.size() < kFixed) refuse(path, "it is truncated", kTrainAgain);
  if (const std::uint64_t version = little(8, 4); version != kVersion) {
    refuse(path,
           fmt::format("it has format version {} and this program reads version {}", version,
                       kVersion),
           kTrainAgain);
  }
  PolicyFile policy;
  policy.spaces_hash = little(12, 8);
  const std::size_t name_size = little(20, 2);
  if (name_size == 0 || name_size > kMaxName)
    refuse(path, "its agent's name is damaged", kTrainAgain);
  if (bytes.size() < kFixed + name_size) refuse(path, "it is truncated", kTrainAgain);
  const std::size_t payload_at = 22 + name_size + 4;
  const std::size_t payload_size = little(payload_at - 4, 4);
  if (bytes.size() < kFixed + name_size + payload_size)
    refuse(path, "it is truncated", kTrainAgain);
  if (bytes.size() > kFixed + name_size + payload_size) {
    refuse(path, "it is longer than it says", kTrainAgain);
  }
  if (crc32c(bytes.data(), bytes.size() - 4) != little(bytes.size() - 4, 4)) {
    refuse(path, "its checksum does not match: it is damaged", kTrainAgain);
  }
  policy.agent.assign(bytes.begin() + 22,
                      bytes.begin() + 22 + static_cast<std::ptrdiff_t>(name_size));
  policy.payload.assign(bytes.begin() + static_cast<std::ptrdiff_t>(payload_at), bytes.end() - 4);
  return policy;
}

void check_policy(const PolicyFile& policy, const std::string& path, const std::string& agent,
                  std::uint64_t spaces_hash) {
  if (policy.agent != agent) {
    refuse(path, fmt::format("'{}' learned it, not '{}'", policy.agent, agent),
           fmt::format("use --policy {} or train '{}'", policy.agent, agent));
  }
  if (policy.spaces_hash != spaces_hash) {
    refuse(path, "it was learned with other knobs or monitors than this platform and scenario have",
           "train it again with 'flyball train' for this platform and scenario");
  }
}

}  // namespace flyball
