/* Sessions: their beginning and end, settings and reports. */
#define _GNU_SOURCE
#include "governor/client/session.h"

#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int64_t fly_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The values of a level: the last knob goes round quickest. */
static void take_apart(const struct flyball_session* s, uint64_t level, uint8_t* value) {
  for (uint32_t k = s->hello.knob_count; k-- > 0;) {
    value[k] = (uint8_t)(level % s->hello.knob[k].count);
    level /= s->hello.knob[k].count;
  }
}

static void tell_changed(struct flyball_session* s) {
  if ((s->hello.flags & FLYBALL_FOLLOWS_CPUS) && !(s->hello.flags & FLYBALL_PINS_ITSELF))
    fly_follow_cpus(s);
  if (s->changed != NULL) s->changed(&s->now, s->user);
}

void fly_default_setting(struct flyball_session* s) {
  memset(&s->now, 0, sizeof s->now);
  s->now.level = (uint16_t)s->best_level;
  take_apart(s, s->best_level, s->now.value);
  s->now.threads = (uint16_t)s->hello.threads;
  s->now.speed = 1;
  tell_changed(s);
}

int fly_start(struct flyball_session* s) {
  s->socket = -1;
  fly_find_cpus(s->free_cpus);
  fly_default_setting(s);
  fly_register(s);
  s->gone_ns = fly_now_ns();
  fly_attend(s, s->gone_ns, 1000);
  return s->refused;
}

int flyball_open(const flyball_application* application, flyball_session** session) {
  if (session == NULL) return fly_fail(EINVAL, "session: is NULL; say where it is to go");
  *session = NULL;
  struct flyball_session* s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
  if (s == NULL) return fly_fail(ENOMEM, "session: no memory for it; free some");
  memset(s, 0, sizeof *s);
  int error = fly_describe(application, s);
  if (error != 0) {
    free(s);
    return error;
  }
  error = fly_start(s);
  if (error != 0) {
    flyball_close(s);
    return error;
  }
  fly_take_setting(s);
  *session = s;
  return 0;
}

void flyball_close(flyball_session* s) {
  if (s == NULL) return;
  if (fly_is_ours(s)) {
    fly_unregister(s);
    if (s->socket >= 0) close(s->socket);
    if (s->shared != NULL) munmap(s->shared, FLYBALL_SHARED_BYTES);
    memset(s->now.cpus, 0, sizeof s->now.cpus);
    fly_follow_cpus(s);
  }
  free(s);
}

int flyball_connected(flyball_session* s) {
  fly_attend(s, fly_now_ns(), 0);
  return s->welcomed && !s->forked;
}

void fly_take_setting(struct flyball_session* s) {
  if (s->shared == NULL) return;
  struct fly_settings* from = &s->shared->settings;
  /* Writing one takes less than a microsecond. A governor that has lost its CPU in the middle is not waited
   * for: the setting before is as good, and the next call looks again. */
  for (int i = 0; i < 64; ++i) {
    const uint32_t before = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
    if (before == 0 || before == s->seen) return;
    if (before % 2 == 0) {
      union {
        flyball_setting setting;
        uint64_t word[sizeof from->word / 8];
      } copy;
      for (size_t w = 0; w < sizeof from->word / 8; ++w)
        copy.word[w] = __atomic_load_n(&from->word[w], __ATOMIC_ACQUIRE);
      if (__atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == before) {
        s->now = copy.setting;
        s->seen = before;
        tell_changed(s);
        return;
      }
    }
  }
}

const flyball_setting* flyball_now(flyball_session* s) {
  if (fly_is_ours(s) && s->shared != NULL &&
      __atomic_load_n(&s->shared->settings.sequence, __ATOMIC_ACQUIRE) != s->seen)
    fly_take_setting(s);
  /* Whoever only reads is to find a governor, too. */
  if (++s->reads % 4096 == 0) {
    const int64_t now_ns = fly_now_ns();
    if (now_ns >= s->check_ns) fly_attend(s, now_ns, 0);
  }
  return &s->now;
}

