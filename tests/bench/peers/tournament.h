#pragma once

#include <string>
#include <vector>

#include "kernels/dnn/network_spec.h"

namespace flyball::bench {

struct Standing {
  std::string name;
  double least_us = 0;       ///< of all single inferences
  double median_us = 0;      ///< of the rounds' least
  std::string error{};       ///< not empty: it does not compute what the others do, or refuses to
  bool unavailable = false;  ///< the error is that its library has no such variant for this machine
};

/// The names of all contenders, ours ("flyball") first, in the order of tournament().
std::vector<std::string> contender_names(const NetworkSpec& spec, int width);

/// One thread, one image at a time. All contenders take turns for about `seconds`, so that each
/// sees the machine in the same state: in every round one inference to warm up, then five that
/// count. A group convolution is also run as one small network per group, where that is faster.
/// Who disagrees with plain loops by more than 1e-3 of the largest logit is not timed.
std::vector<Standing> tournament(const NetworkSpec& spec, int width, double seconds);

}  // namespace flyball::bench
