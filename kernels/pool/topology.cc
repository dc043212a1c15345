#include "kernels/pool/topology.h"

#include <fcntl.h>
#include <unistd.h>

namespace flyball {

CpuTopology::CpuTopology(const std::string& root)
    : present_fd_(open((root + "/present").c_str(), O_RDONLY | O_CLOEXEC)),
      online_fd_(open((root + "/online").c_str(), O_RDONLY | O_CLOEXEC)),
      fallback_(thread_affinity()) {}

CpuTopology::~CpuTopology() {
  if (present_fd_ >= 0) close(present_fd_);
  if (online_fd_ >= 0) close(online_fd_);
}

CpuSet CpuTopology::read(int fd) const {
  if (fd < 0) return fallback_;
  char text[4096];  // sysfs files are one page at most
  const ssize_t size = pread(fd, text, sizeof text, 0);
  if (size <= 0) return fallback_;
  return parse_cpu_list(std::string_view(text, static_cast<std::size_t>(size))).value_or(fallback_);
}

CpuSet CpuTopology::present() const { return read(present_fd_); }
CpuSet CpuTopology::online() const { return read(online_fd_); }

}  // namespace flyball
