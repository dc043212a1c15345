/* Deadline sessions, and whatever is asked for while one goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "governor/client/session.h"

int fly_may_ask(struct flyball_session* s) {
  const int64_t second = fly_now_ns() / 1000000000;
  if (s->vote_second != second) s->votes = 0;
  s->vote_second = second;
  if (++s->votes <= FLYBALL_VOTES_PER_SECOND) return 0;
  return fly_fail(EBUSY, "asked more than %d times a second; not told, ask more seldom",
                  FLYBALL_VOTES_PER_SECOND);
}

static int require(struct flyball_session* s, const struct fly_requirements* required) {
  const int error = fly_may_ask(s);
  if (error != 0) return error;
  s->hello.required = *required; /* what the next governor is told */
  struct fly_change change;
  memset(&change, 0, sizeof change);
  change.kind = FLY_REQUIRE;
  change.required = *required;
  return fly_send(s, &change);
}

int flyball_require(flyball_session* s, const flyball_requirements* required) {
  struct fly_requirements checked;
  if (required == NULL) return fly_fail(EINVAL, "requirements: are NULL; fill them in");
  const int error = fly_check_requirements(required, &checked);
  return error != 0 ? error : require(s, &checked);
}

static void take_threads(struct flyball_session* s, const int32_t* ids, size_t count) {
  memset(s->hello.thread, 0, sizeof s->hello.thread);
  memcpy(s->hello.thread, ids, count * sizeof *ids);
  s->hello.thread_count = (uint32_t)count;
  s->names_threads = 1;
}

int flyball_session_create(const int32_t* ids, size_t count, int64_t target_ns,
                           flyball_session** session) {
  if (session == NULL) return fly_fail(EINVAL, "session: is NULL; say where it is to go");
  *session = NULL;
  if (target_ns <= 0) return fly_fail(EINVAL, "target: %lld ns; more than 0", (long long)target_ns);
  int error = fly_check_threads(ids, count);
  if (error != 0) return error;
  flyball_application app;
  memset(&app, 0, sizeof app);
  app.name = "session";
  app.required.deadline_ns = target_ns;
  app.threads = (int)count;
  app.flags = FLYBALL_FOLLOWS_CPUS;
  struct flyball_session* s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
  if (s == NULL) return fly_fail(ENOMEM, "session: no memory for it; free some");
  memset(s, 0, sizeof *s);
  error = fly_describe(&app, s);
  if (error == 0) {
    take_threads(s, ids, count);
    error = fly_start(s);
    if (error != 0) {
      flyball_close(s);
      return error;
    }
    *session = s;
    return 0;
  }
  free(s);
  return error;
}

int flyball_session_update_target(flyball_session* s, int64_t target_ns) {
  if (target_ns <= 0) return fly_fail(EINVAL, "target: %lld ns; more than 0", (long long)target_ns);
  struct fly_requirements required = s->hello.required;
  if (required.deadline_ns == target_ns) return s->welcomed ? 0 : fly_fail(EPIPE, "no governor");
  required.deadline_ns = target_ns;
  return require(s, &required);
}

int flyball_session_report_actual(flyball_session* s, int64_t actual_ns) {
  if (actual_ns <= 0)
    return fly_fail(EINVAL, "duration: %lld ns; more than 0", (long long)actual_ns);
  const int64_t now_ns = fly_now_ns();
  return flyball_session_report_actual2(s, now_ns - actual_ns, actual_ns, actual_ns, 0);
}

int flyball_session_report_actual2(flyball_session* s, int64_t start_ns, int64_t total_ns,
                                   int64_t cpu_ns, int64_t gpu_ns) {
  if (start_ns <= 0 || total_ns <= 0 || cpu_ns < 0 || gpu_ns < 0 || (cpu_ns == 0 && gpu_ns == 0))
    return fly_fail(EINVAL, "duration: start and total more than 0, CPU and GPU not both 0");
  flyball_job job;
  memset(&job, 0, sizeof job);
  job.release_ns = job.start_ns = start_ns;
  job.finish_ns = start_ns + total_ns;
  job.cpu_ns = cpu_ns;
  job.gpu_ns = gpu_ns;
  job.level = -1;
  return flyball_report(s, &job);
}

int flyball_session_set_threads(flyball_session* s, const int32_t* ids, size_t count) {
  int error = fly_check_threads(ids, count);
  if (error == 0) error = fly_may_ask(s);
  if (error != 0) return error;
  const uint64_t none[FLYBALL_CPUS / 64] = {0};
  uint64_t cpus[FLYBALL_CPUS / 64];
  memcpy(cpus, s->now.cpus, sizeof cpus);
  if (s->pinned) { /* those that are named no more are let go */
    memcpy(s->now.cpus, none, sizeof none);
    fly_follow_cpus(s);
    memcpy(s->now.cpus, cpus, sizeof cpus);
  }
  take_threads(s, ids, count);
  s->hello.threads = (int32_t)count;
  if (!(s->hello.flags & FLYBALL_PINS_ITSELF) && (s->hello.flags & FLYBALL_FOLLOWS_CPUS))
    fly_follow_cpus(s);
  struct fly_change change;
  memset(&change, 0, sizeof change);
  change.kind = FLY_THREADS;
  change.thread_count = (uint32_t)count;
  memcpy(change.thread, ids, count * sizeof *ids);
  return fly_send(s, &change);
}

static int vote(struct flyball_session* s, enum fly_vote kind, uint32_t on) {
  struct fly_change change;
  memset(&change, 0, sizeof change);
  change.kind = FLY_VOTE;
  change.vote = kind;
  change.on = on;
  return fly_send(s, &change);
}

int flyball_session_prefer_power_efficiency(flyball_session* s, int enabled) {
  const int error = fly_may_ask(s);
  if (error != 0) return error;
  s->efficient = enabled != 0;
  return vote(s, FLY_VOTE_EFFICIENCY, enabled != 0);
}

static int notify(struct flyball_session* s, enum fly_vote kind, int cpu, int gpu) {
  if (!cpu && !gpu) return fly_fail(EINVAL, "vote: for neither CPU nor GPU; name one");
  if (!cpu && flyball_supports(s, FLYBALL_FEATURE_SESSIONS) &&
      !flyball_supports(s, FLYBALL_FEATURE_VOTES_GPU))
    return fly_fail(ENOTSUP, "vote: this session is on no GPU whose clock is turned; vote for the CPU");
  const int error = fly_may_ask(s);
  return error != 0 ? error : vote(s, kind, (cpu ? 1u : 0u) | (gpu ? 2u : 0u));
}

int flyball_session_notify_increase(flyball_session* s, int cpu, int gpu, const char* name) {
  (void)name;
  return notify(s, FLY_VOTE_INCREASE, cpu, gpu);
}
int flyball_session_notify_reset(flyball_session* s, int cpu, int gpu, const char* name) {
  (void)name;
  return notify(s, FLY_VOTE_RESET, cpu, gpu);
}
int flyball_session_notify_spike(flyball_session* s, int cpu, int gpu, const char* name) {
  (void)name;
  return notify(s, FLY_VOTE_SPIKE, cpu, gpu);
}

int64_t flyball_preferred_rate_ns(void) { return 1000000000LL / FLYBALL_VOTES_PER_SECOND; }

int flyball_supports(flyball_session* s, enum flyball_feature feature) {
  if (s == NULL || !flyball_connected(s) || feature < 0 || feature > 31) return 0;
  return (int)(s->features >> feature & 1u);
}
