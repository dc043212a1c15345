#include "governor/machine/power_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kSampleNs = 20'000'000;
constexpr int kSlices = 4;  // of a measurement, which have to agree
constexpr int kMostSlices = 4 * kSlices;
constexpr double kDrift = 0.02;     // between two halves of a measurement at rest
constexpr double kUnrest = 0.05;    // between them, from which on it is no point at all
constexpr double kClockOff = 0.02;  // a clock is not the one asked for
// Of all that rises with a cluster; regulators lose a tenth to a fifth before its own rail.
constexpr double kNearlyAll = 0.6;
constexpr double kForeign = 0.1;     // what rises on a rail of one's own with another cluster
constexpr double kLeastRise = 0.02;  // of the idle power: less is noise
constexpr double kIdleMoved = 0.05;

/// What a rail, or all of them, showed for a while.
struct RailReading {
  double mw = 0;
  bool answered = false, at_rest = false;
  double first_mw = 0, last_mw = 0;  ///< of the two halves
  std::optional<double> khz, temp_c;
};

class Maker {
 public:
  Maker(TableMachine& machine, const TableOptions& options,
        const std::function<void(double)>& progress)
      : machine_(machine),
        options_(options),
        progress_(progress),
        clusters_(machine.clusters()),
        rails_(machine.rails()) {}

  PowerTable make() {
    for (const TableCluster& cluster : clusters_)
      steps_ += points(cluster) * table_cores(cluster.cpus.count()).size() + 2;
    choose_rails();
    for (std::size_t c = 0; c < clusters_.size(); ++c) {
      if (source_[c].rail.empty()) continue;
      measure_cluster(c);
    }
    if (table_.rows.empty())
      failure("profile", "no point came to rest", "stop what else runs here, and measure again");
    for (TableRow& row : table_.rows)
      if (row.time_ms) row.accuracy_pct = machine_.accuracy_pct(row.width_pct);
    return std::move(table_);
  }

 private:
  static std::size_t points(const TableCluster& cluster) {
    return std::max<std::size_t>(1, cluster.khz.size());
  }
  void note(std::string sentence) { table_.notes.push_back(std::move(sentence)); }
  void step() {
    ++done_;
    if (progress_)
      progress_(std::min(1.0, static_cast<double>(done_) / static_cast<double>(steps_)));
  }

  void lower_all() {
    for (std::size_t c = 0; c < clusters_.size(); ++c)
      if (!clusters_[c].khz.empty()) machine_.ask(c, clusters_[c].khz.front());
  }

  /// The mean of a rail for `ns`; false when it did not answer once.
  bool mean_of(std::size_t rail, std::int64_t ns, double& mw, RailReading* beside = nullptr,
               std::size_t cluster = 0) {
    double sum = 0, clocks = 0;
    int count = 0, clock_count = 0;
    for (std::int64_t passed = 0; passed < ns; passed += kSampleNs) {
      machine_.wait(kSampleNs);
      double one = 0;
      if (machine_.read_mw(rail, one)) sum += one, ++count;
      if (beside == nullptr) continue;
      if (const auto khz = machine_.clock_khz(cluster))
        clocks += static_cast<double>(*khz), ++clock_count;
    }
    if (clock_count > 0) beside->khz = clocks / clock_count;
    if (count > 0) mw = sum / count;
    return count > 0;
  }

  /// Slices until the last four agree, or there have been too many.
  RailReading rest(std::size_t rail, std::size_t cluster) {
    machine_.wait(options_.settle_ns);
    double ignored = 0;
    machine_.read_mw(rail, ignored);  // what counts energy begins here
    RailReading reading;
    std::vector<double> slices;
    std::vector<double> khz;
    while (static_cast<int>(slices.size()) < kMostSlices) {
      double mw = 0;
      RailReading beside;
      if (!mean_of(rail, options_.measure_ns / kSlices, mw, &beside, cluster)) return reading;
      slices.push_back(mw);
      if (beside.khz) khz.push_back(*beside.khz);
      if (slices.size() < kSlices) continue;
      const double* const last = &slices[slices.size() - kSlices];
      reading.first_mw = (last[0] + last[1]) / 2;
      reading.last_mw = (last[2] + last[3]) / 2;
      reading.mw = (reading.first_mw + reading.last_mw) / 2;
      reading.at_rest = std::abs(reading.last_mw - reading.first_mw) <= kDrift * reading.mw;
      if (reading.at_rest) break;
    }
    reading.answered = true;
    const auto used = static_cast<std::ptrdiff_t>(std::min<std::size_t>(khz.size(), kSlices));
    if (used > 0) {
      double sum = 0;
      for (auto each = khz.end() - used; each != khz.end(); ++each) sum += *each;
      reading.khz = sum / static_cast<double>(used);
    }
    reading.temp_c = machine_.temp_c();
    return reading;
  }

