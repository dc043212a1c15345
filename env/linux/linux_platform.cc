#include "env/linux/linux_platform.h"

#include <algorithm>
#include <utility>

#include "env/ledger/arrivals.h"
#include "env/ledger/settings.h"
#include "env/linux/linux_parts.h"
#include "kernels/base/clock.h"

namespace flyball {

void LinuxPlatform::Parts::start() {
  if (start_ns != 0) return;
  start_ns = now_ns = served_ns = monotonic_ns();
  if (jobs != nullptr) jobs->begin(start_ns);
  if (clamps && jobs != nullptr) clamps->set_threads(jobs->thread_ids());
  if (usage.read(now_ns)) load_read.took(now_ns);
  power_ns = power_tried_ns = now_ns;
  if (power.read(now_ns, measured_mw)) power_read.took(now_ns);
}

int LinuxPlatform::Parts::within_tuning(std::size_t c, int opp) const noexcept {
  const ClusterSpec& spec = *cluster_list[c].spec;
  opp = std::max(opp, std::min(cluster_list[c].realtime_opp, cluster_list[c].cap_opp));
  if (tuning.min_khz[c] > 0)
    opp =
        std::max(opp, std::min(lowest_opp_from(spec, tuning.min_khz[c]), cluster_list[c].cap_opp));
  return std::min(opp, tuned_cap(c));
}

LinuxPlatform::LinuxPlatform(const SysTree& tree, const LinuxMachine& machine,
                             const LinuxOptions& options)
    : parts_(std::make_unique<Parts>(tree, machine, options)) {}

LinuxPlatform::~LinuxPlatform() = default;

const PlatformSpec& LinuxPlatform::spec() const { return parts_->made.spec; }
const Binding& LinuxPlatform::binding(int slot) const {
  return parts_->jobs != nullptr ? parts_->jobs->binding(slot) : parts_->nobody;
}
void LinuxPlatform::observe(Observation& out) const noexcept {
  out.clear_jobs();
  parts_->show(out);
  if (parts_->jobs != nullptr) parts_->jobs->observe(out);
}

Status LinuxPlatform::apply(const Action& action) noexcept {
  Parts& p = *parts_;
  p.start();
  if (p.jobs != nullptr && p.jobs->failed()) return Status::kDeviceLost;
  if (p.jobs != nullptr) p.jobs->ask(action);
  for (std::size_t c = 0; c < p.cluster_list.size(); ++c) {
    Parts::Cluster& cluster = p.cluster_list[c];
    if (cluster.is_device && !p.is_occupied(cluster)) {
      if (cluster.hand) cluster.hand->hand_over();
      cluster.asked_opp = nearest_opp(*cluster.spec, cluster.now_khz);
      continue;
    }
    const int opp = p.within_tuning(c, std::min<int>(action.opp[c], cluster.spec->max_opp()));
    cluster.asked_opp = opp;
    if (p.napping || p.left) continue;
    const std::int64_t khz = cluster.spec->opps[static_cast<std::size_t>(opp)].freq_khz;
    if (cluster.hand) cluster.hand->ask(khz);
    if (cluster.actuator == ActuatorKind::kUclamp) p.clamps->ask(c, khz);
  }
  if (p.clamps && !p.napping && !p.left) p.clamps->turn(p.now_ns);
  return Status::kOk;
}

Status LinuxPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  Parts& p = *parts_;
  p.start();
  const std::int64_t begin_ns = p.now_ns;
  const std::int64_t epoch_ns = p.tuning.epoch_ns > 0 ? p.tuning.epoch_ns : request.interval_ns;
  std::int64_t until_ns = begin_ns + std::max<std::int64_t>(1, p.napping ? kNapNs : epoch_ns);
  const std::int64_t end_ns =
      p.options.duration_ns > 0 ? p.start_ns + p.options.duration_ns : kNeverNs;
  until_ns = std::min(until_ns, end_ns);
  out.clear_jobs();
  if (p.jobs != nullptr) p.jobs->report_to(&out);
  for (;;) {
    const std::uint32_t seen = p.bell().mark();
    p.now_ns = monotonic_ns();
    std::int64_t wake_ns = until_ns;
    if (p.jobs != nullptr) {
      p.serve_jobs();
      if (p.jobs->stops(request) || p.jobs->over() || p.jobs->failed()) break;
      const std::int64_t due_ns = p.jobs->next_ns();
      if (due_ns < kNeverNs - p.start_ns) wake_ns = std::min(wake_ns, p.start_ns + due_ns);
    }
    if (p.interrupted.load(std::memory_order_relaxed) || p.now_ns >= until_ns) break;
    p.bell().wait(seen, wake_ns);
  }
  p.last_epoch_ns = p.now_ns - begin_ns;
  ++p.epochs;
  if (p.usage.read(p.now_ns))
    p.load_read.took(p.now_ns);
  else
    p.load_read.failed();
  p.watch_realtime();
  double busy_ns = 0;
  for (Parts::Cluster& cluster : p.cluster_list) {
    p.sense(cluster);
    busy_ns += cluster.busy_cores * static_cast<double>(p.last_epoch_ns);
  }
  p.read_slow_sensors(busy_ns > 0);
  p.idle.look(p.now_ns);
  p.charge(busy_ns > 0);
  if (p.jobs != nullptr) p.settle_energy();
  p.show(out);
  if (p.jobs != nullptr) {
    p.jobs->close_epoch(out);
    out.count_held();
  }
  p.watch_idleness(p.last_epoch_ns, busy_ns);
  if (p.interrupted.load(std::memory_order_relaxed)) return Status::kInterrupted;
  if (p.jobs != nullptr && p.jobs->failed()) return Status::kDeviceLost;
  const bool over = p.now_ns >= end_ns || (p.jobs != nullptr && p.jobs->over());
  return over ? Status::kFinished : Status::kOk;
}

