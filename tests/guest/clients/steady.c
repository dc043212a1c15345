/* A C program with jobs until SIGTERM; then it keeps its session until SIGUSR1, so that the governor can
 * be asked for its count, and says its own: "published N refused M". Of a job that was published, the
 * library said that it is with a governor, or is kept for the next one. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "flyball.h"

#define PERIOD_MS 20

static volatile sig_atomic_t told = 0;
static void tell(int number) { told = number; }

static void nap(void)
{
	struct timespec time = { 0, PERIOD_MS * 1000000 };

	nanosleep(&time, NULL);
}

int main(void)
{
	const char *const values[] = { "small", "large" };
	const flyball_knob knob = { "model", "", values, 2 };
	flyball_application app;
	flyball_session *session;
	long published = 0, refused = 0, other = 0;

	signal(SIGTERM, tell);
	signal(SIGUSR1, tell);
	memset(&app, 0, sizeof app);
	app.name = "in_c";
	app.knobs = &knob;
	app.knob_count = 1;
	app.required.period_ns = PERIOD_MS * 1000000;
	if (flyball_open(&app, &session) != 0) {
		fprintf(stderr, "%s\n", flyball_why());
		return 1;
	}
	/* What is reported before there is any governor goes nowhere, and that is said. */
	while (!flyball_connected(session))
		nap();
	while (told == 0) {
		int error;

		flyball_begin(session, 0);
		nap();
		error = flyball_end(session);
		published += error == 0;
		refused += error == EBUSY;
		other += error != 0 && error != EBUSY;
	}
	while (told != SIGUSR1) {
		flyball_connected(session);
		nap();
	}
	printf("published %ld refused %ld other %ld\n", published, refused, other);
	flyball_close(session);
	return 0;
}