  /// Every rail at once, for a short while: negative where it does not answer.
  std::vector<double> look_at_rails() {
    machine_.wait(options_.settle_ns);
    double one = 0;
    for (std::size_t r = 0; r < rails_.size(); ++r) machine_.read_mw(r, one);
    std::vector<double> sum(rails_.size()), count(rails_.size());
    for (std::int64_t passed = 0; passed < options_.measure_ns / 2; passed += kSampleNs) {
      machine_.wait(kSampleNs);
      for (std::size_t r = 0; r < rails_.size(); ++r)
        if (machine_.read_mw(r, one)) sum[r] += one, ++count[r];
    }
    for (std::size_t r = 0; r < rails_.size(); ++r) sum[r] = count[r] > 0 ? sum[r] / count[r] : -1;
    return sum;
  }

  void choose_rails() {
    source_.resize(clusters_.size());
    rail_.resize(clusters_.size());
    lower_all();
    const std::vector<double> idle = look_at_rails();
    std::vector<std::vector<double>> rise(clusters_.size());
    for (std::size_t c = 0; c < clusters_.size(); ++c) {
      if (clusters_[c].cpus.empty()) {
        note(clusters_[c].name +
             ": not measured, since none of its CPUs is this process's to use.");
        rise[c].assign(rails_.size(), 0);
        continue;
      }
      if (!clusters_[c].khz.empty()) machine_.ask(c, clusters_[c].khz.back());
      machine_.run(clusters_[c].cpus, machine_.widths_pct().back());
      rise[c] = look_at_rails();
      machine_.stop();
      if (!clusters_[c].khz.empty()) machine_.ask(c, clusters_[c].khz.front());
      for (std::size_t r = 0; r < rails_.size(); ++r)
        rise[c][r] = idle[r] < 0 || rise[c][r] < 0 ? 0 : rise[c][r] - idle[r];
      step();
    }
    bool any = false;
    for (std::size_t c = 0; c < clusters_.size(); ++c) {
      const double most = *std::max_element(rise[c].begin(), rise[c].end());
      int best = -1;
      for (std::size_t r = 0; r < rails_.size(); ++r) {
        if (rise[c][r] <= 0 || rise[c][r] < kNearlyAll * most || rise[c][r] < kLeastRise * idle[r])
          continue;
        if (best < 0 || idle[r] < idle[static_cast<std::size_t>(best)]) best = static_cast<int>(r);
      }
      if (best < 0) {
        if (!clusters_[c].cpus.empty())
          note(clusters_[c].name + ": not measured, since no rail draws more while it works.");
        continue;
      }
      const auto r = static_cast<std::size_t>(best);
      bool own = !rails_[r].whole;
      for (std::size_t other = 0; other < clusters_.size(); ++other)
        own = own && (other == c || rise[other][r] <= kForeign * rise[c][r]);
      rail_[c] = r;
      source_[c] = {clusters_[c].name, rails_[r].name, own, idle[r]};
      any = true;
    }
    if (!any)
      failure("profile", "no power sensor here draws more while the CPUs work",
              "'flyball doctor' lists the sensors that there are");
  }

