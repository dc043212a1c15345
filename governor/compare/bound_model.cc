#include "governor/compare/bound_model.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>

#include "env/sim/simulator.h"
#include "governor/compare/coolest.h"

namespace flyball {
namespace {

constexpr std::size_t kMostPoints = 100'000;  // of two applications together, some 30 ms
constexpr double kClassStepPct = 1e-4;        // a record's floor is a float

/// Any level that is as quick at every number of cores and takes no more power.
bool outdone(const AppProfile& app, std::size_t level, std::size_t by) {
  const LevelProfile &one = app.levels[level], &other = app.levels[by];
  if (one.parallel_fraction != other.parallel_fraction) return false;
  if (other.time_factor > one.time_factor || other.activity_factor > one.activity_factor)
    return false;
  return other.time_factor < one.time_factor || other.activity_factor < one.activity_factor ||
         by < level;
}

bool differ_in_time_only(const Condition& one, const Condition& other) {
  const BackgroundSegment &a = *one.background, &b = *other.background;
  return one.leakage_mw == other.leakage_mw && a.cores == b.cores &&
         a.whole_cores == b.whole_cores && a.nf == b.nf && a.slowdown == b.slowdown;
}

/// The operating points of these clusters, those of the last one fastest.
std::vector<OppChoice> choices_of(const PlatformSpec& spec, unsigned clusters) {
  std::vector<OppChoice> all = {{}};
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    if ((clusters >> c & 1) == 0) continue;
    std::vector<OppChoice> more;
    for (const OppChoice& choice : all) {
      for (int opp = 0; opp <= spec.clusters[c].max_opp(); ++opp) {
        more.push_back(choice);
        more.back()[c] = static_cast<std::uint8_t>(opp);
      }
    }
    all = std::move(more);
  }
  return all;
}

}  // namespace

BoundModel::BoundModel(const PlatformSpec& platform, const Scenario& scenario)
    : scenario_(scenario), sim_(platform, scenario, SimOptions{}.max_step_ms), choices_(256) {
  find_conditions();
  find_classes();
  for (int a = 0; a < sim_.apps; ++a) find_settings(a);
  if (sim_.apps > 2) why_none_ = "there are three or more applications";
  for (const auto& classes : classes_)
    if (classes.size() > kMaxFloorClasses) why_none_ = "there are too many accuracy floors";
  if (scenario.plain_load) why_none_ = "under plain load Linux's scheduler chooses the cores";
  if (!why_none_.empty()) return;
  std::vector<JointPower> power;
  std::vector<std::vector<Point>> alone;
  for (const Condition& condition : conditions_) {
    power.emplace_back(sim_, condition);
    std::vector<Point>& points = alone.emplace_back();
    points.push_back({{0, 0, power.back().mw({}, {}, {})}});
    if (condition.like + 1 < alone.size()) continue;  // as there
    for (int a = 0; a < sim_.apps; ++a) add_alone(power.back(), a, points);
  }
  choose_prices(alone);
  floor_mw_.resize(conditions_.size());
  tables_.resize(conditions_.size());
  const bool apart = sim_.apps == 2 && joint_points() > kMostPoints;
  const std::array<ApartPower::Users, kMaxClusters> all_users = users();
  for (std::size_t k = 0; k < conditions_.size(); ++k) {
    if (conditions_[k].like < k) continue;  // a table of two applications may take seconds
    std::vector<Point>& points = alone[k];
    const ApartPower split(sim_, conditions_[k], all_users);
    std::vector<ClocksOn> clocks;
    if (apart) clocks = clocks_on(power[k], split);
    if (sim_.apps == 2 && !apart) add_together(power[k], points);
    double floor_mw = std::numeric_limits<double>::infinity();
    for (const Point& point : points) floor_mw = std::min(floor_mw, point.pace.excess_mw);
    for (const ClocksOn& one : clocks) floor_mw = std::min(floor_mw, one.mw);
    floor_mw_[k] = floor_mw;
    for (Point& point : points) point.pace.excess_mw -= floor_mw;
    find_ways(k, points);
    if (apart) {
      tabulate_apart(points, clocks, split, floor_mw, tables_[k]);
    } else {
      tabulate(points, tables_[k]);
    }
    points = {};
  }
}

