#include "governor/compare/lower_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace flyball {
namespace {

constexpr double kRounding = 1e-9;        // of sums of doubles, relative
constexpr std::int64_t kEndNs = 1;        // a job ends on the nanosecond after its last cycle
constexpr std::size_t kLongWindow = 200;  // slots; the price of such a job is everybody's
constexpr int kSweeps = 3;
constexpr std::size_t kCoarse = 4;

}  // namespace

LowerBound::LowerBound(const BoundModel& model, const std::vector<ReleasedJob>& jobs)
    : model_(model), jobs_(jobs) {
  const std::int64_t end_ns = model.sim().scenario.duration_ns;
  for (const ReleasedJob& one : jobs_) {
    class_.push_back(model.floor_class(one.app, static_cast<double>(one.job.accuracy_floor_pct)));
    const std::int64_t deadline_ns =
        one.job.deadline_ns > end_ns ? end_ns : one.job.deadline_ns + kEndNs;
    window_.push_back({one.job.release_ns, std::min(end_ns, deadline_ns)});
  }
  find_slots();
  for (std::size_t j = 0; j < jobs_.size(); ++j) alone_mj_.push_back(alone(j));
}

double LowerBound::alone(std::size_t j) const {
  const Window& window = window_[j];
  double least_mj = std::numeric_limits<double>::infinity();
  std::vector<Stretch> stretches;
  for (const BoundModel::Way& way : model_.ways(jobs_[j].app, class_[j])) {
    if (way.hull.empty()) continue;
    stretches.clear();
    for (std::size_t k = 0; k < model_.conditions().size(); ++k) {
      const Condition& condition = model_.conditions()[k];
      const std::int64_t span_ns =
          std::min(window.to_ns, condition.stop_ns) - std::max(window.from_ns, condition.start_ns);
      if (span_ns > 0)
        stretches.push_back({static_cast<double>(span_ns) * 1e-9, way.hull[condition.like]});
    }
    least_mj = std::min(least_mj, least_energy_mj(jobs_[j].job.work, stretches));
  }
  return std::isfinite(least_mj) ? least_mj : 0;
}

double LowerBound::cheapest_mj(int app, float floor_pct) const {
  double least_mj = std::numeric_limits<double>::infinity();
  const int kind = model_.floor_class(app, static_cast<double>(floor_pct));
  for (const BoundModel::Way& way : model_.ways(app, kind)) {
    if (way.hull.empty()) continue;
    const std::vector<Pace>& hull = way.hull[model_.conditions().back().like];
    if (hull.size() > 1) least_mj = std::min(least_mj, hull_slope(hull[0], hull[1]));
  }
  return std::isfinite(least_mj) ? least_mj : 0;
}

void LowerBound::find_slots() {
  std::vector<std::int64_t> edges;
  for (const Condition& condition : model_.conditions()) edges.push_back(condition.start_ns);
  edges.push_back(model_.sim().scenario.duration_ns);
  for (const Window& window : window_) {
    edges.push_back(window.from_ns);
    edges.push_back(window.to_ns);
  }
  std::ranges::sort(edges);
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  std::size_t condition = 0;
  for (std::size_t e = 0; e + 1 < edges.size(); ++e) {
    while (edges[e] >= model_.conditions()[condition].stop_ns) ++condition;
    slots_.push_back({condition, static_cast<double>(edges[e + 1] - edges[e]) * 1e-9, 0, {}});
  }
  const auto slot_at = [&](std::int64_t ns) {
    return static_cast<std::size_t>(std::ranges::lower_bound(edges, ns) - edges.begin());
  };
  for (std::size_t j = 0; j < window_.size(); ++j) {
    Window& window = window_[j];
    window.first = slot_at(window.from_ns);
    window.last = std::max(window.first, slot_at(window.to_ns));
    for (std::size_t s = window.first; s < window.last; ++s)
      slots_[s].open.push_back(static_cast<std::uint32_t>(j));
  }
  // Jobs whose windows overlap, one with the next, are one group.
  int group = 0;
  std::size_t until = 0;
  group_.assign(jobs_.size(), 0);
  for (std::size_t j = 0; j < jobs_.size(); ++j) {  // by their release
    if (window_[j].first >= until) ++group;
    until = std::max(until, window_[j].last);
    group_[j] = group;
    for (std::size_t s = window_[j].first; s < window_[j].last; ++s) slots_[s].group = group;
  }
  groups_ = group + 1;
  shared_.assign(static_cast<std::size_t>(groups_), false);
  for (std::size_t j = 1; j < jobs_.size(); ++j)
    if (group_[j] == group_[j - 1]) shared_[static_cast<std::size_t>(group_[j])] = true;
}

void LowerBound::Kinds::add(int app, int kind, std::uint8_t price) {
  if (price == 0) return;
  const auto a = static_cast<std::size_t>(app);
  std::size_t i = 0;
  while (i < count[a] && floor_class[a][i] != kind) ++i;
  if (i == count[a]) {
    floor_class[a][i] = kind;
    best[a][i] = 0;
    ++count[a];
  }
  best[a][i] = std::max(best[a][i], price);
}

/// What a second is worth at best. Of jobs of one application only one can run, and which levels may
/// serve it depends on its floor.
double LowerBound::earned_mw(std::size_t condition, const Kinds& kinds) const {
  double most_mw = 0;
  for (std::size_t a = 0; a < std::max<std::size_t>(1, kinds.count[0]); ++a) {
    for (std::size_t b = 0; b < std::max<std::size_t>(1, kinds.count[1]); ++b) {
      const PriceTable& table =
          model_.table(condition, kinds.floor_class[0][a], kinds.floor_class[1][b]);
      most_mw = std::max(most_mw, table.earned_mw(kinds.best[0][a], kinds.best[1][b]));
    }
  }
  return most_mw;
}