  void measure_cluster(std::size_t c) {
    const TableCluster& cluster = clusters_[c];
    const std::size_t rail = rail_[c];
    TableSource& source = source_[c];
    const std::size_t first_row = table_.rows.size();
    lower_all();
    const RailReading before = rest(rail, c);
    if (before.answered) source.idle_mw = before.mw;
    step();
    std::vector<std::int64_t> clocks = cluster.khz;
    if (clocks.empty()) {
      note(cluster.name + ": its clock cannot be set, so it was measured at the clock there is.");
      clocks = {0};
    }
    for (const std::int64_t khz : clocks) {
      if (khz > 0) machine_.ask(c, khz);
      if (source.own && (khz == clocks.front() || khz == clocks.back())) add_idle(c, khz);
      for (const int cores : table_cores(cluster.cpus.count())) {
        measure_point(c, khz, cores);
        step();
      }
    }
    lower_all();
    if (!source.own) take_idle_off(first_row, c);
    table_.sources.push_back(source);
  }

  void add_idle(std::size_t c, std::int64_t khz) {
    const RailReading reading = rest(rail_[c], c);
    if (!reading.answered || std::abs(reading.last_mw - reading.first_mw) > kUnrest * reading.mw)
      return;
    // The clock of who idles is of no matter, and reading it would wake it.
    const double at_khz = khz > 0 ? static_cast<double>(khz) : reading.khz.value_or(0);
    if (at_khz <= 0) return;
    table_.rows.push_back({clusters_[c].name, at_khz / 1e3, 0, 100, std::nullopt, reading.mw,
                           reading.temp_c, std::nullopt});
  }

  void measure_point(std::size_t c, std::int64_t asked_khz, int cores) {
    const TableCluster& cluster = clusters_[c];
    CpuSet cpus;
    for (int i = 0; i < cores; ++i) cpus.add(cluster.cpus.nth(i));
    const std::vector<int> widths = machine_.widths_pct();
    machine_.run(cpus, widths.back());
    const RailReading reading = rest(rail_[c], c);
    const double time_ms = machine_.stop();
    const std::string point = asked_khz > 0
                                  ? fmt::format("{} at {:g} MHz, {} cores", cluster.name,
                                                static_cast<double>(asked_khz) / 1e3, cores)
                                  : fmt::format("{}, {} cores", cluster.name, cores);
    if (!reading.answered) return note(point + ": left out, since the sensor did not answer.");
    if (std::abs(reading.last_mw - reading.first_mw) > kUnrest * reading.mw)
      return note(
          fmt::format("{}: left out, since power went from {:.4g} to {:.4g} mW while it was "
                      "measured: something else ran, or it warms up.",
                      point, reading.first_mw, reading.last_mw));
    TableRow row;
    row.unit = cluster.name;
    row.cores = cores;
    row.width_pct = widths.back();
    if (time_ms > 0) row.time_ms = time_ms;
    row.power_mw = reading.mw;
    row.temp_c = reading.temp_c;
    const auto asked = static_cast<double>(asked_khz);
    if (asked_khz > 0 && reading.khz && std::abs(*reading.khz / asked - 1) <= kClockOff) {
      row.mhz = asked / 1e3;
    } else if (reading.khz) {
      row.mhz = std::round(*reading.khz) / 1e3;
      if (asked_khz > 0)
        note(fmt::format(
            "{}: ran at {:.0f} MHz, as heat, the firmware or the driver has it; the row "
            "says so.",
            point, row.mhz));
    } else {
      return note(point + ": left out, since its clock cannot be read.");
    }
    table_.rows.push_back(row);
    // How long the narrower networks take is soon told; they need no power of their own.
    for (std::size_t w = 0; w + 1 < widths.size(); ++w) {
      machine_.run(cpus, widths[w]);
      machine_.wait(options_.measure_ns / 10);
      const double narrow_ms = machine_.stop();
      if (narrow_ms > 0)
        table_.rows.push_back({row.unit, row.mhz, cores, widths[w], narrow_ms, std::nullopt,
                               std::nullopt, std::nullopt});
    }
  }

