#include "governor/record/record_columns.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agents/explain.h"

namespace flyball {
namespace {

/// Of the job that a decision says something of.
constexpr const char* kForecast[] = {"job",       "time_ns",      "time_sd_ns",
                                     "energy_mj", "energy_sd_mj", "miss_probability"};

/// Of a monitor or of a platform's knob; a mapping has a name.
std::string column_name(const std::string& name, const std::string& unit) {
  return name + (unit == "cores" ? "" : unit_suffix(unit));
}

std::vector<Monitor> shown_rows(const std::vector<Monitor>& rows) {
  std::vector<Monitor> shown;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(shown),
               [](const Monitor& row) { return row.shown; });
  return shown;
}

/// A level is a column for each of the application's own knobs.
void knob_names(TableWriter& out, const std::string& prefix, const std::vector<KnobSpec>& knobs) {
  for (const KnobSpec& knob : knobs) {
    const std::string name = prefix + knob.name;
    if (knob.kind != KnobSpec::Kind::kLevel) out.text(column_name(name, knob.unit));
    for (const QualityKnob& own : knob.own) out.text(name + "." + column_name(own));
  }
}

void knob_values(TableWriter& out, const std::vector<KnobSpec>& knobs, const Action& action,
                 bool bound) {
  for (const KnobSpec& knob : knobs) {
    const auto index = static_cast<std::size_t>(setting_of(knob, action));
    const bool known = bound && index < knob.values.size();
    if (knob.kind != KnobSpec::Kind::kLevel) out.text(known ? knob.values[index] : "");
    for (std::size_t k = 0; k < knob.own.size(); ++k) {
      const std::size_t value = known ? knob.levels[index].knob[k] : kMaxKnobValues;
      out.text(value < knob.own[k].values.size() ? knob.own[k].values[value] : "");
    }
  }
}

}  // namespace

RecordColumns::RecordColumns(const std::string& recording) {
  std::vector<std::pair<int, Binding>> bindings;
  RecordingVisitor first;
  first.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    bindings.emplace_back(slot, binding);
  };
  info_ = read_recording(recording, first).info;
  platform_rows_ = shown_rows(MonitorTable(info_.platform, info_.weights, info_.measured).rows());
  knobs_ = knobs_of(info_.platform);
  for (const auto& [slot, binding] : bindings) bind(slot, binding);
  unbind_all();
}

void RecordColumns::bind(int slot, const Binding& binding) {
  unbind(slot);
  const auto same = std::find_if(apps_.begin(), apps_.end(), [&](const AppColumns& app) {
    return app.slot == slot && app.binding.name == binding.name &&
           app.binding.knobs == binding.knobs;
  });
  AppColumns& app = same == apps_.end() ? apps_.emplace_back() : *same;
  app.slot = slot;
  app.binding = binding;
  app.bound = true;
  MonitorTable table(info_.platform, info_.weights, info_.measured);
  const auto platform_rows = static_cast<std::ptrdiff_t>(table.rows().size());
  table.bind(slot, binding, {});
  app.rows = shown_rows({table.rows().begin() + platform_rows, table.rows().end()});
  app.knobs = knobs_of(info_.platform, slot, binding);
}

void RecordColumns::unbind(int slot) {
  for (AppColumns& app : apps_)
    if (app.slot == slot) app.bound = false;
}

void RecordColumns::unbind_all() {
  for (AppColumns& app : apps_) app.bound = false;
}

const RecordColumns::AppColumns* RecordColumns::of_slot(int slot) const {
  for (const AppColumns& app : apps_)
    if (app.bound && app.slot == slot) return &app;
  return nullptr;
}

const Binding* RecordColumns::binding_of(int slot) const {
  const AppColumns* app = of_slot(slot);
  return app ? &app->binding : nullptr;
}

void RecordColumns::epoch_header(TableWriter& out) const {
  for (const char* name :
       {"epoch", "end_ns", "epoch_ns", "decide_ns", "reward", "cost_energy", "cost_misses",
        "cost_accuracy", "cost_budget", "cost_heat", "cost_latency", "cost_monitors"})
    out.text(name);
  for (const Monitor& row : platform_rows_) out.text(column_name(row.name, row.unit));
  for (const AppColumns& app : apps_)
    for (const Monitor& row : app.rows) out.text(column_name(row.name, row.unit));
  out.text("held_over");
  for (const char* prefix : {"decided.", "applied."}) {
    knob_names(out, prefix, knobs_);
    for (const AppColumns& app : apps_) knob_names(out, prefix, app.knobs);
  }
  for (const char* name : {"verdict", "fresh", "explored", "probability", "expected_reward", "why"})
    out.text(name);
  for (const AppColumns& app : apps_)
    for (const char* name : kForecast) out.text(app.binding.name + ".expected_" + name);
  for (const char* name : {"runner_up_app", "runner_up_mapping", "runner_up_level", "runner_up_mj"})
    out.text(name);
  out.end_line();
}

