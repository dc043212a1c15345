/* Within the library: what a session is, and what its files share. */
#ifndef FLYBALL_CLIENT_SESSION_H
#define FLYBALL_CLIENT_SESSION_H

#include "governor/client/channel_layout.h"

struct flyball_session {
  /* The first cache line is all that reading an unchanged setting touches. */
  struct fly_shared* shared; /* NULL: no governor yet */
  uint32_t seen;             /* sequence of `now` */
  int fork_generation;
  uint32_t reads;
  int in_job;
  flyball_setting now;

  uint64_t head;                /* of the ring that is mapped */
  uint64_t sequence;            /* of the next report */
  int64_t release_ns, start_ns; /* of the job that has begun */

  int socket; /* -1: none */
  int welcomed;
  int forked;  /* the copy of a child: it never has a governor */
  int refused; /* errno of the last hello, where a governor said no */
  uint32_t features;
  int64_t check_ns; /* when the connection is looked at next */
  int64_t try_ns;   /* when a governor is looked for next */
  int64_t hello_ns; /* when it was sent */
  int64_t gone_ns;  /* since when there is none; 0: there is one */

  void (*changed)(const flyball_setting* now, void* user);
  void* user;
  int names_threads;                     /* hello.thread are its own; else all of the process */
  int pinned;                            /* threads are not where Linux put them */
  uint64_t free_cpus[FLYBALL_CPUS / 64]; /* where they may be without us */

  int64_t vote_second;
  int votes; /* in it */
  int efficient;
  struct flyball_session *next, *before; /* of this process */
  uint64_t best_level;
  char path[256];         /* where a governor was looked for last, for messages */
  struct fly_hello hello; /* as it is asked for now */
  char text[FLY_TEXT_BYTES];
};

int64_t fly_now_ns(void);
/* Keeps the sentence for flyball_why() and returns `error`. */
int fly_fail(int error, const char* format, ...) __attribute__((format(printf, 2, 3)));

/* Fills in hello and text. 0 or EINVAL. */
int fly_describe(const flyball_application* application, struct flyball_session* s);
int fly_check_requirements(const flyball_requirements* from, struct fly_requirements* to);
int fly_check_threads(const int32_t* ids, size_t count);
/* From what the session names: their numbers may be others' by now. */
void fly_drop_ended_threads(struct flyball_session* s);
/* Makes a session whose hello is complete and looks for a governor. */
int fly_start(struct flyball_session* s);

/* Looks whether the governor is still there, or there again; waits for it so long at most. */
void fly_attend(struct flyball_session* s, int64_t now_ns, int patience_ms);
int fly_send(struct flyball_session* s, const struct fly_change* change);
/* One more vote or change: 0 or EBUSY. */
int fly_may_ask(struct flyball_session* s);
/* The setting of the shared memory, where it is another one. */
void fly_take_setting(struct flyball_session* s);
void fly_default_setting(struct flyball_session* s);
/* Moves the process's threads; all 0: back to where they were. */
void fly_follow_cpus(struct flyball_session* s);
void fly_find_cpus(uint64_t* words);

extern int fly_fork_generation;
void fly_register(struct flyball_session* s);
void fly_unregister(struct flyball_session* s);
/* Whether this is the process that opened it. */
static inline int fly_is_ours(struct flyball_session* s) {
  return s->fork_generation == __atomic_load_n(&fly_fork_generation, __ATOMIC_RELAXED);
}

#endif
