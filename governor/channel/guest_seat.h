#pragma once

#include <array>
#include <cstdint>

#include "env/spaces/observation.h"
#include "governor/channel/effect_estimate.h"
#include "governor/channel/guest.h"

namespace flyball {

struct PlatformSpec;

/// The governor's side of a guest: what its reports come to in an epoch. Reports are a client's word:
/// one whose times are out of order or cannot be, or that names a level that is not offered, is counted as
/// lost and changes nothing else. Allocates nothing.
class GuestSeat {
 public:
  static constexpr int kMaxJobsPerEpoch = 64;  ///< who reports more keeps the rest in its ring
  /// A guest runs as it came for so many jobs, or so long.
  static constexpr std::uint64_t kBeforeJobs = EffectEstimate::kBefore;
  static constexpr std::int64_t kBeforeNs = 5'000'000'000;

  bool taken() const { return guest_ != nullptr; }
  Guest& guest() const { return *guest_; }
  std::uint32_t generation() const { return generation_; }

  void bind(Guest& guest, const AppSetting& first, std::int64_t now_ns) noexcept;
  void unbind() noexcept;
  /// All its reports are read.
  void leave() noexcept { left_ = true; }
  bool has_left() const { return left_; }
  bool is_silent() const { return silent_; }
  /// Who it is and what it asks for.
  void tell(AppObservation& to) const noexcept;
  /// What was learned of it is void: as if another had come.
  void reset() noexcept {
    generation_ += 2;
    effect_.forget_now();
  }

  /// Whether it is still left as it came; one that had a governor before is not.
  bool is_before(std::int64_t now_ns) const noexcept {
    return guest_->offer.first_sequence == 0 && lived_ < kBeforeJobs &&
           now_ns - bound_ns_ < kBeforeNs;
  }
  const AppSetting& setting() const { return setting_; }
  /// Of the job that runs, else of the next one.
  const AppSetting& in_force() const { return running_ ? running_setting_ : setting_; }
  /// From here on jobs that name this number ran with it.
  void set(const AppSetting& setting, std::uint64_t number, float speed) noexcept;
  std::uint64_t number() const { return number_; }
  float speed() const { return speed_; }

  /// Reads the ring and what runs, and says whether that was all; times of `out` are `origin_ns` behind the monotonic clock. Energies
  /// come later.
  bool read(std::int64_t origin_ns, std::int64_t now_ns, std::int64_t epoch_ns, Observation& out,
            int slot) noexcept;
  /// How long it was busy within the epoch, ns.
  std::int64_t busy_ns() const { return busy_ns_; }
  /// Its part of the epoch's power while it was busy: jobs get theirs.
  void charge(double mean_mw, std::int64_t now_ns, double clock_mhz, Observation& out,
              int slot) noexcept;
  /// Of one who leaves: its ring was read to the end, or as often as a full one takes, since who still
  /// has the memory can go on writing.
  bool is_done(bool all) noexcept {
    return all || ++last_looks_ > FLYBALL_RING_JOBS / kMaxJobsPerEpoch + 1;
  }
  void show(const PlatformSpec& spec, bool energy_measured) noexcept;

 private:
  struct Ran {
    std::int64_t start_ns = 0, finish_ns = 0;
    std::int64_t latency_ns = 0;
    std::int64_t carried_ns = 0;
    double carried_mj = 0;     ///< of the epochs before
    std::int32_t record = -1;  ///< in the observation; -1: there was no room
    bool known = false;        ///< its energy is
    bool before = false;       ///< ran as the guest came
  };
  bool take(const fly_job& job, std::int64_t origin_ns, std::int64_t now_ns, Observation& out,
            int slot) noexcept;
  AppSetting setting_of(std::uint32_t number, std::size_t flat_level) const noexcept;
  std::uint64_t lost() const noexcept;
  void read_running(std::int64_t origin_ns, std::int64_t now_ns, AppObservation& to) noexcept;

  Guest* guest_ = nullptr;
  std::uint32_t generation_ = 0;   ///< odd while taken
  Requirements asked_, required_;  ///< by the client; with its votes
  std::uint32_t required_version_ = 0;
  AppSetting setting_;
  std::uint64_t number_ = 0;
  int last_looks_ = 0;  ///< since it left
  float speed_ = 1;
  struct Past {
    std::uint32_t number = 0;
    AppSetting setting;
  };
  std::array<Past, 16> past_{};
  std::size_t next_past_ = 0;
  std::uint64_t lived_ = 0;  ///< of its jobs, those of this run
  std::uint64_t jobs_ = 0, late_ = 0, expected_ = 0, garbage_seen_ = 0, released_ = 0;
  std::uint64_t missing_ = 0, disbelieved_ = 0;  ///< reports: that others came after; and lies
  std::int64_t now_ns_ = 0, bound_ns_ = 0, heard_ns_ = 0, latency_ns_ = 0, execution_ns_ = 0;
  AppSetting last_setting_;
  bool silent_ = false, left_ = false;
  bool running_ = false;
  AppSetting running_setting_;
  std::int64_t running_start_ns_ = 0;
  std::int64_t running_ns_ = 0;  ///< of it that was watched
  double running_mj_ = 0;
  std::array<Ran, kMaxJobsPerEpoch> ran_{};
  int ran_count_ = 0;
  std::int64_t busy_ns_ = 0, epoch_start_ns_ = 0;
  EffectEstimate effect_;
  std::array<float, FLYBALL_MONITORS> monitor_{};
  int before_mapping_ = -1;
};

}  // namespace flyball
