/* Threads where the setting says: a process moves its own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "governor/client/session.h"

/* Where this process's main thread may be. */
void fly_find_cpus(uint64_t* words) {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  memset(words, 0, FLYBALL_CPUS / 8);
  for (int cpu = 0; cpu < FLYBALL_CPUS; ++cpu)
    if (CPU_ISSET(cpu, &set)) words[cpu / 64] |= 1ULL << (cpu % 64);
}

static int names_any(const uint64_t* words) {
  for (int w = 0; w < FLYBALL_CPUS / 64; ++w)
    if (words[w] != 0) return 1;
  return 0;
}

static cpu_set_t set_of(const uint64_t* words) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu = 0; cpu < FLYBALL_CPUS; ++cpu)
    if (words[cpu / 64] >> (cpu % 64) & 1) CPU_SET(cpu, &set);
  return set;
}

void fly_follow_cpus(struct flyball_session* s) {
  const int pin = names_any(s->now.cpus);
  if (!pin && !s->pinned) return;
  const cpu_set_t set = set_of(pin ? s->now.cpus : s->free_cpus);
  s->pinned = pin;
  if (s->names_threads) {
    fly_drop_ended_threads(s); /* by their numbers others would be moved */
    for (uint32_t i = 0; i < s->hello.thread_count; ++i)
      sched_setaffinity(s->hello.thread[i], sizeof set, &set);
    return;
  }
  /* What starts meanwhile inherits from one that is moved before or after: twice finds it. */
  for (int round = 0; round < 2; ++round) {
    DIR* tasks = opendir("/proc/self/task");
    if (tasks == NULL) return;
    for (struct dirent* task; (task = readdir(tasks)) != NULL;) {
      const int id = atoi(task->d_name);
      if (id > 0) sched_setaffinity(id, sizeof set, &set);
    }
    closedir(tasks);
  }
}

int flyball_pin(flyball_session* s) {
  const flyball_setting* now = flyball_now(s);
  const cpu_set_t set = set_of(names_any(now->cpus) ? now->cpus : s->free_cpus);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return 0;
  return fly_fail(errno, "pinning: %s; it runs where it was", strerror(errno));
}