int flyball_wait(flyball_session* s, int64_t timeout_ns) {
  if (timeout_ns > INT64_MAX / 2) timeout_ns = INT64_MAX / 2;
  const int64_t until_ns = fly_now_ns() + timeout_ns;
  const uint64_t number = flyball_now(s)->number;
  for (;;) {
    const int64_t now_ns = fly_now_ns();
    fly_attend(s, now_ns, 0);
    if (!fly_is_ours(s) || !s->welcomed) return fly_fail(EPIPE, "no governor: nothing to wait for");
    struct fly_settings* at = &s->shared->settings;
    __atomic_store_n(&at->waiting, 1, __ATOMIC_SEQ_CST);
    const uint32_t sequence = __atomic_load_n(&at->sequence, __ATOMIC_SEQ_CST);
    if (sequence != s->seen) fly_take_setting(s);
    if (s->now.number != number) return 0;
    int64_t left_ns = until_ns - now_ns;
    if (left_ns <= 0) return fly_fail(ETIMEDOUT, "setting: has not changed in that time");
    if (left_ns > 100000000) left_ns = 100000000; /* the governor may go meanwhile */
    const struct timespec limit = {left_ns / 1000000000, left_ns % 1000000000};
    syscall(SYS_futex, &at->sequence, FUTEX_WAIT, sequence, &limit, NULL, 0);
  }
}

int flyball_on_change(flyball_session* s, void (*changed)(const flyball_setting*, void*),
                      void* user) {
  s->changed = changed;
  s->user = user;
  return 0;
}

static void tell_running(struct flyball_session* s, int busy) {
  struct fly_running* at = &s->shared->running;
  const uint32_t before = at->sequence | 1;
  __atomic_store_n(&at->sequence, before, __ATOMIC_RELAXED);
  __atomic_store_n(&at->busy, busy, __ATOMIC_RELEASE);
  __atomic_store_n(&at->release_ns, s->release_ns, __ATOMIC_RELEASE);
  __atomic_store_n(&at->start_ns, s->start_ns, __ATOMIC_RELEASE);
  __atomic_store_n(&at->setting, (uint32_t)s->now.number, __ATOMIC_RELEASE);
  __atomic_store_n(&at->level, s->now.level, __ATOMIC_RELEASE);
  __atomic_store_n(&at->sequence, before + 1, __ATOMIC_RELEASE);
}

/* Puts one more into the ring. */
static int publish(struct flyball_session* s, const struct fly_job* job) {
  if (!fly_is_ours(s) || s->shared == NULL)
    return fly_fail(EPIPE, "no governor: the report goes nowhere; start 'flyball run'");
  struct fly_shared* to = s->shared;
  if (s->head - __atomic_load_n(&to->tail, __ATOMIC_ACQUIRE) >= FLYBALL_RING_JOBS) {
    __atomic_store_n(&to->lost, to->lost + 1, __ATOMIC_RELAXED);
    ++s->sequence;
    return fly_fail(
        EBUSY, "report: no room, since the governor has not read for long; it is counted as lost");
  }
  struct fly_job* at = &to->job[s->head % FLYBALL_RING_JOBS];
  *at = *job;
  at->sequence = s->sequence++;
  __atomic_store_n(&to->head, ++s->head, __ATOMIC_RELEASE);
  return 0;
}

const flyball_setting* flyball_begin(flyball_session* s, int64_t release_ns) {
  const int64_t now_ns = fly_now_ns();
  if (now_ns >= s->check_ns) fly_attend(s, now_ns, 0);
  flyball_now(s);
  s->start_ns = now_ns;
  s->release_ns = release_ns <= 0 || release_ns > now_ns ? now_ns : release_ns;
  s->in_job = 1;
  if (fly_is_ours(s) && s->shared != NULL) tell_running(s, 1);
  return &s->now;
}

