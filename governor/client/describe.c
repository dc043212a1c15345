/* What an application says of itself, checked and laid out as it is sent. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "governor/client/session.h"

static __thread char why[200] = "nothing has failed";

const char* flyball_why(void) { return why; }

int fly_fail(int error, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  return error;
}

/* Names end up in tables and files: printable, and without what separates there. */
static int take_text(char* to, size_t room, const char* from, const char* what, int may_be_empty) {
  const size_t length = from == NULL ? 0 : strnlen(from, room);
  if (length == 0 && !may_be_empty) return fly_fail(EINVAL, "%s: is empty; give it a name", what);
  if (length >= room)
    return fly_fail(EINVAL, "%s: '%.20s...' is too long; at most %zu bytes", what, from, room - 1);
  for (size_t i = 0; i < length; ++i) {
    const unsigned char c = (unsigned char)from[i];
    if (c <= ' ' || c == 127 || c == '"' || c == '\\' || c == ',')
      return fly_fail(EINVAL,
                      "%s: '%.31s' has a blank, comma, quote or control character; use others",
                      what, from);
  }
  memset(to, 0, room);
  if (length > 0) memcpy(to, from, length);
  return 0;
}

static int take_knobs(const flyball_application* app, struct flyball_session* s) {
  size_t values = 0, levels = 1;
  if (app->knob_count > FLYBALL_KNOBS)
    return fly_fail(EINVAL, "knobs: %zu; at most %d", app->knob_count, FLYBALL_KNOBS);
  for (size_t k = 0; k < app->knob_count; ++k) {
    const flyball_knob* from = &app->knobs[k];
    struct fly_knob* to = &s->hello.knob[k];
    int error = take_text(to->name, sizeof to->name, from->name, "a knob's name", 0);
    if (error == 0) error = take_text(to->unit, sizeof to->unit, from->unit, "a knob's unit", 1);
    if (error != 0) return error;
    if (from->count == 0 || from->values == NULL || from->count > FLYBALL_LEVELS)
      return fly_fail(EINVAL, "knob '%s': has %zu values; 1 to %d", to->name, from->count,
                      FLYBALL_LEVELS);
    values += from->count;
    levels *= from->count;
    if (values > FLYBALL_VALUES || levels > FLYBALL_LEVELS)
      return fly_fail(EINVAL, "knob '%s': makes more than %d combinations; leave some out",
                      to->name, FLYBALL_LEVELS);
    to->count = (uint32_t)from->count;
    for (size_t v = 0; v < from->count; ++v) {
      char value[FLYBALL_NAME_BYTES];
      error = take_text(value, sizeof value, from->values[v], "a knob's value", 0);
      if (error != 0) return error;
      for (size_t other = 0; other < v; ++other)
        if (strcmp(value, from->values[other]) == 0)
          return fly_fail(EINVAL, "knob '%s': has the value '%s' twice; give each once", to->name,
                          value);
      memcpy(s->text + s->hello.text_bytes, value, strlen(value) + 1);
      s->hello.text_bytes += (uint32_t)strlen(value) + 1;
    }
  }
  s->hello.knob_count = (uint32_t)app->knob_count;
  s->hello.level_count = (uint32_t)levels;
  return 0;
}

/* How far apart levels are that differ in where they run alone, and how many of them there are. */
static void find_where(const struct fly_hello* hello, uint32_t* stride, uint32_t* values) {
  *stride = *values = 1;
  for (uint32_t k = hello->knob_count; k-- > 0;) {
    if (strcmp(hello->knob[k].name, FLYBALL_WHERE) == 0) {
      *values = hello->knob[k].count;
      return;
    }
    *stride *= hello->knob[k].count;
  }
  *stride = 1;
}

/* The whole application where nobody turns anything: the last level that is offered. */
static int take_levels(const flyball_application* app, struct flyball_session* s) {
  s->hello.has_accuracy = app->accuracy_pct != NULL;
  uint32_t stride, values;
  find_where(&s->hello, &stride, &values);
  int offered = 0;
  for (uint32_t level = 0; level < s->hello.level_count; ++level) {
    const uint32_t rank = level / (stride * values) * stride + level % stride;
    double accuracy = app->accuracy_pct != NULL ? app->accuracy_pct[level]
                                                : 100.0 * (rank + 1) * values / s->hello.level_count;
    if (isinf(accuracy) || accuracy < 0 || accuracy > 100)
      return fly_fail(EINVAL, "accuracy_pct[%u]: %g; 0 to 100, or NAN for what is not offered",
                      level, accuracy);
    s->hello.accuracy_pct[level] = (float)accuracy;
    const uint32_t first = level - level / stride % values * stride;
    const float as_first = s->hello.accuracy_pct[first];
    if (isnan(accuracy) ? !isnan(as_first) : s->hello.accuracy_pct[level] != as_first)
      return fly_fail(EINVAL, "accuracy_pct[%u]: is not that of level %u, which differs in where it "
                              "runs alone; both the same", level, first);
    if (isnan(accuracy)) continue;
    offered = 1;
    s->best_level = level;
  }
  return offered ? 0 : fly_fail(EINVAL, "accuracy_pct: offers no combination; one at least");
}

