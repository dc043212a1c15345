#include "kernels/base/memory_error.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace flyball {

std::string no_memory() {
  for (const auto& [resource, option] :
       {std::pair{RLIMIT_AS, "-v"}, std::pair{RLIMIT_DATA, "-d"}}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    return fmt::format(
        "memory: this process may have no more than {} kB; raise the limit (ulimit {}), or ask for "
        "less",
        limit.rlim_cur / 1024, option);
  }
  return "memory: the machine has none left; ask for less or close other programs";
}

}  // namespace flyball
