#include "governor/channel/guest_seat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "env/ledger/arrivals.h"
#include "env/ledger/job_counts.h"
#include "env/model/platform_spec.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr std::int64_t kLeewayNs = 1'000'000;  // of two readings of one clock
constexpr std::int64_t kDayNs = 86'400'000'000'000;

std::int64_t overlap_ns(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  return std::max<std::int64_t>(0, std::min(b, d) - std::max(a, c));
}

void copy_name(const std::string& from, char (&to)[FLYBALL_NAME_BYTES]) noexcept {
  const std::size_t bytes = std::min(from.size(), sizeof to - 1);
  std::memset(to, 0, sizeof to);
  std::memcpy(to, from.data(), bytes);
}

}  // namespace

void GuestSeat::bind(Guest& guest, const AppSetting& first, std::int64_t now_ns) noexcept {
  const std::uint32_t generation = generation_ + 1;
  *this = GuestSeat();
  guest_ = &guest;
  generation_ = generation;
  asked_ = required_ = guest.offer.required;
  expected_ = guest.offer.first_sequence;
  now_ns_ = bound_ns_ = heard_ns_ = now_ns;
  setting_ = last_setting_ = first;
  past_.fill({0, first});  // jobs of before the first setting ran with that
  monitor_.fill(std::numeric_limits<float>::quiet_NaN());
}

void GuestSeat::unbind() noexcept {
  const std::uint32_t generation = generation_ + 1;
  *this = GuestSeat();
  generation_ = generation;
}

void GuestSeat::set(const AppSetting& setting, std::uint64_t number, float speed) noexcept {
  past_[next_past_] = {static_cast<std::uint32_t>(number_), setting_};
  next_past_ = (next_past_ + 1) % past_.size();
  setting_ = setting;
  number_ = number;
  speed_ = speed;
}

/// What a job ran with: which cores, as the setting that it names said; its level, and the element that this
/// is of, are its own word.
AppSetting GuestSeat::setting_of(std::uint32_t number, std::size_t flat_level) const noexcept {
  AppSetting setting = setting_;
  if (number != static_cast<std::uint32_t>(number_)) {
    for (const Past& past : past_) {
      if (past.number == number) setting = past.setting;
    }
  }
  setting.mapping = guest_->offer.mapping_of(flat_level, setting.mapping);
  setting.level = static_cast<std::uint8_t>(guest_->offer.level_of[flat_level]);
  return setting;
}

bool GuestSeat::take(const fly_job& job, std::int64_t origin_ns, std::int64_t now_ns,
                     Observation& out, int slot) noexcept {
  const Offer& offer = guest_->offer;
  if (job.sequence < expected_ || job.release_ns < 0 || job.start_ns < job.release_ns ||
      job.finish_ns < job.start_ns || job.finish_ns > now_ns + origin_ns ||
      job.finish_ns - job.release_ns > kDayNs || job.deadline_ns < 0 ||
      job.level >= FLYBALL_LEVELS || offer.level_of[job.level] < 0)
    return false;
  missing_ += job.sequence - expected_;
  expected_ = job.sequence + 1;
  ++jobs_;
  AppObservation& to = out.app[slot];
  const std::int64_t release_ns = job.release_ns - origin_ns;
  std::int64_t deadline_ns = kNeverNs;  // as one that is more than a day away
  if (job.deadline_ns == 0) {
    if (required_.deadline_ns > 0) deadline_ns = release_ns + required_.deadline_ns;
  } else if (job.deadline_ns - job.release_ns <= kDayNs) {
    deadline_ns = job.deadline_ns - origin_ns;
  }
  JobRecord record;
  record.sequence = job.sequence;
  record.release_ns = release_ns;
  record.start_ns = job.start_ns - origin_ns;
  record.finish_ns = std::min(job.finish_ns - origin_ns, now_ns);
  record.deadline_ns = deadline_ns;
  record.app = static_cast<std::uint8_t>(slot);
  const int level = offer.level_of[job.level];
  record.setting = setting_of(job.setting, job.level);
  record.dropped = job.dropped != 0;
  record.missed = record.dropped || record.finish_ns > deadline_ns;
  record.accuracy_pct =
      record.dropped
          ? 0
          : static_cast<float>(offer.binding.levels[static_cast<std::size_t>(level)].accuracy_pct);
  record.accuracy_floor_pct = static_cast<float>(required_.accuracy_floor_pct);
  late_ += record.missed;
  heard_ns_ = now_ns;
  for (std::size_t m = 0; m < std::min<std::size_t>(job.values, offer.monitors.size()); ++m) {
    if (!std::isfinite(job.value[m])) continue;
    monitor_[m] = job.value[m];
    // Of a job of this run, as all that is charged.
    if (record.finish_ns >= 0 && !record.dropped)
      to.undesired += cost_of(offer.monitors[m], static_cast<double>(job.value[m]));
  }
  // Of the governor before: counted, but nothing that happened in this run.
  if (record.finish_ns < 0) return true;
  ++lived_;

  double best_pct = 0;
  for (const DeclaredLevel& each : offer.binding.levels)
    best_pct = std::max(best_pct, each.accuracy_pct);
  if (record.dropped) {
    count_drop(to, required_, release_ns, deadline_ns, record.accuracy_floor_pct, best_pct);
  } else {
    count_finish(to, required_, record.latency_ns(), record.finish_ns - deadline_ns,
                 record.accuracy_pct, record.accuracy_floor_pct,
                 best_pct - static_cast<double>(record.accuracy_pct));
    latency_ns_ = record.latency_ns();
    execution_ns_ = record.execution_ns();
    last_setting_ = record.setting;
  }
  Ran& ran = ran_[static_cast<std::size_t>(ran_count_++)];
  ran = {};
  ran.start_ns = record.start_ns;
  ran.finish_ns = record.finish_ns;
  ran.latency_ns = record.latency_ns();
  ran.before = offer.first_sequence == 0 && lived_ <= kBeforeJobs && job.setting == 0;
  ran.known = !record.dropped;
  if (running_ && running_start_ns_ == record.start_ns) {
    ran.carried_mj = running_mj_;
    ran.carried_ns = running_ns_;
  }
  if (JobRecord* room = out.new_job()) {
    *room = record;
    ran.record = static_cast<std::int32_t>(out.job_count) - 1;
  }
  return true;
}

