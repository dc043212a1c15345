#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>

#include "governor/status/control_protocol.h"

namespace flyball {

/// A socket, the control one unless another is named, within an open folder, by its descriptor: the folder that was checked is the
/// one that is used, and its path may be longer than the 107 bytes that an address holds.
class ControlAddress {
 public:
  explicit ControlAddress(int folder, const char* name = kControlSocket) {
    address_.sun_family = AF_UNIX;
    std::snprintf(address_.sun_path, sizeof address_.sun_path, "/proc/self/fd/%d/%s", folder, name);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace flyball