  /// What the rail draws with nothing to do, before and after: in between it went from one to the other.
  void take_idle_off(std::size_t first_row, std::size_t c) {
    TableSource& source = source_[c];
    const RailReading after = rest(rail_[c], c);
    const double before_mw = source.idle_mw, after_mw = after.answered ? after.mw : before_mw;
    const auto count = static_cast<double>(table_.rows.size() - first_row);
    double least = 1e300;
    std::vector<TableRow> kept(table_.rows.begin(),
                               table_.rows.begin() + static_cast<std::ptrdiff_t>(first_row));
    for (std::size_t i = first_row; i < table_.rows.size(); ++i) {
      TableRow row = table_.rows[i];
      if (row.power_mw) {
        const double part = (static_cast<double>(i - first_row) + 0.5) / count;
        *row.power_mw -= before_mw + part * (after_mw - before_mw);
        if (*row.power_mw <= 0) {
          note(
              fmt::format("{} at {:g} MHz, {} cores: left out, since it draws no more than the "
                          "machine does idle.",
                          row.unit, row.mhz, row.cores));
          continue;
        }
        least = std::min(least, *row.power_mw);
      }
      kept.push_back(std::move(row));
    }
    table_.rows = std::move(kept);
    source.idle_mw = (before_mw + after_mw) / 2;
    if (std::abs(after_mw - before_mw) > kIdleMoved * least && least < 1e300)
      note(fmt::format(
          "{}: idle power went from {:.4g} to {:.4g} mW meanwhile, so its least rows are "
          "off by up to {:.0f} %.",
          clusters_[c].name, before_mw, after_mw,
          100 * std::abs(after_mw - before_mw) / 2 / least));
  }

  TableMachine& machine_;
  const TableOptions& options_;
  const std::function<void(double)>& progress_;
  const std::vector<TableCluster> clusters_;
  const std::vector<TableRail> rails_;
  std::vector<TableSource> source_;  ///< per cluster; without a rail: it is not measured
  std::vector<std::size_t> rail_;
  PowerTable table_;
  std::size_t steps_ = 1, done_ = 0;
};

std::string cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : std::string();
}

}  // namespace

std::vector<int> table_cores(int cores) {
  std::vector<int> counts;
  for (int n = 1; n < cores; n = n < 4 ? n + 1 : 2 * n) counts.push_back(n);
  if (cores > 0) counts.push_back(cores);
  return counts;
}

double table_seconds(const TableMachine& machine, const TableOptions& options) {
  double points = 1, narrow = 0;
  const auto widths = static_cast<double>(machine.widths_pct().size());
  for (const TableCluster& cluster : machine.clusters()) {
    if (cluster.cpus.empty()) continue;
    const auto rows = static_cast<double>(std::max<std::size_t>(1, cluster.khz.size()) *
                                          table_cores(cluster.cpus.count()).size());
    points += rows + 3;
    narrow += rows * (widths - 1) / 10;
  }
  const auto settle = static_cast<double>(options.settle_ns);
  const auto measure = static_cast<double>(options.measure_ns);
  return (points * (settle + measure) + narrow * measure) / 1e9;
}

PowerTable measure_power_table(TableMachine& machine, const TableOptions& options,
                               const std::function<void(double done)>& progress) {
  return Maker(machine, options, progress).make();
}

std::string table_csv(const PowerTable& table, const std::string& load) {
  std::string text = fmt::format("{}: {}.\n", kTableStart, load);
  for (const TableSource& source : table.sources)
    text += source.own ? fmt::format("# {}: {}, which is its own; idle {:.4g} mW.\n", source.unit,
                                     source.rail, source.idle_mw)
                       : fmt::format("# {}: {}, less the {:.4g} mW that it draws idle.\n",
                                     source.unit, source.rail, source.idle_mw);
  for (const std::string& note : table.notes) text += "# " + note + '\n';
  text += "unit,mhz,cores,width_pct,time_ms,power_mw,temp_c,accuracy_pct\n";
  for (const TableRow& row : table.rows)
    text += fmt::format("{},{:.9g},{},{},{},{},{},{}\n", row.unit, row.mhz, row.cores,
                        row.width_pct, cell(row.time_ms), cell(row.power_mw), cell(row.temp_c),
                        cell(row.accuracy_pct));
  return text;
}

}  // namespace flyball
