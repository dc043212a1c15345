#pragma once

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/base/error.h"
#include "tests/channel/channel_fixture.h"
#include "tests/channel/good_hello.h"

namespace flyball {

/// A connection by hand; -1 with errno set when there is none. `patience_s` is for the line and for answers.
inline int connect_raw(const std::string& path, int patience_s = 10) {
  const int fd =
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (patience_s > 0 ? 0 : SOCK_NONBLOCK), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
  const timeval patience{patience_s, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/// A client that follows the protocol by hand, and may then do what it likes with its memory.
struct RawClient {
  /// `behind` follows the hello.
  explicit RawClient(const std::string& path, const fly_hello& hello = good_hello(),
                     const std::string& behind = "")
      : socket(connect_raw(path)) {
    std::string bytes(reinterpret_cast<const char*>(&hello), sizeof hello);
    bytes += behind;
    if (socket < 0 || send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
    fly_welcome welcome{};
    iovec part{&welcome, sizeof welcome};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, 0) <= 0) return;
    error = welcome.error;
    why = welcome.why;
    if (welcome.error != 0) return;
    std::memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof memory);
    shared = static_cast<fly_shared*>(
        mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
  }
  ~RawClient() {
    if (shared != nullptr) munmap(shared, FLYBALL_SHARED_BYTES);
    if (memory >= 0) close(memory);
    if (socket >= 0) close(socket);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  bool is_hung_up_on() const {
    char byte;
    return recv(socket, &byte, 1, 0) == 0;
  }
  int socket = -1, memory = -1;
  int error = -1;  ///< of the welcome; -1: none came
  std::string why;
  fly_shared* shared = nullptr;
};

/// What `flyball status` shows of them; none where it was asked too often.
inline nlohmann::json applications_of(const SocketDir& dir) {
  try {
    return nlohmann::json::parse(ask_for_applications(dir.path())).at("applications");
  } catch (const Error&) {
    return nlohmann::json::array();
  }
}

/// Whoever else came: the governor governs, and takes a good client.
inline void serves_others(const SocketDir& dir, TestGovernor& governor) {
  const std::size_t before = governor.agent.seen().jobs.size();
  TestSession good(dir.socket(), 0, "good");
  ASSERT_EQ(good.error, 0) << flyball_why();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(good.session) == 1; }));
  good.jobs(1);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() > before; }));
}

}  // namespace flyball
