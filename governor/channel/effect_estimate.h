#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "governor/client/flyball.h"

namespace flyball {

/// What the telling of an application changed: its first jobs, in which it was left as it was, against
/// its last ones. Two independent samples of unequal spread: Welch's t with the degrees of freedom
/// of Welch and Satterthwaite.
class EffectEstimate {
 public:
  static constexpr std::size_t kLeast = 8, kBefore = 16, kNow = 64;

  void add_before(double latency_ns, double energy_mj, double mhz) noexcept;
  void add_now(double latency_ns, double energy_mj, double mhz) noexcept;
  /// Its numbers; names and counts of jobs are somebody else's.
  void fill(flyball_effect& out) const noexcept;
  /// Whether there is something to hold the last jobs against.
  bool has_before() const noexcept { return before_.count >= kLeast; }
  /// The jobs that come are another kind of work.
  void forget_now() noexcept { now_.count = now_.next = 0; }

 private:
  template <std::size_t N>
  struct Sample {
    std::array<double, N> latency_ns{}, energy_mj{}, mhz{};
    std::size_t count = 0, next = 0;
    void add(double latency, double energy, double clock) noexcept {
      latency_ns[next] = latency;
      energy_mj[next] = energy;
      mhz[next] = clock;
      next = (next + 1) % N;
      if (count < N) ++count;
    }
  };
  Sample<kBefore> before_;
  Sample<kNow> now_;
};

/// In words, of an enum flyball_no_comparison; empty for 0.
const char* why_no_comparison(int reason) noexcept;

/// The 97.5 % point of Student's t; the next smaller tabled number of degrees of freedom is taken, which
/// makes intervals wider, never narrower.
double student_975(double degrees) noexcept;

}  // namespace flyball
