#include "agents/plan_table.h"

#include <cmath>

namespace flyball {
namespace {

constexpr int kPlansPerDecision = 2;  // a few microseconds each
constexpr double kOtherGap = 0.1;     // relative: less does not change what pays

}  // namespace

PlanTable::PlanTable(const PlatformSpec& platform, const AppProfile& app, double tail_ns,
                     TimeEstimate* times, double gap_ns)
    : Profile(platform, app, tail_ns, times != nullptr, gap_ns), times_(times) {
  if (!moves()) return;
  plans_.resize(index(mapping_count(), 0));
  for (int m = 0; m < mapping_count(); ++m) {
    for (int level = 0; level < level_count(); ++level) plan(m, level, 0);
  }
}

void PlanTable::plan(int mapping, int level, std::uint32_t version) {
  Plan& one = plans_[index(mapping, level)];
  if (version > 0) refresh(mapping, level);
  one.version = version + 1;
  const auto points = frontier(mapping, level);
  if (points.empty() || !learns()) return;
  one.unsure = static_cast<float>(times_->deviation(mapping, level, points[points.size() / 2].opp));
}

void PlanTable::expect_gap(double gap_ns) {
  if (!weighs_gaps() || std::abs(gap_ns - this->gap_ns()) <= kOtherGap * this->gap_ns()) return;
  set_gap(gap_ns);
  ++gaps_;
}

bool PlanTable::follow_one(std::uint32_t version, int level, int mapping) {
  version += gaps_;
  if (!moves() || plans_[index(mapping, level)].version == version + 1) return false;
  plan(mapping, level, version);
  return true;
}

void PlanTable::follow(std::uint32_t version, int level, int in_use) {
  version += gaps_;
  if (!moves() || (followed_ == version + 1 && followed_level_ == level)) return;
  const auto stale = [&](int m) { return plans_[index(m, level)].version != version + 1; };
  if (in_use >= 0 && stale(in_use)) plan(in_use, level, version);
  int left = kPlansPerDecision;
  for (int m = 0; m < mapping_count(); ++m) {
    if (!stale(m)) continue;
    if (left-- == 0) return;
    plan(m, level, version);
  }
  followed_ = version + 1;
  followed_level_ = level;
}

}  // namespace flyball