static int take_monitors(const flyball_application* app, struct flyball_session* s) {
  if (app->monitor_count > FLYBALL_MONITORS)
    return fly_fail(EINVAL, "monitors: %zu; at most %d", app->monitor_count, FLYBALL_MONITORS);
  for (size_t m = 0; m < app->monitor_count; ++m) {
    const flyball_monitor* from = &app->monitors[m];
    struct fly_monitor* to = &s->hello.monitor[m];
    int error = take_text(to->name, sizeof to->name, from->name, "a monitor's name", 0);
    if (error == 0) error = take_text(to->unit, sizeof to->unit, from->unit, "a monitor's unit", 1);
    if (error != 0) return error;
    const double numbers[] = {from->desired_min, from->desired_max, from->weight};
    for (int i = 0; i < 3; ++i)
      if (!isfinite(numbers[i]))
        return fly_fail(EINVAL, "monitor '%s': has a number that is none; give 0", to->name);
    if (!(from->weight >= 0 && from->weight <= FLYBALL_WEIGHT_MOST))
      return fly_fail(EINVAL, "monitor '%s': a weight of %g; 0 to %d", to->name, from->weight,
                      FLYBALL_WEIGHT_MOST);
    if (from->direction == FLYBALL_NEITHER && from->desired_min > from->desired_max)
      return fly_fail(EINVAL, "monitor '%s': desired_min %g is above desired_max %g; swap them",
                      to->name, from->desired_min, from->desired_max);
    if (from->direction < FLYBALL_LOWER_IS_BETTER || from->direction > FLYBALL_NEITHER)
      return fly_fail(EINVAL, "monitor '%s': direction %d; see enum flyball_direction", to->name,
                      from->direction);
    to->desired_min = from->desired_min;
    to->desired_max = from->desired_max;
    to->weight = from->weight;
    to->direction = from->direction;
  }
  s->hello.monitor_count = (uint32_t)app->monitor_count;
  return 0;
}

int fly_check_requirements(const flyball_requirements* from, struct fly_requirements* to) {
  const int64_t most_ns = 86400000000000; /* a day */
  const int64_t times[] = {from->period_ns, from->deadline_ns, from->grace_ns};
  for (int i = 0; i < 3; ++i)
    if (times[i] < 0 || times[i] > most_ns)
      return fly_fail(EINVAL, "requirements: a time of %lld ns; 0 to a day", (long long)times[i]);
  const double amounts[] = {from->energy_budget_mj, from->power_budget_mw};
  for (int i = 0; i < 2; ++i)
    if (!(amounts[i] >= 0 && amounts[i] <= 1e12))
      return fly_fail(EINVAL, "requirements: a budget of %g; 0 or more", amounts[i]);
  if (!(from->accuracy_floor_pct >= 0 && from->accuracy_floor_pct <= 100))
    return fly_fail(EINVAL, "requirements: an accuracy of %g %%; 0 to 100",
                    from->accuracy_floor_pct);
  if (from->priority < 0 || from->priority > 100)
    return fly_fail(EINVAL, "requirements: priority %d; 1 to 100", from->priority);
  if (from->objective < FLYBALL_ENERGY || from->objective > FLYBALL_LATENCY)
    return fly_fail(EINVAL, "requirements: objective %d; see enum flyball_objective",
                    from->objective);
  to->period_ns = from->period_ns;
  to->deadline_ns = from->deadline_ns;
  to->grace_ns = from->grace_ns;
  to->accuracy_floor_pct = from->accuracy_floor_pct;
  to->energy_budget_mj = from->energy_budget_mj;
  to->power_budget_mw = from->power_budget_mw;
  to->priority = from->priority == 0 ? 1 : from->priority;
  to->objective = from->objective;
  return 0;
}

/* Without /proc, which a container may lack or have of another namespace. */
static int is_thread_of_ours(int32_t id) {
  return id > 0 && syscall(SYS_tgkill, getpid(), id, 0) == 0;
}

void fly_drop_ended_threads(struct flyball_session* s) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < s->hello.thread_count; ++i)
    if (is_thread_of_ours(s->hello.thread[i])) s->hello.thread[kept++] = s->hello.thread[i];
  memset(s->hello.thread + kept, 0, (s->hello.thread_count - kept) * sizeof *s->hello.thread);
  s->hello.thread_count = kept;
}

int fly_check_threads(const int32_t* ids, size_t count) {
  if (ids == NULL || count == 0 || count > FLYBALL_THREADS)
    return fly_fail(EINVAL, "threads: %zu; 1 to %d", count, FLYBALL_THREADS);
  for (size_t i = 0; i < count; ++i) {
    if (!is_thread_of_ours(ids[i]))
      return fly_fail(EPERM, "thread %d: is not of this process; give ids of gettid()",
                      (int)ids[i]);
  }
  return 0;
}

int fly_describe(const flyball_application* app, struct flyball_session* s) {
  if (app == NULL) return fly_fail(EINVAL, "application: is NULL; fill one in");
  s->hello.magic = FLY_MAGIC;
  s->hello.kind = FLY_HELLO;
  s->hello.version = FLYBALL_INTERFACE;
  s->hello.bytes = sizeof s->hello;
  if (app->threads < 0 || app->threads > FLYBALL_CPUS)
    return fly_fail(EINVAL, "application: %d threads; 0 to %d", app->threads, FLYBALL_CPUS);
  if ((app->flags & ~(FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF)) != 0)
    return fly_fail(EINVAL, "application: flags 0x%x; see enum flyball_flags",
                    (unsigned)app->flags);
  s->hello.threads = app->threads == 0 ? 1 : app->threads;
  s->hello.flags = app->flags;
  int error = take_text(s->hello.name, sizeof s->hello.name, app->name, "an application's name", 0);
  if (error == 0) error = take_knobs(app, s);
  if (error == 0) error = take_levels(app, s);
  if (error == 0) error = take_monitors(app, s);
  if (error == 0) error = fly_check_requirements(&app->required, &s->hello.required);
  return error;
}
