#pragma once

#include <memory>
#include <string>
#include <vector>

#include "governor/channel/channel_platform.h"
#include "governor/channel/channel_server.h"

namespace flyball {

struct ChannelServiceOptions {
  std::string state_dir;
  bool holds_lock = false;  ///< the governor's: then the socket is ours, whoever left one there
  int slots = 0;            ///< of the roster that are the platform's own, and who has them
  std::vector<std::string> names;
  /// Per cluster what applications call it ("cpu", "gpu", "npu"); empty: as its kind.
  std::vector<std::string> elements;
  ChannelPlatformOptions platform;
};

/// A run that other processes' applications may join: their socket, and the platform with them on it.
class ChannelService {
 public:
  /// Both outlive it. Throws Error (kFailure) when the socket cannot be had.
  ChannelService(Platform& inner, const PlatformSpec& spec, const ChannelServiceOptions& options);
  /// For the loop.
  Platform& platform() { return platform_; }

 private:
  StateDir dir_;
  std::unique_ptr<GuestTable> table_;
  ChannelPlatform platform_;
  ChannelServer server_;  // last: it ends first
};

/// Where the socket is unless something else is asked for: in /run/flyball for root, else in the user's
/// runtime folder; empty where there is none.
std::string default_channel_dir();

}  // namespace flyball
