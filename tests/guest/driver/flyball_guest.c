// SPDX-License-Identifier: GPL-2.0
/*
 * A board for a virtual machine that has none: two cpufreq policies, an energy model, a thermal zone
 * that cools by them, and a power sensor, all of which fail when they are told to. Nothing of it
 * changes how fast the machine runs.
 *
 * This program is free software; you can redistribute it and/or modify it under the terms of the GNU
 * General Public License, version 2, as published by the Free Software Foundation. It is distributed
 * in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more
 * details: https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt
 */
#include <linux/cpufreq.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/energy_model.h>
#include <linux/hwmon.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/thermal.h>

#define DOMAINS 2
#define CPUS_EACH 2

/* CPUs 0-1 are the big ones, 2-3 the small ones; the device tree has their capacities. */
static struct cpufreq_frequency_table tables[DOMAINS][5] = {
	{ { .frequency = 500000 }, { .frequency = 1000000 }, { .frequency = 1500000 },
	  { .frequency = 2000000 }, { .frequency = CPUFREQ_TABLE_END } },
	{ { .frequency = 300000 }, { .frequency = 600000 }, { .frequency = 900000 },
	  { .frequency = 1200000 }, { .frequency = CPUFREQ_TABLE_END } },
};

/* Faults, per policy: /sys/module/flyball_guest/parameters/NAME takes "0,5". */
static int set_errno[DOMAINS]; /* a clock that cannot be set: the cpufreq core tells nobody */
module_param_array(set_errno, int, NULL, 0644);
static int verify_errno[DOMAINS]; /* a governor or limit that is refused */
module_param_array(verify_errno, int, NULL, 0644);
static int set_delay_ms[DOMAINS]; /* a clock that takes so long to be set */
module_param_array(set_delay_ms, int, NULL, 0644);
static int power_errno;
module_param(power_errno, int, 0644);
static int temp_mc = 40000;
module_param(temp_mc, int, 0644);

/* What was asked of the driver. */
static int clocks_set[DOMAINS];
module_param_array(clocks_set, int, NULL, 0444);
static int limits_verified[DOMAINS];
module_param_array(limits_verified, int, NULL, 0444);

static int domain_of(unsigned int cpu)
{
	return cpu / CPUS_EACH;
}

static unsigned long power_uw(int domain, unsigned int khz)
{
	unsigned long mhz = khz / 1000;
	unsigned long mv = 800 + mhz / (domain ? 6 : 5);

	/* C V^2 f, with 250 pF and 60 pF */
	return (domain ? 60 : 250) * (mv * mv / 1000) * mhz / 1000;
}

static int board_set(struct cpufreq_policy *policy, unsigned int index)
{
	int domain = domain_of(policy->cpu);

	clocks_set[domain]++;
	if (set_delay_ms[domain])
		msleep(set_delay_ms[domain]);
	return -set_errno[domain];
}

static int board_verify(struct cpufreq_policy_data *policy)
{
	int domain = domain_of(policy->cpu);

	limits_verified[domain]++;
	if (verify_errno[domain])
		return -verify_errno[domain];
	return cpufreq_generic_frequency_table_verify(policy);
}

static unsigned int board_get(unsigned int cpu)
{
	struct cpufreq_policy *policy = cpufreq_cpu_get_raw(cpu);

	return policy && policy->cur ? policy->cur : tables[domain_of(cpu)][0].frequency;
}

static int board_init(struct cpufreq_policy *policy)
{
	int domain = domain_of(policy->cpu);
	int i;

	for (i = 0; i < CPUS_EACH; i++)
		cpumask_set_cpu(domain * CPUS_EACH + i, policy->cpus);
	policy->freq_table = tables[domain];
	policy->cpuinfo.transition_latency = 100000;
	return 0;
}

static int board_exit(struct cpufreq_policy *policy)
{
	return 0;
}

static int active_power(struct device *dev, unsigned long *uw, unsigned long *khz)
{
	int domain = domain_of(dev->id);
	int i;

	for (i = 0; tables[domain][i].frequency != CPUFREQ_TABLE_END; i++) {
		if (tables[domain][i].frequency >= *khz) {
			*khz = tables[domain][i].frequency;
			*uw = power_uw(domain, *khz);
			return 0;
		}
	}
	return -EINVAL;
}

static void board_register_em(struct cpufreq_policy *policy)
{
	struct em_data_callback callback = EM_DATA_CB(active_power);

	em_dev_register_perf_domain(get_cpu_device(policy->cpu), 4, &callback, policy->related_cpus, true);
}

static struct cpufreq_driver board_cpufreq = {
	.name = "flyball-guest",
	.flags = CPUFREQ_HAVE_GOVERNOR_PER_POLICY | CPUFREQ_IS_COOLING_DEV,
	.init = board_init,
	.exit = board_exit,
	.verify = board_verify,
	.target_index = board_set,
	.get = board_get,
	.register_em = board_register_em,
	.attr = cpufreq_generic_attr,
};

static int board_temp(struct thermal_zone_device *zone, int *mc)
{
	*mc = temp_mc;
	return 0;
}

/* Without it, Linux cools a step further only while readings rise. */
static int board_trend(struct thermal_zone_device *zone, int trip, enum thermal_trend *trend)
{
	*trend = temp_mc >= 70000 ? THERMAL_TREND_RAISING : THERMAL_TREND_DROPPING;
	return 0;
}

static const struct thermal_zone_device_ops board_thermal = {
	.get_temp = board_temp,
	.get_trend = board_trend,
};

static umode_t power_visible(const void *data, enum hwmon_sensor_types type, u32 attr, int channel)
{
	return 0444;
}

static int power_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel, long *uw)
{
	int domain;

	*uw = 500000;
	for (domain = 0; domain < DOMAINS; domain++)
		*uw += power_uw(domain, board_get(domain * CPUS_EACH));
	return -power_errno;
}

static int power_label(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
		       const char **label)
{
	*label = "board";
	return 0;
}

static const struct hwmon_channel_info *power_channels[] = {
	HWMON_CHANNEL_INFO(power, HWMON_P_INPUT | HWMON_P_LABEL),
	NULL,
};
static const struct hwmon_ops power_ops = {
	.is_visible = power_visible,
	.read = power_read,
	.read_string = power_label,
};
static const struct hwmon_chip_info power_chip = {
	.ops = &power_ops,
	.info = power_channels,
};

static int board_probe(struct platform_device *device)
{
	struct device *dev = &device->dev;
	struct thermal_zone_device *zone;
	struct device *sensor;

	sensor = devm_hwmon_device_register_with_info(dev, "guest", NULL, &power_chip, NULL);
	if (IS_ERR(sensor))
		return PTR_ERR(sensor);
	zone = devm_thermal_of_zone_register(dev, 0, NULL, &board_thermal);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	return cpufreq_register_driver(&board_cpufreq);
}

static int board_remove(struct platform_device *device)
{
	cpufreq_unregister_driver(&board_cpufreq);
	return 0;
}

static const struct of_device_id board_ids[] = { { .compatible = "flyball,guest" }, {} };
MODULE_DEVICE_TABLE(of, board_ids);

static struct platform_driver guest_board = {
	.probe = board_probe,
	.remove = board_remove,
	.driver = { .name = "flyball-guest", .of_match_table = board_ids },
};
module_platform_driver(guest_board);

MODULE_DESCRIPTION("A board with two cpufreq policies for Flyball's tests in a virtual machine");
MODULE_LICENSE("GPL");
