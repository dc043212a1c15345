// `record show` and `record export`, by the real program, on recordings whose contents are known.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "governor/record/export.h"
#include "tests/governor/recorder_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball::test {
namespace {

using flyball::testing::Finished;
using flyball::testing::flyball_run;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliRecord : public RecorderTest {
 protected:
  Finished exported(const std::string& format, const std::string& out) const {
    return flyball_run({"record", "export", format, path_, "--out", out});
  }
  json document(const std::string& format) const {
    const std::string out = folder_ + "/" + format;
    const Finished finished = exported(format, out);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(contents(out));
  }
  std::string folder_name(const std::string& name) const { return folder_ + "/" + name; }
};

TEST_F(CliRecord, ShowSumsUpWhatHappened) {
  small_recording();
  const Finished finished = flyball_run({"record", "show", path_, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json shown = json::parse(finished.out);
  EXPECT_EQ(shown.at("policy"), "fake");
  EXPECT_EQ(shown.at("applications"), json({"camera"}));
  EXPECT_DOUBLE_EQ(shown.at("duration_s"), 0.5);  // ten epochs of 50 ms, of 12.5 mJ each
  EXPECT_DOUBLE_EQ(shown.at("energy_mj"), 125);
  EXPECT_DOUBLE_EQ(shown.at("energy_mj_per_job"), 25);
  EXPECT_EQ(shown.at("finished"), 5);
  EXPECT_EQ(shown.at("missed"), 0);
  EXPECT_NEAR(shown.at("latency_p50_ms"), 80, 80 * 0.004);
  EXPECT_EQ(shown.at("explored"), 10);
  EXPECT_EQ(shown.at("time_in_interval_pct"), nullptr) << "what was forecast were other jobs";
  EXPECT_EQ(shown.at("replaced_by_shield"), 10);
  EXPECT_DOUBLE_EQ(shown.at("clusters")[0].at("temp_max_c"), 41.5);
  EXPECT_DOUBLE_EQ(shown.at("clusters")[0].at("clock_mean_mhz"), 1000);
  EXPECT_EQ(shown.at("problem"), nullptr);
  const Finished text = flyball_run({"record", "show", path_});
  EXPECT_THAT(text.out, AllOf(HasSubstr("fake on small"), HasSubstr("5 finished, 0 missed")));
  // What it was made from; no profile and nothing learned.
  const std::string of = shown.at("platform_hash").get<std::string>() + ", belief " +
                         shown.at("belief_hash").get<std::string>() + ", scenario " +
                         shown.at("scenario_hash").get<std::string>();
  EXPECT_THAT(text.out, AllOf(HasSubstr("platform " + of), HasSubstr("profile -, policy -")));
  EXPECT_NE(shown.at("platform_hash"), shown.at("scenario_hash"));
  EXPECT_LT(std::count(text.out.begin(), text.out.end(), '\n'), 24) << "one screen";
}

/// A sensor that is lost after a second and back after three: its last reading is repeated eight times,
/// and then there is none.
TEST_F(CliRecord, ReadingsThatAreHeldOverOrAbsentAreMarkedWhereverOneLooks) {
  const std::string scenario = folder_name("lost.yaml"), record = folder_name("lost.flyrec");
  put(scenario,
      "schema: 1\nname: lost\ndescription: A lost sensor\nduration_s: 4\napps:\n"
      "  - {name: camera, profile: dynamic_cnn, arrival: {kind: periodic, period_x: 2.5}, "
      "deadline_x: 2}\n"
      "sensors: {power: {lost_at_s: 1, back_at_s: 3}, temperature: {lost_at_s: 2}}\n");
  const Finished ran =
      flyball_run({"run", "--platform", "odroid_xu3", "--scenario", scenario, "--policy", "rule",
                   "--record", record, "--csv", folder_name("csv"), "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const Finished text = flyball_run({"record", "show", record});
  EXPECT_THAT(text.out, HasSubstr("readings      "));
  EXPECT_THAT(text.out, HasSubstr("held over in 8, absent in "));
  std::map<std::string, json> readings;
  const json shown = json::parse(flyball_run({"record", "show", record, "--json"}).out);
  for (const json& one : shown.at("readings")) readings[one.at("monitor")] = one;
  std::set<std::string> names;
  for (const auto& [name, one] : readings) {
    names.insert(name);
    EXPECT_EQ(one.at("held_epochs"), 8) << name;
    EXPECT_GT(one.at("absent_epochs"), 8) << name;
    EXPECT_EQ(one.at("epochs"), shown.at("epochs")) << name;
  }
  EXPECT_EQ(names, (std::set<std::string>{"power", "energy", "A15.power", "A7.power", "A15.temp",
                                          "A7.temp", "camera.energy", "camera.over_budget"}));
  // Row by row: a reading that is held over is the one before, and one that is absent is none.
  ASSERT_EQ(
      flyball_run({"record", "export", "json", record, "--out", folder_name("json")}).exit_code, 0);
  const json all = json::parse(contents(folder_name("json")));
  int held = 0, absent = 0;
  double last = 0;
  for (const json& row : all.at("epochs")) {
    const auto marked = row.at("held_over").get<std::string>();
    const bool is_held = (" " + marked + " ").find(" power ") != std::string::npos;
    held += is_held;
    absent += row.at("power_mw").is_null();
    if (is_held) {
      EXPECT_EQ(row.at("power_mw"), last) << marked;
    }
    if (!row.at("power_mw").is_null()) last = row.at("power_mw");
    if (row.at("end_ns") < 1'000'000'000) {
      EXPECT_EQ(marked, "");
    }
    if (row.at("end_ns") >= 3'000'000'000) {
      EXPECT_FALSE(row.at("power_mw").is_null());
    }
  }
  EXPECT_EQ(held, readings.at("power").at("held_epochs"));
  EXPECT_EQ(absent, readings.at("power").at("absent_epochs"));
  EXPECT_THAT(contents(folder_name("csv/epochs.csv")), HasSubstr("held_over"));
}

TEST_F(CliRecord, ShowOfADamagedFileSaysSoAndShowsTheRest) {
  const std::string whole = small_recording();
  put(path_, whole.substr(0, whole.size() - 7));
  const Finished finished = flyball_run({"record", "show", path_});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.out, AllOf(HasSubstr("NOT COMPLETE"), HasSubstr("torn block")));
  EXPECT_THAT(finished.err, StartsWith("flyball: recording " + path_ + ": is not complete: "));
}

TEST_F(CliRecord, JsonHoldsWhatTheCsvFilesHold) {
  small_recording();
  const json all = document("json");
  ASSERT_EQ(exported("csv", folder_name("csv")).exit_code, 0);
  const std::string csv = contents(folder_name("csv/epochs.csv"));
  std::istringstream header(csv.substr(0, csv.find('\n')));
  std::set<std::string> columns, keys;
  for (std::string cell; std::getline(header, cell, ',');) columns.insert(cell);
  for (const auto& [key, value] : all.at("epochs")[3].items()) keys.insert(key);
  EXPECT_EQ(keys, columns);
  ASSERT_EQ(all.at("epochs").size(), 10u);
  EXPECT_EQ(all.at("epochs")[3].at("end_ns"), 200'000'000);
  EXPECT_EQ(all.at("epochs")[3].at("big.temp_c"), 41.5);
  EXPECT_EQ(all.at("epochs")[0].at("probability"), nullptr) << "too many to know";
  EXPECT_EQ(all.at("epochs")[3].at("applied.camera.mapping"), "bigx2");
  ASSERT_EQ(all.at("jobs").size(), 5u);
  EXPECT_EQ(all.at("jobs")[0].at("energy_mj"), 20.25);
  EXPECT_EQ(all.at("jobs")[0].at("missed"), false);
  EXPECT_EQ(all.at("complete"), true);
}

// What Perfetto reads: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
TEST_F(CliRecord, PerfettoHasASlicePerJobAndCountersThatChange) {
  {
    Recorder recorder(path_, info_);
    bind(recorder);
    epoch(recorder, 0);
    JobRecord late;
    late.sequence = 1;
    late.release_ns = 10 * kMs, late.start_ns = 20 * kMs, late.finish_ns = 95 * kMs;
    late.deadline_ns = 90 * kMs;
    late.missed = true;
    before_->add_job(late);
    JobRecord dropped;
    dropped.sequence = 2;
    dropped.release_ns = dropped.start_ns = dropped.finish_ns = 40 * kMs;
    dropped.deadline_ns = 90 * kMs;
    dropped.missed = dropped.dropped = true;
    before_->add_job(dropped);
    epoch(recorder, 2);
    EXPECT_EQ(recorder.finish(), "");
  }
  const json trace = document("perfetto");
  std::map<std::string, int> phases;
  std::map<std::string, json> named;
  for (const json& event : trace.at("traceEvents")) {
    for (const char* key : {"ph", "pid", "tid", "ts", "name"}) ASSERT_TRUE(event.contains(key));
    ++phases[event.at("ph")];
    named[event.at("name")] = event;
  }
  const json& job = named.at("camera (deadline missed)");
  EXPECT_EQ(job.at("ph"), "X");
  EXPECT_EQ(job.at("ts"), 20'000);  // microseconds
  EXPECT_EQ(job.at("dur"), 75'000);
  EXPECT_EQ(job.at("args").at("latency_ms"), 85);
  EXPECT_EQ(job.at("args").at("deadline_ms"), 80);
  EXPECT_EQ(job.at("args").at("missed"), true);
  EXPECT_EQ(named.at("camera (dropped)").at("ph"), "i");
  EXPECT_EQ(named.at("big.freq").at("args").at("kHz"), 1'000'000);
  EXPECT_EQ(named.at("camera.released").at("args").at("jobs"), 1);
  EXPECT_THAT(named.at("explored").at("args").at("why").get<std::string>(), StartsWith("camera: "));
  EXPECT_EQ(phases["X"], 1);
  EXPECT_EQ(phases["i"], 1 + 2);  // a job, and a decision of each epoch
}

/// A monitor that is added to the table is a track without anybody naming it.
TEST_F(CliRecord, PerfettoHasATrackForEveryRowOfTheMonitorTable) {
  for (Counters* counters : {&before_->cluster[0].counters, &before_->app[0].counters}) {
    *counters = {1e6, 2e6, 3e4, 1e3, 5e5, 12, Counters::kAll};
  }
  small_recording();
  MonitorTable table(info_.platform, info_.weights, info_.measured);
  table.bind(0, camera_, {});
  std::set<std::string> expected;
  std::size_t changes = 0;
  std::map<std::string, double> last;
  for (const Observation& now : read_back().epochs) {
    for (const Monitor& row : table.rows()) {
      const double value = read(row, now).value;
      if (!row.shown || !std::isfinite(value)) continue;
      expected.insert(row.name);
      const auto known = last.find(row.name);
      changes += known == last.end() || known->second != value;
      last[row.name] = value;
    }
  }
  EXPECT_TRUE(expected.contains("big.ipc") && expected.contains("camera.latency"));
  std::set<std::string> tracks;
  std::size_t counters = 0;
  const json trace = document("perfetto");
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") != "C") continue;
    tracks.insert(event.at("name"));
    ++counters;
  }
  EXPECT_EQ(tracks, expected);
  EXPECT_EQ(counters, changes) << "only what has changed is written";
}

TEST_F(CliRecord, ExportReplacesOnlyItsOwnKindAndNeverItsInput) {
  const std::string bytes = small_recording();
  for (const std::string format : {"json", "perfetto"}) {
    const auto refused = [&](const std::string& out, const std::string& why) {
      const Finished finished = exported(format, out);
      EXPECT_EQ(finished.exit_code, 2);
      EXPECT_EQ(finished.out, "");
      EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: --out " + out + ": "), HasSubstr(why)));
    };
    refused(path_, "is there already and is not");
    put(folder_name("letter"), "{\"dear\": \"reader\"}");
    refused(folder_name("letter"), "is there already and is not");
    refused(folder_name("none/x"), "there is no folder");
    EXPECT_EQ(contents(folder_name("letter")), "{\"dear\": \"reader\"}");
    ASSERT_EQ(exported(format, folder_name("x")).exit_code, 0);
    EXPECT_EQ(exported(format, folder_name("x")).exit_code, 0) << "its own kind";
    fs::remove(folder_name("x"));
  }
  EXPECT_EQ(contents(path_), bytes);
  const Finished unknown = flyball_run({"record", "export", "xml", path_, "--out", "x"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, StartsWith("flyball: format 'xml': there is none of that name; "));
}

}  // namespace
}  // namespace flyball::test
