#pragma once

#include <string>

#include "kernels/base/cpu_set.h"

namespace flyball {

/// Which CPUs the machine has and which are online. Keeps the files open, so that asking again
/// costs about 1 us and not the 7 us of open, read and close.
class CpuTopology {
 public:
  /// `root` has the files `present` and `online`, as /sys/devices/system/cpu does.
  explicit CpuTopology(const std::string& root = "/sys/devices/system/cpu");
  ~CpuTopology();
  CpuTopology(const CpuTopology&) = delete;
  CpuTopology& operator=(const CpuTopology&) = delete;

  /// Where sysfs is missing (some containers): the CPUs the creating thread was allowed.
  CpuSet present() const;
  CpuSet online() const;

 private:
  CpuSet read(int fd) const;
  int present_fd_;
  int online_fd_;
  CpuSet fallback_;
};

}  // namespace flyball