double LowerBound::earned_mj(const Slot& slot, const Prices& prices) const {
  Kinds kinds;
  for (const std::uint32_t j : slot.open) kinds.add(jobs_[j].app, class_[j], prices[j]);
  return kinds.count[0] + kinds.count[1] == 0 ? 0 : earned_mw(slot.condition, kinds) * slot.seconds;
}

double LowerBound::value_mj(std::size_t j, std::uint8_t price) const {
  return model_.prices(jobs_[j].app)[price] * jobs_[j].job.work;
}

/// One price for all jobs of an application: slots in which the same kinds of jobs are open count
/// together.
void LowerBound::price_all_alike(const std::vector<bool>& met, Prices& prices) const {
  std::map<std::pair<std::size_t, std::set<std::pair<int, int>>>, double> seconds;
  for (const Slot& slot : slots_) {
    std::set<std::pair<int, int>> open;
    for (const std::uint32_t j : slot.open)
      if (met[j]) open.insert({jobs_[j].app, class_[j]});
    if (!open.empty()) seconds[{slot.condition, open}] += slot.seconds;
  }
  std::array<double, 2> work{};
  for (std::size_t j = 0; j < jobs_.size(); ++j)
    if (met[j]) work[static_cast<std::size_t>(jobs_[j].app)] += jobs_[j].job.work;
  const std::size_t others = model_.sim().apps == 2 ? model_.prices(1).size() : 1;
  double best_mj = -std::numeric_limits<double>::infinity();
  std::array<std::uint8_t, 2> best{};
  for (std::size_t a = 0; a < model_.prices(0).size(); a += kCoarse) {
    for (std::size_t b = 0; b < others; b += kCoarse) {
      const std::array<std::uint8_t, 2> price{static_cast<std::uint8_t>(a),
                                              static_cast<std::uint8_t>(b)};
      double mj = model_.prices(0)[a] * work[0];
      if (others > 1) mj += model_.prices(1)[b] * work[1];
      for (const auto& [what, time_s] : seconds) {
        Kinds kinds;
        for (const auto& [app, kind] : what.second)
          kinds.add(app, kind, price[static_cast<std::size_t>(app)]);
        mj -= earned_mw(what.first, kinds) * time_s;
      }
      if (mj > best_mj) best_mj = mj, best = price;
    }
  }
  for (std::size_t j = 0; j < jobs_.size(); ++j)
    prices[j] = met[j] ? best[static_cast<std::size_t>(jobs_[j].app)] : 0;
}

/// Job by job, the others' prices held: the bound is concave in each, so that it is enough to climb.
void LowerBound::improve(const std::vector<bool>& met, Prices& prices) const {
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    const Window& window = window_[j];
    if (!met[j] || window.last - window.first > kLongWindow) continue;
    const int many = static_cast<int>(model_.prices(jobs_[j].app).size());
    const auto bound_at = [&](int price) {
      prices[j] = static_cast<std::uint8_t>(price);
      double mj = value_mj(j, prices[j]);
      for (std::size_t s = window.first; s < window.last; ++s) mj -= earned_mj(slots_[s], prices);
      return mj;
    };
    int best = prices[j];
    double best_mj = bound_at(best);
    for (int step = 16; step > 0; step /= 2) {
      for (const int sign : {1, -1}) {
        for (int price = best + sign * step; price >= 0 && price < many; price += sign * step) {
          const double mj = bound_at(price);
          if (mj <= best_mj) break;
          best_mj = mj, best = price;
        }
      }
    }
    prices[j] = static_cast<std::uint8_t>(best);
  }
}

double LowerBound::idle_mj() const {
  double idle_mj = 0;
  for (const Slot& slot : slots_) idle_mj += slot.seconds * model_.floor_mw(slot.condition);
  return idle_mj;
}

double LowerBound::energy_mj(const std::vector<bool>& met) const {
  // Two bounds for every group of jobs: each alone, and at prices for time that they share.
  const auto groups = static_cast<std::size_t>(groups_);
  std::vector<double> apart_mj(groups, 0.0), priced_mj(groups, 0.0);
  const bool alone_counts = model_.sim().apps == 1;
  for (std::size_t j = 0; j < jobs_.size(); ++j)
    if (met[j] && alone_counts) apart_mj[static_cast<std::size_t>(group_[j])] += alone_mj_[j];
  if (!alone_counts || std::ranges::find(shared_, true) != shared_.end()) {
    Prices prices(jobs_.size(), 0);
    price_all_alike(met, prices);
    for (int sweep = 0; sweep < kSweeps; ++sweep) improve(met, prices);
    for (std::size_t j = 0; j < jobs_.size(); ++j)
      priced_mj[static_cast<std::size_t>(group_[j])] += value_mj(j, prices[j]);
    for (const Slot& slot : slots_)
      priced_mj[static_cast<std::size_t>(slot.group)] -= earned_mj(slot, prices);
  }
  double jobs_mj = 0;
  for (std::size_t g = 0; g < groups; ++g) jobs_mj += std::max(apart_mj[g], priced_mj[g]);
  return (idle_mj() + jobs_mj) * (1 - kRounding);
}

}  // namespace flyball
