#include "agents/policy_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

// magic 8, version 4, agent, features 4, platform, platform hash 8, times hash 8, whether that is what
// was believed 1, how many applications 4, of each its name and hash 8, payload length 4, payload, CRC-32C 4.
// A name is its length, 4 bytes, and its bytes. In version 2 there is nothing between times hash and payload.
constexpr std::string_view kMagic{"FLYPOL\0\1", 8};
constexpr std::uint32_t kVersion = 3, kWithoutApps = 2;
constexpr std::uint32_t kMaxListedApps = 4096;
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
  out.u8(identity.believed ? 1 : 0);
  out.u32(static_cast<std::uint32_t>(identity.apps.size()));
  for (const LearnedApp& app : identity.apps) {
    out.text(app.name);
    out.u64(app.hash);
  }
  out.u32(static_cast<std::uint32_t>(policy.payload.size()));
  out.bytes(policy.payload);
  out.u32(crc32c(out.view().data(), out.view().size()));
  return out.take();
}

void write_policy(const std::string& path, const PolicyFile& policy) {
  const std::vector<std::uint8_t> bytes = policy_bytes(policy);
  if (policy.identity.agent.empty() || policy.identity.agent.size() > kMaxName ||
      policy.identity.platform.size() > kMaxName || policy.identity.apps.size() > kMaxListedApps ||
      std::ranges::any_of(policy.identity.apps,
                          [](const LearnedApp& app) { return app.name.size() > kMaxName; }) ||
      bytes.size() > kMaxBytes) {
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
  const std::uint32_t version = word(kMagic.size());
  if (version != kVersion && version != kWithoutApps) {
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
  if (version != kWithoutApps) {
    policy.identity.believed = in.u8() != 0;
    const std::uint32_t apps = in.u32();
    if (apps > kMaxListedApps) refuse(path, "it lists too many applications", kTrainAgain);
    for (std::uint32_t i = 0; i < apps; ++i) {
      std::string name = printable(in.text(kMaxName));
      policy.identity.apps.push_back({std::move(name), in.u64()});
    }
  }
  const std::size_t size = in.u32();
  if (bytes.size() - in.at() != size + 4) {
    refuse(path, "it is not as long as it says", kTrainAgain);
  }
  policy.payload.assign(bytes.begin() + static_cast<std::ptrdiff_t>(in.at()), bytes.end() - 4);
  if (policy.identity.agent.empty()) refuse(path, "it does not say who learned it", kTrainAgain);
  return policy;
}

namespace {

using AppList = std::vector<LearnedApp>;

/// Names of `some` that are not among `others`; with the same name and other numbers, if `renumbered`.
std::vector<std::string> names_beyond(const AppList& some, const AppList& others,
                                      bool renumbered = false) {
  std::vector<std::string> names;
  for (const LearnedApp& app : some) {
    const auto same = std::ranges::find(others, app.name, &LearnedApp::name);
    const bool listed =
        renumbered ? same != others.end() && same->hash != app.hash : same == others.end();
    if (listed) names.push_back("'" + app.name + "'");
  }
  return names;
}

std::string difference(const AppList& then, const AppList& now) {
  constexpr std::size_t kNamed = 4;
  std::string text;
  const auto say = [&](const char* what, std::vector<std::string> names) {
    if (names.empty()) return;
    const std::size_t more = names.size() - std::min(names.size(), kNamed);
    names.resize(names.size() - more);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, fmt::join(names, " "));
    if (more > 0) text += fmt::format(" and {} more", more);
  };
  say("with", names_beyond(then, now));
  say("without", names_beyond(now, then));
  say("with other numbers of", names_beyond(then, now, true));
  return text;
}

}  // namespace

std::vector<LearnedApp> learned_apps(const PlatformSpec& platform) {
  AppList apps;
  for (const AppProfile& app : platform.apps) apps.push_back({app.name, app.content_hash});
  return apps;
}

std::string prior_note(const PolicyIdentity& policy, const PolicyIdentity& here) {
  std::string text;
  const auto say = [&](const std::string& part) { text += (text.empty() ? "" : " and ") + part; };
  if (!policy.apps.empty() && !here.apps.empty()) {
    if (const std::string apps = difference(policy.apps, here.apps); !apps.empty())
      say(fmt::format("with another list of applications ({})", apps));
  }
  if (policy.times_hash != here.times_hash) say("with other measured times");
  return text.empty() ? text : "learned " + text + ": it is a prior here";
}

std::string misfit(const PolicyIdentity& policy, const PolicyIdentity& here) {
  if (policy.agent != here.agent) {
    return fmt::format("'{}' learned it, not '{}'", policy.agent, here.agent);
  }
  if (policy.features != here.features) {
    return "it was learned by another version of the agent, with other features";
  }
  if (policy.platform_hash == here.platform_hash) {
    const std::vector<std::string> other = names_beyond(policy.apps, here.apps, true);
    return other.empty()
               ? ""
               : fmt::format("{} had other costs or levels when it was learned", other[0]);
  }
  if (policy.believed || here.believed) {
    const auto belief = [](const PolicyIdentity& one) {
      return one.believed ? fmt::format("the belief '{}' (--belief)", one.platform)
                          : fmt::format("what platform '{}' says of itself", one.platform);
    };
    return fmt::format("it was learned under {}, and here that is {}{}", belief(policy),
                       belief(here),
                       policy.platform == here.platform ? ", with other numbers" : "");
  }
  if (policy.platform != here.platform) {
    return fmt::format("it was learned on '{}', not on '{}'", policy.platform, here.platform);
  }
  return fmt::format("it was learned on a '{}' whose platform file had other numbers",
                     policy.platform);
}

void check_policy(const PolicyFile& policy, const std::string& path, const PolicyIdentity& here) {
  const std::string why = misfit(policy.identity, here);
  if (why.empty()) return;
  refuse(path, why, misfit_remedy(policy.identity, here));
}

std::string misfit_remedy(const PolicyIdentity& policy, const PolicyIdentity& here) {
  if (policy.agent != here.agent || policy.features != here.features) return kTrainAgain;
  const bool same_platform = policy.platform_hash == here.platform_hash;
  if (policy.believed && !same_platform)
    return "give '--belief FILE' as it was trained, or take it as a prior with '--from FILE'";
  if (here.believed && !same_platform)
    return "leave --belief out as it was trained, or take it as a prior with '--from FILE'";
  return "train it again, or take it as a prior with --from";
}

}  // namespace flyball
