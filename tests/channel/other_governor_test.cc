// What answers is no governor, or none that can be spoken with: the application goes on, is told so once, and
// looks again.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "kernels/base/error.h"
#include "tests/channel/raw_client.h"
#include "tests/governor/subprocess.h"

namespace flyball {
namespace {

using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

/// Listens at a socket and answers every hello with these bytes; without any, it is as one that is stopped.
class Answering {
 public:
  Answering(const std::string& path, std::string answer, int backlog = 8)
      : path_(path), answer_(std::move(answer)) {
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, backlog), 0);
    if (!answer_.empty()) thread_ = std::thread([this] { serve(); });
  }
  ~Answering() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
    unlink(path_.c_str());
  }
  int answered() const { return answered_; }

 private:
  void serve() {
    for (;;) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::array<char, FLY_MAX_MESSAGE> hello;
      if (recv(client, hello.data(), hello.size(), 0) > 0 &&
          send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL) > 0)
        ++answered_;
      close(client);
    }
  }
  const std::string path_, answer_;
  int listener_ = -1;
  std::atomic<int> answered_{0};
  std::thread thread_;
};

std::string refusal(std::uint32_t version, int error) {
  fly_welcome welcome{};
  welcome.magic = FLY_MAGIC;
  welcome.kind = FLY_WELCOME;
  welcome.version = version;
  welcome.error = error;
  std::strcpy(welcome.why, "hello: is of another version");
  return {reinterpret_cast<const char*>(&welcome), sizeof welcome};
}

/// A process of its own, since a process is told once.
Finished client(const std::string& socket, const std::string& words) {
  const testing::TempDir dir;
  const std::string command = "env -u FLYBALL_QUIET FLYBALL_SOCKET=" + socket +
                              " " FLYBALL_BIN_DIR "/channel_client " + words + " >" +
                              (dir / "out") + " 2>" + (dir / "err");
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, testing::read_text(dir / "out"),
          testing::read_text(dir / "err")};
}

long lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

#define FLYBALL_STARTS_CLIENTS() \
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulated program cannot start another"

TEST(OtherGovernor, OneOfAnotherVersionIsNone) {
  FLYBALL_STARTS_CLIENTS();
  for (const std::string& answer :
       {refusal(FLYBALL_INTERFACE + 1, EINVAL), refusal(FLYBALL_INTERFACE + 1, 0),
        refusal(FLYBALL_INTERFACE, EPROTONOSUPPORT), std::string("FLY2, and nothing else")}) {
    const SocketDir dir;
    const Answering other(dir.socket(), answer);
    const Finished told = client(dir.socket(), "paced 5");
    EXPECT_EQ(told.exit_code, 3) << told.err;  // it ran, and its reports went nowhere
    EXPECT_EQ(told.out, "5 jobs, 5 failed\n");
    EXPECT_THAT(told.err, HasSubstr("speaks another version"));
    EXPECT_EQ(lines(told.err), 1) << told.err;
    EXPECT_GE(other.answered(), 1);
  }
}

TEST(OtherGovernor, ARefusalOfTheSameVersionIsOneStill) {
  FLYBALL_STARTS_CLIENTS();
  const SocketDir dir;
  const Answering other(dir.socket(), refusal(FLYBALL_INTERFACE, EINVAL));
  EXPECT_EQ(client(dir.socket(), "paced 5").exit_code, 2);
}

TEST(OtherGovernor, ASessionFindsItsOwnKindBehindOneOfAnotherVersion) {
  const SocketDir dir;
  auto governor = std::make_unique<TestGovernor>(dir.path());
  TestSession client(dir.socket());
  ASSERT_EQ(flyball_connected(client.session), 1);
  governor.reset();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 0; }));
  {
    const Answering other(dir.socket(), refusal(FLYBALL_INTERFACE + 1, EINVAL));
    ASSERT_TRUE(comes_about(
        [&] { return flyball_connected(client.session) == 0 && other.answered() > 0; }));
  }
  TestGovernor next(dir.path());
  EXPECT_TRUE(comes_about([&] { return flyball_connected(client.session) == 1; }));
}

TEST(OtherGovernor, TheGovernorSaysWhichHellosItDoesNotUnderstand) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  fly_hello hello = good_hello();
  hello.version = FLYBALL_INTERFACE + 1;
  EXPECT_EQ(RawClient(dir.socket(), hello).error, EPROTONOSUPPORT);
  hello = good_hello();
  hello.bytes = sizeof hello - 8;
  EXPECT_EQ(RawClient(dir.socket(), hello).error, EPROTONOSUPPORT);
}

/// "What is added later keeps what is here": a library that has something more to say at the end.
TEST(OtherGovernor, WhatIsAddedAtAHellosEndIsPassedOver) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  const std::string added(24, '\xff');
  fly_hello hello = good_hello();
  hello.bytes = sizeof hello + 24;
  hello.knob_count = 1;
  std::strcpy(hello.knob[0].name, "model");
  hello.knob[0].count = hello.level_count = 2;
  hello.accuracy_pct[1] = 60;
  hello.text_bytes = 4;
  const RawClient client(dir.socket(), hello, added + std::string("a\0b\0", 4));
  EXPECT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 1; }));
  EXPECT_EQ(governor.agent.seen().bound[0].knobs[0].values[1], "b");
  hello.bytes = 0xffffffff;
  EXPECT_EQ(RawClient(dir.socket(), hello, added).error, EINVAL);
}

TEST(OtherGovernor, OneThatIsStoppedIsWaitedForOnceAndSaid) {
  FLYBALL_STARTS_CLIENTS();
  const SocketDir dir;
  const Answering stopped(dir.socket(), "");
  const Finished told = client(dir.socket(), "paced 0");  // opens and closes
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_THAT(told.err, HasSubstr(dir.socket() + " does not answer, it may be stopped"));
  EXPECT_EQ(lines(told.err), 1) << told.err;
}

TEST(OtherGovernor, ALineThatDoesNotMoveIsToldFromAbsence) {
  FLYBALL_STARTS_CLIENTS();
  const SocketDir dir;
  const Answering stopped(dir.socket(), "", 0);
  std::vector<int> waiting;
  for (int fd; (fd = connect_raw(dir.socket(), 0)) >= 0;) waiting.push_back(fd);
  ASSERT_EQ(errno, EAGAIN);
  const Finished told = client(dir.socket(), "paced 5");
  EXPECT_EQ(told.exit_code, 3);
  EXPECT_THAT(told.err, HasSubstr("has more callers than it can take"));
  EXPECT_THAT(told.err, Not(HasSubstr("no governor")));
  const Finished status = testing::flyball_run({"status", "--state-dir", dir.path()});
  EXPECT_EQ(status.exit_code, 1) << status.out;
  EXPECT_THAT(status.err, HasSubstr("has more callers than it can take"));
  for (const int fd : waiting) close(fd);
}

TEST(OtherGovernor, AnOverLongSocketIsNotCutToAnother) {
  FLYBALL_STARTS_CLIENTS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::string path = dir.path() + "/";
  while (path.size() < 107 - std::strlen(FLY_SOCKET_NAME)) path += '/';
  path += FLY_SOCKET_NAME;  // as many bytes as an address takes
  EXPECT_EQ(client(path, "paced 5").exit_code, 0);
  const Finished told = client(path + ".other", "paced 5");
  EXPECT_EQ(told.exit_code, 3);
  EXPECT_THAT(told.err, HasSubstr(path + ".other: File name too long"));
  EXPECT_EQ(lines(told.err), 1) << told.err;
}

}  // namespace
}  // namespace flyball
