/* flyball.h: tells the governor of this machine what an application does, and hears what to do next.
 * C99, needs libc only: cc app.c $(pkg-config --cflags --libs flyball), or -lflyball.
 *
 *   flyball_session* s;
 *   if (flyball_open(&app, &s) != 0) { puts(flyball_why()); return 1; }
 *   for (;;) {
 *     const flyball_setting* now = flyball_begin(s, release_ns);  // the job starts
 *     infer(variants[now->value[0]]);
 *     flyball_end(s);                                             // and is done
 *   }
 *   flyball_close(s);
 *
 * WITHOUT A GOVERNOR every call works and does nothing: settings are the best that the application
 * offers, reports go nowhere and return EPIPE. The first session of a process that finds none says so
 * on standard error, once (not with FLYBALL_QUIET=1). A session goes on looking for a governor, once a
 * second at most and only in calls of its own; one that is started, or started again, finds it.
 * A governor that cannot be spoken with is none: of another FLYBALL_INTERFACE, or one that is stopped or
 * has more callers than it can take. For such a one flyball_open() and flyball_session_create() wait a
 * second at most; no other call waits.
 *
 * WHERE: the socket $FLYBALL_SOCKET (107 bytes at most), else /run/flyball/app.sock, else $XDG_RUNTIME_DIR/flyball/app.sock.
 *
 * COST: begin and end together are two clock readings and some forty stores, no system call (one per
 * tenth of a second). Memory of a session: FLYBALL_SHARED_BYTES, shared with the governor, which makes and
 * seals it, so that neither can take it from the other. At most FLYBALL_SESSIONS_OF_USER sessions of
 * a user (root, and the user who runs the governor: FLYBALL_SESSIONS in all), or flyball_open() gives
 * EUSERS.
 *
 * THREADS: one thread at a time uses a session; different sessions are independent. After fork() the
 * child's copy is a session without a governor; it opens one of its own.
 *
 * ERRORS are errno values, 0 is success; flyball_why() has the last one of this thread in words.
 *   EINVAL   what was given is wrong; nothing has changed
 *   EPERM    not yours: a thread of another process; the governor refuses this user
 *   EBUSY    too often (votes: FLYBALL_VOTES_PER_SECOND; changed requirements: as often), or the ring is
 *            full since the governor has not read for long: that report is lost, and counted
 *   EPIPE    no governor at the moment. Reports that follow a governor's death are kept, the first
 *            FLYBALL_RING_JOBS unread ones, and handed to the next governor: then they return 0
 *   ENOTSUP  this governor or this machine cannot do that; see flyball_supports()
 *   EUSERS   too many sessions
 *   ENOMEM
 *
 * WHAT EXPIRES, so that one who hangs does not hold the machine: a vote after FLYBALL_VOTE_NS; all that a
 * session asks for when nothing was reported for FLYBALL_SILENT_NS or ten periods, whichever is longer:
 * the governor then lets it be as if it had stopped, until the next report. Everything ends with the
 * process. */
#ifndef FLYBALL_H
#define FLYBALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FLYBALL_API __attribute__((visibility("default")))
#else
#define FLYBALL_API
#endif

#define FLYBALL_INTERFACE 1 /* of this interface; what is added later keeps what is here */

#define FLYBALL_KNOBS 4
#define FLYBALL_LEVELS 256 /* combinations of the values of all knobs */
#define FLYBALL_VALUES 260 /* of all knobs together */
#define FLYBALL_MONITORS 8
#define FLYBALL_WEIGHT_MOST 100
#define FLYBALL_NAME_BYTES 32 /* of a name or a value, the end included */
#define FLYBALL_UNIT_BYTES 16
#define FLYBALL_THREADS 64 /* that a session names */
#define FLYBALL_CPUS 1024
#define FLYBALL_WHERE "where" /* the knob that says what a job runs on */

#define FLYBALL_RING_JOBS 256
#define FLYBALL_SHARED_BYTES 40960
#define FLYBALL_SESSIONS 64
#define FLYBALL_SESSIONS_OF_USER 16
#define FLYBALL_VOTES_PER_SECOND 10
#define FLYBALL_VOTE_NS 300000000LL
#define FLYBALL_SILENT_NS 2000000000LL

