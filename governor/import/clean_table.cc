#include "governor/import/clean_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/fit/fit.h"
#include "kernels/base/control_character.h"

namespace flyball {

CleanTable clean_table(const std::vector<std::string>& files, ImportFlags& flags) {
  Measurements measured;
  for (const std::string& file : files) read_table(file, measured);
  const FittedPlatform platform = fit_platform(measured, {}, {});
  CleanTable table;
  table.notes = measured.notes;
  if (measured.coremark)
    table.notes.push_back(fmt::format(
        "A job is {:g} iterations of CoreMark; time_ms and energy_mj are of one.", kCoreMarkJob));
  std::vector<const FittedRow*> kept;
  for (const FittedCluster& cluster : platform.clusters)
    for (const FittedRow& row : cluster.rows) {
      ++table.rows;
      const std::string& file = platform.files[static_cast<std::size_t>(row.measured.file)];
      if (row.kept())
        kept.push_back(&row);
      else
        flags.add(file, row.measured.line,
                  fmt::format("{} at {:g} MHz: {}", cluster.name, row.measured.mhz, row.rejected));
    }
  table.kept = kept.size();
  const auto any = [&](auto member) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const FittedRow* row) { return (row->measured.*member).has_value(); });
  };
  struct Optional {
    const char* heading;
    std::optional<double> Measurement::*value;
  };
  std::vector<Optional> columns;
  for (const Optional& one :
       {Optional{"time_ms", &Measurement::time_ms}, Optional{"power_mw", &Measurement::power_mw},
        Optional{"energy_mj", &Measurement::energy_mj}, Optional{"temp_c", &Measurement::temp_c},
        Optional{"voltage_mv", &Measurement::voltage_mv},
        Optional{"accuracy_pct", &Measurement::accuracy_pct}})
    if (any(one.value)) columns.push_back(one);
  table.text = "# Made by 'flyball import': the rows that hold together, of";
  for (const std::string& file : files) table.text += ' ' + printable(file);
  table.text += "\nunit,mhz,cores,width_pct";
  for (const Optional& one : columns) table.text += fmt::format(",{}", one.heading);
  table.text += '\n';
  for (const FittedRow* row : kept) {
    const Measurement& measurement = row->measured;
    table.text += fmt::format("{},{:.10g},{:g},{:g}", measurement.unit, measurement.mhz,
                              measurement.cores, measurement.width_pct);
    for (const Optional& one : columns) {
      const std::optional<double>& value = measurement.*one.value;
      table.text += value ? fmt::format(",{:.10g}", *value) : ",";
    }
    table.text += '\n';
  }
  return table;
}

}  // namespace flyball
