#include "governor/channel/channel_platform.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "env/model/belief.h"
#include "env/model/model.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

int cores_of(const Mapping& mapping) {
  int cores = 0;
  for (const std::uint8_t each : mapping.cores) cores += each;
  return cores;
}

bool is_of_cpus(const ClusterSpec& cluster) { return cluster.kind == ClusterSpec::Kind::kCpu; }

double share_of_top(const ClusterSpec& cluster, int opp) {
  return static_cast<double>(cluster.opps[static_cast<std::size_t>(opp)].freq_khz) /
         static_cast<double>(cluster.opps.back().freq_khz);
}

}  // namespace

ChannelPlatform::ChannelPlatform(Platform& inner, const PlatformSpec& spec, GuestTable& table,
                                 int slots, const ChannelPlatformOptions& options)
    : inner_(inner), spec_(spec), table_(table), slots_(slots), options_(options) {
  const int places = std::min<int>(FLYBALL_SESSIONS, kMaxApps - slots);
  for (int i = 0; i < places; ++i) seats_.push_back(std::make_unique<GuestSeat>());
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    const Mapping& widest = spec.mappings[static_cast<std::size_t>(widest_mapping_)];
    const bool more = cores_of(spec.mappings[m]) > cores_of(widest) ||
                      !is_on_cpus(static_cast<std::size_t>(widest_mapping_));
    if (more && is_on_cpus(m)) widest_mapping_ = static_cast<int>(m);
  }
  cap_.fill(255);
  table.governed.store(true);
}

ChannelPlatform::~ChannelPlatform() {
  for (const auto& seat : seats_) {
    if (seat->taken()) seat->guest().state.store(Guest::State::kReady, std::memory_order_release);
  }
  table_.governed.store(false);
}

const Binding& ChannelPlatform::binding(int slot) const {
  return slot < slots_ ? inner_.binding(slot)
                       : seats_[static_cast<std::size_t>(slot - slots_)]->guest().offer.binding;
}

void ChannelPlatform::observe(Observation& out) const noexcept { inner_.observe(out); }

void ChannelPlatform::amend(Action& action) const noexcept {
  inner_.amend(action);
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (seats_[i]->taken())
      raise_clocks(*seats_[i], action.app[static_cast<std::size_t>(slots_) + i].mapping, action);
  }
}

Status ChannelPlatform::apply(const Action& action) noexcept {
  const std::int64_t now_ns = monotonic_ns();
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    GuestSeat& seat = *seats_[i];
    if (!seat.taken() || seat.is_before(now_ns - origin_ns_)) continue;
    set(seat, action.app[static_cast<std::size_t>(slots_) + i], action);
  }
  occupy_devices();
  return inner_.apply(action);
}

Status ChannelPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  const Status status = inner_.advance(request, out);
  // The reading closest to the platform's own is the smallest.
  const std::int64_t origin_ns = monotonic_ns() - out.now_ns;
  if (origin_ns_ == 0 || origin_ns < origin_ns_) origin_ns_ = origin_ns;
  merge(out);
  return status;
}

/// Agents make tables for whoever is new, within the epoch: their size goes with the levels. So many
/// levels an epoch, at least one guest, and after one of many levels a while nobody.
bool ChannelPlatform::may_bind(const Guest& guest, std::int64_t now_ns) noexcept {
  constexpr std::size_t kLevels = 64;
  const std::size_t levels = guest.offer.binding.levels.size();
  if (now_ns < next_bind_ns_ || (bound_levels_ > 0 && bound_levels_ + levels > kLevels))
    return false;
  bound_levels_ += levels;
  if (levels > kLevels) next_bind_ns_ = now_ns + 1'000'000 * static_cast<std::int64_t>(levels);
  return true;
}

