#include "kernels/base/resident_code.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>

namespace flyball {

std::size_t forget_code_of_the_start() {
  malloc_trim(0);
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return 0;
  std::size_t bytes = 0;
  char line[1024];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0, end = 0, inode = 0;
    char rights[5] = {};
    if (std::sscanf(line, "%lx-%lx %4s %*x %*s %lu", &begin, &end, rights, &inode) != 4) continue;
    // Code of files that nobody writes to: nothing is lost. (What is only read has been relocated, and
    // would be.)
    if (inode == 0 || std::strcmp(rights, "r-xp") != 0) continue;
    if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0)
      bytes += end - begin;
  }
  std::fclose(maps);
  return bytes;
}

}  // namespace flyball
