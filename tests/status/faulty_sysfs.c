/* Preloaded into a program: files of a tree of settings fail as drivers do. The file that FLYBALL_FAULTS
 * names has a line per fault, and is read anew at each call:
 *
 *   SUFFIX CALL FAULT [VALUE]       policy0/scaling_setspeed write silent
 *   FOLDER/ CALL FAULT [VALUE]      policy4/ read errno 16
 *
 * CALL: open, read, write. FAULT: errno N; silent (accepted, and nothing comes of it); hang MS; round STEP
 * (up to a multiple of it). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct fault {
  char kind[16];
  long value;
};

static int is_meant(const char* text, const char* end) {
  const size_t size = strlen(text), tail = strlen(end);
  if (tail > 0 && end[tail - 1] == '/') return strstr(text, end) != NULL;
  return size >= tail && strcmp(text + size - tail, end) == 0;
}

static int find_fault(const char* path, const char* call, struct fault* found) {
  const char* name = getenv("FLYBALL_FAULTS");
  char text[4096], *line, *rest = text;
  if (name == NULL || strstr(path, "/sys/") == NULL) return 0;
  const int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const long size = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  text[size < 0 ? 0 : size] = 0;
  while ((line = strsep(&rest, "\n")) != NULL) {
    char suffix[256], of[16];
    found->value = 0;
    if (sscanf(line, "%255s %15s %15s %ld", suffix, of, found->kind, &found->value) >= 3 &&
        strcmp(of, call) == 0 && is_meant(path, suffix))
      return 1;
  }
  return 0;
}

static int fault_of(int fd, const char* call, struct fault* found) {
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return find_fault(path, call, found);
}

/* 1 when the call is to fail, with errno set; hangs here. */
static int fails(const struct fault* fault) {
  if (strcmp(fault->kind, "hang") == 0) {
    const struct timespec time = {fault->value / 1000, fault->value % 1000 * 1000000};
    nanosleep(&time, NULL);
  }
  if (strcmp(fault->kind, "errno") != 0) return 0;
  errno = (int)fault->value;
  return 1;
}

int open(const char* path, int flags, ...) {
  struct fault fault;
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  if ((flags & O_ACCMODE) != O_RDONLY && find_fault(path, "open", &fault) && fails(&fault)) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
int open64(const char*, int, ...) __attribute__((alias("open")));

ssize_t pread(int fd, void* bytes, size_t size, off_t at) {
  struct fault fault;
  if (fault_of(fd, "read", &fault) && fails(&fault)) return -1;
  return syscall(SYS_pread64, fd, bytes, size, at);
}
ssize_t pread64(int, void*, size_t, off_t) __attribute__((alias("pread")));

ssize_t read(int fd, void* bytes, size_t size) {
  struct fault fault;
  if (fault_of(fd, "read", &fault) && fails(&fault)) return -1;
  return syscall(SYS_read, fd, bytes, size);
}

/* 0: nothing is to be written; else what is, and how much of it. */
static int made_of(const struct fault* fault, const void** bytes, size_t* size, char text[32]) {
  if (strcmp(fault->kind, "silent") == 0) return 0;
  if (strcmp(fault->kind, "round") == 0) {
    const long asked = strtol(*bytes, NULL, 10);
    *size = (size_t)snprintf(text, 32, "%ld\n", (asked + fault->value - 1) / fault->value * fault->value);
    *bytes = text;
  }
  return 1;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  struct fault fault;
  const ssize_t asked = (ssize_t)size;
  char text[32];
  if (!fault_of(fd, "write", &fault)) return syscall(SYS_pwrite64, fd, bytes, size, at);
  if (fails(&fault)) return -1;
  if (!made_of(&fault, &bytes, &size, text)) return asked;
  const ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, at);
  return done < 0 ? done : asked;
}
ssize_t pwrite64(int, const void*, size_t, off_t) __attribute__((alias("pwrite")));

ssize_t write(int fd, const void* bytes, size_t size) {
  struct fault fault;
  const ssize_t asked = (ssize_t)size;
  char text[32];
  if (!fault_of(fd, "write", &fault)) return syscall(SYS_write, fd, bytes, size);
  if (fails(&fault)) return -1;
  if (!made_of(&fault, &bytes, &size, text)) return asked;
  const ssize_t done = syscall(SYS_write, fd, bytes, size);
  return done < 0 ? done : asked;
}

int ftruncate(int fd, off_t size) {
  struct fault fault;
  if (fault_of(fd, "write", &fault)) return 0; /* sysfs has none: a faulty write ends as it did */
  return (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