typedef struct flyball_session flyball_session;

/* ---- What an application offers ------------------------------------------------------------- */

/* Something to turn: a width, a model variant, a batch, a resolution, a processing element. Values are
 * in order, cheapest first, no two alike; the last values of all knobs are the whole application.
 *
 * The knob that is called FLYBALL_WHERE says what a job can run on: "cpu" (any CPU cluster), "gpu",
 * "npu", "fpga", or one cluster or device by the name that 'flyball status' shows. Its values are in any
 * order; the application runs on the last one until it is told otherwise. How good a level is must not
 * depend on it: accuracy_pct is the same for each of its values. While a setting says a device, its clock
 * is chosen as a cluster's is, through its devfreq domain; a setting's `cpus` are all 0 then. Without this
 * knob an application runs on CPUs. ENOTSUP where this machine has no such element whose clock can be
 * told. */
typedef struct flyball_knob {
  const char* name; /* "model" */
  const char* unit; /* "px"; NULL or "" for words */
  const char* const* values;
  size_t count;
} flyball_knob;

enum flyball_direction { FLYBALL_LOWER_IS_BETTER, FLYBALL_HIGHER_IS_BETTER, FLYBALL_NEITHER };

/* Something that the application measures of itself, once a job. A value below desired_min (unless lower
 * is better) or above desired_max (unless higher is) costs that job `weight` on top of all else, in
 * energies of a reference job: 0 to FLYBALL_WEIGHT_MOST; a missed deadline costs 3. What learns stays away
 * from settings that cost so. With a weight of 0 the monitor is only shown. All three are numbers (0 where
 * none is meant); where neither direction is better, desired_min is not above desired_max. */
typedef struct flyball_monitor {
  const char* name; /* "confidence" */
  const char* unit;
  int direction; /* enum flyball_direction */
  double desired_min, desired_max;
  double weight;
} flyball_monitor;

enum flyball_objective { FLYBALL_ENERGY, FLYBALL_ACCURACY, FLYBALL_LATENCY };

/* What it asks for, within which the objective is sought. 0: not asked for. */
typedef struct flyball_requirements {
  int64_t period_ns;         /* from release to release; 0: they come as they come */
  int64_t deadline_ns;       /* after the release */
  int64_t grace_ns;          /* after the deadline, in which a job loses its worth; 0: at once */
  double accuracy_floor_pct; /* as in flyball_application.accuracy_pct */
  double energy_budget_mj;   /* of a job */
  double power_budget_mw;    /* mean of the whole machine */
  int priority;              /* weight of its misses, 1 to 100; 1 is normal */
  int objective;             /* enum flyball_objective */
} flyball_requirements;

enum flyball_flags {
  /* Settings' `cpus` and `threads` are followed: by the library, which pins this process's threads (those
   * named by flyball_session_set_threads(), else all) when a setting with other CPUs is read, or by the
   * application. Without it the governor takes the application to be anywhere. */
  FLYBALL_FOLLOWS_CPUS = 1,
  FLYBALL_PINS_ITSELF = 2 /* with FLYBALL_FOLLOWS_CPUS: the application does it, not the library */
};

typedef struct flyball_application {
  const char* name; /* "camera"; what is learned belongs to the name, the user and the binary */
  const flyball_knob* knobs;
  size_t knob_count;
  /* How good each combination of values is, in %: the last knob's values go round quickest, as nested
   * loops. NAN: not offered. NULL: not known, and then a level is as good as it comes in order. */
  const double* accuracy_pct;
  const flyball_monitor* monitors;
  size_t monitor_count;
  int threads; /* that it runs a job on where nobody says how many; 0: 1 */
  int flags;   /* enum flyball_flags */
  flyball_requirements required;
} flyball_application;

/* What to do from the next job on. */
typedef struct flyball_setting {
  uint64_t number;              /* counts settings; 0: the governor has said nothing yet */
  uint8_t value[FLYBALL_KNOBS]; /* of each knob the index of its value */
  uint16_t level;               /* the same as one number, as accuracy_pct is indexed */
  uint16_t threads;             /* how many may run */
  /* On an emulated platform the part of its speed that the chosen clock leaves the machine: a job that
   * takes t there is to take t / speed, if the application can slow itself so. 1 on others. */
  float speed;
  char where[FLYBALL_NAME_BYTES]; /* "A15x2", as 'flyball list' names it; "" with number 0 */
  uint64_t
      cpus[FLYBALL_CPUS / 64]; /* bit i of word w: CPU 64 w + i; all 0: wherever Linux puts it */
} flyball_setting;