/// What was expected of the jobs, and what was nearly decided.
void RecordColumns::forecast_cells(TableWriter& out, const Decision& decision,
                                   bool recorded) const {
  const auto blank = [&](std::size_t cells) {
    for (std::size_t i = 0; i < cells; ++i) out.empty();
  };
  for (const AppColumns& app : apps_) {
    const Forecast* found = nullptr;
    for (int i = 0; i < decision.forecasts && recorded && app.bound; ++i) {
      if (decision.forecast[static_cast<std::size_t>(i)].app == app.slot)
        found = &decision.forecast[static_cast<std::size_t>(i)];
    }
    if (found == nullptr) {
      blank(std::size(kForecast));
      continue;
    }
    out.cell(found->sequence).cell(found->time_ns).cell(found->time_sd_ns);
    out.cell(found->energy_mj).cell(found->energy_sd_mj).cell(found->miss_probability);
  }
  const AppColumns* app =
      recorded && decision.has_runner_up ? of_slot(decision.reason.index) : nullptr;
  if (app == nullptr) return blank(4);
  const AppSetting& setting = decision.runner_up;
  const auto& mappings = info_.platform.mappings;
  out.text(app->binding.name);
  out.text(setting.mapping < mappings.size() ? mappings[setting.mapping].name : "");
  out.text(setting.level < app->binding.levels.size()
               ? level_name(app->binding.knobs, app->binding.levels[setting.level].knob)
               : "");
  out.cell(decision.runner_up_energy_mj);
}

/// Empty where there was no reading.
void RecordColumns::monitor_cell(TableWriter& out, const Monitor& row, const Observation& now) {
  const Reading reading = flyball::read(row, now);
  out.cell(reading.value);
  if (reading.state == Reading::State::kHeld) held_ += (held_.empty() ? "" : " ") + row.name;
}

void RecordColumns::epoch_line(TableWriter& out, const Observation& now, const DecisionRow& row) {
  judge(info_.weights, now, reward_);
  const RewardParts sum = reward_.sum();
  out.cell(now.sequence).cell(now.now_ns).cell(now.epoch_ns);
  row.recorded ? out.cell(row.decide_ns) : out.empty();
  out.cell(sum.total()).cell(sum.energy).cell(sum.misses).cell(sum.accuracy);
  out.cell(sum.budget).cell(sum.heat).cell(sum.latency).cell(sum.monitors);
  held_.clear();
  for (const Monitor& monitor : platform_rows_) monitor_cell(out, monitor, now);
  for (const AppColumns& app : apps_)
    for (const Monitor& monitor : app.rows)
      app.bound ? monitor_cell(out, monitor, now) : static_cast<void>(out.empty());
  out.text(held_);
  for (const Action* action : {&row.decision.action, &row.applied}) {
    knob_values(out, knobs_, *action, true);
    for (const AppColumns& app : apps_) knob_values(out, app.knobs, *action, app.bound);
  }
  out.text(verdict_name(row.verdict));
  if (row.recorded) {
    const AppColumns* app = of_slot(row.decision.reason.index);
    out.cell(row.decision.fresh).cell(row.decision.explored()).cell(row.executed_probability());
    out.cell(row.decision.value);
    out.text(explain(row.decision, info_.platform, app ? app->binding : Binding()));
  } else {
    for (int i = 0; i < 5; ++i) out.empty();
  }
  forecast_cells(out, row.decision, row.recorded);
  out.end_line();
}

void RecordColumns::jobs_header(TableWriter& out) {
  for (const AppColumns& app : apps_)
    for (const QualityKnob& knob : app.binding.knobs)
      if (const std::string name = column_name(knob);
          std::find(job_knobs_.begin(), job_knobs_.end(), name) == job_knobs_.end())
        job_knobs_.push_back(name);
  for (const char* name : {"app", "job", "release_ns", "start_ns", "finish_ns", "deadline_ns",
                           "latency_ns", "energy_mj", "cycles", "mapping"})
    out.text(name);
  for (const std::string& name : job_knobs_) out.text(name);
  for (const char* name : {"accuracy_pct", "accuracy_floor_pct", "missed", "dropped", "infeasible"})
    out.text(name);
  out.end_line();
}

void RecordColumns::job_line(TableWriter& out, const JobRecord& job) const {
  const AppColumns* app = of_slot(job.app);
  out.text(app ? app->binding.name : std::to_string(job.app));
  out.cell(job.sequence).cell(job.release_ns).cell(job.start_ns).cell(job.finish_ns);
  out.cell(job.deadline_ns).cell(job.dropped ? 0 : job.latency_ns()).cell(job.energy_mj);
  out.cell(job.cycles);
  const auto& mappings = info_.platform.mappings;
  if (app && job.setting.mapping < mappings.size())
    out.text(mappings[job.setting.mapping].name);
  else
    out.cell(int{job.setting.mapping});
  for (const std::string& name : job_knobs_) out.text(app ? value_of(*app, job, name) : "");
  out.cell(job.accuracy_pct).cell(job.accuracy_floor_pct).cell(job.missed).cell(job.dropped);
  out.cell(job.infeasible).end_line();
}

/// The value that a knob of the application's own had in a job; "" when it has no such knob.
std::string RecordColumns::value_of(const AppColumns& app, const JobRecord& job,
                                    const std::string& name) {
  if (job.setting.level >= app.binding.levels.size()) return "";
  const KnobValues& values = app.binding.levels[job.setting.level].knob;
  for (std::size_t k = 0; k < app.binding.knobs.size(); ++k) {
    const QualityKnob& knob = app.binding.knobs[k];
    if (column_name(knob) == name && values[k] < knob.values.size()) return knob.values[values[k]];
  }
  return "";
}

RecordingReport RecordColumns::write(const std::string& recording, TableWriter* epochs,
                                     TableWriter* jobs) {
  if (epochs) epoch_header(*epochs);
  if (jobs) jobs_header(*jobs);
  RecordingVisitor visitor;
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    bind(slot, binding);
  };
  visitor.on_unbind = [&](int slot) { unbind(slot); };
  if (epochs) {
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      epoch_line(*epochs, now, row);
    };
  }
  if (jobs) visitor.on_job = [&](const JobRecord& job) { job_line(*jobs, job); };
  const RecordingReport report = read_recording(recording, visitor);
  unbind_all();
  return report;
}

}  // namespace flyball