void LinuxPlatform::interrupt() {
  parts_->interrupted.store(true, std::memory_order_relaxed);
  parts_->bell().ring();
}

std::vector<KnobSetting> LinuxPlatform::capture() const {
  Observation now;
  observe(now);
  return settings_of(parts_->made.spec, *this, now);
}

std::vector<KnobOutcome> LinuxPlatform::restore(const std::vector<KnobSetting>& settings) {
  Observation now;
  observe(now);
  return restore_knobs(parts_->made.spec, *this, now, action_asked(now), settings);
}

std::vector<LinuxPlatform::ClusterStatus> LinuxPlatform::clusters() const {
  std::vector<ClusterStatus> all;
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    all.push_back({cluster.spec->name, cluster.cpus, cluster.policies, cluster.element,
                   cluster.actuator, cluster.why, parts_->hand_report(all.size())});
  }
  return all;
}

bool LinuxPlatform::is_writing() const noexcept {
  return std::any_of(parts_->cluster_list.begin(), parts_->cluster_list.end(), Parts::is_written);
}

bool LinuxPlatform::is_writing(std::string_view policy) const noexcept {
  return std::any_of(parts_->cluster_list.begin(), parts_->cluster_list.end(),
                     [&](const Parts::Cluster& cluster) {
                       return Parts::is_written(cluster) &&
                              std::find(cluster.policies.begin(), cluster.policies.end(), policy) !=
                                  cluster.policies.end();
                     });
}

HandReport LinuxPlatform::hand(int cluster) const noexcept {
  return parts_->hand_report(static_cast<std::size_t>(cluster));
}

const std::string& LinuxPlatform::power_source() const { return parts_->power.source(); }

bool LinuxPlatform::power_measured() const noexcept { return parts_->power_is_of_now(); }
bool LinuxPlatform::power_only_while_busy() const noexcept { return parts_->power.counts_energy(); }

std::string LinuxPlatform::counters() const {
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    if (cluster.counters) return cluster.counters->describe();
  }
  return "";
}

const std::vector<std::string>& LinuxPlatform::idle_states(int cluster) const {
  return parts_->idle.states(static_cast<std::size_t>(cluster));
}
double LinuxPlatform::idle_share(int cluster, int state) const noexcept {
  return parts_->idle.share(static_cast<std::size_t>(cluster), static_cast<std::size_t>(state));
}

void LinuxPlatform::stand_down(std::string_view policy) noexcept {
  for (auto& cluster : parts_->cluster_list) {
    if (cluster.hand) cluster.hand->stand_down(policy);
  }
}

void LinuxPlatform::occupy(unsigned clusters) noexcept {
  unsigned devices = 0;
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    if (cluster.is_device) devices |= 1u << parts_->index_of(cluster);
  }
  parts_->occupied = clusters & devices;
}

void LinuxPlatform::leave_to_linux(bool left) noexcept {
  parts_->left = left;
  if (left) parts_->hand_over();
}

void LinuxPlatform::tune(const LinuxTuning& tuning) noexcept { parts_->tuning = tuning; }
const LinuxTuning& LinuxPlatform::tuning() const { return parts_->tuning; }
int LinuxPlatform::realtime_threads() const { return parts_->realtime.known(); }
bool LinuxPlatform::realtime_list_full() const noexcept { return parts_->realtime.is_full(); }
bool LinuxPlatform::napping() const { return parts_->napping; }
std::uint64_t LinuxPlatform::naps() const { return parts_->naps; }

}  // namespace flyball