/* Why the last call of this thread did not return 0, in a line: what: why; what to do. */
FLYBALL_API const char* flyball_why(void);

/* Opens a session. Without a governor that is a success, too. EINVAL, EPERM, EUSERS, ENOMEM; ENOTSUP, see
 * flyball_knob. */
FLYBALL_API int flyball_open(const flyball_application* application, flyball_session** session);
/* Ends it; NULL is nothing. */
FLYBALL_API void flyball_close(flyball_session* session);

/* 1 while a governor has it. */
FLYBALL_API int flyball_connected(flyball_session* session);

/* The setting, until the next call with this session; some nanoseconds when it has not changed. */
FLYBALL_API const flyball_setting* flyball_now(flyball_session* session);
/* Waits until it changes, at most so long. 0, or ETIMEDOUT; EPIPE without a governor, at once. */
FLYBALL_API int flyball_wait(flyball_session* session, int64_t timeout_ns);
/* `changed` is called by flyball_now(), flyball_begin() and flyball_wait() when a setting differs from
 * the one before, in the caller's thread, before they return: the place to resize a pool or load
 * another model. NULL: no more. */
FLYBALL_API int flyball_on_change(flyball_session* session,
                                  void (*changed)(const flyball_setting* now, void* user),
                                  void* user);
/* Pins the calling thread to the CPUs of the setting. 0, or what sched_setaffinity() says. */
FLYBALL_API int flyball_pin(flyball_session* session);

/* A job begins: released at `release_ns` (CLOCK_MONOTONIC; 0: now), started now. Its setting. */
FLYBALL_API const flyball_setting* flyball_begin(flyball_session* session, int64_t release_ns);
/* It is done. EINVAL when none has begun; EBUSY, EPIPE. */
FLYBALL_API int flyball_end(flyball_session* session);
/* The same with a value for each monitor, in order (NAN: none), `count` of them. */
FLYBALL_API int flyball_end_with(flyball_session* session, const double* values, size_t count);
/* Nothing came of it: it is told as dropped, which is a miss. EINVAL, EBUSY, EPIPE as flyball_end(). */
FLYBALL_API int flyball_drop(flyball_session* session);

/* A job that is over, told in one piece by whoever measured it. Times are CLOCK_MONOTONIC. */
typedef struct flyball_job {
  int64_t release_ns, start_ns, finish_ns;
  int64_t deadline_ns;    /* absolute; 0: as required */
  int64_t cpu_ns, gpu_ns; /* of it on either; 0: not known */
  int level;              /* that it ran with; -1: of the last setting read */
  int dropped;            /* 1: it never ran, or nothing came of it */
} flyball_job;
FLYBALL_API int flyball_report(flyball_session* session, const flyball_job* job);

/* Asks for something else from now on. EINVAL, EBUSY, EPIPE (it is told to the next governor). */
FLYBALL_API int flyball_require(flyball_session* session, const flyball_requirements* required);

/* ---- Deadline sessions: the verbs of Android's performance hints ------------------------------- */

/* APerformanceHint_createSession: threads of this process that do periodic work which should take
 * `target_ns` (> 0). EINVAL, EPERM (a thread is not of this process), EUSERS. */
FLYBALL_API int flyball_session_create(const int32_t* thread_ids, size_t count, int64_t target_ns,
                                       flyball_session** session);
/* ..._updateTargetWorkDuration. EINVAL, EBUSY, EPIPE. */
FLYBALL_API int flyball_session_update_target(flyball_session* session, int64_t target_ns);
/* ..._reportActualWorkDuration: the work that ended now took so long. EINVAL, EBUSY, EPIPE. */
FLYBALL_API int flyball_session_report_actual(flyball_session* session, int64_t actual_ns);
/* ..._reportActualWorkDuration2: began at start_ns, of total_ns, of which on CPU and GPU. */
FLYBALL_API int flyball_session_report_actual2(flyball_session* session, int64_t start_ns,
                                               int64_t total_ns, int64_t cpu_ns, int64_t gpu_ns);