void ChannelPlatform::merge(Observation& out) noexcept {
  bound_levels_ = 0;
  for (int c = 0; c < out.cluster_count; ++c)
    cap_[static_cast<std::size_t>(c)] = out.cluster[c].opp_cap;
  int used = 0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    GuestSeat& seat = *seats_[i];
    Guest& guest = table_.guest[i];
    const int slot = slots_ + static_cast<int>(i);
    out.app[slot] = AppObservation();
    auto ready = Guest::State::kReady;
    if (seat.taken() && seat.has_left()) {
      seat.unbind();
      cpus_[i] = {};
      ++roster_changes_;
      guest.state.store(Guest::State::kLeft, std::memory_order_release);
    } else if (seat.taken()) {
      follow(guest, seat, out, slot);
    } else if (guest.state.load(std::memory_order_acquire) == ready &&
               may_bind(guest, out.now_ns) &&
               guest.state.compare_exchange_strong(ready, Guest::State::kBound,
                                                   std::memory_order_acq_rel)) {
      // As it came: on the last of what it can run on.
      const WhereKnob& where = guest.offer.where;
      const AppSetting first{
          where.is_there() ? where.mapping.back() : static_cast<std::uint8_t>(widest_mapping_),
          static_cast<std::uint8_t>(guest.offer.binding.levels.size() - 1)};
      seat.bind(guest, first, out.now_ns);
      // Its reports are for the next epoch, when everybody knows it.
      seat.tell(out.app[slot]);
      ++roster_changes_;
    }
    out.app[slot].generation = seat.generation();
    if (seat.taken()) used = static_cast<int>(i) + 1;
  }
  for (int slot = out.app_count; slot < slots_; ++slot) out.app[slot] = AppObservation();
  out.roster_version += roster_changes_;
  if (used > 0) out.app_count = slots_ + used;
  charge(out);
}

void ChannelPlatform::follow(Guest& guest, GuestSeat& seat, Observation& out, int slot) noexcept {
  // Before its reports are read: what was published before it left is read with this look, unless that is
  // more than a look takes.
  const bool leaves = guest.leaving.load(std::memory_order_acquire);
  const bool all = seat.read(origin_ns_, out.now_ns, out.epoch_ns, out, slot);
  if (guest.resets.load(std::memory_order_relaxed) != 0 && may_bind(guest, out.now_ns)) {
    guest.resets.exchange(0,
                          std::memory_order_relaxed);  // one that comes now is for the next epoch
    seat.reset();
    ++roster_changes_;
  }
  guest.memory->beat(origin_ns_ + out.now_ns);
  // The slot is given up when everybody has been told of its last reports.
  if (leaves && seat.is_done(all)) seat.leave();
}

/// The epoch's power belongs in equal parts to whoever runs, as the ledger has it.
void ChannelPlatform::charge(Observation& out) noexcept {
  if (out.epoch_ns <= 0) return;
  const auto epoch_ns = static_cast<double>(out.epoch_ns);
  double busy = 0, own_mj = 0;
  for (int slot = 0; slot < std::min(slots_, out.app_count); ++slot) {
    for (const JobRecord& job : out.jobs()) {
      if (job.app != slot || job.dropped) continue;
      const std::int64_t from_ns = std::max(job.start_ns, out.now_ns - out.epoch_ns);
      busy += static_cast<double>(std::max<std::int64_t>(0, job.finish_ns - from_ns)) / epoch_ns;
    }
    const RunningJobObservation& run = out.app[slot].running;
    if (run.busy) busy += std::min(1.0, static_cast<double>(out.now_ns - run.start_ns) / epoch_ns);
    own_mj += out.app[slot].energy_mj;
  }
  const double own_busy = busy;
  for (const auto& seat : seats_) {
    if (!seat->taken()) continue;
    const double share = static_cast<double>(seat->busy_ns()) / epoch_ns;
    busy += share;
    if (share <= 0) continue;
    // The model of an emulated machine knows its own jobs only, and of devices no machine tells.
    const Mapping& mapping = spec_.mappings[seat->in_force().mapping];
    for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
      if (mapping.cores[c] == 0 || spec_.apps.empty()) continue;
      if (!options_.emulated && is_of_cpus(spec_.clusters[c])) continue;
      const double cores = mapping.cores[c];
      ClusterLoad load{.opp = out.cluster[c].opp, .temp_c = out.cluster[c].temp_c};
      const double idle_mw = cluster_power_mw(spec_.clusters[c], load);
      load.busy_cores = cores;
      load.busy_nf = cores * spec_.apps.front().unit[c].core_nf;
      const double added_mw = share * (cluster_power_mw(spec_.clusters[c], load) - idle_mw);
      out.cluster[c].power_mw += added_mw;
      if (!options_.energy_measured) {
        out.power_mw += added_mw;
        out.energy_mj += added_mw * epoch_ns * 1e-9;
      }
      const double used = share * cores / std::max(1, spec_.clusters[c].cores);
      out.cluster[c].util_mean = std::min(1.0, out.cluster[c].util_mean + used);
      out.cluster[c].util_max = std::min(1.0, std::max(out.cluster[c].util_max, share));
    }
  }
  // The ledger gave its own jobs what they would have on a machine without guests; these have at most what
  // is left, so that all parts and nobody's sum to the platform's.
  const double part = std::max(1.0, own_busy) / std::max(1.0, busy);
  charge_own(part, out);
  double mean_mw = out.energy_mj / (epoch_ns * 1e-9) / std::max(1.0, busy);
  if (busy > own_busy) {
    const double left_mj = std::max(0.0, out.energy_mj - part * own_mj);
    mean_mw = std::min(mean_mw, left_mj / ((busy - own_busy) * epoch_ns * 1e-9));
  }
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    GuestSeat& seat = *seats_[i];
    if (!seat.taken()) continue;
    double clock_mhz = 0;
    const Mapping& mapping = spec_.mappings[seat.setting().mapping];
    for (int c = 0; c < out.cluster_count; ++c) {
      if (mapping.cores[static_cast<std::size_t>(c)] > 0)
        clock_mhz = std::max(clock_mhz, static_cast<double>(out.cluster[c].freq_khz) * 1e-3);
    }
    seat.charge(mean_mw, out.now_ns, clock_mhz, out, slots_ + static_cast<int>(i));
    seat.show(spec_, options_.energy_measured);
  }
}

