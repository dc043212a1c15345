// Tables made of a recording.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "governor/record/export.h"
#include "tests/governor/recorder_fixture.h"

namespace flyball::test {
namespace {

using CsvExport = RecorderTest;

std::vector<std::vector<std::string>> cells_of(const std::string& csv) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream in(csv);
  for (std::string line; std::getline(in, line);) {
    lines.emplace_back(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"')
        quoted = !quoted;
      else if (c == ',' && !quoted)
        lines.back().emplace_back();
      else
        lines.back().back() += c;
    }
  }
  return lines;
}

// The export knows no monitor by itself: a row that is added to the table is a column.
TEST_F(CsvExport, EveryMonitorThatIsShownHasItsColumn) {
  small_recording();
  const std::string out = folder_ + "/csv";
  export_csv(path_, out);
  const auto lines = cells_of(contents(out + "/epochs.csv"));
  ASSERT_EQ(lines.size(), 11u);
  MonitorTable table(two_clusters(), {});
  table.bind(0, camera_, {});
  std::size_t shown = 0;
  for (const Monitor& row : table.rows()) {
    if (!row.shown) continue;
    ++shown;
    const auto column = std::find_if(lines[0].begin(), lines[0].end(), [&](const auto& name) {
      return name == row.name || name.starts_with(row.name + "_");
    });
    ASSERT_NE(column, lines[0].end()) << row.name;
    const std::string& cell = lines[4][static_cast<std::size_t>(column - lines[0].begin())];
    if (row.counter != 0) {
      EXPECT_EQ(cell, "") << row.name;  // not counted in these epochs
    }
    if (row.name == "big.temp") {
      EXPECT_EQ(cell, "41.5");
    }
  }
  const std::size_t fixed = 12 + 1 + 6 + 6 + 4,
                    knobs = 2 * (2 + 3);  // of an epoch; decided and applied
  EXPECT_EQ(lines[0].size(), shown + fixed + knobs);
  for (const auto& line : lines) EXPECT_EQ(line.size(), lines[0].size());
}

TEST_F(CsvExport, ExportsDecisionsAndJobs) {
  small_recording();
  const std::string out = folder_ + "/csv";
  EXPECT_TRUE(export_csv(path_, out).complete);
  const auto lines = cells_of(contents(out + "/epochs.csv"));
  const auto cell = [&](std::size_t line, const std::string& name) -> std::string {
    for (std::size_t i = 0; i < lines[0].size(); ++i)
      if (lines[0][i] == name) return lines[line][i];
    return "no column " + name;
  };
  EXPECT_EQ(lines[0][0], "epoch");
  EXPECT_EQ(cell(4, "end_ns"), "200000000");
  EXPECT_EQ(cell(4, "decide_ns"), "321");
  EXPECT_EQ(cell(4, "power_mw"), "250");
  EXPECT_EQ(cell(4, "energy_mj"), "12.5");
  EXPECT_EQ(cell(4, "reward"), "-12.5");  // at weights of one, and a preference of a half
  EXPECT_EQ(cell(4, "decided.big.freq_khz"), "2000000");
  EXPECT_EQ(cell(4, "applied.big.freq_khz"), "1000000");
  EXPECT_EQ(cell(4, "applied.camera.mapping"), "bigx2");
  EXPECT_EQ(cell(4, "applied.camera.level.width_pct"), "100");
  EXPECT_EQ(cell(4, "applied.camera.level.precision"), "fp32");
  EXPECT_EQ(cell(4, "verdict"), "replaced");
  EXPECT_EQ(cell(4, "explored"), "1");
  EXPECT_EQ(cell(4, "probability"), "0.25");
  EXPECT_EQ(cell(1, "probability"), "") << "too many to know";
  EXPECT_EQ(cell(4, "expected_reward"), "-0.5");
  EXPECT_EQ(
      cell(4, "why"),
      "camera: exploring: slack 3 %, demand 0.50 -> bigx2 at 2000 MHz, width 100 (floor 65.5)");
  // What was expected of the job, and what was nearly decided.
  EXPECT_EQ(cell(4, "camera.expected_job"), "3");
  EXPECT_EQ(cell(4, "camera.expected_time_ns"), "8e+07");
  EXPECT_EQ(cell(4, "camera.expected_time_sd_ns"), "1e+06");
  EXPECT_EQ(cell(4, "camera.expected_energy_mj"), "20");
  EXPECT_EQ(cell(4, "camera.expected_energy_sd_mj"), "2");
  EXPECT_EQ(cell(4, "camera.expected_miss_probability"), "0.125");
  EXPECT_EQ(cell(4, "runner_up_app"), "camera");
  EXPECT_EQ(cell(4, "runner_up_mapping"), "bigx1");
  EXPECT_EQ(cell(4, "runner_up_level"), "50 int8");
  EXPECT_EQ(cell(4, "runner_up_mj"), "33");
  const std::string jobs = contents(out + "/jobs.csv");
  EXPECT_EQ(jobs.substr(0, jobs.find('\n', jobs.find('\n') + 1) + 1),
            "app,job,release_ns,start_ns,finish_ns,deadline_ns,latency_ns,energy_mj,cycles,mapping,"
            "width_pct,precision,accuracy_pct,accuracy_floor_pct,missed,dropped,infeasible\n"
            "camera,0,0,0,80000000,150000000,80000000,20.25,0,bigx2,100,fp32,70,65.5,0,0,0\n");
}

// Each has columns for its own knobs, and in the list of jobs knobs of one name share one.
TEST_F(CsvExport, ExportsEveryApplicationsOwnKnobs) {
  Binding door;
  door.name = "door";
  door.profile = "detector";
  door.knobs = {{"resolution", "px", {"320", "640"}}, {"precision", "", {"int4", "fp16"}}};
  door.levels = {{{0, 0}, 40}, {{1, 0}, 60}, {{1, 1}, 70}};
  {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    bind(recorder);
    before_->app_count = 2;
    before_->app[1].generation = 1;
    recorder.on_bind(1, door, *before_);
    JobRecord job;
    job.app = 1;
    job.setting = {1, 1};
    before_->add_job(job);
    epoch(recorder, 1);
    EXPECT_EQ(recorder.finish(), "");
  }
  EXPECT_EQ(read_back().bindings[1].second, door);
  export_csv(path_, folder_ + "/csv");
  const auto epochs = cells_of(contents(folder_ + "/csv/epochs.csv"));
  const auto applied = [&](const std::string& knob) -> std::string {
    for (std::size_t i = 0; i < epochs[0].size(); ++i)
      if (epochs[0][i] == "applied." + knob) return epochs[1][i];
    return "no such column";
  };
  EXPECT_EQ(applied("camera.level.width_pct"), "100");
  EXPECT_EQ(applied("camera.level.precision"), "fp32");
  EXPECT_EQ(applied("door.level.resolution_px"), "320");
  EXPECT_EQ(applied("door.level.precision"), "int4");
  const auto jobs = cells_of(contents(folder_ + "/csv/jobs.csv"));
  const auto of_job = [&](std::size_t line) {
    std::vector<std::string> cells;
    for (std::size_t i = 9; i < 13; ++i) cells.push_back(jobs[line][i]);
    return cells;
  };
  using Cells = std::vector<std::string>;
  EXPECT_EQ(of_job(0), (Cells{"mapping", "width_pct", "precision", "resolution_px"}));
  EXPECT_EQ(of_job(1), (Cells{"bigx1", "", "int4", "640"}));
  EXPECT_EQ(of_job(2), (Cells{"bigx2", "100", "fp32", ""}));
}

}  // namespace
}  // namespace flyball::test
