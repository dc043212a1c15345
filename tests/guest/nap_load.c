/* nap_load BUSY_MS PERIOD_MS PERIODS: a task that works for a while and sleeps for the rest of every
 * period, as a player of music does. Prints how many periods it began on each CPU. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long time_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	long long busy_ns, period_ns, next_ns;
	int began[4] = { 0 }, i;

	if (argc != 4)
		return 2;
	busy_ns = atoll(argv[1]) * 1000000;
	period_ns = atoll(argv[2]) * 1000000;
	next_ns = time_ns(CLOCK_MONOTONIC);
	for (i = 0; i < atoi(argv[3]); i++) {
		long long until_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) + busy_ns;
		struct timespec wake;

		began[sched_getcpu() % 4]++;
		while (time_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
			;
		next_ns += period_ns;
		wake.tv_sec = next_ns / 1000000000;
		wake.tv_nsec = next_ns % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
	}
	printf("%d %d %d %d\n", began[0], began[1], began[2], began[3]);
	return 0;
}
