#include "kernels/base/resident_code.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "kernels/base/quiet_thread.h"

namespace flyball {
namespace {

/// A line of /proc/self/smaps that begins a mapping.
struct Mapping {
  unsigned long begin = 0, end = 0, inode = 0;
  char rights[5] = {};
  bool is_stack = false;

  bool read(const char* line) {
    Mapping one;
    if (std::sscanf(line, "%lx-%lx %4s %*x %*s %lu", &one.begin, &one.end, one.rights,
                    &one.inode) != 4)
      return false;
    one.is_stack = std::strstr(line, "[stack]") != nullptr;
    *this = one;
    return true;
  }
  bool is_of_a_file() const {
    return inode != 0 && (std::strcmp(rights, "r-xp") == 0 || std::strcmp(rights, "r--p") == 0);
  }
};

bool forget(unsigned long begin, unsigned long end) {
  return begin < end && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0;
}

/// What lies below the frame of whoever called, but for what signals and calls may use just now.
void forget_stack_below(unsigned long frame, const Mapping& stack) {
  constexpr unsigned long kInUse = 64 << 10;
  if (frame < stack.begin || frame >= stack.end || frame - stack.begin <= kInUse) return;
  const auto page = static_cast<unsigned long>(sysconf(_SC_PAGESIZE));
  forget(stack.begin, (frame - kInUse) / page * page);
}

}  // namespace

std::size_t forget_code_of_the_start() {
  malloc_trim(0);
  std::FILE* maps = std::fopen("/proc/self/smaps", "re");
  if (maps == nullptr) return 0;
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  std::size_t bytes = 0;
  char line[1024];
  Mapping mapping;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (mapping.read(line)) {
      if (mapping.is_stack) forget_stack_below(frame, mapping);
      continue;
    }
    // Of files that nobody writes to, with no page of its own: nothing is lost. (What was relocated has
    // such pages, and would be.)
    unsigned long own_kb = 0;
    if (std::sscanf(line, "Anonymous: %lu kB", &own_kb) != 1) continue;
    if (own_kb == 0 && mapping.is_of_a_file() && forget(mapping.begin, mapping.end))
      bytes += mapping.end - mapping.begin;
  }
  std::fclose(maps);
  return bytes;
}

ForgetsLater::ForgetsLater(std::chrono::milliseconds after) {
  thread_ = quiet_thread([this, after] {
    std::unique_lock lock(mutex_);
    if (!stops_.wait_for(lock, after, [this] { return stop_; })) forget_code_of_the_start();
  });
}

ForgetsLater::~ForgetsLater() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stops_.notify_one();
  thread_.join();
}

}  // namespace flyball
