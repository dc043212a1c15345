#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/governor/own_configs.h"

namespace flyball::testing {

/// What was learned of a platform and is kept where it is looked for, sorted; without those that
/// were renamed.
inline std::vector<std::string> stored_policies(const OwnConfigs& configs,
                                                const std::string& platform) {
  std::vector<std::string> files;
  std::error_code ignored;
  const std::string folder = configs / "state/flyball/policies";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(platform) && name.ends_with(".q_learning.policy"))
      files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace flyball::testing
