#include "governor/fit/columns.h"

#include "governor/fit/table_text.h"

namespace flyball {
namespace {

struct Unit {
  std::string_view name;
  double factor;
  double offset = 0;
};

/// A quantity goes by one of its names, followed by a unit or not; the unit alone may be its name
/// too.
struct Family {
  Quantity quantity;
  std::vector<std::string_view> names;
  std::vector<Unit> units;  ///< the first one holds where none is named
  bool unit_alone = false;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {Quantity::kUnit, {"unit", "cluster", "cpu"}, {{"", 1}}},
      {Quantity::kMhz,
       {"freq", "frequency", "clock"},
       {{"mhz", 1}, {"khz", 1e-3}, {"hz", 1e-6}, {"ghz", 1e3}},
       true},
      {Quantity::kCores,
       {"cores", "busy_cores", "active_cores", "threads", "num_threads"},
       {{"", 1}}},
      {Quantity::kWidth, {"width"}, {{"pct", 1}}},
      {Quantity::kIdle, {"idle", "idle_cores"}, {{"", 1}}},
      {Quantity::kTimeMs,
       {"time", "latency", "duration"},
       {{"ms", 1}, {"s", 1e3}, {"us", 1e-3}, {"ns", 1e-6}}},
      {Quantity::kRate, {"coremarks"}, {{"iter_s", 1}}},
      {Quantity::kPowerMw, {"power", "avg_power"}, {{"mw", 1}, {"w", 1e3}, {"uw", 1e-3}}},
      {Quantity::kEnergyMj, {"energy"}, {{"mj", 1}, {"j", 1e3}, {"uj", 1e-3}}},
      {Quantity::kTempC, {"temp", "temperature"}, {{"c", 1}, {"mc", 1e-3}, {"k", 1, -273.15}}},
      {Quantity::kVoltageMv,
       {"voltage", "volt", "vdd"},
       {{"mv", 1}, {"v", 1e3}, {"uv", 1e-3}},
       true},
      {Quantity::kAccuracyPct, {"accuracy", "top1"}, {{"pct", 1}}},
  };
  return all;
}

}  // namespace

std::optional<Column> column_of(std::string_view heading) {
  const std::string text = plain_heading(heading);
  for (const Family& family : families()) {
    for (const Unit& unit : family.units) {
      Column column{family.quantity, unit.factor, unit.offset};
      if (family.unit_alone && text == unit.name) return column;
      for (const std::string_view name : family.names) {
        const bool bare = &unit == &family.units.front() && family.quantity != Quantity::kRate;
        if (bare && text == name) {
          column.names_unit = unit.name.empty();
          return column;
        }
        if (text == std::string(name) + '_' + std::string(unit.name)) return column;
      }
    }
  }
  return std::nullopt;
}

std::string_view heading_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::kUnit:
      return "unit";
    case Quantity::kMhz:
      return "mhz";
    case Quantity::kCores:
      return "cores";
    case Quantity::kWidth:
      return "width_pct";
    case Quantity::kIdle:
      return "idle";
    case Quantity::kTimeMs:
      return "time_ms";
    case Quantity::kRate:
      return "coremarks (iter/s)";
    case Quantity::kPowerMw:
      return "power_mw";
    case Quantity::kEnergyMj:
      return "energy_mj";
    case Quantity::kTempC:
      return "temp_c";
    case Quantity::kVoltageMv:
      return "voltage_mv";
    case Quantity::kAccuracyPct:
      return "accuracy_pct";
  }
  return "";
}

}  // namespace flyball
