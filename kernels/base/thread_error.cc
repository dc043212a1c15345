#include "kernels/base/thread_error.h"

#include <pthread.h>
#include <sys/mman.h>

#include "kernels/base/error.h"

namespace flyball {
namespace {

bool room_for_a_stack() {
  pthread_attr_t attributes;
  std::size_t bytes = 0;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
  void* const room = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, bytes);
  return true;
}

}  // namespace

void no_thread(const std::string& what, const std::system_error& error) {
  if (error.code() != std::errc::resource_unavailable_try_again &&
      error.code() != std::errc::not_enough_memory)
    failure(what, "no thread for it: " + error.code().message(), "try again");
  if (!room_for_a_stack())
    failure(what, "no thread for it: there is no memory for its stack",
            "allow this process more memory (ulimit -v) or close other programs");
  failure(what, "no thread for it: no more are allowed",
          "raise the limit (ulimit -u, or the container's limit of pids) or close other programs");
}

}  // namespace flyball
