// What systemd is told, by a `flyball run` that finds a notification socket as systemd gives it.

#include "governor/service/notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ManagerSocket {
 public:
  explicit ManagerSocket(const std::string& address) : socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    if (address[0] == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (bind(socket_, reinterpret_cast<sockaddr*>(&at), size) != 0)
      throw std::runtime_error("no notification socket");
    setenv("NOTIFY_SOCKET", address.c_str(), 1);
  }
  ~ManagerSocket() {
    close(socket_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  /// The next message; empty when none comes for so long.
  std::string next(int patience_ms = 60'000) const {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, patience_ms) <= 0) return "";
    char text[512];
    const ssize_t size = recv(socket_, text, sizeof text, 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }

 private:
  int socket_;
};

TEST(Notify, TheWatchdogIsFedTwiceWithinItsTimeAndNotMore) {
  ManagerSocket manager("@flyball-notify-test-" + std::to_string(getpid()));
  setenv("WATCHDOG_USEC", "2000000", 1);
  ServiceNotifier notifier;
  constexpr std::int64_t kMs = 1'000'000;
  for (std::int64_t ms = 1000; ms < 4000; ms += 10) notifier.alive(ms * kMs);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.next(), "WATCHDOG=1");
  EXPECT_EQ(manager.next(0), "");
  // Of another process, or of none.
  setenv("WATCHDOG_PID", "1", 1);
  ServiceNotifier other;
  other.alive(1000 * kMs);
  unsetenv("NOTIFY_SOCKET");
  ServiceNotifier deaf;
  deaf.ready("x");
  EXPECT_EQ(manager.next(0), "");
}

TEST(Notify, ARunTellsThatItGovernsThatItLivesAndThatItEnds) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  ManagerSocket manager(dir / "notify");
  setenv("WATCHDOG_USEC", "1000000", 1);
  Governed governed;
  EXPECT_THAT(manager.next(), StartsWith("READY=1\nSTATUS=Governs by policy plain_load"));
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
  // A loop that stands still is not alive, whatever else of the program is.
  while (!manager.next(0).empty()) {
  }  // or what comes last might find no room
  governed.governor().signal(SIGTERM);
  std::string last;
  do {
    last = manager.next();
  } while (last == "WATCHDOG=1");
  EXPECT_THAT(last, StartsWith("STOPPING=1"));
  EXPECT_EQ(governed.governor().wait().exit_code, 0);
}

TEST(Notify, WhatCannotGovernIsNeverReady) {
  const TempDir dir;
  ManagerSocket manager(dir / "notify");
  LinuxTree tree;
  tree.write("/proc/x", "");
  EXPECT_EQ(flyball_run({"run", "--platform", "linux", "--sysfs-root", tree.root()}).exit_code, 2);
  EXPECT_EQ(manager.next(0), "");
}

}  // namespace
}  // namespace flyball::testing
