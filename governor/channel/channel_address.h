#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>

#include "governor/client/channel_layout.h"

namespace flyball {

/// app.sock within an open folder, by its descriptor, as ControlAddress.
class ChannelAddress {
 public:
  explicit ChannelAddress(int folder) {
    address_.sun_family = AF_UNIX;
    std::snprintf(address_.sun_path, sizeof address_.sun_path, "/proc/self/fd/%d/%s", folder,
                  FLY_SOCKET_NAME);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace flyball
