#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// One way to run a job of nominal work, alone on the platform.
struct ProfilePoint {
  double time_ns = 0;
  /// Beyond what the platform takes idle at its lowest frequencies in the same time. With idle states:
  /// beyond what it takes as deep as it gets, what waking its clusters and their way down again cost
  /// included.
  double energy_mj = 0;
  OppChoice opp{};  ///< clusters outside the mapping at their lowest
};

/// The profile table of one application: per mapping and level the operating points worth using,
/// found by trying all of them in the platform's model when it is built. Agents use it as their
/// prior; what the machine really does is theirs to learn.
class Profile {
 public:
  /// `tail_ns`: how long the clocks stay up after a job has finished, on average (half an epoch);
  /// the energy of idling at them for so long is part of the job's.
  /// `learns`: what is believed may change, so points are kept that are of use only then.
  /// `gap_ns`: from one job to the next; 0 when it is not known. With idle states it says how deep the
  /// clusters get between jobs, and so whether it pays to finish early; without them it means nothing.
  Profile(const PlatformSpec& platform, const AppProfile& app, double tail_ns, bool learns = false,
          double gap_ns = 0);

  /// The points of a mapping and level anew, for one that learns: its beliefs have changed. Does not
  /// allocate.
  void refresh(int mapping, int level);

  int mapping_count() const { return mappings_; }
  int level_count() const { return levels_; }
  bool supports(int mapping) const { return !frontier(mapping, 0).empty(); }
  /// Ascending time, descending energy: no other choice of OPPs for this mapping and level is both
  /// faster and cheaper. Its first entry is the fastest. Empty for a mapping that the application
  /// cannot run on.
  std::span<const ProfilePoint> frontier(int mapping, int level) const {
    const Range& range = range_[static_cast<std::size_t>(mapping * levels_ + level)];
    return {points_.data() + range.begin, range.size};
  }
  /// The quickest level whose accuracy reaches the floor; the most accurate when none does.
  int level_for(double accuracy_floor_pct) const { return app_.level_for(accuracy_floor_pct); }
  /// Whether the level is accurate enough, or none is and this one comes nearest.
  bool reaches(int level, double accuracy_floor_pct) const {
    return accuracy_pct(level) >= app_.attainable_pct(accuracy_floor_pct);
  }
  /// The least accurate level that reaches the floor, or comes nearest.
  int least_accurate(double accuracy_floor_pct) const;
  /// Visits (mapping, level, point) of every frontier of levels at least as accurate as `least`.
  template <typename Visitor>
  void for_each_as_accurate(int least, Visitor&& visit) const {
    for (int m = 0; m < mappings_; ++m) {
      for (int l = 0; l < levels_; ++l) {
        if (accuracy_pct(l) < accuracy_pct(least)) continue;
        for (const ProfilePoint& point : frontier(m, l)) visit(m, l, point);
      }
    }
  }
  double accuracy_pct(int level) const {
    return app_.levels[static_cast<std::size_t>(level)].accuracy_pct;
  }
  /// Power of the whole platform when it idles at its lowest frequencies, as deep as it gets, mW.
  double idle_mw() const { return idle_mw_; }

 protected:
  /// Whether energies depend on the gap between jobs.
  bool weighs_gaps() const { return weighs_gaps_; }
  double gap_ns() const { return gap_ns_; }
  /// The points change with the next refresh() of each mapping and level.
  void set_gap(double gap_ns) { gap_ns_ = gap_ns; }

 private:
  struct Range {
    std::uint32_t begin = 0, size = 0, choices = 0;
  };
  ProfilePoint point(const Mapping& mapping, int level, const OppChoice& opp) const;
  void keep_choices(std::vector<ProfilePoint>& all, const Mapping& mapping);
  void keep_best(std::vector<ProfilePoint>::iterator begin, std::vector<ProfilePoint>::iterator end,
                 Range& range);

  const PlatformSpec& platform_;
  const AppProfile& app_;
  double tail_ns_, gap_ns_;
  bool weighs_gaps_;
  int mappings_ = 0, levels_ = 0;
  double idle_mw_ = 0;
  std::vector<ProfilePoint> points_;
  std::vector<OppChoice> choices_;  ///< of one that learns: parallel to points_, worth a look
  std::vector<ProfilePoint> scratch_;
  std::vector<Range> range_;
};

/// Whether no cluster is above its cap. All at once: a byte keeps its top bit when the OPP is not above
/// the cap, and none borrows from its neighbour. A cap is an OPP, so below 128, or 255.
inline bool within_cap(const OppChoice& opp, const OppChoice& cap) {
  static_assert(kMaxOpps <= 128 && sizeof(OppChoice) == sizeof(std::uint64_t));
  constexpr std::uint64_t kTop = 0x8080808080808080;
  return (((std::bit_cast<std::uint64_t>(cap) | kTop) - std::bit_cast<std::uint64_t>(opp)) &
          kTop) == kTop;
}

/// The index in `frontier` of the cheapest point that takes at most `limit_ns` and keeps every
/// cluster at or below its `cap`; the fastest within the caps when none is quick enough; -1 when
/// the caps exclude all.
int cheapest_within(std::span<const ProfilePoint> frontier, double limit_ns, const OppChoice& cap);

/// More choices of OPPs than this for one mapping are not visited one by one: they are as many as
/// the product of its clusters' tables, seconds for four clusters and days for eight.
inline constexpr int kMaxOppChoices = 1024;

/// Visits every choice of OPPs for the clusters of `mapping`, the others at their lowest. Of more
/// than kMaxOppChoices, which two clusters of a board seldom have, those of a ladder: the clusters
/// climb together, a rung per OPP of the longest table. What is lost are choices in which one of them
/// is fast and another slow, and so what could be saved on the one that a job needs least.
template <typename Visitor>
void for_each_opp_choice(const PlatformSpec& platform, const Mapping& mapping, Visitor&& visit) {
  OppChoice opp{};
  int choices = 1, rungs = 1;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    const int own = platform.clusters[c].max_opp() + 1;
    if (choices <= kMaxOppChoices) choices *= own;
    rungs = rungs > own ? rungs : own;
  }
  if (choices > kMaxOppChoices) {
    for (int rung = 0; rung < rungs; ++rung) {
      for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
        if (mapping.cores[c] == 0) continue;
        opp[c] = static_cast<std::uint8_t>(rung * platform.clusters[c].max_opp() / (rungs - 1));
      }
      visit(opp);
    }
    return;
  }
  for (;;) {
    visit(opp);
    int c = 0;  // counts up like an odometer
    for (; c < kMaxClusters; ++c) {
      if (mapping.cores[c] == 0) continue;
      if (opp[c] < platform.clusters[c].max_opp()) {
        ++opp[c];
        break;
      }
      opp[c] = 0;
    }
    if (c == kMaxClusters) return;
  }
}

}  // namespace flyball
