#include "agents/prime.h"

#include <algorithm>

#include "kernels/base/bytes.h"

namespace flyball {

namespace {
constexpr std::uint32_t kPrimePayload = 1;
constexpr double kMaxMcycles = 1e12;                // a job of years
constexpr std::uint64_t kPrimeStream = 0x61676e74;  // the platforms draw from others
}  // namespace

Prime::Prime(const AgentContext& context)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(Placement::Kind::kIdleSibling, context.belief.mean),
      cluster_(context.belief.mean.big_cluster()),
      rng_(context.seed, kPrimeStream) {
  for (auto& row : q_) row.fill(1);
}

void Prime::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own = true;
  placement_.bind(slot, *place.profile, binding.threads);
  if (governed_ < 0) govern(slot);
}

void Prime::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
  if (slot != governed_) return;
  int next = 0;
  while (next < apps_.count() && !apps_.bound(next)) ++next;
  govern(next < apps_.count() ? next : -1);
}

void Prime::begin_run() {
  while (apps_.count() > 0) unbind(apps_.count() - 1);
}

/// What was seen of the jobs of another application says nothing of this one's.
void Prime::govern(int slot) {
  governed_ = slot;
  chosen_ = false;
  jobs_ = 0;
  time_ns_ = mcycles_ = 0;
  if (slot < 0) return;
  const double mcycles = apps_.profile(slot).unit[static_cast<std::size_t>(cluster_)].mcycles;
  nominal_mcycles_ = mcycles > 0 ? mcycles : 1;
}

double Prime::exploration(int decision) {
  if (decision == 0) return 1;
  if (decision >= kLastExploration) return 0;
  return 0.68 * (kLastExploration - decision) / kLastExploration;
}

double Prime::job_reward(double mean_time_ns, double deadline_ns) {
  if (deadline_ns <= 0) return 0;
  if (mean_time_ns <= deadline_ns) return std::min(100.0, 100 * mean_time_ns / deadline_ns);
  return std::max(-100.0, -100 * (mean_time_ns - deadline_ns) / (3 * deadline_ns));
}

int Prime::bin_of(double mcycles) const {
  return static_cast<int>(std::clamp(mcycles / nominal_mcycles_ * (kBins / 2), 0.0, kBins - 1.0));
}

int Prime::greedy(int bin) const {
  const auto& row = q_[static_cast<std::size_t>(bin)];
  const int count = platform_.clusters[static_cast<std::size_t>(cluster_)].max_opp() + 1;
  return static_cast<int>(std::max_element(row.begin(), row.begin() + count) - row.begin());
}

double Prime::probability_of(int opp) const {
  const int count = platform_.clusters[static_cast<std::size_t>(cluster_)].max_opp() + 1;
  return exploration_ / count + (opp == greedy(bin_) ? 1 - exploration_ : 0);
}

bool Prime::alternatives(const Observation&, const Decision& decided, DrawnActions& out) const {
  Action action = decided.action;
  for (int opp = 0; opp <= platform_.clusters[static_cast<std::size_t>(cluster_)].max_opp();
       ++opp) {
    action.opp[static_cast<std::size_t>(cluster_)] = static_cast<std::uint8_t>(opp);
    if (const double p = probability_of(opp); p > 0) out.take(action, p, {});
  }
  return true;
}

void Prime::decide(const Observation& now, Decision& out) noexcept {
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  placement_.observe(now);
  placement_.place(now, out.action);
  const ClusterSpec& cluster = platform_.clusters[static_cast<std::size_t>(cluster_)];
  if (!chosen_) {
    bin_ = bin_of(ewma_mcycles_);
    exploration_ = learning_ ? exploration(decisions_) : 0;
    explored_ = exploration_ > 0 && rng_.uniform() < exploration_;
    opp_ = explored_
               ? static_cast<int>(rng_.below(static_cast<std::uint32_t>(cluster.max_opp() + 1)))
               : greedy(bin_);
    out.probability = static_cast<float>(probability_of(opp_));
    decisions_ += learning_ ? 1 : 0;
    chosen_ = out.fresh = true;
  }
  out.action.opp[static_cast<std::size_t>(cluster_)] = static_cast<std::uint8_t>(opp_);
  out.value = static_cast<float>(q(bin_, opp_));
  out.reason = {
      Reason::Code::kWorkload,
      static_cast<std::uint8_t>(std::max(0, governed_)),
      {static_cast<float>(ewma_mcycles_), static_cast<float>(decisions_), explored_ ? 1.0f : 0.0f}};
}

void Prime::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  for (const JobRecord& job : outcome.jobs()) {
    if (job.app != governed_ || job.dropped) continue;  // it governs one application
    time_ns_ += static_cast<double>(job.latency_ns());
    // Without a cycle counter: time at the cluster's clock.
    mcycles_ +=
        job.cycles > 0
            ? job.cycles * 1e-6
            : static_cast<double>(job.execution_ns()) * 1e-12 *
                  static_cast<double>(outcome.cluster[static_cast<std::size_t>(cluster_)].freq_khz);
    if (++jobs_ == kJobsPerDecision) finish_window(outcome);
  }
}

void Prime::finish_window(const Observation& outcome) {
  const double deadline_ns =
      static_cast<double>(outcome.app[std::max(0, governed_)].required.deadline_ns);
  if (learning_ && chosen_) {
    float& cell = q_[static_cast<std::size_t>(bin_)][static_cast<std::size_t>(opp_)];
    cell = static_cast<float>(update(cell, job_reward(time_ns_ / jobs_, deadline_ns)));
  }
  const double mean_mcycles = mcycles_ / jobs_;
  ewma_mcycles_ =
      ewma_mcycles_ > 0 ? kEwma * mean_mcycles + (1 - kEwma) * ewma_mcycles_ : mean_mcycles;
  if (learning_) kept_mcycles_ = ewma_mcycles_;
  chosen_ = false;
  jobs_ = 0;
  time_ns_ = mcycles_ = 0;
}

void Prime::save(ByteWriter& out) const {
  out.u32(kPrimePayload);
  out.u32(kBins);
  out.u32(kMaxOpps);
  for (const auto& row : q_) {
    for (float v : row) out.f32(v);
  }
  out.u32(static_cast<std::uint32_t>(decisions_));
  out.f64(kept_mcycles_);
}

std::vector<std::string> Prime::load(const std::vector<std::uint8_t>& payload, bool) {
  ByteReader in(payload, "policy of 'prime'");
  in.expect(kPrimePayload, "payload version");
  in.expect(kBins, "number of workload bins");
  in.expect(kMaxOpps, "number of frequencies");
  auto q = q_;
  for (auto& row : q) {
    for (float& v : row) v = in.f32();
  }
  const auto decisions = static_cast<int>(std::min<std::uint32_t>(in.u32(), 1u << 30));
  const double ewma = in.f64();
  if (ewma < 0 || ewma > kMaxMcycles) in.reject("its mean of cycles per job is out of range");
  in.end();
  q_ = q;
  decisions_ = decisions;
  ewma_mcycles_ = kept_mcycles_ = ewma;
  return {};
}

}  // namespace flyball
