#pragma once
#include <cstdint>

#include "env/scenario/scenario.h"
namespace flyball {
class ArrivalStream {
 public:
  struct Release {
    std::int64_t at_ns;
    double work;
  };
  ArrivalStream(const AppSpec& s, int, std::uint64_t)
      : s_(s), next_(s.start_ns), period_(s.arrival.period_ns) {}
  std::int64_t next_ns() const { return next_ < s_.stop_ns ? next_ : INT64_MAX; }
  Release pop() {
    Release r{next_, 1};
    next_ += period_;
    return r;
  }
  void set_period(std::int64_t p) { period_ = p; }

 private:
  const AppSpec& s_;
  std::int64_t next_, period_;
};
}  // namespace flyball
