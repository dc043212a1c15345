#include "agents/plan_table.h"

namespace flyball {
namespace {

constexpr int kPlansPerDecision = 2;  // a few microseconds each

}  // namespace

PlanTable::PlanTable(const PlatformSpec& platform, const AppProfile& app, double tail_ns,
                     TimeEstimate* times)
    : Profile(platform, app, tail_ns, times != nullptr), times_(times) {
  if (!learns()) return;
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
  if (points.empty()) return;
  one.unsure = static_cast<float>(times_->deviation(mapping, level, points[points.size() / 2].opp));
}

bool PlanTable::follow_one(std::uint32_t version, int level, int mapping) {
  if (!learns() || plans_[index(mapping, level)].version == version + 1) return false;
  plan(mapping, level, version);
  return true;
}

void PlanTable::follow(std::uint32_t version, int level, int in_use) {
  if (!learns() || (followed_ == version + 1 && followed_level_ == level)) return;
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
