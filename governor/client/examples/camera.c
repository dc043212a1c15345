/* A camera that looks for edges 30 times a second and leaves to the governor at which resolution.
 *
 *   camera [FRAMES]
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "flyball.h"

#define PERIOD_NS 33333333

static const int sizes[] = {160, 320, 640};
static unsigned char frame[640 * 640];

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What a camera would deliver: a bright square that moves. */
static void take_frame(int number, int size) {
  const int left = number * 7 % (size / 2);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      frame[y * size + x] = x >= left && x < left + size / 2 && y >= size / 4 && y < size * 3 / 4 ? 200 : 30;
}

static long count_edges(int size) {
  long edges = 0;
  for (int y = 1; y < size - 1; ++y)
    for (int x = 1; x < size - 1; ++x) {
      const unsigned char* at = frame + y * size + x;
      edges += abs(at[1] - at[-1]) + abs(at[size] - at[-size]) > 100;
    }
  return edges;
}

int main(int argc, char** argv) {
  const int frames = argc > 1 ? atoi(argv[1]) : 90;
  const char* const names[] = {"160", "320", "640"};
  const double accuracy_pct[] = {74, 85, 91}; /* measured by whoever knows the application */
  const flyball_knob knob = {.name = "resolution", .unit = "px", .values = names, .count = 3};
  flyball_application app = {.name = "camera", .knobs = &knob, .knob_count = 1, .accuracy_pct = accuracy_pct};
  app.required.period_ns = PERIOD_NS;
  app.required.deadline_ns = PERIOD_NS;
  app.required.accuracy_floor_pct = 80;
  app.flags = FLYBALL_FOLLOWS_CPUS; /* the library pins this process */

  flyball_session* session;
  if (flyball_open(&app, &session) != 0) {
    fprintf(stderr, "camera: %s\n", flyball_why());
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0); /* a line at once, also to a file */
  const int64_t start_ns = now_ns();
  for (int i = 0; i < frames; ++i) {
    const int64_t release_ns = start_ns + (int64_t)i * PERIOD_NS;
    const struct timespec at = {release_ns / 1000000000, release_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
    const flyball_setting* now = flyball_begin(session, release_ns);
    const int size = sizes[now->value[0]];
    take_frame(i, size);
    const long edges = count_edges(size);
    flyball_end(session);
    printf("frame %d: %d px, %ld edges\n", i, size, edges);
  }
  flyball_effect effect;
  if (flyball_session_effect(session, &effect) == 0 && effect.latency_ns.known)
    printf("the governor changed latency by %+.2f ms (%+.2f to %+.2f)\n", effect.latency_ns.mean / 1e6,
           effect.latency_ns.low / 1e6, effect.latency_ns.high / 1e6);
  flyball_close(session);
  return 0;
}
