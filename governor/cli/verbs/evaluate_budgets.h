#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flyball::cli {

inline constexpr const char* kBudgetSuite = "budgets";

/// `flyball evaluate --suite budgets`.
struct BudgetsVerb {
  std::vector<std::string> agents = {"model", "planner", "q_learning"};
  std::vector<std::string> platforms;
  int seeds = 1;
  std::uint64_t first_seed = 1;
  bool quick = false, json = false;
};

int run_budgets(const BudgetsVerb& verb);

}  // namespace flyball::cli