void GuestSeat::read_running(std::int64_t origin_ns, std::int64_t now_ns,
                             AppObservation& to) noexcept {
  fly_running seen;
  if (!guest_->memory->running(seen)) return;
  // Before any difference is taken: a client may write what has none.
  if (seen.release_ns < 0 || seen.start_ns < seen.release_ns ||
      seen.start_ns > now_ns + origin_ns + kLeewayNs) {
    running_ = false;
    return;
  }
  const std::int64_t start_ns = seen.start_ns - origin_ns, release_ns = seen.release_ns - origin_ns;
  const std::int64_t patience_ns = std::max<std::int64_t>(
      FLYBALL_SILENT_NS, 10 * std::max(required_.period_ns, required_.deadline_ns));
  const bool believable = seen.busy != 0 && now_ns - start_ns < patience_ns &&
                          seen.level < FLYBALL_LEVELS && guest_->offer.level_of[seen.level] >= 0;
  if (!believable) {
    running_ = false;
    return;
  }
  if (!running_ || start_ns != running_start_ns_) {
    running_mj_ = 0;
    running_ns_ = 0;
  }
  running_ = true;
  running_start_ns_ = start_ns;
  heard_ns_ = std::max(heard_ns_, std::min(start_ns, now_ns));
  RunningJobObservation& run = to.running;
  run.busy = true;
  run.sequence = expected_;
  run.release_ns = release_ns;
  run.start_ns = std::min(start_ns, now_ns);
  run.deadline_ns = required_.deadline_ns > 0 ? release_ns + required_.deadline_ns : kNeverNs;
  run.setting = running_setting_ = setting_of(seen.setting, seen.level);
}

bool GuestSeat::read(std::int64_t origin_ns, std::int64_t now_ns, std::int64_t epoch_ns,
                     Observation& out, int slot) noexcept {
  AppObservation& to = out.app[slot];
  to = AppObservation();
  const std::uint32_t version = guest_->required_version.load(std::memory_order_acquire);
  Requirements fresh;  // of which half may be written while it is read
  if (version != required_version_ && guest_->required.get(fresh, 3)) {
    asked_ = fresh;
    required_version_ = version;
  }
  required_ = asked_;
  // Late by a quarter is nearly as good.
  if (guest_->efficient.load(std::memory_order_relaxed))
    required_.grace_ns = std::max(required_.grace_ns, required_.deadline_ns / 4);

  now_ns_ = now_ns;
  epoch_start_ns_ = now_ns - epoch_ns;
  ran_count_ = 0;
  busy_ns_ = 0;
  fly_job job;
  int count = 0;
  bool all = false;
  for (; count < kMaxJobsPerEpoch; ++count) {
    all = !guest_->memory->peek_job(job);
    if (all) break;
    // Ended since the platform looked, which may be long ago on a busy machine: of the next epoch.
    if (job.finish_ns > now_ns + origin_ns && job.finish_ns <= monotonic_ns() + kLeewayNs) break;
    guest_->memory->pass_job();
    if (take(job, origin_ns, now_ns, out, slot)) continue;
    ++disbelieved_;
    if (job.sequence == expected_) ++expected_;  // its place in the count is no gap
  }
  disbelieved_ += guest_->memory->garbage() - garbage_seen_;
  garbage_seen_ = guest_->memory->garbage();
  if (ran_count_ > 0) guest_->spike_until_ns.store(0, std::memory_order_relaxed);
  for (int i = 0; i < ran_count_; ++i)
    busy_ns_ += overlap_ns(ran_[static_cast<std::size_t>(i)].start_ns,
                           ran_[static_cast<std::size_t>(i)].finish_ns, epoch_start_ns_, now_ns);
  read_running(origin_ns, now_ns, to);
  if (running_) busy_ns_ += overlap_ns(running_start_ns_, now_ns, epoch_start_ns_, now_ns);
  busy_ns_ = std::min(busy_ns_, epoch_ns);  // one job at a time, whatever it says

  const std::int64_t patience_ns =
      std::max<std::int64_t>(FLYBALL_SILENT_NS, 10 * required_.period_ns);
  silent_ = now_ns - heard_ns_ > patience_ns;
  tell(to);
  to.backlog = running_ ? 1 : 0;
  const std::uint64_t seen_jobs = jobs_ + (running_ ? 1 : 0);
  to.released = static_cast<std::uint32_t>(seen_jobs - std::min(seen_jobs, released_));
  released_ = seen_jobs;
  to.last_latency_ns = latency_ns_;
  to.last_execution_ns = execution_ns_;
  to.last_setting = last_setting_;
  return all;
}