/// The ledger's own jobs keep so much of what they were charged with in this epoch.
void ChannelPlatform::charge_own(double part, Observation& out) noexcept {
  for (int slot = 0; slot < std::min(slots_, out.app_count); ++slot) {
    AppObservation& app = out.app[slot];
    Carried& carried = carried_[static_cast<std::size_t>(slot)];
    double rest_mj = app.energy_mj;  // of the epoch: of the job that still runs
    for (JobRecord& job : std::span(out.job_store).first(out.job_count)) {
      if (job.app != slot || job.dropped) continue;
      const double here_mj = std::max(0.0, job.energy_mj - carried.whole_mj);
      rest_mj -= here_mj;
      const double less_mj = (1 - part) * here_mj + (carried.whole_mj - carried.own_mj);
      carried = {};
      const double over_mj = job.energy_mj - app.required.energy_budget_mj;
      job.energy_mj -= less_mj;
      if (app.required.energy_budget_mj <= 0 || over_mj <= 0 || less_mj <= 0) continue;
      app.over_budget_mj = std::max(0.0, app.over_budget_mj - std::min(over_mj, less_mj));
      if (less_mj >= over_mj && app.over_budget > 0) --app.over_budget;
    }
    app.energy_mj *= part;
    if (!app.running.busy) continue;
    carried.whole_mj += std::max(0.0, rest_mj);
    carried.own_mj += part * std::max(0.0, rest_mj);
  }
}

/// Votes take the clocks of whatever serves the guest to their top; one that may be anywhere takes all
/// CPU clusters along.
void ChannelPlatform::raise_clocks(const GuestSeat& seat, std::size_t asked_mapping,
                                   Action& action) const noexcept {
  const Guest& guest = seat.guest();
  const std::int64_t now_ns = monotonic_ns();
  const bool urged = now_ns < guest.increase_until_ns.load(std::memory_order_relaxed) ||
                     now_ns < guest.spike_until_ns.load(std::memory_order_relaxed);
  const bool anywhere = !guest.offer.follows_cpus() || seat.number() == 0;
  const WhereKnob& where = guest.offer.where;
  const bool is_there =
      anywhere && asked_mapping < spec_.mappings.size() &&
      (!where.is_there() || (where.of(asked_mapping) >= 0 && is_on_cpus(asked_mapping)));
  if (!is_there) asked_mapping = seat.setting().mapping;
  const Mapping& mapping = spec_.mappings[asked_mapping];
  double share = 0;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    if (mapping.cores[c] == 0) continue;
    if (urged) action.opp[c] = static_cast<std::uint8_t>(std::min<int>(cap_[c], cluster.max_opp()));
    share = std::max(share, share_of_top(cluster, std::min<int>(action.opp[c], cluster.max_opp())));
  }
  if (!anywhere || !is_on_cpus(asked_mapping)) return;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    if (!is_of_cpus(cluster)) continue;
    const int cap = std::min<int>(cap_[c], cluster.max_opp());
    int opp = std::min<int>(action.opp[c], cap);
    while (opp < cap && share_of_top(cluster, opp) < share - 1e-9) ++opp;
    action.opp[c] = static_cast<std::uint8_t>(opp);
  }
}