void BoundModel::find_conditions() {
  const PlatformSpec& spec = sim_.spec;
  std::vector<std::pair<std::int64_t, double>> ambient = {{0, scenario_.ambient_c}};
  for (const ScenarioEvent& event : scenario_.events)
    if (event.kind == ScenarioEvent::Kind::kAmbient) ambient.emplace_back(event.at_ns, event.value);
  double coldest_c = ambient.front().second;
  std::vector<std::int64_t> edges = {scenario_.duration_ns};
  for (const auto& [at_ns, ambient_c] : ambient) {
    coldest_c = std::min(coldest_c, ambient_c);
    edges.push_back(at_ns);
  }
  for (const BackgroundSegment& segment : sim_.ledger.segments) edges.push_back(segment.start_ns);
  std::ranges::sort(edges);
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());

  const Simulator at_start(spec, scenario_);
  const auto state = std::make_unique<SimState>();
  at_start.fork(*state);
  const double initial_w =
      spec.thermal.empty() || spec.thermal[0].terms.empty() ? 0 : state->thermal.filtered_w[0][0];
  const std::array<double, kMaxClusters> rise_k = least_rise_k(sim_, initial_w, coldest_c);
  for (std::size_t e = 0; e + 1 < edges.size() && edges[e] < scenario_.duration_ns; ++e) {
    Condition condition{.start_ns = edges[e], .stop_ns = edges[e + 1]};
    condition.background =
        &sim_.ledger.segments[static_cast<std::size_t>(segment_at(sim_.ledger.segments, edges[e]))];
    double ambient_c = scenario_.ambient_c;
    for (const auto& [at_ns, value] : ambient)
      if (at_ns <= edges[e]) ambient_c = value;
    for (int c = 0; c < sim_.clusters; ++c)
      condition.leakage_mw[c] = sim_.leakage(c, ambient_c + rise_k[c]);
    const auto like = std::ranges::find_if(
        conditions_, [&](const Condition& other) { return differ_in_time_only(condition, other); });
    condition.like = static_cast<std::size_t>(like - conditions_.begin());
    conditions_.push_back(condition);
  }
}

void BoundModel::find_classes() {
  classes_.resize(static_cast<std::size_t>(sim_.apps));
  for (int a = 0; a < sim_.apps; ++a) {
    const AppProfile& profile = *sim_.ledger.profile[a];
    const auto add = [&](double floor_pct) {
      std::vector<bool> reaches;
      for (const LevelProfile& level : profile.levels)
        reaches.push_back(level.accuracy_pct >= floor_pct - kClassStepPct);
      auto& all = classes_[static_cast<std::size_t>(a)];
      if (std::ranges::find(all, reaches, &FloorClass::reaches) == all.end())
        all.push_back({reaches, {}});
    };
    add(scenario_.apps[static_cast<std::size_t>(a)].required.accuracy_floor_pct);
    for (const ScenarioEvent& event : scenario_.events)
      if (event.kind == ScenarioEvent::Kind::kRequirements && event.app == a)
        add(event.required.accuracy_floor_pct);
  }
}

int BoundModel::floor_class(int a, double floor_pct) const {
  const AppProfile& profile = *sim_.ledger.profile[a];
  const auto& all = classes_[static_cast<std::size_t>(a)];
  const auto same = [&](const FloorClass& one) {
    for (std::size_t l = 0; l < profile.levels.size(); ++l)
      if (one.reaches[l] != (profile.levels[l].accuracy_pct >= floor_pct - kClassStepPct))
        return false;
    return true;
  };
  return static_cast<int>(std::ranges::find_if(all, same) - all.begin());
}

