#pragma once

#include <string>
#include <vector>

namespace flyball::cli {

/// One character per value, its height from 0 to `top`; what is higher is as high as the highest.
std::string sparkline(const std::vector<double>& values, double top, bool unicode);

}  // namespace flyball::cli