void ChannelPlatform::set(GuestSeat& seat, const AppSetting& asked, const Action& action) noexcept {
  const Offer& offer = seat.guest().offer;
  AppSetting setting = asked;
  setting.mapping = mapping_for(seat, setting.mapping);
  if (setting.level >= offer.binding.levels.size()) setting.level = seat.setting().level;
  const Mapping& mapping = spec_.mappings[setting.mapping];
  const float speed = options_.emulated ? speed_of(mapping, action) : 1;
  const bool same = setting == seat.setting() && seat.number() > 0 && speed == seat.speed();
  if (same) return;
  const int index =
      static_cast<int>(std::find_if(seats_.begin(), seats_.end(),
                                    [&](const auto& each) { return each.get() == &seat; }) -
                       seats_.begin());
  flyball_setting out{};
  out.number = seat.number() + 1;
  out.level = offer.flat(setting.level, setting.mapping);
  std::size_t rest = out.level;
  for (std::size_t k = offer.knob_counts.size(); k-- > 0; rest /= offer.knob_counts[k])
    out.value[k] = static_cast<std::uint8_t>(rest % offer.knob_counts[k]);
  out.speed = speed;
  const bool pinned = offer.follows_cpus() && is_on_cpus(setting.mapping);
  out.threads = static_cast<std::uint16_t>(pinned ? cores_of(mapping) : offer.binding.threads);
  const std::size_t bytes = std::min(mapping.name.size(), sizeof out.where - 1);
  std::memcpy(out.where, mapping.name.data(), bytes);
  if (offer.follows_cpus()) {
    const CpuSet cpus = cpus_for(index, mapping);
    cpus_[static_cast<std::size_t>(index)] = cpus;
    for (int w = 0; w < CpuSet::kWords; ++w) out.cpus[w] = cpus.word(w);
  }
  seat.set(setting, out.number, speed);
  seat.guest().memory->put_setting(out);
}

bool ChannelPlatform::is_on_cpus(std::size_t mapping) const noexcept {
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    if (spec_.mappings[mapping].cores[c] > 0 && !is_of_cpus(spec_.clusters[c])) return false;
  }
  return true;
}

/// Of what was asked for, what it can be told.
std::uint8_t ChannelPlatform::mapping_for(const GuestSeat& seat, std::size_t asked) const noexcept {
  const Offer& offer = seat.guest().offer;
  const bool exists = asked < spec_.mappings.size();
  if (!offer.where.is_there()) {
    const bool runs = exists && is_on_cpus(asked) && offer.follows_cpus();
    return static_cast<std::uint8_t>(runs ? asked : static_cast<std::size_t>(widest_mapping_));
  }
  const int element = exists ? offer.where.of(asked) : -1;
  if (element < 0) return seat.setting().mapping;
  const bool runs = offer.follows_cpus() || !is_on_cpus(asked);
  return runs ? static_cast<std::uint8_t>(asked)
              : offer.where.mapping[static_cast<std::size_t>(element)];
}

/// By whoever is told to run there, or still does. One that runs as it came leaves the device as it is.
void ChannelPlatform::occupy_devices() noexcept {
  unsigned clusters = 0;
  for (const auto& seat : seats_) {
    if (!seat->taken() || seat->is_silent() || seat->has_left()) continue;
    if (seat->number() == 0) continue;
    clusters |= cluster_mask(spec_.mappings[seat->setting().mapping]) |
                cluster_mask(spec_.mappings[seat->in_force().mapping]);
  }
  inner_.occupy(clusters);
}

/// In each cluster the first CPUs that no other guest has, then the first ones.
CpuSet ChannelPlatform::cpus_for(int seat, const Mapping& mapping) const noexcept {
  CpuSet taken, cpus;
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    if (static_cast<int>(i) != seat) taken = taken | cpus_[i];
  }
  for (std::size_t c = 0; c < options_.cluster_cpus.size(); ++c) {
    const CpuSet& all = options_.cluster_cpus[c];
    int wanted = mapping.cores[c];
    for (const bool free : {true, false}) {
      for (int n = 0; wanted > 0; ++n) {
        const int cpu = all.nth(n);
        if (cpu < 0) break;
        if (cpus.contains(cpu) || (free && taken.contains(cpu))) continue;
        cpus.add(cpu);
        --wanted;
      }
    }
  }
  return cpus;
}

/// Of the fastest cluster that serves it.
float ChannelPlatform::speed_of(const Mapping& mapping, const Action& action) const noexcept {
  double fastest_khz = 0, top_khz = 1;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    top_khz = std::max(
        top_khz, static_cast<double>(cluster.opps.back().freq_khz) * cluster.capacity_per_mhz);
    if (mapping.cores[c] == 0) continue;
    const int opp = std::min<int>({action.opp[c], cap_[c], cluster.max_opp()});
    fastest_khz = std::max(
        fastest_khz, static_cast<double>(cluster.opps[static_cast<std::size_t>(opp)].freq_khz) *
                         cluster.capacity_per_mhz);
  }
  return static_cast<float>(fastest_khz / top_khz);
}

}  // namespace flyball