/// Of the levels those that no other one outdoes, for every floor and for jobs that nobody counts.
void BoundModel::find_settings(int a) {
  const AppProfile& profile = *sim_.ledger.profile[a];
  const auto& classes = classes_[static_cast<std::size_t>(a)];
  const std::size_t levels = profile.levels.size();
  std::vector<bool> matters(levels, false);
  for (std::size_t l = 0; l < levels; ++l) {
    const auto best_among = [&](const auto& is_in) {
      if (!is_in(l)) return false;
      for (std::size_t by = 0; by < levels; ++by)
        if (by != l && is_in(by) && outdone(profile, l, by)) return false;
      return true;
    };
    matters[l] = best_among([](std::size_t) { return true; });
    for (const FloorClass& one : classes)
      matters[l] = matters[l] || best_among([&](std::size_t i) { return bool{one.reaches[i]}; });
  }
  std::vector<Setting>& settings = settings_.emplace_back();
  for (std::size_t m = 0; m < sim_.spec.mappings.size(); ++m) {
    if (profile.plain_load || !runs_on(profile, sim_.spec.mappings[m])) continue;
    for (std::size_t l = 0; l < levels; ++l) {
      if (!matters[l]) continue;
      Setting setting;
      setting.setting = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(l)};
      setting.clusters = cluster_mask(sim_.spec.mappings[m]);
      setting.opps = choices(setting.clusters);
      for (const OppChoice& opp : setting.opps)
        setting.costs.push_back(job_cost(sim_.spec, profile, setting.setting, opp));
      settings.push_back(std::move(setting));
    }
  }
}

std::size_t BoundModel::joint_points() const {
  if (sim_.apps < 2) return 0;
  std::size_t count = 0;
  for (const Setting& a : settings_[0]) {
    for (const Setting& b : settings_[1]) {
      std::size_t points = 1;
      for (unsigned left = a.clusters | b.clusters; left != 0; left &= left - 1)
        points *= sim_.spec.clusters[static_cast<std::size_t>(std::countr_zero(left))].opps.size();
      count += points;
    }
  }
  return count;
}

const std::vector<OppChoice>& BoundModel::choices(unsigned clusters) {
  std::vector<OppChoice>& all = choices_[clusters];
  if (all.empty()) all = choices_of(sim_.spec, clusters);
  return all;
}

const JobCost& BoundModel::cost_at(const Setting& setting, const OppChoice& opp) const {
  std::size_t index = 0;  // in the order of choices_of()
  for (unsigned left = setting.clusters; left != 0; left &= left - 1) {
    const auto c = static_cast<std::size_t>(std::countr_zero(left));
    index = index * sim_.spec.clusters[c].opps.size() + opp[c];
  }
  return setting.costs[index];
}

void BoundModel::add_alone(const JointPower& power, int a, std::vector<Point>& points) const {
  const auto& settings = settings_[static_cast<std::size_t>(a)];
  for (std::size_t s = 0; s < settings.size(); ++s) {
    for (std::size_t i = 0; i < settings[s].opps.size(); ++i) {
      const RunningJob job{&settings[s].costs[i], sim_.ledger.profile[a]};
      Point point;
      double& work_per_s = a == 0 ? point.pace.work_a_per_s : point.pace.work_b_per_s;
      point.pace.excess_mw = power.mw(settings[s].opps[i], {&job, 1}, {&work_per_s, 1});
      (a == 0 ? point.setting_a : point.setting_b) = static_cast<int>(s);
      points.push_back(point);
    }
  }
}

void BoundModel::add_together(const JointPower& power, std::vector<Point>& points) {
  points.reserve(points.size() + joint_points());
  for (std::size_t a = 0; a < settings_[0].size(); ++a) {
    for (std::size_t b = 0; b < settings_[1].size(); ++b) {
      const Setting &one = settings_[0][a], &other = settings_[1][b];
      for (const OppChoice& opp : choices(one.clusters | other.clusters)) {
        const std::array<RunningJob, 2> jobs{
            RunningJob{&cost_at(one, opp), sim_.ledger.profile[0]},
            RunningJob{&cost_at(other, opp), sim_.ledger.profile[1]}};
        std::array<double, 2> work_per_s;
        const double mw = power.mw(opp, jobs, work_per_s);
        points.push_back(
            {{work_per_s[0], work_per_s[1], mw}, static_cast<int>(a), static_cast<int>(b)});
      }
    }
  }
}

}  // namespace flyball
