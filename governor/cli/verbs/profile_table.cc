#include "governor/cli/verbs/profile_table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/linux_holding.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/engine.h"
#include "governor/machine/linux_table_machine.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kMeasuredTable{"a table that 'profile' measured", kTableStart};
constexpr double kSettleS = 1, kBatterySettleS = 30;  // its gauge averages over as long

bool by_battery_alone(const LinuxMachine& machine) {
  return std::none_of(machine.power.begin(), machine.power.end(), [](const PowerSensor& sensor) {
    return sensor.readable && sensor.kind != PowerSensor::Kind::kBattery;
  });
}

std::string load_text(const NamedModel& model) {
  return fmt::format("inference of {} in fp32, checksum {:08x}",
                     std::filesystem::path(model.path).stem().string(), model.checksum);
}

std::string plan_text(const LinuxMachine& machine, const LinuxTableMachine& table,
                      const TableOptions& options, bool may_write, int columns) {
  std::string text;
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  for (const TableCluster& cluster : table.clusters()) {
    if (cluster.cpus.empty()) {
      say(cluster.name + ": not measured, since none of its CPUs is this process's to use.");
      continue;
    }
    const std::vector<int> cores = table_cores(cluster.cpus.count());
    const std::string on = fmt::format("with {} core{} (CPU{} {})", fmt::join(cores, ", "),
                                       cores.back() == 1 ? "" : "s", cores.back() == 1 ? "" : "s",
                                       cluster.cpus.to_string());
    if (cluster.khz.empty())
      say(fmt::format("{}: at the clock there is, {}{}.", cluster.name, on,
                      may_write ? "" : ", as this process may set none"));
    else
      say(fmt::format("{}: {} clocks, {:g} to {:g} MHz, {}.", cluster.name, cluster.khz.size(),
                      static_cast<double>(cluster.khz.front()) / 1e3,
                      static_cast<double>(cluster.khz.back()) / 1e3, on));
  }
  std::string rails;
  for (const TableRail& rail : table.rails()) rails += (rails.empty() ? "" : "; ") + rail.name;
  say(fmt::format("Power: {}. Which of them is whose, loads will tell.", rails));
  for (const RivalDaemon& rival : machine.rivals)
    say(fmt::format("{} (process {}) turns {}: stop it first.", rival.name, rival.pid,
                    rival.turns));
  say(fmt::format("It takes {} or longer.", duration_text(table_seconds(table, options))));
  return text;
}

Json number_or(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json table_json(const PowerTable& table, const std::string& file, const NamedModel& model) {
  Json json{{"schema", 1},
            {"table", file},
            {"model", model.path},
            {"checksum", fmt::format("{:08x}", model.checksum)},
            {"sources", Json::array()},
            {"rows", Json::array()},
            {"notes", table.notes}};
  for (const TableSource& source : table.sources)
    json["sources"].push_back({{"unit", source.unit},
                               {"rail", source.rail},
                               {"own", source.own},
                               {"idle_mw", source.idle_mw}});
  for (const TableRow& row : table.rows)
    json["rows"].push_back({{"unit", row.unit},
                            {"mhz", row.mhz},
                            {"cores", row.cores},
                            {"width_pct", row.width_pct},
                            {"time_ms", number_or(row.time_ms)},
                            {"power_mw", number_or(row.power_mw)},
                            {"temp_c", number_or(row.temp_c)}});
  return json;
}

std::string table_text(const PowerTable& table, const ProfileTable& asked, int columns) {
  Table shown(
      {{"unit", "", true}, {"clock", "MHz"}, {"cores", ""}, {"time", "ms"}, {"power", "mW"}});
  for (const TableRow& row : table.rows) {
    if (!row.power_mw) continue;
    shown.add_row({row.unit, fmt::format("{:g}", row.mhz), std::to_string(row.cores),
                   row.time_ms ? fixed(*row.time_ms, 3) : "-", fixed(*row.power_mw, 1)});
  }
  std::string text = shown.render(columns) + '\n';
  for (const TableSource& source : table.sources)
    text += wrapped(source.own ? fmt::format("{}: by {}, which is its own; it idles at {:.1f} mW.",
                                             source.unit, source.rail, source.idle_mw)
                               : fmt::format("{}: by {}, less the {:.1f} mW that it draws idle.",
                                             source.unit, source.rail, source.idle_mw),
                    columns);
  for (const std::string& note : table.notes) text += wrapped(note, columns);
  if (is_standard_output(asked.file)) return text;
  return text + fmt::format("Stored in {}; 'flyball fit --data {}' makes a platform of it.\n",
                            asked.file, asked.file);
}

}  // namespace

int profile_table(const ProfileTable& asked, const NamedModel& model) {
  const SysTree tree = tree_at(asked.sysfs_root);
  LinuxMachine machine = discover_machine(tree);
  if (const std::string why = why_no_power(machine); !why.empty())
    input_error("profile --table", why,
                "nothing was measured; 'flyball doctor' lists what there is");
  MachineSpec made = make_machine_spec(machine);
  if (!is_standard_output(asked.file))
    check_output("--table " + asked.file, asked.file, kMeasuredTable);
  TableOptions options;
  const double settle_s = asked.settle_s > 0          ? asked.settle_s
                          : by_battery_alone(machine) ? kBatterySettleS
                                                      : kSettleS;
  options.settle_ns = std::llround(settle_s * 1e9);
  options.measure_ns = std::llround(asked.seconds * 1e9);
  const std::unique_ptr<InferenceEngine> engine = make_engine(model.model);
  const int columns = Terminal::of(STDERR_FILENO).columns;
  const InterruptScope interrupt;
  const bool may_write = writes_any(machine, ActuatorKind::kAuto);
  if (asked.dry_run) {
    // Of what the actuators would be: none is made, so nothing is read back from them either.
    LinuxTableMachine planned(tree, machine, made, *engine, nullptr, nullptr, interrupt.stop(),
                              may_write);
    write_result(plan_text(machine, planned, options, may_write, columns) +
                 "Nothing was written.\n");
    return 0;
  }
  std::optional<Holding> holding;
  if (may_write) {
    holding.emplace(asked.state_dir, tree);
    machine = discover_machine(tree);  // whoever had the locks may just have given back
    made = make_machine_spec(machine);
    if (const std::string why = why_no_power(machine); !why.empty())
      failure("profile --table", why, "nothing was measured; 'flyball doctor' lists what there is");
  }
  PowerTable table;
  GiveBackResult returned;
  bool lost_supervisor = false;
  std::optional<Error> ended;
  {
    LinuxTableMachine measured(tree, machine, made, *engine,
                               holding ? &holding->takeover() : nullptr,
                               holding ? &holding->hook() : nullptr, interrupt.stop(), may_write);
    write_note(plan_text(machine, measured, options, may_write, columns) +
               "Ctrl-C ends it and gives everything back.\n");
    Progress progress("measuring this machine");
    try {
      table = measure_power_table(measured, options, [&](double done) { progress.update(done); });
    } catch (const Error& error) {
      ended = error;
    }
    progress.stop();
    lost_supervisor = measured.lost_supervisor();
    measured.give_back();
  }
  if (holding) returned = holding->takeover().give_back();
  // What was measured to the end is kept, whatever became of the settings.
  if (!ended) write_made(asked.file, table_csv(table, load_text(model)));
  check_given_back("profile", returned, lost_supervisor);
  if (ended) throw *ended;
  if (is_standard_output(asked.file)) return 0;
  write_result(asked.json ? json_text(table_json(table, asked.file, model))
                          : table_text(table, asked, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

}  // namespace flyball::cli
