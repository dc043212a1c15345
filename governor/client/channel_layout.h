/* What passes between a governor and an application: messages over a Unix socket that keeps them
 * apart, and memory that both map. For the library and the governor, not for applications.
 *
 *   client                                     governor
 *   connect to app.sock
 *   hello: fly_hello, then texts     ->
 *                                    <-        welcome: fly_welcome, with the memory's descriptor
 *   fly_change, when something is asked ->
 *   hangs up, or dies
 *
 *   fly_list                         ->        (or instead of all that)
 *                                    <-        JSON: who is there
 *
 * The memory is a memfd that the governor makes and seals against shrinking and growing before it is
 * handed over. All in it but what it wrote itself is a client's word, which may change while it is
 * read: the governor copies, then checks, and uses its own copies of all positions.
 *
 * Native byte order: both are of the same machine. Alignment is natural, sizes are asserted. */
#ifndef FLYBALL_CHANNEL_LAYOUT_H
#define FLYBALL_CHANNEL_LAYOUT_H

#include <stdint.h>

#include "governor/client/flyball.h"

#define FLY_MAGIC 0x31594c46u /* "FLY1" */
#define FLY_SOCKET_NAME "app.sock"
#define FLY_MAX_MESSAGE 16384
#define FLY_TEXT_BYTES 10240
#define FLY_MOST_LOST (1ULL << 53) /* reports that are believed to be lost: more is a lie */

enum fly_kind { FLY_HELLO = 1, FLY_WELCOME, FLY_REQUIRE, FLY_THREADS, FLY_VOTE, FLY_LIST };

struct fly_requirements {
  int64_t period_ns, deadline_ns, grace_ns;
  double accuracy_floor_pct, energy_budget_mj, power_budget_mw;
  int32_t priority, objective;
};

struct fly_knob {
  char name[FLYBALL_NAME_BYTES];
  char unit[FLYBALL_UNIT_BYTES];
  uint32_t count, unused;
};

struct fly_monitor {
  char name[FLYBALL_NAME_BYTES];
  char unit[FLYBALL_UNIT_BYTES];
  double desired_min, desired_max, weight;
  int32_t direction;
  uint32_t unused;
};

/* Followed by `text_bytes` of the knobs' values in order, each with its end. */
struct fly_hello {
  uint32_t magic, kind, version, bytes; /* bytes: of this struct */
  char name[FLYBALL_NAME_BYTES];
  uint32_t knob_count, monitor_count, level_count, text_bytes;
  int32_t threads, flags;
  uint32_t has_accuracy, thread_count;
  uint64_t first_sequence; /* of the next report; > 0: a session that had a governor before */
  struct fly_requirements required;
  struct fly_knob knob[FLYBALL_KNOBS];
  struct fly_monitor monitor[FLYBALL_MONITORS];
  float accuracy_pct[FLYBALL_LEVELS]; /* NAN: not offered */
  int32_t thread[FLYBALL_THREADS];
};

struct fly_welcome {
  uint32_t magic, kind, version;
  int32_t error; /* errno; then no memory comes */
  uint32_t shared_bytes, ring_jobs;
  uint32_t features; /* bit per enum flyball_feature */
  char why[100];
};

enum fly_vote { FLY_VOTE_INCREASE = 1, FLY_VOTE_RESET, FLY_VOTE_SPIKE, FLY_VOTE_EFFICIENCY };

struct fly_change {
  uint32_t magic, kind;
  uint32_t vote, on; /* enum fly_vote; cpu = 1, gpu = 2, or whether efficiency is preferred */
  uint32_t thread_count, unused;
  struct fly_requirements required;
  int32_t thread[FLYBALL_THREADS];
};

struct fly_list {
  uint32_t magic, kind;
};

/* A job that is over: 128 bytes, two cache lines. */
struct fly_job {
  uint64_t sequence; /* counts the session's reports from 0 */
  int64_t release_ns, start_ns, finish_ns, deadline_ns;
  int64_t cpu_ns, gpu_ns;
  uint32_t setting; /* number of the setting that it ran with, its low half */
  uint16_t level;
  uint8_t dropped, values; /* how many of `value` hold */
  float value[FLYBALL_MONITORS];
  uint64_t unused[4];
};

/* The job that runs, by the client: a seqlock. */
struct fly_running {
  uint32_t sequence; /* odd while it is written */
  uint32_t busy;
  int64_t release_ns, start_ns;
  uint32_t setting, level;
};

/* What to do, by the governor: a seqlock. Whoever writes it keeps `sequence` for itself and only ever
 * stores it. */
struct fly_settings {
  uint32_t sequence; /* odd while it is written; also what a client waits at */
  uint32_t waiting;  /* by the client: 1 while it does */
  uint64_t word[(sizeof(flyball_setting) + 7) / 8];
};

struct fly_effects {
  uint32_t sequence, unused;
  uint64_t word[(sizeof(flyball_effect) + 7) / 8];
};

struct fly_shared {
  uint32_t magic, version, bytes, ring_jobs;
  /* Ring: the client writes job[head % ring_jobs], then head; the governor reads, then writes tail.
   * Both only grow. */
  uint64_t head __attribute__((aligned(128)));
  uint64_t lost; /* the session's reports that found no room; goes along to the next governor */
  struct fly_running running;
  uint64_t tail __attribute__((aligned(128)));
  int64_t beat_ns; /* when the governor looked last, CLOCK_MONOTONIC */
  struct fly_settings settings __attribute__((aligned(128)));
  struct fly_effects effects __attribute__((aligned(128)));
  struct fly_job job[FLYBALL_RING_JOBS] __attribute__((aligned(128)));
};

#ifdef __cplusplus
static_assert(sizeof(fly_job) == 128 && sizeof(fly_shared) <= FLYBALL_SHARED_BYTES,
              "as flyball.h says");
static_assert(sizeof(fly_hello) + FLY_TEXT_BYTES <= FLY_MAX_MESSAGE, "fits in a message");
#endif

#endif
