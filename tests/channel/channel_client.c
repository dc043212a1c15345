/* A client in a process of its own, for tests: channel_client HOW [COUNT]. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flyball.h"

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? atoi(argv[2]) : 1;
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
    pause();
  }
  flyball_close(s);
  printf("%d jobs, %d failed\n", count, failed);
  return failed == 0 ? 0 : 3;
}
