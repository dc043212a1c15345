#include "governor/machine/audit_platform.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "kernels/base/clock.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr double kBusyThroughout = 0.95;
constexpr std::int64_t kLongestSettlingNs = 2'000'000'000;

/// Clocks follow within an epoch, queues drain; heat takes longer, and is evened out by the draw.
std::int64_t settling_ns(std::int64_t block_ns) {
  return std::min(block_ns / 5, kLongestSettlingNs);
}

std::int64_t own_cpu_ns() { return read_clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace

std::vector<AuditArm> audit_schedule(int rounds, std::uint64_t seed) {
  Random random(seed);
  std::vector<AuditArm> schedule;
  for (int r = 0; r < rounds; ++r) {
    AuditArm arms[] = {AuditArm::kFlyball, AuditArm::kLinux, AuditArm::kShadow};
    for (std::uint32_t left = 3; left > 1; --left)
      std::swap(arms[left - 1], arms[random.below(left)]);
    schedule.insert(schedule.end(), std::begin(arms), std::end(arms));
  }
  return schedule;
}

AuditPlatform::AuditPlatform(LinuxPlatform& real, const SysTree& tree, const LinuxMachine& machine,
                             std::vector<AuditArm> schedule, std::int64_t block_ns)
    : real_(real),
      shadow_(real),
      power_(tree, machine, linux_setting_calls()),
      pressure_(linux_setting_calls(), tree.path("/proc/pressure/cpu")),
      schedule_(std::move(schedule)),
      block_ns_(block_ns) {
  blocks_.reserve(schedule_.size());
}

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234": microseconds; negative: not known.
double AuditPlatform::waited_us() noexcept {
  char text[256];
  const ssize_t bytes = pressure_.read(text, sizeof text);
  if (bytes <= 0) return -1;
  const std::string_view line(text, static_cast<std::size_t>(bytes));
  const std::size_t at = line.find("total=");
  if (at == std::string_view::npos) return -1;
  double value = -1;
  std::from_chars(line.data() + at + 6, line.data() + line.size(), value);
  return value;
}

Status AuditPlatform::apply(const Action& action) noexcept {
  if (blocks_.size() == schedule_.size()) return Status::kOk;
  if (!begun_) begin_block();
  return arm() == AuditArm::kShadow ? shadow_.apply(action) : real_.apply(action);
}

void AuditPlatform::begin_block() noexcept {
  begun_ = true;
  settled_ = false;
  begin_ns_ = monotonic_ns();
  block_ = {};
  block_.arm = arm();
  real_.leave_to_linux(arm() != AuditArm::kFlyball);
}

Status AuditPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  if (blocks_.size() == schedule_.size()) return Status::kFinished;
  if (!begun_) begin_block();
  EpochRequest asked = request;
  if (arm() == AuditArm::kLinux) asked.interval_ns = std::max(asked.interval_ns, kLookNs);
  Status status;
  if (arm() == AuditArm::kShadow) {
    status = shadow_.advance(asked, out);
    shadow_ns_ += static_cast<double>(out.epoch_ns);
  } else {
    status = real_.advance(asked, out);
  }
  const std::int64_t now_ns = monotonic_ns();
  if (status == Status::kOk) measure(now_ns, out);
  if (now_ns - begin_ns_ >= block_ns_) end_block();
  return status == Status::kOk && blocks_.size() == schedule_.size() ? Status::kFinished : status;
}

void AuditPlatform::measure(std::int64_t now_ns, const Observation& seen) noexcept {
  const bool over = now_ns - begin_ns_ >= block_ns_;
  const bool settles = !settled_ && now_ns - begin_ns_ >= settling_ns(block_ns_);
  if (settled_) {
    bool full = false, counted = true;
    double instructions = 0;
    for (int c = 0; c < seen.cluster_count; ++c) {
      const ClusterObservation& cluster = seen.cluster[c];
      const double cpus = real_.spec().clusters[static_cast<std::size_t>(c)].cores;
      block_.busy_ns += cluster.util_mean * cpus * static_cast<double>(seen.epoch_ns);
      full = full || cluster.util_max >= kBusyThroughout;
      if (cluster.util_max <= 0) continue;
      counted = counted && cluster.counters.has(Counters::kInstructions);
      instructions += cluster.counters.instructions;
    }
    if (full) block_.full_ns += static_cast<double>(seen.epoch_ns);
    block_.instructions =
        counted && block_.instructions >= 0 ? block_.instructions + instructions : -1;
  }
  // What counts energy gives the mean since the reading before; else the power before holds until now.
  if (now_ns - read_ns_ >= kLookNs || settles || over) {
    const double held_mw = mw_;
    const bool told = power_.read(now_ns, mw_);
    if (settled_) {
      const double mw = told && power_.counts_energy() ? mw_ : (held_mw + mw_) / 2;
      block_.ns += static_cast<double>(now_ns - read_ns_);
      block_.energy_mj += mw * static_cast<double>(now_ns - read_ns_) * 1e-9;
    }
    read_ns_ = now_ns;
  }
  if (!settles) return;
  settled_ = true;
  block_.instructions = 0;
  cpu_ns_ = own_cpu_ns();
  waited_us_ = waited_us();
}

void AuditPlatform::end_block() noexcept {
  const double waited = waited_us();
  block_.waited_ns = waited >= 0 && waited_us_ >= 0 ? (waited - waited_us_) * 1e3 : -1;
  block_.own_cpu_ns = static_cast<double>(own_cpu_ns() - cpu_ns_);
  blocks_.push_back(block_);  // there is room
  begun_ = false;
  shadow_linux_mj_ = shadow_ours_mj_ = 0;
  for (std::size_t c = 0; c < real_.spec().clusters.size(); ++c) {
    shadow_linux_mj_ += shadow_.tally(static_cast<int>(c)).linux_mj;
    shadow_ours_mj_ += shadow_.tally(static_cast<int>(c)).ours_mj;
  }
}

}  // namespace flyball
