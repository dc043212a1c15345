// The control socket under clients that are nobody's friends: whatever they send, hold or leave, the
// next one is served.

#include "governor/status/control_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "governor/status/control_client.h"
#include "kernels/base/error.h"
#include "tests/governor/subprocess.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

/// A server that echoes, and says whether its client may control.
class Served {
 public:
  explicit Served(ControlServer::Options options = {})
      : dir_(StateDir::make(where_ / "state")),
        page_(memfd_create("page", MFD_CLOEXEC)),
        server_(dir_, page_.get(), options, [](std::string_view request, bool may_control) {
          return std::string(may_control ? "ok " : "denied ") + std::string(request);
        }) {
    chmod(where_.path().c_str(), 0755);
  }
  std::string path() const { return where_ / "state"; }
  const StateDir& dir() const { return dir_; }
  ControlClient client() const { return *ControlClient::connect(path()); }
  FileDescriptor raw() const {
    FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const FolderAddress address(dir_.descriptor(), kControlSocket);
    EXPECT_EQ(connect(socket.get(), address.get(), address.size()), 0) << errno;
    return socket;
  }

 private:
  TempDir where_;
  StateDir dir_;
  FileDescriptor page_;
  ControlServer server_;
};

std::string answer_to(int socket, const std::string& message) {
  if (send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0) return "hung up";
  char buffer[512];
  const ssize_t got = recv(socket, buffer, sizeof buffer, 0);
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "hung up";
}

TEST(ControlServer, AnswersAndHandsOverThePage) {
  const Served served;
  ControlClient client = served.client();
  EXPECT_EQ(client.ask("set a b"), "set a b");
  EXPECT_TRUE(client.page());
}

TEST(ControlServer, SurvivesGarbage) {
  const Served served;
  std::mt19937_64 random(1);
  for (int i = 0; i < 40; ++i) {
    const FileDescriptor socket = served.raw();
    std::string message(random() % 400, '\0');
    for (char& byte : message) byte = static_cast<char>(random());
    if (message.empty()) continue;
    EXPECT_THAT(answer_to(socket.get(), message), HasSubstr("refused request"));
  }
  EXPECT_THAT(answer_to(served.raw().get(), std::string(5000, '1')), HasSubstr("is too long"));
  EXPECT_THAT(answer_to(served.raw().get(), "2 page"), HasSubstr("another version"));
}

TEST(ControlServer, OneThatDiesOrTakesNothingKeepsNobodyWaiting) {
  const Served served;
  { const FileDescriptor gone = served.raw(); }
  {
    const FileDescriptor gone = served.raw();
    send(gone.get(), "1 page", 6, MSG_NOSIGNAL);  // and never takes the reply
  }
  std::vector<FileDescriptor> silent;
  for (int i = 0; i < 5; ++i) silent.push_back(served.raw());
  EXPECT_EQ(served.client().ask("x"), "x");
}

TEST(ControlServer, HangsUpOnOneWhoFloods) {
  const Served served;
  const FileDescriptor flood = served.raw();
  bool hung_up = false;
  for (int i = 0; i < 100'000 && !hung_up; ++i)
    hung_up = answer_to(flood.get(), "1 x") == "hung up";
  EXPECT_TRUE(hung_up);
  // New clients are as many a second, so that another one may wait for its turn, and has it.
  EXPECT_EQ(served.client().ask("x"), "x");
}

TEST(ControlServer, TooManyClientsAreTurnedAwayUntilOneLeaves) {
  const Served served;
  std::vector<FileDescriptor> held;
  for (int i = 0; i < ControlServer::kMaxClients; ++i) {
    held.push_back(served.raw());
    EXPECT_EQ(answer_to(held.back().get(), "1 x"), "ok x");
  }
  EXPECT_THAT(answer_to(served.raw().get(), "1 x"), ::testing::Not("ok x"));
  held.pop_back();
  while (answer_to(served.raw().get(), "1 x") != "ok x") {
  }
}

TEST(ControlServer, AnotherOneIsLeftAloneUnlessTheLockIsOurs) {
  const Served served;
  const auto answer = [](std::string_view, bool) { return std::string("ok second"); };
  EXPECT_THROW(ControlServer(served.dir(), -1, {}, answer), Error);
  EXPECT_EQ(served.client().ask("x"), "x");
  {
    const ControlServer second(served.dir(), -1, {true, {}}, answer);
    EXPECT_EQ(served.client().ask("x"), "second");
  }
}

TEST(ControlServer, WhatACrashedOneLeftIsReplaced) {
  TempDir where;
  const StateDir dir = StateDir::make(where / "state");
  {
    const FileDescriptor old(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    const FolderAddress address(dir.descriptor(), kControlSocket);
    ASSERT_EQ(bind(old.get(), address.get(), address.size()), 0);
  }
  EXPECT_FALSE(ControlClient::connect(dir.path()));
  const ControlServer server(dir, -1, {}, [](std::string_view, bool) { return "ok here"; });
  EXPECT_EQ(ControlClient::connect(dir.path())->ask("x"), "here");
}

TEST(ControlServer, AFileInItsPlaceIsNotRemoved) {
  TempDir where;
  const StateDir dir = StateDir::make(where / "state");
  std::ofstream(dir.path_of(kControlSocket)) << "mine";
  EXPECT_THROW(ControlServer(dir, -1, {}, [](std::string_view, bool) { return ""; }), Error);
  EXPECT_EQ(testing::read_text(dir.path_of(kControlSocket)), "mine");
}

/// What a process of another user is answered; `group` is one of its further groups, 0: none.
std::string answer_to_nobody(const Served& served, gid_t group) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const bool changed =
        setgroups(group != 0 ? 1 : 0, &group) == 0 && setgid(65534) == 0 && setuid(65534) == 0;
    const std::string answer = changed ? answer_to(served.raw().get(), "1 x") : "cannot change";
    if (write(ends[1], answer.data(), answer.size()) < 0) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  char buffer[256];
  const ssize_t got = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(0, got)));
}

TEST(ControlServer, EverybodyMayAskAndOnlySomeMayControl) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can play other users";
  constexpr gid_t kGroup = 4242;
  const Served served({false, kGroup});
  EXPECT_EQ(answer_to_nobody(served, 0), "denied x");
  EXPECT_EQ(answer_to_nobody(served, kGroup), "ok x");
  EXPECT_EQ(answer_to_nobody(served, kGroup + 1), "denied x");
}

TEST(ControlClient, APathLongerThanAnAddressWillDo) {
  TempDir where;
  const std::string folder = where / std::string(150, 'd');
  const StateDir dir = StateDir::make(folder);
  const ControlServer server(dir, -1, {}, [](std::string_view, bool) { return "ok far"; });
  EXPECT_EQ(ControlClient::connect(folder)->ask("x"), "far");
}

TEST(ControlClient, WhatAServerSaysIsOneLine) {
  TempDir where;
  const StateDir dir = StateDir::make(where / "state");
  const ControlServer server(dir, -1, {}, [](std::string_view, bool) { return "ok a\n\033[2Jb"; });
  EXPECT_EQ(ControlClient::connect(dir.path())->ask("x"), "a ?[2Jb");
  EXPECT_THROW(ControlClient::connect(dir.path())->page(), Error);
}

}  // namespace
}  // namespace flyball
