#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flyball::cli {

/// `flyball evaluate --suite bandit`.
struct BanditSuite {
  std::vector<std::string> agents;  ///< empty: those that suit a table
  std::string table = "orin_llm";
  int pulls = 100, seeds = 100;
  double noise_pct = 1;
  std::uint64_t first_seed = 1;
  bool json = false;
};
int run_bandit_suite(BanditSuite suite);

}  // namespace flyball::cli