/* ..._setThreads. EINVAL (none), EPERM, EBUSY, EPIPE. One that ends is left out from then on. */
FLYBALL_API int flyball_session_set_threads(flyball_session* session, const int32_t* thread_ids,
                                            size_t count);
/* ..._setPreferPowerEfficiency: a job that is late by up to a quarter of the target is nearly as good. */
FLYBALL_API int flyball_session_prefer_power_efficiency(flyball_session* session, int enabled);
/* ..._notifyWorkloadIncrease: more work than before is coming, on either; clocks of the CPUs that serve the
 * session go up for FLYBALL_VOTE_NS. ENOTSUP for the GPU alone where no knob of the session says that it can run
 * there. EINVAL, EBUSY, EPIPE. */
FLYBALL_API int flyball_session_notify_increase(flyball_session* session, int cpu, int gpu,
                                                const char* debug_name);
/* ..._notifyWorkloadReset: what was learned of the session's work no longer holds. */
FLYBALL_API int flyball_session_notify_reset(flyball_session* session, int cpu, int gpu,
                                             const char* debug_name);
/* ..._notifyWorkloadSpike: the next job alone is larger; until it is reported, or FLYBALL_VOTE_NS. */
FLYBALL_API int flyball_session_notify_spike(flyball_session* session, int cpu, int gpu,
                                             const char* debug_name);
/* ..._getPreferredUpdateRateNanos: more seldom than this is enough for updates of target and votes. */
FLYBALL_API int64_t flyball_preferred_rate_ns(void);

enum flyball_feature {
  FLYBALL_FEATURE_SESSIONS,
  FLYBALL_FEATURE_POWER_EFFICIENCY,
  FLYBALL_FEATURE_VOTES_CPU,
  FLYBALL_FEATURE_VOTES_GPU,
  FLYBALL_FEATURE_KNOBS,
  FLYBALL_FEATURE_CPUS, /* settings say which CPUs */
  FLYBALL_FEATURE_EFFECT
};
/* ..._isFeatureSupported: 1 or 0; 0 for all without a governor. */
FLYBALL_API int flyball_supports(flyball_session* session, enum flyball_feature feature);

/* ---- What came of it ------------------------------------------------------------------------ */

/* A mean over jobs with the middle 95 % of where it may lie. */
typedef struct flyball_estimate {
  double mean, low, high;
  int known; /* 0: not known yet, and the numbers mean nothing */
} flyball_estimate;

/* Why there is nothing to compare with, and will not be. */
enum flyball_no_comparison {
  FLYBALL_JOINED_EARLIER =
      1, /* it was another governor's before: what it was like before that is not known */
  FLYBALL_FEW_BEFORE /* the five seconds were over before it had 8 jobs */
};

/* What the application's telling changed. "Before" are its first jobs, 8 to 16 within the first five
 * seconds, in which the governor leaves it as it is (value of every knob the last, no CPUs); "now" its last
 * 64 jobs. Differences are now - before, by Welch's t: known once both have 8. Where no_comparison is not 0
 * "before" and the differences stay unknown; "now" does not. */
typedef struct flyball_effect {
  uint64_t jobs; /* that the governor has read */
  uint64_t late; /* of them */
  uint64_t lost; /* reports for which the ring had no room, of all the session, and jobs that this
                    governor could not believe */
  flyball_estimate latency_ns; /* difference, release to finish */
  flyball_estimate energy_mj;  /* difference, of a job */
  flyball_estimate before_ns, now_ns;
  flyball_estimate before_mj, now_mj;
  double before_mhz, now_mhz; /* clock of the fastest cluster that serves it, mean; 0: not known */
  int energy_measured;        /* 0: power is a model's */
  char before_where[FLYBALL_NAME_BYTES], now_where[FLYBALL_NAME_BYTES];
  int no_comparison; /* enum flyball_no_comparison; 0: there is one, or will be */
} flyball_effect;
/* EPIPE without a governor; then `effect` is all zeros. */
FLYBALL_API int flyball_session_effect(flyball_session* session, flyball_effect* effect);

#ifdef __cplusplus
}
#endif
#endif
