#include <algorithm>

#include "governor/metrics/metrics.h"

namespace flyball {
namespace {

using Better = MetricField::Better;

constexpr std::string_view kNoJobFinished = "no job finished";
constexpr std::string_view kNoFate = "no job's fate is known at the end";
constexpr std::string_view kNoForecast = "the policy makes no forecasts, or no job had one";

}  // namespace

const std::vector<MetricField>& metric_fields() {
  static const std::vector<MetricField> kFields = {
      {.key = "energy_mj_per_job",
       .heading = "energy",
       .unit = "mJ/job",
       .decimals = 2,
       .value = &Metrics::energy_mj_per_job,
       .definition = "Energy of the whole platform from the beginning of the run to its end, idle "
                     "time included, divided by the jobs that finished.",
       .formula = "E / n",
       .absent = kNoJobFinished,
       .shown = true,
       .ratio = true},
      {.key = "deadline_miss_pct",
       .heading = "missed",
       .unit = "% of jobs",
       .decimals = 2,
       .value = &Metrics::deadline_miss_pct,
       .definition =
           "Jobs that finished after their deadline or were dropped, of all whose fate is "
           "known at the end. A job that is still open counts once its deadline is past.",
       .formula = "100 (late + dropped) / resolved",
       .absent = kNoFate,
       .shown = true,
       .tail = true},
      {.key = "infeasible_pct",
       .heading = "infeasible",
       .unit = "% of jobs",
       .decimals = 2,
       .value = &Metrics::infeasible_pct,
       .definition =
           "Jobs that no configuration could have brought in on time at the accuracy asked "
           "for, taken alone, of those whose fate is known.",
       .formula = "100 infeasible / resolved",
       .absent = kNoFate,
       .better = Better::kNeither,
       .shown = true},
      {.key = "dropped_pct",
       .heading = "dropped",
       .unit = "% of jobs",
       .decimals = 2,
       .value = &Metrics::dropped_pct,
       .definition = "Jobs that never ran since the queue was full, of those whose fate is known. "
                     "They have no latency, accuracy or energy of their own.",
       .formula = "100 dropped / resolved",
       .absent = kNoFate,
       .shown = true,
       .tail = true},
      {.key = "accuracy_pct",
       .heading = "accuracy",
       .unit = "% top-1",
       .decimals = 2,
       .value = &Metrics::accuracy_pct,
       .definition = "Mean over the finished jobs of the expected top-1 accuracy of the level each "
                     "ran at.",
       .formula = "sum of accuracies / n",
       .absent = "no job finished, or it is plain load",
       .better = Better::kMore,
       .shown = true},
      {.key = "over_budget_pct",
       .heading = "over budget",
       .unit = "% of jobs",
       .decimals = 2,
       .value = &Metrics::over_budget_pct,
       .definition =
           "Jobs that took more energy than their application's budget for one, of the "
           "finished and the dropped of applications that have one; a dropped job has kept "
           "none.",
       .formula = "100 (over + dropped) / (finished + dropped)",
       .absent = "no application has an energy budget",
       .shown = true,
       .tail = true},
      {.key = "utility_pct",
       .heading = "utility",
       .unit = "% of best",
       .decimals = 1,
       .value = &Metrics::utility_pct,
       .definition =
           "What the user got of what could be had (quality of experience), mean over the finished "
           "and the dropped jobs, weighted by priority. A job is worth the accuracy of its level "
           "over "
           "that of the most accurate one; nothing if it was dropped, below the accuracy floor or "
           "over the energy budget; and when late, nothing, or with a grace what of that was left.",
       .formula = "100 sum(w accuracy / best * max(0, 1 - late / grace)) / sum(w)",
       .absent = kNoFate,
       .better = Better::kMore,
       .shown = true},
      {.key = "latency_p50_ms",
       .heading = "latency p50",
       .unit = "ms",
       .decimals = 2,
       .value = &Metrics::latency_p50_ms,
       .definition = "Median over the finished jobs of the time from release to finish, from a "
                     "histogram within 0.4 %.",
       .formula = "50th percentile of (finish - release)",
       .absent = kNoJobFinished,
       .shown = true,
       .ratio = true},
      {.key = "latency_p99_ms",
       .heading = "latency p99",
       .unit = "ms",
       .decimals = 2,
       .value = &Metrics::latency_p99_ms,
       .definition = "99th percentile over the finished jobs of the time from release to finish, "
                     "within 0.4 %.",
       .formula = "99th percentile of (finish - release)",
       .absent = kNoJobFinished,
       .shown = true,
       .ratio = true},
      {.key = "power_mean_mw",
       .heading = "mean power",
       .unit = "mW",
       .decimals = 0,
       .value = &Metrics::power_mean_mw,
       .definition = "Energy of the whole platform divided by the time of the run.",
       .formula = "E / t",
       .absent = "",
       .shown = true,
       .ratio = true},
      {.key = "temp_peak_c",
       .heading = "peak temp",
       .unit = "C",
       .decimals = 1,
       .value = &Metrics::temp_peak_c,
       .definition = "Highest temperature of any cluster's hottest sensor at the end of any epoch.",
       .formula = "max(T)",
       .absent = "",
       .shown = true,
       .tail = true},
      {.key = "throttled_s",
       .heading = "throttled",
       .unit = "s",
       .decimals = 1,
       .value = &Metrics::throttled_s,
       .definition = "Time of the epochs that ended with a thermal cap on some cluster below its "
                     "highest operating point.",
       .formula = "sum of t where cap < highest",
       .absent = "",
       .shown = true,
       .tail = true},
      {.key = "transitions",
       .heading = "clock changes",
       .unit = "",
       .decimals = 0,
       .value = &Metrics::transitions,
       .definition =
           "Changes of a cluster's operating point from one epoch to the next, summed over "
           "the clusters.",
       .formula = "count",
       .absent = "",
       .shown = true},
      {.key = "migrations",
       .heading = "migrations",
       .unit = "",
       .decimals = 0,
       .value = &Metrics::migrations,
       .definition =
           "Jobs that ran on another mapping than the job before of the same application.",
       .formula = "count",
       .absent = "",
       .shown = true},
      {.key = "level_switches",
       .heading = "level switches",
       .unit = "",
       .decimals = 0,
       .value = &Metrics::level_switches,
       .definition =
           "Jobs that ran at another level (width and precision, or the application's own "
           "knobs) than the job before of the same application.",
       .formula = "count",
       .absent = "",
       .shown = true},
      {.key = "decide_p50_ns",
       .heading = "decide p50",
       .unit = "ns",
       .decimals = 0,
       .value = &Metrics::decide_p50_ns,
       .definition =
           "Median time of a decision, of the epochs in which something was decided anew. "
           "Measured on this machine.",
       .formula = "50th percentile of decide()",
       .absent = "nothing was decided anew, or measured times are left out",
       .shown = true,
       .measured = true},
      {.key = "time_in_interval_pct",
       .heading = "time held",
       .unit = "% of forecasts",
       .decimals = 1,
       .value = &Metrics::time_in_interval_pct,
       .definition =
           "Of the jobs that had a forecast, those whose execution time was within the "
           "predicted mean +- 1.645 standard deviations: 90 % where predictions are right.",
       .formula = "100 within / forecasts",
       .absent = kNoForecast,
       .better = Better::kNeither,
       .shown = true},
      {.key = "energy_in_interval_pct",
       .heading = "energy held",
       .unit = "% of forecasts",
       .decimals = 1,
       .value = &Metrics::energy_in_interval_pct,
       .definition = "Of the jobs that had a forecast, those whose energy was within the predicted "
                     "mean +- 1.645 standard deviations: 90 % where predictions are right.",
       .formula = "100 within / forecasts",
       .absent = kNoForecast,
       .better = Better::kNeither,
       .shown = true},
      {.key = "energy_gap_to_bound_pct",
       .heading = "gap to bound",
       .unit = "% energy",
       .decimals = 2,
       .value = &Metrics::energy_gap_to_bound_pct,
       .definition =
           "Energy over the least that any policy needs that meets the same jobs on the "
           "same seed, less 1. A lower bound, never below 0, and not known to be reachable. "
           "Whoever misses more is held against a bound for fewer jobs.",
       .formula = "100 (E / E_bound - 1)",
       .absent = "no job finished, there is no lower bound, or not energy is wanted",
       .shown = true},
      {.key = "energy_gap_to_best_found_pct",
       .heading = "gap to best found",
       .unit = "% energy",
       .decimals = 2,
       .value = &Metrics::energy_gap_to_best_found_pct,
       .definition =
           "Energy over that of the best schedule found on the same seed, less 1: of all that were "
           "run, yardsticks and those that know the future included, the least among those whose "
           "unmet jobs are within 0.5 points of the fewest. What a job that is still open at the "
           "end "
           "lacks is charged to everybody alike.",
       .formula = "100 (E / E_found - 1)",
       .absent = "with some seed it leaves more jobs unmet than that, or not energy is wanted",
       .shown = true},
      {.key = "energy_gap_to_informed_pct",
       .heading = "gap to informed",
       .unit = "% energy",
       .decimals = 2,
       .value = &Metrics::energy_gap_to_informed_pct,
       .definition =
           "Energy over that of the best policy on the same seed that knows the true board "
           "but not the future, less 1, reckoned as for the best schedule found.",
       .formula = "100 (E / E_informed - 1)",
       .absent =
           "with some seed it leaves 0.5 points more jobs unmet than the best of these, or not "
           "energy is wanted",
       .shown = true},
      {.key = "efficiency_pct",
       .heading = "efficiency",
       .unit = "% of performance",
       .decimals = 1,
       .value = &Metrics::efficiency_pct,
       .definition =
           "rt-app's efficiency of a cpufreq governor, with S the slack that a wake-up loses "
           "(slack_lost_pct). 100 %: as quick as at the highest clock, 0 %: as at the lowest.",
       .formula = "100 (S_powersave - S) / (S_powersave - S_performance) on the same seed",
       .absent = "it is of plain load only, whose work no policy chooses, and where clocks matter",
       .better = Better::kMore,
       .shown = true},
      {.key = "slack_lost_pct",
       .heading = "slack lost",
       .unit = "% of deadline",
       .decimals = 2,
       .value = &Metrics::slack_lost_pct,
       .definition = "Mean over the finished jobs of the time from release to finish as a share of "
                     "that from release to deadline; above 100 % where they are late.",
       .formula = "100 mean((finish - release) / (deadline - release))",
       .absent = "no job with a deadline finished"},
      {.key = "jobs",
       .heading = "jobs",
       .unit = "",
       .decimals = 0,
       .value = &Metrics::jobs,
       .definition = "Jobs that finished.",
       .formula = "n",
       .absent = "",
       .better = Better::kMore},
      {.key = "reward",
       .heading = "reward",
       .unit = "jobs' energy",
       .decimals = 1,
       .value = &Metrics::reward,
       .definition = "Sum over the run of what the loop paid: less the weighted costs of energy, "
                     "misses, accuracy below the floor, budgets and heat, in energies of one "
                     "reference job.",
       .formula = "sum(r)",
       .absent = "",
       .better = Better::kMore},
      {.key = "regret",
       .heading = "regret",
       .unit = "jobs' energy",
       .decimals = 1,
       .value = &Metrics::regret,
       .definition =
           "Cumulative regret: the reward of the best of three that always run on the same "
           "seed (the oracle, and `model` and `planner` told the true board), less its own. "
           "Below 0 where it was paid more than these.",
       .formula = "max(sum(r) of oracle, model, planner) - sum(r)",
       .absent = "of plain load none of them runs"},
      {.key = "energy_delay_mj_ms",
       .heading = "energy-delay",
       .unit = "mJ ms",
       .decimals = 0,
       .value = &Metrics::energy_delay_mj_ms,
       .definition = "Energy-delay product: energy per job times the mean time from release to "
                     "finish.",
       .formula = "E / n * mean(finish - release)",
       .absent = kNoJobFinished,
       .ratio = true},
      {.key = "jobs_per_joule",
       .heading = "jobs per joule",
       .unit = "1/J",
       .decimals = 3,
       .value = &Metrics::jobs_per_joule,
       .definition =
           "Jobs that finished on time and at their accuracy floor, over the energy of the "
           "whole platform.",
       .formula = "met / E",
       .absent = "the platform took no energy",
       .better = Better::kMore,
       .ratio = true},
      {.key = "battery_h",
       .heading = "battery",
       .unit = "h",
       .decimals = 2,
       .value = &Metrics::battery_h,
       .definition = "How long the scenario's battery, charged as at its start, lasts at the mean "
                     "power of the run.",
       .formula = "capacity * charge / mean power",
       .absent = "the scenario has no battery",
       .better = Better::kMore,
       .ratio = true},
      {.key = "recovery_s",
       .heading = "recovery",
       .unit = "s",
       .decimals = 2,
       .value = &Metrics::recovery_s,
       .definition =
           "After each change (an application or other load comes or goes, what is asked for, "
           "work, "
           "rate, temperature, battery or a sensor change), the time until the last miss before "
           "ten jobs in a "
           "row "
           "were on time; 0 when none of the first ten missed, and the time to the next change or "
           "the "
           "end where ten in a row never came. Jobs that nothing could have met do not count. Mean "
           "over the changes that at least ten jobs followed.",
       .formula = "mean(t_last_miss - t_change)",
       .absent = "nothing changes in the scenario, or too few jobs followed",
       .tail = true},
      {.key = "time_late_pct",
       .heading = "time late",
       .unit = "% of time",
       .decimals = 2,
       .value = &Metrics::time_late_pct,
       .definition = "Time outside the deadlines: of the epochs at whose end some application's "
                     "oldest open job was past its deadline.",
       .formula = "100 t_late / t",
       .absent = "the run has no time",
       .tail = true},
      {.key = "time_below_floor_pct",
       .heading = "time below floor",
       .unit = "% of jobs' time",
       .decimals = 2,
       .value = &Metrics::time_below_floor_pct,
       .definition = "Time outside the accuracy floors: execution time of jobs less accurate than "
                     "asked for, of that of all jobs with a floor.",
       .formula = "100 t_below / t_floor",
       .absent = "no job with an accuracy floor finished",
       .tail = true},
      {.key = "time_over_energy_pct",
       .heading = "time over energy",
       .unit = "% of jobs' time",
       .decimals = 2,
       .value = &Metrics::time_over_energy_pct,
       .definition = "Time outside the energy budgets: execution time of jobs that took more than "
                     "their budget, of that of all jobs with one.",
       .formula = "100 t_over / t_budget",
       .absent = "no job with an energy budget finished",
       .tail = true},
      {.key = "time_over_power_pct",
       .heading = "time over power",
       .unit = "% of time",
       .decimals = 2,
       .value = &Metrics::time_over_power_pct,
       .definition =
           "Time outside the power budgets: of the epochs in which an application that was "
           "there had one, those whose mean power was above it.",
       .formula = "100 t_over / t_budget",
       .absent = "no application has a power budget",
       .tail = true},
      {.key = "time_error_pct",
       .heading = "time error",
       .unit = "%",
       .decimals = 1,
       .value = &Metrics::time_error_pct,
       .definition = "How far forecasts of execution times were off, as a share of what it took, "
                     "mean over the jobs that had one.",
       .formula = "100 mean(|predicted - taken| / taken)",
       .absent = kNoForecast},
      {.key = "energy_error_pct",
       .heading = "energy error",
       .unit = "%",
       .decimals = 1,
       .value = &Metrics::energy_error_pct,
       .definition =
           "How far forecasts of jobs' energies were off, as a share of what it took, mean "
           "over the jobs that had one.",
       .formula = "100 mean(|predicted - taken| / taken)",
       .absent = kNoForecast},
      {.key = "miss_brier",
       .heading = "miss Brier",
       .unit = "",
       .decimals = 3,
       .value = &Metrics::miss_brier,
       .definition =
           "Brier score of the predicted probabilities to miss: 0 where each was sure and "
           "right, 0.25 for always saying one half, 1 where each was sure and wrong.",
       .formula = "mean((p - missed)^2)",
       .absent = kNoForecast},
      {.key = "fairness",
       .heading = "fairness",
       .unit = "",
       .decimals = 3,
       .value = &Metrics::fairness,
       .definition =
           "Jain's index of the applications' shares of jobs on time: 1 where all have the "
           "same, 1/k where one of k has everything.",
       .formula = "(sum x)^2 / (k sum x^2), x = 1 - missed / resolved",
       .absent = "fewer than two applications, or none had a job on time",
       .better = Better::kMore},
      {.key = "knob_churn_per_s",
       .heading = "knob churn",
       .unit = "1/s",
       .decimals = 2,
       .value = &Metrics::knob_churn_per_s,
       .definition = "Changes of clocks, mappings and levels, per second of the run.",
       .formula = "(clock changes + migrations + level switches) / t",
       .absent = "the run has no time"},
      {.key = "thermal_margin_k",
       .heading = "thermal margin",
       .unit = "K",
       .decimals = 1,
       .value = &Metrics::thermal_margin_k,
       .definition =
           "How far the highest temperature stayed below the lowest trip point from which "
           "clocks are held down; below 0 where it was passed.",
       .formula = "T_trip - max(T)",
       .absent = "the platform has no trip points",
       .better = Better::kMore,
       .tail = true},
      {.key = "decide_share_pct",
       .heading = "deciding",
       .unit = "% of time",
       .decimals = 4,
       .value = &Metrics::decide_share_pct,
       .definition = "What deciding costs: time within decide(), of all epochs, over the simulated "
                     "time of the run. Measured on this machine.",
       .formula = "100 sum(decide()) / t",
       .absent = "measured times are left out; --times has it",
       .measured = true},
  };
  return kFields;
}

const MetricField& field_of(double Metrics::*value) {
  return *std::ranges::find(metric_fields(), value, &MetricField::value);
}

}  // namespace flyball