static int finish(struct flyball_session* s, const double* values, size_t count, int dropped) {
  struct fly_job job;
  memset(&job, 0, sizeof job);
  job.release_ns = s->release_ns;
  job.start_ns = s->start_ns;
  job.finish_ns = fly_now_ns();
  job.setting = (uint32_t)s->now.number;
  job.level = s->now.level;
  job.dropped = (uint8_t)dropped;
  job.values = (uint8_t)count;
  for (size_t i = 0; i < count; ++i) job.value[i] = (float)values[i];
  s->in_job = 0;
  const int error = publish(s, &job);
  if (error != EPIPE) tell_running(s, 0);
  return error;
}

int flyball_end_with(flyball_session* s, const double* values, size_t count) {
  if (!s->in_job) return fly_fail(EINVAL, "job: none has begun; call flyball_begin() first");
  if (count > s->hello.monitor_count || (count > 0 && values == NULL))
    return fly_fail(EINVAL, "values: %zu; the application has %u monitors", count,
                    s->hello.monitor_count);
  return finish(s, values, count, 0);
}

int flyball_end(flyball_session* s) { return flyball_end_with(s, NULL, 0); }

int flyball_drop(flyball_session* s) {
  if (!s->in_job) return fly_fail(EINVAL, "job: none has begun; call flyball_begin() first");
  return finish(s, NULL, 0, 1);
}

int flyball_report(flyball_session* s, const flyball_job* from) {
  const int64_t now_ns = fly_now_ns();
  const int64_t leeway_ns = 1000000;
  if (from == NULL) return fly_fail(EINVAL, "job: is NULL; fill one in");
  if (from->release_ns < 0 || from->start_ns < from->release_ns ||
      from->finish_ns < from->start_ns || from->finish_ns > now_ns + leeway_ns ||
      from->deadline_ns < 0 || from->cpu_ns < 0 || from->gpu_ns < 0)
    return fly_fail(EINVAL, "job: its times are not in order; release, start, finish, now");
  if (from->level < -1 || from->level >= (int)s->hello.level_count)
    return fly_fail(EINVAL, "job: level %d; -1 to %u", from->level, s->hello.level_count - 1);
  if (from->level >= 0 && isnan(s->hello.accuracy_pct[from->level]))
    return fly_fail(EINVAL, "job: level %d is not offered; one that accuracy_pct has", from->level);
  if (now_ns >= s->check_ns) fly_attend(s, now_ns, 0);
  flyball_now(s);
  struct fly_job job;
  memset(&job, 0, sizeof job);
  job.release_ns = from->release_ns;
  job.start_ns = from->start_ns;
  job.finish_ns = from->finish_ns;
  job.deadline_ns = from->deadline_ns;
  job.cpu_ns = from->cpu_ns;
  job.gpu_ns = from->gpu_ns;
  job.setting = (uint32_t)s->now.number;
  job.level = from->level < 0 ? s->now.level : (uint16_t)from->level;
  job.dropped = from->dropped != 0;
  return publish(s, &job);
}

int flyball_session_effect(flyball_session* s, flyball_effect* effect) {
  if (effect == NULL) return fly_fail(EINVAL, "effect: is NULL; say where it is to go");
  memset(effect, 0, sizeof *effect);
  fly_attend(s, fly_now_ns(), 0);
  if (!fly_is_ours(s) || !s->welcomed)
    return fly_fail(EPIPE, "no governor: nothing is known of an effect");
  struct fly_effects* from = &s->shared->effects;
  for (int i = 0; i < 200; ++i) {
    const uint32_t before = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
    if (before == 0) return 0;
    if (before % 2 == 0) {
      union {
        flyball_effect effect;
        uint64_t word[sizeof from->word / 8];
      } copy;
      for (size_t w = 0; w < sizeof from->word / 8; ++w)
        copy.word[w] = __atomic_load_n(&from->word[w], __ATOMIC_ACQUIRE);
      if (__atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == before) {
        *effect = copy.effect;
        return 0;
      }
    }
    sched_yield();
  }
  return 0; /* it is being written for ever: not known yet */
}
