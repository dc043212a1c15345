#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agents/ablation.h"
#include "agents/board_transfer.h"
#include "agents/power_estimate.h"
#include "agents/time_estimate.h"
#include "env/model/belief.h"
#include "kernels/base/bytes.h"

namespace flyball {

/// The belief of a board, corrected by what comes of it: times by every job, power by every stretch
/// from job to job. Whoever plans with `belief()` plans for the board as it turns out to be, on all
/// mappings and clocks and not only on those that were tried.
class LearnedBoard {
 public:
  explicit LearnedBoard(const Belief& prior);

  const Belief& belief() const { return belief_; }
  /// Moves when the belief has, by enough to plan anew.
  std::uint32_t version() const { return version_; }

  /// Takes in an epoch; `known` is, per slot, the index of the application's profile or -1.
  void observe(const Observation& outcome, const std::array<std::int16_t, kMaxApps>& known);
  /// Of a kind of application; nullptr for a plain load.
  TimeEstimate* times(int app) { return times_[static_cast<std::size_t>(app)].get(); }
  const TimeEstimate* times(int app) const { return times_[static_cast<std::size_t>(app)].get(); }
  const PowerEstimate& power() const { return power_; }
  /// What a job of nominal work takes beyond an idle platform, as first believed but for its time.
  PowerEstimate::Parts parts(int app, int mapping, int level, const OppChoice& opp) const;
  /// false: neither times nor power change any more.
  void set_learning(bool on);
  /// Power stays as first believed, for whoever learns it otherwise.
  void learn_times_only() { power_.set_learning(false); }
  void begin_run() { power_.forget_stretch(); }

  void save(ByteWriter& out) const;
  std::size_t saved_bytes() const;
  /// Throws Error (kInput) when it does not fit, or more follows; then nothing has changed.
  void load(ByteReader& in) { load(in, true); }
  /// Whether what that board learned by mapping is true of this one's: mappings of as many cores, of
  /// clusters that are alike one to one and in order.
  bool same_mappings(ByteReader in) const;
  /// Of another board, as far as its clusters are like ones of this (board_transfer.h): by how much it
  /// was off its file moves what is believed here, less surely. Returns notes for the user, and throws
  /// as load().
  std::vector<std::string> load_as_prior(ByteReader& in);
  void ablate(Ablation how, Random& random);

 private:
  /// `keep`: false passes over it, for it is of another board.
  void load(ByteReader& in, bool keep);
  void correct_power();
  void agree_on_lowest();
  bool moved() const;

  const Belief& prior_;
  const std::vector<ClusterMeaning> meanings_;  ///< here, for save() may not allocate
  Belief belief_;
  PowerEstimate power_;
  std::vector<std::unique_ptr<TimeEstimate>> times_;  ///< per profile
  std::uint32_t version_ = 0;
  bool learning_ = true;
  std::vector<double> planned_;  ///< the numbers when version_ last moved
};

}  // namespace flyball