void GuestSeat::tell(AppObservation& to) const noexcept {
  to.generation = generation_;
  to.active = !silent_ && !left_;
  to.required = required_;
  to.setting = setting_;
}

void GuestSeat::charge(double mean_mw, std::int64_t now_ns, double clock_mhz, Observation& out,
                       int slot) noexcept {
  AppObservation& to = out.app[slot];
  to.energy_mj = mean_mw * static_cast<double>(busy_ns_) * 1e-9;
  const auto mj = [&](std::int64_t ns) { return mean_mw * static_cast<double>(ns) * 1e-9; };
  for (int i = 0; i < ran_count_; ++i) {
    const Ran& ran = ran_[static_cast<std::size_t>(i)];
    if (!ran.known) continue;
    // Of the part of it that was watched; one that was told only when it was over is charged at the
    // power of its last epoch.
    const std::int64_t now_part_ns =
        overlap_ns(ran.start_ns, ran.finish_ns, epoch_start_ns_, now_ns);
    const std::int64_t watched_ns = ran.carried_ns + now_part_ns;
    const std::int64_t lasted_ns = ran.finish_ns - ran.start_ns;
    const double energy_mj = watched_ns > 0 ? (ran.carried_mj + mj(now_part_ns)) *
                                                  static_cast<double>(lasted_ns) /
                                                  static_cast<double>(watched_ns)
                                            : mj(lasted_ns);
    if (ran.record >= 0) out.job_store[static_cast<std::size_t>(ran.record)].energy_mj = energy_mj;
    count_energy(to, required_, energy_mj);
    if (ran.before) {
      effect_.add_before(static_cast<double>(ran.latency_ns), energy_mj, clock_mhz);
      before_mapping_ = setting_.mapping;
    } else {
      effect_.add_now(static_cast<double>(ran.latency_ns), energy_mj, clock_mhz);
    }
  }
  if (!running_) return;
  const std::int64_t part_ns = overlap_ns(running_start_ns_, now_ns, epoch_start_ns_, now_ns);
  running_mj_ += mj(part_ns);
  running_ns_ += part_ns;
}

/// Whoever finds no room says so itself: the last ones have no report behind them that would show it.
std::uint64_t GuestSeat::lost() const noexcept {
  return std::min<std::uint64_t>(
      FLY_MOST_LOST,
      std::min<std::uint64_t>(FLY_MOST_LOST, disbelieved_) +
          std::max(guest_->memory->lost(), std::min<std::uint64_t>(FLY_MOST_LOST, missing_)));
}

void GuestSeat::show(const PlatformSpec& spec, bool energy_measured) noexcept {
  GuestShown shown;
  effect_.fill(shown.effect);
  shown.effect.jobs = jobs_;
  shown.effect.late = late_;
  shown.effect.lost = lost();
  if (!effect_.has_before() && !is_before(now_ns_))
    shown.effect.no_comparison =
        guest_->offer.first_sequence != 0 ? FLYBALL_JOINED_EARLIER : FLYBALL_FEW_BEFORE;
  shown.effect.energy_measured = energy_measured;
  if (before_mapping_ >= 0)
    copy_name(spec.mappings[static_cast<std::size_t>(before_mapping_)].name,
              shown.effect.before_where);
  if (number_ > 0) copy_name(spec.mappings[setting_.mapping].name, shown.effect.now_where);
  shown.level = guest_->offer.flat(setting_.level, setting_.mapping);
  shown.monitor = monitor_;
  shown.silent = silent_;
  guest_->shown.put(shown);
  guest_->memory->put_effect(shown.effect);
}

}  // namespace flyball
