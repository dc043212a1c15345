#include "agents/pelt.h"

#include <array>
#include <cmath>

namespace flyball {

namespace {

constexpr double kPeriod = 0.97857206208770013;    // 2^(-1/32)
constexpr double kPeltStep = 0.99932332750265075;  // 2^(-1/1024)

// Tables and products, because exp2() need not give the same bits on every machine.
constexpr std::array<double, 32> powers(double base) {
  std::array<double, 32> table{};
  double power = 1;
  for (double& entry : table) {
    entry = power;
    power *= base;
  }
  return table;
}
constexpr std::array<double, 32> kPeriods = powers(kPeriod);
constexpr std::array<double, 32> kSteps = powers(kPeltStep);

// update_idle_rq_clock_pelt() compares sums, of which a signal is 1001 to 1023, as the period goes.
constexpr double kFull = 1012;

constexpr double kMargin = 1024 / 100;  // UTIL_EST_MARGIN: an integer, 10

}  // namespace

double Pelt::decay(std::int64_t steps) {
  if (steps <= 0) return 1;
  // The Linux kernel, too, takes what is 63 half-lives old for nothing.
  if (steps >= 63 * 1024) return 0;
  double halves = 1;
  for (std::int64_t i = steps / 1024; i > 0; --i) halves *= 0.5;
  return halves * kPeriods[static_cast<std::size_t>(steps / 32 % 32)] *
         kSteps[static_cast<std::size_t>(steps % 32)];
}

void Pelt::run(std::int64_t elapsed_ns, double running, double scale) {
  const auto done_ns = static_cast<std::int64_t>(static_cast<double>(elapsed_ns) * scale);
  behind_ns_ += elapsed_ns - done_ns;
  advance(done_ns, running);
}

void Pelt::run_in_parts(std::int64_t elapsed_ns, double running, double scale) {
  if (elapsed_ns <= 0) return;
  if (util_ < kFull) advance(behind_ns_, 0);
  behind_ns_ = 0;
  advance(elapsed_ns, running * scale);
}

void Pelt::advance(std::int64_t elapsed_ns, double level) {
  rest_ns_ += elapsed_ns;
  const std::int64_t steps = rest_ns_ / kStepNs;
  rest_ns_ -= steps * kStepNs;
  const double kept = decay(steps);
  util_ = util_ * kept + 1024 * level * (1 - kept);
}

void UtilEst::sleep(double util, double capacity) {
  const double before = enqueued;
  if (util > ewma) {
    enqueued = ewma = util;
    return;
  }
  if (std::abs(util - ewma) < kMargin) {
    if (std::abs(util - before) >= kMargin) enqueued = util;
    return;
  }
  // A task that wants more than the CPU has may have wanted any amount.
  if (util > capacity) return;
  enqueued = util;
  ewma += (util - ewma) / 4;
}

}  // namespace flyball
