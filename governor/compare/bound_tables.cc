#include <algorithm>
#include <bit>
#include <limits>
#include <map>

#include "governor/compare/bound_model.h"
#include "kernels/base/det_math.h"

// What work can cost, and what a second can earn at prices for it.

namespace flyball {
namespace {

constexpr int kPrices = 96;

}  // namespace

/// From the cheapest work that there is to beyond the dearest that somebody could have to buy. Only how
/// tight the bound is depends on them.
void BoundModel::choose_prices(const std::vector<std::vector<Point>>& alone) {
  for (int a = 0; a < sim_.apps; ++a) {
    double lowest = std::numeric_limits<double>::infinity(), highest = 0;
    for (const std::vector<Point>& points : alone) {
      std::vector<Pace> paces;
      for (const Point& point : points) {
        const double work = a == 0 ? point.pace.work_a_per_s : point.pace.work_b_per_s;
        if (work > 0) paces.push_back({work, point.pace.excess_mw - points.front().pace.excess_mw});
      }
      const std::vector<Pace> hull = lower_hull(paces);
      for (std::size_t i = 1; i < hull.size(); ++i) {
        const double price = hull_slope(hull[i - 1], hull[i]);
        if (price > 0) lowest = std::min(lowest, price);
        highest = std::max(highest, price);
      }
    }
    std::vector<double>& prices = prices_.emplace_back(1, 0.0);
    if (!(lowest < highest)) lowest = highest = std::max(highest, 1e-6);
    lowest *= 0.7, highest *= 1.5;
    for (int i = 0; i < kPrices; ++i)
      prices.push_back(lowest * det_exp(det_log(highest / lowest) * i / (kPrices - 1)));
  }
}

void BoundModel::find_ways(std::size_t k, const std::vector<Point>& points) {
  for (int a = 0; a < sim_.apps; ++a) {
    const auto& settings = settings_[static_cast<std::size_t>(a)];
    std::vector<std::vector<Pace>> paces(settings.size());
    for (const Point& point : points) {
      const int mine = a == 0 ? point.setting_a : point.setting_b;
      const int other = a == 0 ? point.setting_b : point.setting_a;
      if (mine < 0 || other >= 0) continue;
      const double work = a == 0 ? point.pace.work_a_per_s : point.pace.work_b_per_s;
      paces[static_cast<std::size_t>(mine)].push_back({work, point.pace.excess_mw});
    }
    for (FloorClass& one : classes_[static_cast<std::size_t>(a)]) {
      one.ways.resize(settings.size());
      for (std::size_t s = 0; s < settings.size(); ++s) {
        if (!one.reaches[settings[s].setting.level]) continue;
        one.ways[s].hull.resize(conditions_.size());
        one.ways[s].hull[k] = lower_hull(paces[s]);
      }
    }
  }
}

void BoundModel::tabulate(const std::vector<Point>& points, std::vector<PriceTable>& tables) const {
  const std::vector<double> nothing = {0};
  const auto earns = [&](int a, const FloorClass& one, int setting) {
    return setting >= 0 &&
           one.reaches[settings_[static_cast<std::size_t>(a)][static_cast<std::size_t>(setting)]
                           .setting.level];
  };
  std::vector<JointPace> paces;
  for (const FloorClass& of_a : classes_[0]) {
    const std::size_t others = sim_.apps == 2 ? classes_[1].size() : 1;
    for (std::size_t b = 0; b < others; ++b) {
      paces.clear();
      for (const Point& point : points) {
        JointPace pace = point.pace;
        if (!earns(0, of_a, point.setting_a)) pace.work_a_per_s = 0;
        if (sim_.apps < 2 || !earns(1, classes_[1][b], point.setting_b)) pace.work_b_per_s = 0;
        paces.push_back(pace);
      }
      tables.emplace_back(paces, prices_[0], sim_.apps == 2 ? prices_[1] : nothing);
    }
  }
}

std::array<ApartPower::Users, kMaxClusters> BoundModel::users() const {
  std::array<ApartPower::Users, kMaxClusters> all;
  for (int c = 0; c < sim_.clusters; ++c) {
    ApartPower::Users& users = all[static_cast<std::size_t>(c)];
    users.gated = sim_.spec.clusters[static_cast<std::size_t>(c)].gate_idle_cores;
    for (std::size_t a = 0; a < settings_.size(); ++a) {
      users.gated = users.gated || sim_.ledger.profile[a]->unit[c].gate_idle_cores;
      double threads = 0;
      for (const Setting& setting : settings_[a]) {
        for (const JobCost& cost : setting.costs) {
          if ((cost.clusters >> c & 1) == 0) continue;
          users.least_busy = std::min(users.least_busy, cost.busy_cores[c]);
          threads = std::max(threads, cost.cores[c]);
        }
      }
      users.most_threads += threads;
    }
  }
  return all;
}

/// Every choice of clocks, and for every cluster that it is off: nobody is on it.
std::vector<BoundModel::ClocksOn> BoundModel::clocks_on(const JointPower& power,
                                                        const ApartPower& apart) const {
  std::vector<ClocksOn> all = {{0, {}, sim_.spec.board_mw}};
  for (int c = 0; c < sim_.clusters; ++c) {
    std::vector<ClocksOn> more;
    for (const ClocksOn& one : all) {
      more.push_back(one);
      more.back().mw += power.idle_mw(c);
      for (int opp = 0; opp <= sim_.spec.clusters[static_cast<std::size_t>(c)].max_opp(); ++opp) {
        more.push_back(one);
        more.back().on |= 1u << c;
        more.back().opp[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(opp);
        more.back().mw += apart.on_mw(c, opp);
      }
    }
    all = std::move(more);
  }
  return all;
}

/// Per choice of clocks and price: what a job of an application earns at most in any way that keeps to the
/// clusters that are on.
std::vector<double> BoundModel::earned_apart(int a, const FloorClass& floor,
                                             const std::vector<ClocksOn>& clocks,
                                             const ApartPower& apart) const {
  const std::vector<double>& prices = prices_[static_cast<std::size_t>(a)];
  const std::size_t many = prices.size();
  // First by the clusters that a way uses: most choices of clocks differ in others.
  std::map<std::pair<unsigned, std::uint64_t>, std::vector<double>> best;
  for (const Setting& setting : settings_[static_cast<std::size_t>(a)]) {
    const bool paid = floor.reaches[setting.setting.level];
    for (std::size_t i = 0; i < setting.opps.size(); ++i) {
      std::vector<double>& earned =
          best[{setting.clusters, std::bit_cast<std::uint64_t>(setting.opps[i])}];
      earned.resize(many, 0.0);
      if (!paid) continue;
      const RunningJob job{&setting.costs[i], sim_.ledger.profile[a]};
      for (std::size_t p = 0; p < many; ++p)
        earned[p] = std::max(earned[p], apart.earned_mw(job, setting.opps[i], prices[p]));
    }
  }
  std::vector<double> all(clocks.size() * many, 0.0);
  for (std::size_t o = 0; o < clocks.size(); ++o) {
    for (unsigned part = clocks[o].on; part != 0; part = (part - 1) & clocks[o].on) {
      OppChoice opp{};
      for (int c = 0; c < sim_.clusters; ++c)
        if ((part >> c & 1) != 0)
          opp[static_cast<std::size_t>(c)] = clocks[o].opp[static_cast<std::size_t>(c)];
      const auto found = best.find({part, std::bit_cast<std::uint64_t>(opp)});
      if (found == best.end()) continue;
      for (std::size_t p = 0; p < many; ++p)
        all[o * many + p] = std::max(all[o * many + p], found->second[p]);
    }
  }
  return all;
}

void BoundModel::tabulate_apart(const std::vector<Point>& alone,
                                const std::vector<ClocksOn>& clocks, const ApartPower& apart,
                                double floor_mw, std::vector<PriceTable>& tables) const {
  tabulate(alone, tables);  // either one, or none
  std::array<std::vector<std::vector<double>>, 2> earned;
  for (int a = 0; a < 2; ++a)
    for (const FloorClass& floor : classes_[static_cast<std::size_t>(a)])
      earned[static_cast<std::size_t>(a)].push_back(earned_apart(a, floor, clocks, apart));
  const std::size_t many_a = prices_[0].size(), many_b = prices_[1].size();
  for (std::size_t a = 0; a < earned[0].size(); ++a) {
    for (std::size_t b = 0; b < earned[1].size(); ++b) {
      PriceTable& table = tables[a * earned[1].size() + b];
      for (std::size_t o = 0; o < clocks.size(); ++o) {
        table.raise({&earned[0][a][o * many_a], many_a}, {&earned[1][b][o * many_b], many_b},
                    clocks[o].mw - floor_mw);
      }
    }
  }
}

const PriceTable& BoundModel::table(std::size_t condition, int class_a, int class_b) const {
  const std::size_t others = sim_.apps == 2 ? classes_[1].size() : 1;
  return tables_[conditions_[condition].like]
                [static_cast<std::size_t>(class_a) * others + static_cast<std::size_t>(class_b)];
}

}  // namespace flyball
