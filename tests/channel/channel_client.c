/* A client in a process of its own, for tests: channel_client HOW [COUNT]. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "flyball.h"

static pthread_barrier_t started;
static int32_t last_thread;

static void* wait_for_ever(void* is_last) {
  if (is_last != NULL) last_thread = (int32_t)syscall(SYS_gettid);
  pthread_barrier_wait(&started);
  for (;;) pause();
  return NULL;
}

/* A deadline session of the last of so many threads. */
static int threads(int count) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  pthread_barrier_init(&started, NULL, 2);
  for (int i = 1; i < count; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &small, wait_for_ever, i + 1 == count ? &last_thread : NULL) != 0)
      return 5;
    pthread_barrier_wait(&started);
  }
  flyball_session* s = NULL;
  const int error = flyball_session_create(&last_thread, 1, 1000000, &s);
  if (error != 0) {
    fprintf(stderr, "%s\n", flyball_why());
    return 2;
  }
  const int connected = flyball_connected(s);
  printf("process %d, thread %d: connected %d\n", (int)getpid(), (int)last_thread, connected);
  flyball_close(s);
  return connected ? 0 : 3;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? atoi(argv[2]) : 1;
  if (strcmp(how, "threads") == 0) return threads(count);
  const char* const models[] = {"small", "large"};
  const flyball_knob knob = {"model", "", models, 2};
  flyball_application app;
  memset(&app, 0, sizeof app);
  app.name = "child";
  app.knobs = &knob;
  app.knob_count = 1;
  app.required.period_ns = 1000000;
  flyball_session* s = NULL;
  if (flyball_open(&app, &s) != 0) {
    fprintf(stderr, "%s\n", flyball_why());
    return 2;
  }
  int failed = 0;
  for (int i = 0; i < count; ++i) {
    flyball_begin(s, 0);
    failed += flyball_end(s) != 0;
    if (strcmp(how, "paced") == 0) usleep(1000);
  }
  if (strcmp(how, "die") == 0) abort();
  if (strcmp(how, "begin_and_die") == 0) {
    flyball_begin(s, 0);
    _exit(9);
  }
  if (strcmp(how, "hang") == 0) {
    flyball_begin(s, 0);
    for (;;) pause();
  }
  flyball_close(s);
  printf("%d jobs, %d failed\n", count, failed);
  return failed == 0 ? 0 : 3;
}
