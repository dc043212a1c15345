#include "agents/pelt.h"

#include <array>

namespace flyball {

namespace {

constexpr double kY = 0.97857206208770013;  // 2^(-1/32)

constexpr std::array<double, 32> decay_table() {
  std::array<double, 32> table{};
  double y = 1;
  for (double& entry : table) {
    entry = y;
    y *= kY;
  }
  return table;
}
constexpr std::array<double, 32> kDecay = decay_table();

}  // namespace

double Pelt::decay(std::int64_t periods) {
  if (periods < 0) return 1;
  // The Linux kernel, too, takes what is 63 half-lives old for nothing.
  if (periods >= 63 * 32) return 0;
  double halves = 1;
  for (std::int64_t i = periods / 32; i > 0; --i) halves *= 0.5;
  return halves * kDecay[static_cast<std::size_t>(periods % 32)];
}

void Pelt::advance(std::int64_t elapsed_ns, double running, double scale) {
  rest_ns_ += elapsed_ns;
  const std::int64_t periods = rest_ns_ / kPeriodNs;
  rest_ns_ -= periods * kPeriodNs;
  const double kept = decay(periods);
  util_ = util_ * kept + 1024.0 * running * scale * (1 - kept);
}

}  // namespace flyball
