#include "agents/prime.h"

#include <algorithm>

#include "kernels/base/bytes.h"
#include "agents/explain.h"

namespace flyball {

namespace {
constexpr std::uint32_t kPayloadVersion = 1;
constexpr std::uint64_t kRandomStream = 0x61676e74;  // the platforms draw from others
}  // namespace

Prime::Prime(const AgentContext& context)
    : platform_(context.platform),
      placement_(Placement::Kind::kBigFirst, context.platform, context.scenario),
      cluster_(context.platform.big_cluster()),
      nominal_mcycles_(
          context.scenario.apps.empty()
              ? 1
              : context.platform.apps[static_cast<std::size_t>(context.scenario.apps[0].profile)]
                    .unit[static_cast<std::size_t>(cluster_)]
                    .mcycles),
      rng_(context.seed, kRandomStream) {
  if (nominal_mcycles_ <= 0) nominal_mcycles_ = 1;
  for (auto& row : q_) row.fill(1);
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
  return std::clamp(static_cast<int>(mcycles / nominal_mcycles_ * (kBins / 2)), 0, kBins - 1);
}

int Prime::greedy(int bin) const {
  const auto& row = q_[static_cast<std::size_t>(bin)];
  const int count = platform_.clusters[static_cast<std::size_t>(cluster_)].max_opp() + 1;
  return static_cast<int>(std::max_element(row.begin(), row.begin() + count) - row.begin());
}

void Prime::decide(const Observation& now, Action& out) {
  out = Action{};
  placement_.place(now, out);
  const ClusterSpec& cluster = platform_.clusters[static_cast<std::size_t>(cluster_)];
  if (!chosen_) {
    bin_ = bin_of(ewma_mcycles_);
    why_.explored = learning_ && rng_.uniform() < exploration(decisions_);
    opp_ = why_.explored
               ? static_cast<int>(rng_.below(static_cast<std::uint32_t>(cluster.max_opp() + 1)))
               : greedy(bin_);
    decisions_ += learning_ ? 1 : 0;
    chosen_ = true;
  }
  out.opp[static_cast<std::size_t>(cluster_)] = static_cast<std::uint8_t>(opp_);
  why_.value = static_cast<float>(q(bin_, opp_));
  explain(why_, "{}{:.1f} Mcycles a job -> {} MHz, decision {}", why_.explored ? "exploring: " : "",
          ewma_mcycles_, cluster.opps[static_cast<std::size_t>(opp_)].freq_khz / 1000, decisions_);
}

void Prime::learn(const Observation& outcome, const Action&, double) {
  for (const JobRecord& job : outcome.jobs()) {
    if (job.app != 0 || job.dropped) continue;  // it governs one application
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
  const double deadline_ns = static_cast<double>(outcome.app[0].required.deadline_ns);
  if (learning_ && chosen_) {
    float& cell = q_[static_cast<std::size_t>(bin_)][static_cast<std::size_t>(opp_)];
    cell = static_cast<float>(update(cell, job_reward(time_ns_ / jobs_, deadline_ns)));
  }
  const double mean_mcycles = mcycles_ / jobs_;
  ewma_mcycles_ =
      ewma_mcycles_ > 0 ? kEwma * mean_mcycles + (1 - kEwma) * ewma_mcycles_ : mean_mcycles;
  chosen_ = false;
  jobs_ = 0;
  time_ns_ = mcycles_ = 0;
}

std::vector<std::uint8_t> Prime::save() const {
  ByteWriter out;
  out.u32(kPayloadVersion);
  out.u32(kBins);
  out.u32(kMaxOpps);
  for (const auto& row : q_) {
    for (float v : row) out.f32(v);
  }
  out.u32(static_cast<std::uint32_t>(decisions_));
  out.f64(ewma_mcycles_);
  return out.take();
}

void Prime::load(const std::vector<std::uint8_t>& payload) {
  ByteReader in(payload, "policy of 'prime'");
  in.expect(kPayloadVersion, "payload version");
  in.expect(kBins, "number of workload bins");
  in.expect(kMaxOpps, "number of frequencies");
  auto q = q_;
  for (auto& row : q) {
    for (float& v : row) v = in.f32();
  }
  const auto decisions = static_cast<int>(std::min<std::uint32_t>(in.u32(), 1u << 30));
  const double ewma = in.f64();
  in.end();
  q_ = q;
  decisions_ = decisions;
  ewma_mcycles_ = ewma;
}

}  // namespace flyball
