#include "kernels/base/resident_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace flyball {
namespace {

long resident_of_files_kb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  long kb = -1;
  while (status >> word) {
    if (word == "RssFile:") status >> kb;
  }
  return kb;
}

TEST(ResidentCode, OfTheStartIsNotResidentAndComesBackWhenItIsUsed) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the figures would be the emulator's";
  const long before_kb = resident_of_files_kb();
  ASSERT_GT(before_kb, 0);
  EXPECT_GT(forget_code_of_the_start(), 0u);
  const long after_kb = resident_of_files_kb();
  EXPECT_LT(after_kb, before_kb);
  // What the start has relocated is no file's any more, and stays.
  static const char* const kRelocated[] = {"here", "and", "there"};
  std::string all;
  for (const char* volatile const& each : kRelocated) all += each;
  EXPECT_EQ(all, "hereandthere");
  std::vector<std::string> words = {"two", "one", "three"};
  std::sort(words.begin(), words.end());
  EXPECT_EQ(words.front(), "one");
}

/// A stack that was deep once: what lies below is given back, and serves again.
[[gnu::noinline]] int deep(int n) {
  volatile char bytes[4096];
  bytes[0] = static_cast<char>(n);
  return n == 0 ? 0 : deep(n - 1) + (bytes[0] == static_cast<char>(n) ? 1 : 0);
}

/// What of this thread's stack is in memory; of a process's first thread.
long stack_kb() {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  while (std::getline(maps, line) && line.find("[stack]") == line.npos) {
  }
  while (std::getline(maps, line))
    if (line.starts_with("Rss:")) return std::atol(line.c_str() + 4);
  return -1;
}

TEST(ResidentCode, TheStackOfTheStartIsGivenBackAndServesAgain) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the stack is the emulator's";
  EXPECT_EQ(deep(500), 500);
  const long deep_kb = stack_kb();
  ASSERT_GT(deep_kb, 1900);
  forget_code_of_the_start();
  EXPECT_LT(stack_kb(), deep_kb - 1500);
  EXPECT_EQ(deep(500), 500);
}

TEST(ResidentCode, WhoEndsBeforeLaterDoesNotWait) {
  const auto begin = std::chrono::steady_clock::now();
  { const ForgetsLater later(std::chrono::hours(1)); }
  { const ForgetsLater later(std::chrono::milliseconds(0)); }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(10));
}

}  // namespace
}  // namespace flyball
