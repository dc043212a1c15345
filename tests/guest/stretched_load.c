/* stretched_load CPU WORK_US PERIOD_MS PERIODS: a periodic task whose work takes as long as the clock of
 * its cpufreq policy says, since a clock of the virtual board makes nothing slower. WORK_US is what it
 * takes at the top clock. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 100000LL /* between looks at the clock */

static long long time_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static double number_in(int file)
{
	char text[32] = { 0 };

	return pread(file, text, sizeof text - 1, 0) > 0 ? atof(text) : 0;
}

int main(int argc, char **argv)
{
	char path[96];
	cpu_set_t cpus;
	double top_khz;
	long long period_ns, next_ns;
	int clock, top, i;

	if (argc != 5)
		return 2;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", atoi(argv[1]));
	clock = open(path, O_RDONLY);
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", atoi(argv[1]));
	top = open(path, O_RDONLY);
	if (clock < 0 || top < 0 || sched_setaffinity(0, sizeof cpus, &cpus) != 0)
		return 1;
	top_khz = number_in(top);
	period_ns = atoll(argv[3]) * 1000000;
	next_ns = time_ns(CLOCK_MONOTONIC);
	for (i = 0; i < atoi(argv[4]); i++) {
		double left_ns = atof(argv[2]) * 1000;
		long long last_ns = time_ns(CLOCK_THREAD_CPUTIME_ID), now_ns;
		struct timespec wake;

		while (left_ns > 0) {
			const double khz = number_in(clock);

			do
				now_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
			while (now_ns - last_ns < STEP_NS);
			left_ns -= (now_ns - last_ns) * khz / top_khz;
			last_ns = now_ns;
		}
		next_ns += period_ns;
		wake.tv_sec = next_ns / 1000000000;
		wake.tv_nsec = next_ns % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
	}
	return 0;
}
