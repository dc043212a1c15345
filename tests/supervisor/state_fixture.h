#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "governor/supervisor/settings_file.h"
#include "kernels/base/error.h"

namespace flyball::testing {

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// A folder of its own, with a state folder and a tree of settings in it.
class StateFixture : public ::testing::Test {
 protected:
  StateFixture() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "flyball-state-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    folder_ = pattern;
  }
  ~StateFixture() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string state_path() const { return (folder_ / "state").string(); }
  std::string root() const { return (folder_ / "root").string(); }
  StateDir make_state() const { return StateDir::make(state_path()); }
  std::filesystem::path settings_path() const { return folder_ / "state" / SettingsFile::kName; }

  std::filesystem::path folder_;
};

/// The line of the Error that `action` throws; empty when it throws none.
template <typename Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace flyball::testing
