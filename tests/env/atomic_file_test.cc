#include "kernels/base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "kernels/base/error.h"
#include "kernels/base/read_file.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "flyball-atomic-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = (dir_ / "policy").string();
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_)) names.push_back(entry.path().filename());
    return names;
  }
  std::string refusal(const std::string& path, std::string_view bytes) {
    try {
      write_file_atomically(path, bytes);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::kFailure);
      return e.what();
    }
    return "";
  }

  fs::path dir_;
  std::string path_;
};

TEST_F(AtomicFileTest, WritesAndReplacesTheWholeFile) {
  const std::string bytes("a\0b", 3);
  write_file_atomically(path_, bytes);
  EXPECT_EQ(read_file(path_, 100), bytes);
  write_file_atomically(path_, "");
  EXPECT_EQ(read_file(path_, 100), "");
  EXPECT_THAT(names(), ::testing::ElementsAre("policy"));
}

TEST_F(AtomicFileTest, KeepsTheModeOfWhatItReplaces) {
  write_file_atomically(path_, "old");
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  write_file_atomically(path_, "new");
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(AtomicFileTest, ReplacesTheTargetOfALinkAndNotTheLink) {
  write_file_atomically(path_, "old");
  const fs::path link = dir_ / "link";
  fs::create_symlink("policy", link);
  write_file_atomically(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_file(path_, 100), "new");
}

TEST_F(AtomicFileTest, RefusesALinkToNothing) {
  fs::create_symlink("nowhere", path_);
  EXPECT_THAT(refusal(path_, "x"), ::testing::HasSubstr("it is a link to nothing"));
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(can_replace_file(path_).why, "it is a link to nothing");
}

TEST_F(AtomicFileTest, TellsBeforehandAndLeavesNothing) {
  EXPECT_TRUE(can_replace_file(path_));
  EXPECT_THAT(names(), ::testing::IsEmpty());
  write_file_atomically(path_, "old");
  EXPECT_TRUE(can_replace_file(path_));
  EXPECT_EQ(read_file(path_, 10), "old");
  EXPECT_FALSE(can_replace_file(dir_.string()));
  EXPECT_FALSE(can_replace_file((dir_ / "none" / "file").string()));
  EXPECT_THAT(names(), ::testing::ElementsAre("policy"));
}

TEST_F(AtomicFileTest, AWriteThatFailsLeavesTheOldFileAndNothingElse) {
  write_file_atomically(path_, "old");
  // A full disk, as far as this process can tell: no file may grow beyond 1000 bytes.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = refusal(path_, std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, ::testing::HasSubstr("policy: cannot be written: write: File too large; "));
  EXPECT_EQ(read_file(path_, 100), "old");
  EXPECT_THAT(names(), ::testing::ElementsAre("policy"));
}

TEST_F(AtomicFileTest, SaysWhatIsInTheWay) {
  EXPECT_THAT(refusal((dir_ / "no" / "such").string(), "x"),
              ::testing::HasSubstr("no/such: cannot be written: create a file beside it: No such"));
  EXPECT_THAT(refusal(dir_.string(), "x"), ::testing::HasSubstr("is not a regular file"));
  EXPECT_THAT(names(), ::testing::IsEmpty());
}

TEST_F(AtomicFileTest, ATemporaryFileLeftByAKilledProcessIsNoObstacle) {
  const std::string left = path_ + "." + std::to_string(getpid()) + "-0.tmp";
  write_file_atomically(left, "half");
  write_file_atomically(path_, "whole");
  EXPECT_EQ(read_file(path_, 100), "whole");
  EXPECT_EQ(read_file(left, 100), "half");
}

TEST_F(AtomicFileTest, ConcurrentWritersLeaveOneWholeFile) {
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    writers.emplace_back([this, letter] {
      for (int i = 0; i < 20; ++i) write_file_atomically(path_, std::string(5000, letter));
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string bytes = read_file(path_, 10'000);
  EXPECT_EQ(bytes, std::string(5000, bytes[0]));
  EXPECT_THAT(names(), ::testing::ElementsAre("policy"));
}

// /dev/stdout is such a link when somebody reads what is printed.
TEST_F(AtomicFileTest, ALinkToAPipeIsNoRegularFile) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(can_replace_file("/proc/self/fd/" + std::to_string(ends[1])).why,
            "it exists and is not a regular file");
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace flyball
