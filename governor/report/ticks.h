#pragma once

#include <string>
#include <vector>

#include "governor/report/figure.h"

namespace flyball::report {

struct Tick {
  double value;
  std::string text;
};

/// Round values within [from, to], about `count` of them: multiples of 1, 2 or 5 times a power of ten
/// (of a logarithmic axis such values themselves), or the categories.
std::vector<Tick> ticks(const Axis& axis, double from, double to, int count);

}  // namespace flyball::report
