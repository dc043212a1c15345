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
  std::vector<std::string> words = {"two", "one", "three"};
  std::sort(words.begin(), words.end());
  EXPECT_EQ(words.front(), "one");
}

}  // namespace
}  // namespace flyball
