// 'flyball import' as it is typed: what other tools measured goes in, and what cannot be true is named.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/measured_chips.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliImport : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name, std::ios::binary) << text;
    return dir_ / name;
  }
  /// Refused in one line, and nothing is made.
  void expect_refused(const std::string& format, const std::string& text,
                      const std::string& part) const {
    const std::string out = dir_ / "refused.out";
    const Finished finished = flyball_run({"import", format, file("input", text), "--out", out});
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: "), HasSubstr(part)));
    EXPECT_FALSE(std::filesystem::exists(out));
  }
  Finished imported(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{"import"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Finished finished = flyball_run(all);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished;
  }
  TempDir dir_;
};

/// Four A15 cores as the XU3 has them, half a second apart, with the clock stuck at the end.
std::string power_log(const char* end_of_line) {
  std::string text = fmt::format("time_s,freq_mhz,power_w,temp_c{}", end_of_line);
  double time_s = 0;
  const auto rows = [&](int mhz, double watt, double celsius) {
    for (const double factor : {0.98, 1.0, 1.02, 1.0, 0.99})
      text +=
          fmt::format("{},{},{:.4f},{}{}", time_s += 0.5, mhz, watt * factor, celsius, end_of_line);
  };
  rows(2000, 6.4, 93);
  rows(1400, 2.79, 64);
  rows(800, 1.17, 55);
  rows(200, 0.32, 50);
  text += fmt::format("11,200,3.0,64{0}11.5,200,3.1,65{0}12,200,-1,64{0}12.5,200,0.32,900{0}",
                      end_of_line);
  return text;
}

TEST_F(CliImport, APowerLogBecomesATableAndWhatCannotBeTrueIsNamed) {
  for (const char* end : {"\n", "\r\n"}) {
    const std::string log = file("log.csv", power_log(end)), table = dir_ / "table.csv";
    const Finished text = imported({"csv", log, "--out", table});
    EXPECT_THAT(text.out, AllOf(HasSubstr("log.csv:22-23: a clock of 200 MHz beside 3 to 3.1 W"),
                                HasSubstr("log.csv:24: a power of -1 W"),
                                HasSubstr("log.csv:25: a temperature of 900 C"),
                                HasSubstr("4 lines flagged and not used")));
    EXPECT_THAT(read_text(table), HasSubstr("unit,mhz,power_mw,temp_c\n"
                                            "cpu,200,320,50\ncpu,800,1170,55\ncpu,1400,2790,64\n"
                                            "cpu,2000,6400,93\n"));
    const json result = json::parse(imported({"csv", log, "--out", table, "--json"}).out);
    EXPECT_EQ(result.at("points"), 24);
    EXPECT_EQ(result.at("used"), 20);
    EXPECT_EQ(result.at("flagged"), 4);
    ASSERT_EQ(result.at("flags").size(), 3u);
    EXPECT_EQ(result.at("operating_points"), 4);
    EXPECT_EQ(flyball_run({"fit", "--data", table}).exit_code, 0);
  }
}

// Cut off within "1.17": the row is complete, so that nothing but the missing end shows it.
TEST_F(CliImport, ALastLineWithoutAnEndIsReadAndSaid) {
  const std::string rows = "time_s,freq_mhz,power_w\n0,800,1.17\n1,800,1.1";
  const std::string note = "log.csv:3: the last line has no end; its last figure may be cut off.";
  for (const std::string end : {"", "\n", "\r\n", "\n# the end"}) {
    const std::string log = file("log.csv", rows + end);
    const Finished text = imported({"csv", log, "--out", dir_ / "t.csv"});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_EQ(text.out.find("has no end") != std::string::npos, end.empty()) << text.out;
    const json result = json::parse(imported({"csv", log, "--out", dir_ / "t.csv", "--json"}).out);
    EXPECT_EQ(result.at("used"), 2);
    EXPECT_EQ(result.at("notes").dump().find(note) != std::string::npos, end.empty());
  }
  const Finished cut =
      flyball_run({"import", "csv", file("cut.csv", "time_s,freq_mhz,power_w\n0,800,1.17\n1,80"),
                   "--out", dir_ / "cut.out"});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_THAT(cut.err, HasSubstr("cut.csv:3: has 2 cells"));
}

TEST_F(CliImport, AClockThatNeverMovesIsStuckWherePowerSaysSo) {
  const std::string stuck = file("a.csv", "time_ms,khz,power_mw\n0,200000,3000\n1,200000,300\n");
  EXPECT_THAT(imported({"csv", stuck, "--out", dir_ / "a.out"}).out,
              HasSubstr("a.csv:2: a clock of 200 MHz beside 3 W throughout: it is stuck"));
  // A whole board at rest takes as much beside a low clock.
  const std::string board = file("b.csv", "time_ms,khz,power_mw\n0,102000,1500\n1,102000,1600\n");
  EXPECT_EQ(
      json::parse(imported({"csv", board, "--out", dir_ / "b.out", "--json"}).out).at("flagged"),
      0);
}

// Each clock is held against all higher ones.
TEST_F(CliImport, ALogWhoseClocksAllDifferIsReadInOnePass) {
  std::string text = "time_s,freq_mhz,power_w\n";
  constexpr int kRows = 60'000;
  for (int i = 0; i < kRows; ++i)
    text += fmt::format("{},{:.2f},{:.4f}\n", i, 200 + i * 0.02, i * 1e-4 + 0.1);
  text += "60000,200.01,5.9\n";
  const std::string log = file("log.csv", text);
  const json result = json::parse(
      imported({"csv", log, "--out", dir_ / "t.csv", "--figure", dir_ / "p.svg", "--json"}).out);
  EXPECT_EQ(result.at("points"), kRows + 1);
  EXPECT_EQ(result.at("used"), kRows);
  EXPECT_THAT(result.at("flags").dump(), HasSubstr("60002"));
  EXPECT_THAT(read_text(dir_ / "p.svg"), HasSubstr("Some of the samples"));
}

TEST_F(CliImport, ATableIsReadAsFitReadsIt) {
  const std::string table = dir_ / "t.csv";
  const std::string rows = "1,\"A15, big\",800,2,1170\n2,\"A15, big\",800,2,1171\n";
  const Finished named =
      imported({"csv", file("a.csv", "time_s,unit,MHz,cores,Power[mW]\n" + rows), "--out", table});
  EXPECT_THAT(named.out, ::testing::Not(HasSubstr("names no unit")));
  EXPECT_THAT(read_text(table), HasSubstr("A15_big,800,2,1171\n"));
  const Finished unnamed = imported(
      {"csv", file("a.csv", "time_s,unit,clock,cores,avg_power\n" + rows), "--out", table});
  EXPECT_THAT(unnamed.out, AllOf(HasSubstr("column 'clock' names no unit and is taken as MHz"),
                                 HasSubstr("column 'avg_power' names no unit and is taken as mW")));
  expect_refused("csv", "time_s,mhz,cores,power_mw\n1,800,1.5,1170\n",
                 "input:2: cores '1.5': is not a whole number");
}

/// PNG's, as its four bytes.
std::string crc32_of(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  crc = ~crc;
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(crc >> shift);
  return text;
}

TEST_F(CliImport, APictureShowsEachSample) {
  const std::string log = file("log.csv", power_log("\n"));
  imported({"csv", log, "--out", dir_ / "t.csv", "--figure", dir_ / "p.svg"});
  EXPECT_THAT(read_text(dir_ / "p.svg"), AllOf(HasSubstr("flagged"), HasSubstr("power, W")));
  const Finished png =
      flyball_run({"import", "csv", log, "--out", dir_ / "t.csv", "--figure", dir_ / "p.png"});
  if (png.exit_code == 2) {  // no librsvg here
    EXPECT_THAT(png.err,
                HasSubstr("p.png: PNG needs librsvg, which is not installed; install librsvg2-2"));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "p.png"));
    return;
  }
  const std::string bytes = read_text(dir_ / "p.png");
  EXPECT_THAT(bytes, StartsWith("\x89PNG\r\n"));
  EXPECT_GT(bytes.size(), 10'000u);
  EXPECT_THAT(bytes, ::testing::EndsWith("IEND\xae\x42\x60\x82"));
  // Its own kind is replaced, and another picture is not.
  imported({"csv", log, "--out", dir_ / "t.csv", "--figure", dir_ / "p.png"});
  constexpr std::size_t kHeader = 33, kChunk = 28;
  EXPECT_EQ(bytes.substr(kHeader + 4, 20), std::string("tEXtSoftware\0flyball", 20));
  EXPECT_EQ(bytes.substr(kHeader + 24, 4), crc32_of(bytes.substr(kHeader + 4, 20)));
  std::string photo = bytes;
  photo.erase(kHeader, kChunk);  // as another program draws it, as large
  file("photo.png", photo);
  EXPECT_EQ(
      flyball_run({"import", "csv", log, "--out", dir_ / "t.csv", "--figure", dir_ / "photo.png"})
          .exit_code,
      2);
  EXPECT_EQ(read_text(dir_ / "photo.png"), photo);
}

TEST_F(CliImport, BrokenLogsAreRefusedInALine) {
  const std::string head = "time_s,freq_mhz,power_w\n";
  expect_refused("csv", "", "input: is empty");
  expect_refused("csv", "a,b\n1,2\n", "input:1: no column gives the time");
  expect_refused("csv", head, "input: has no rows");
  expect_refused("csv", head + "1,200,0.3\n2,20", "input:3: has 2 cells, and 3 columns are named");
  expect_refused("csv", head + "1,200,1e999\n", "input:2: power_w '1e999': is not a number");
  expect_refused("csv", head + "1,99999999999999999999,1\n", "is beyond what any board has");
  expect_refused("csv", head + "2,200,1\n1,200,1\n", "input:3: time goes back from 2 to 1 s");
  expect_refused("csv", head + "1,200,-1\n", "nothing is left that could be used");
  expect_refused("csv", std::string("a\0b", 3), "is no text");
  expect_refused("freqbench", "CPU,Frequency (kHz)\n1,300000\n", "no column gives the power");
}

// ---- traces

/// Of two CPUs: 'work' wakes at 1.000, runs 10 ms on CPU 0 at half its clock, is preempted for 2 ms, runs
/// 4 ms on CPU 1 at full clock, and sleeps; then 6 ms at full clock on CPU 0 from 1.100 on.
const std::vector<std::string> kTrace{
    "<idle>-0 [000] 1.000000: cpu_frequency: state=500000 cpu_id=0",
    "<idle>-0 [001] 1.000000: cpu_frequency: state=1000000 cpu_id=1",
    "<idle>-0 [000] 1.000000: sched_wakeup: comm=work it pid=7 prio=120 success=1 target_cpu=0",
    "<idle>-0 [000] 1.000000: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 "
    "prev_state=0 "
    "next_comm=work it next_pid=7 next_prio=120",
    "work it-7 [000] 1.010000: sched_switch: prev_comm=work it prev_pid=7 prev_prio=120 "
    "prev_state=256 "
    "next_comm=swapper/0 next_pid=0 next_prio=120",
    "<idle>-0 [001] 1.012000: sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 "
    "prev_state=0 "
    "next_comm=work it next_pid=7 next_prio=120",
    "work it-7 [001] 1.016000: sched_switch: prev_comm=work it prev_pid=7 prev_prio=120 "
    "prev_state=1 "
    "next_comm=swapper/1 next_pid=0 next_prio=120",
    "<idle>-0 [000] 1.100000: cpu_frequency: state=1000000 cpu_id=0",
    "<idle>-0 [000] 1.100000: sched_wakeup: comm=work it pid=7 prio=120 success=1 target_cpu=0",
    "<idle>-0 [000] 1.100000: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 "
    "prev_state=0 "
    "next_comm=work it next_pid=7 next_prio=120",
    "work it-7 [000] 1.106000: sched_switch: prev_comm=work it prev_pid=7 prev_prio=120 "
    "prev_state=2 "
    "next_comm=swapper/0 next_pid=0 next_prio=120",
    "<idle>-0 [000] 1.200000: cpu_idle: state=1 cpu_id=0"};

std::string trace_of(const std::vector<std::string>& lines, const char* end = "\n") {
  std::string text;
  for (const std::string& line : lines) text += line + end;
  return text;
}

/// The same as /sys/kernel/tracing/trace has it, and as plugins of trace-cmd print it.
std::string otherwise(std::string text, bool plugin) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  if (plugin) {
    replace("prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=0", "swapper/0:0 [120] R ==>");
    replace("prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=0", "swapper/1:0 [120] R ==>");
    replace("prev_comm=work it prev_pid=7 prev_prio=120 prev_state=256", "work it:7 [120] R+ ==>");
    replace("prev_comm=work it prev_pid=7 prev_prio=120 prev_state=1", "work it:7 [120] S ==>");
    replace("prev_comm=work it prev_pid=7 prev_prio=120 prev_state=2", "work it:7 [120] D ==>");
    replace("next_comm=work it next_pid=7 next_prio=120", "work it:7 [120]");
    replace("next_comm=swapper/0 next_pid=0 next_prio=120", "swapper/0:0 [120]");
    replace("next_comm=swapper/1 next_pid=0 next_prio=120", "swapper/1:0 [120]");
    replace("comm=work it pid=7 prio=120 success=1 target_cpu=0",
            "work it:7 [120]<CANT FIND FIELD success> CPU:000");
    return "cpus=2\nCPU 2 is empty\n" + text;
  }
  replace(" next_comm=", " ==> next_comm=");
  replace("prev_state=256", "prev_state=R+");
  replace("prev_state=1 ", "prev_state=S ");
  replace("[000] ", "(-----) [000] d..2. ");
  replace("[001] ", "(-----) [001] .... ");
  return "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n" + text;
}

TEST_F(CliImport, ATraceBecomesTheWorkThatItsThreadsDid) {
  const std::string text = trace_of(kTrace);
  for (const std::string& form :
       {text, trace_of(kTrace, "\r\n"), otherwise(text, false), otherwise(text, true)}) {
    const std::string load = dir_ / "load.json", clocks = dir_ / "clocks.csv";
    const json result = json::parse(
        imported({"ftrace", file("trace.txt", form), "--out", load, "--clocks", clocks, "--json"})
            .out);
    EXPECT_EQ(result.at("flagged"), 0) << form;
    // 10 ms at half the clock are 5 ms of work, and 4 ms more.
    const json task = json::parse(read_text(load)).at("tasks").at("work_it-7");
    EXPECT_EQ(task.at("delay"), 0);
    EXPECT_EQ(task.at("run0"), 9000);
    EXPECT_EQ(task.at("timer0").at("period"), 100'000);
    EXPECT_EQ(task.at("run1"), 6000);
    EXPECT_EQ(read_text(clocks),
              "time_s,cpu,freq_khz,busy_pct\n0,0,500000,10.00\n0,1,1000000,4.00\n"
              "0.1,0,1000000,6.00\n0.1,1,1000000,0.00\n");
    // CPU 0 does half in a cycle of what CPU 1 does.
    imported({"ftrace", file("trace.txt", form), "--out", load, "--capacity", "512,1024"});
    EXPECT_EQ(json::parse(read_text(load)).at("tasks").at("work_it-7").at("run0"), 6500);
    const Finished compared =
        flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", load, "--policies",
                     "schedutil", "--seeds", "1", "--json"});
    EXPECT_EQ(compared.exit_code, 0) << compared.err;
  }
}

TEST_F(CliImport, WhatATraceLostIsFlagged) {
  std::vector<std::string> lines = kTrace;
  lines[4] = "CPU:0 [LOST 3 EVENTS]";  // the switch away from CPU 0
  lines.push_back("<idle>-0 [000] 1.300000: cpu_frequency: state=0 cpu_id=0");
  const std::string trace = file("trace.txt", trace_of(lines));
  // Two of its 12 events are flagged; that some were lost is none.
  const json result =
      json::parse(imported({"ftrace", trace, "--out", dir_ / "l.json", "--json"}).out);
  EXPECT_EQ(result.at("points"), 12);
  EXPECT_EQ(result.at("used"), 10);
  EXPECT_EQ(result.at("flagged"), 3);
  const Finished finished = imported({"ftrace", trace, "--out", dir_ / "l.json"});
  EXPECT_THAT(finished.out,
              AllOf(HasSubstr("trace.txt:5: the kernel lost events"),
                    HasSubstr("trace.txt:6: a thread is put on a CPU while it runs on another"),
                    HasSubstr("trace.txt:13: a clock of 0 kHz")));
}

TEST_F(CliImport, BrokenTracesAreRefusedInALine) {
  const std::string good = trace_of(kTrace);
  expect_refused("ftrace", "", "input: is empty");
  expect_refused("ftrace", "time,freq\n1,2\n", "input:1: is no line of a trace");
  expect_refused("ftrace", "# tracer: nop\n", "no line of it is an event");
  expect_refused("ftrace", kTrace[0] + "\n", "has no event sched_switch");
  expect_refused("ftrace", good.substr(0, good.find("next_prio=120\nwork it-7 [001]")),
                 "input:6: has no 'next_prio='");
  expect_refused("ftrace", good + kTrace[0] + "\n",
                 "input:13: time goes back from 1.200000 to 1.000000 s");
  expect_refused("ftrace", good + "a-1 [000] 99999999999.0: cpu_idle: state=1 cpu_id=0\n",
                 "is beyond 280 years");
  // The clock of the calendar, as trace_clock 'tai' has it.
  std::string late = good;
  for (std::size_t at = 0; (at = late.find("] 1.", at)) != late.npos; at += 4)
    late.replace(at, 4, "] 1764201601.");
  imported({"ftrace", file("late.txt", late), "--out", dir_ / "late.json"});
  expect_refused("ftrace", good + "a-1 [99999999999] 2.0: cpu_idle: state=1 cpu_id=0\n",
                 "CPU beyond 1023");
  expect_refused("ftrace",
                 good + "a-1 [000] 2.0: cpu_frequency: state=99999999999999999999 cpu_id=0\n",
                 "without 'state='");
}

TEST_F(CliImport, AWindowWithoutATableOfClocksIsRefused) {
  const Finished finished = flyball_run({"import", "ftrace", file("trace.txt", trace_of(kTrace)),
                                         "--out", dir_ / "l.json", "--window-ms", "50"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("--window-ms: is how long each row of --clocks is"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "l.json"));
}

// ---- tables of which a fifth is disturbed

TEST_F(CliImport, TwentyOneDisturbedPointsOfNinetyFiveAreFlaggedAndNoOther) {
  // Three kinds of cores as phones have them, quiet to 2 %; every so many rows something else drew power
  // beside the benchmark, or took time from it.
  struct Cores {
    const char* unit;
    int points;
    double from_mhz, step_mhz, nf, ma, ms_ghz;
  };
  constexpr Cores kCores[] = {{"little", 20, 300, 75, 0.10, 20, 50},
                              {"mid", 25, 500, 80, 0.30, 80, 28},
                              {"big", 50, 600, 45, 0.60, 200, 22}};
  std::string text = "unit,mhz,cores,time_ms,power_mw,voltage_mv\n";
  std::vector<long> disturbed;
  long line = 1;
  for (const Cores& cores : kCores)
    for (int i = 0; i < cores.points; ++i) {
      ++line;
      const double mhz = cores.from_mhz + i * cores.step_mhz;
      const double volts = 0.6 + 0.4 * i / cores.points;
      const double ripple = 1 + 0.02 * std::sin(2.4 * static_cast<double>(line));
      double mw = (cores.nf * volts * volts * mhz + cores.ma * volts) * ripple;
      double ms = cores.ms_ghz * 1e3 / mhz * (1 + 0.002 * std::cos(static_cast<double>(line)));
      if (line % 9 == 4) {
        mw *= 1.35 + 0.1 * static_cast<double>(line % 5);
        disturbed.push_back(line);
      } else if (line % 9 == 8) {
        ms *= 1.15 + 0.2 * static_cast<double>(line % 3);
        disturbed.push_back(line);
      }
      text += fmt::format("{},{:g},1,{:.5g},{:.5g},{:.4g}\n", cores.unit, mhz, ms, mw, 1e3 * volts);
    }
  ASSERT_EQ(line, 96);
  ASSERT_EQ(disturbed.size(), 21u);
  const std::string table = file("table.csv", text);
  const json result =
      json::parse(imported({"freqbench", table, "--out", dir_ / "clean.csv", "--json"}).out);
  EXPECT_EQ(result.at("points"), 95);
  EXPECT_EQ(result.at("used"), 74);
  EXPECT_EQ(result.at("flagged"), 21);
  std::vector<long> flagged;
  for (const json& flag : result.at("flags"))
    for (const json& at : flag.at("lines")) flagged.push_back(at);
  std::ranges::sort(flagged);
  EXPECT_EQ(flagged, disturbed);
  const Finished fit = flyball_run({"fit", "--data", table, "--json"});
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  int rejected = 0;
  const json fitted = json::parse(fit.out);
  for (const json& cluster : fitted.at("clusters")) {
    rejected += cluster.at("rejected").get<int>();
    EXPECT_LT(cluster.at("mean_error_pct"), 3) << cluster;
  }
  EXPECT_EQ(rejected, 21);
}

TEST_F(CliImport, OfAUnitTwoRowsInFiveMayBeDisturbed) {
  std::string text = "unit,mhz,cores,time_ms,power_mw\n";
  int throttled = 0;
  for (int i = 0; i < 30; ++i) {
    const bool bad = i % 5 == 1 || i % 5 == 3;
    const double mhz = 600 + 50 * i;
    throttled += bad;
    text += fmt::format("big,{:g},1,{:.5g},{:.5g}\n", mhz, 2e4 / mhz * (bad ? 1.3 + 0.02 * i : 1),
                        0.3 * mhz);
  }
  const json result = json::parse(
      imported({"freqbench", file("t.csv", text), "--out", dir_ / "clean.csv", "--json"}).out);
  EXPECT_EQ(result.at("flagged"), throttled);
  EXPECT_EQ(result.at("used"), 30 - throttled);
}

// ---- the PRiME framework's logger

const char kPrimeLog[] =
    "source:UDS,api:PRIME_API_DEV_RETURN_KNOB_DISC_REG,ts:1503589331664547,id:16777216,type:PRIME_"
    "FREQ,"
    "min:0,max:12,init:12,id:33554432,type:PRIME_FREQ,min:0,max:18,init:18,\n"
    "source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:1503589331849056,id:33554432,val:18,type:PRIME_"
    "FREQ,\n"
    "source:UDS,api:PRIME_API_APP_RETURN_APP_REG,ts:1503589332712819,proc_id:16971,\n"
    "source:UDS,api:PRIME_API_APP_MON_CONT_SET,ts:1503589333218467,id:1,val:3.46114,proc_id:16971,"
    "type:PRIME_PERF,\n"
    "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589334355158,id:33816583,val:84."
    "000000,"
    "type:PRIME_TEMP,\n"
    "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589343726944,id:33619968,val:6.554632,"
    "type:PRIME_POW,\n"
    "source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:1503589343728284,id:33554432,val:20,type:PRIME_"
    "FREQ,\n"
    "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589344726944,id:33619968,val:-1,"
    "type:PRIME_POW,\n";

TEST_F(CliImport, APrimeLogBecomesItsKnobsAndMonitors) {
  const std::string out = dir_ / "log.csv", table = dir_ / "table.csv";
  const json result = json::parse(imported({"prime", file("log.txt", kPrimeLog), "--out", out,
                                            "--table", table, "--platform", "odroid_xu3", "--json"})
                                      .out);
  EXPECT_EQ(result.at("applications"), 1);
  EXPECT_EQ(result.at("flagged"),
            2);  // a knob's value that it does not have, a power below nothing
  EXPECT_THAT(read_text(out),
              AllOf(StartsWith("time_s,of,process,kind,id,type,value,unit,used\n"),
                    HasSubstr("1.553920,application,16971,monitor,1,PRIME_PERF,3.46114,,1\n"),
                    HasSubstr(",device,,knob,33554432,PRIME_FREQ,20,index,0\n")));
  // Of the board's A15, whose 19 operating points end at 2 GHz.
  EXPECT_THAT(read_text(table), HasSubstr("unit,mhz,power_mw,temp_c\nA15,2000,6554.63,84\n"));
  expect_refused("prime", "x\n", "does not begin with 'source:'");
  expect_refused("prime", "", "is empty");
  expect_refused("prime", std::string(kPrimeLog).substr(0, 300), "does not end with a comma");
  expect_refused("prime", std::string(kPrimeLog) + std::string(kPrimeLog),
                 "input:9: time goes back by 13.1 s");
}

// What the logger says of a message is no value, and a clock that is stuck is one that is not used.
TEST_F(CliImport, ValuesOfAPrimeLogAreCountedAsTheyAreUsed) {
  std::string log =
      "source:UDS,api:PRIME_API_DEV_RETURN_KNOB_DISC_REG,ts:1,id:33554432,type:PRIME_FREQ,min:0,"
      "max:18,init:0,\n"
      "source:UDS,api:\"Not Present\",ts:2,\n";
  for (const auto& [clock, watt] : {std::pair{18, 6.4}, std::pair{12, 2.8}, std::pair{6, 1.2},
                                    std::pair{0, 0.3}, std::pair{0, 5.9}})
    log += fmt::format(
        "source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:3,id:33554432,val:{},type:PRIME_FREQ,\n"
        "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:4,id:33619968,val:{},type:PRIME_POW,"
        "\n",
        clock, watt);
  const std::string out = dir_ / "log.csv";
  const json result = json::parse(imported({"prime", file("log.txt", log), "--out", out, "--table",
                                            dir_ / "t.csv", "--platform", "odroid_xu3", "--json"})
                                      .out);
  EXPECT_EQ(result.at("points"), 10);
  EXPECT_EQ(result.at("flagged"), 2) << result.dump();
  EXPECT_EQ(result.at("used"), 9);
  const std::string values = read_text(out);
  EXPECT_EQ(values.find(",0\n"), values.rfind(",0\n"));
  EXPECT_THAT(values, HasSubstr("PRIME_POW,5.9,W,0\n"));
}

// It counts as unknown, whatever the number: there is no operating point to take it for.
TEST_F(CliImport, AKnobBeyondItsLastRegistrationHasNoClock) {
  const auto registered = [](int most) {
    return fmt::format(
        "source:UDS,api:PRIME_API_DEV_RETURN_KNOB_DISC_REG,ts:1,id:33554432,type:PRIME_FREQ,min:0,"
        "max:{},init:0,\n",
        most);
  };
  const auto set = [](const char* value) {
    return fmt::format(
        "source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:2,id:33554432,val:{},type:PRIME_FREQ,\n"
        "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:3,id:33619968,val:6,type:PRIME_POW,\n",
        value);
  };
  const std::string table = dir_ / "table.csv";
  for (const std::string& before :
       {set("1e12"), set("-1e12"), set("-1"), set("19"), registered(99) + set("90")}) {
    const std::string log = file("log.txt", before + registered(18) + set("18"));
    EXPECT_THAT(imported({"prime", log, "--out", dir_ / "log.csv", "--table", table, "--platform",
                          "odroid_xu3"})
                    .out,
                HasSubstr("Knob 33554432 is set to values that its last registration does not"));
    EXPECT_THAT(read_text(table), HasSubstr("unit,mhz,power_mw\nA15,2000,6000\n"));
  }
}

TEST_F(CliImport, ADeeplyNestedMessageIsRefused) {
  const std::string head = R"({"ts":"1","type":"PRIME_API_DEV_RETURN_MON_CONT_GET","data":)";
  for (const auto& [open, close] : {std::pair{"[", "]"}, std::pair{"{\"a\":", "}"}}) {
    std::string deep = head;
    for (int i = 0; i < 100'000; ++i) deep += open;
    std::string shut = deep + '1';
    for (int i = 0; i < 100'000; ++i) shut += close;
    expect_refused("prime", deep + '\n', "input:1: is nested too deeply for a message");
    expect_refused("prime", shut + "}\n", "input:1: is nested too deeply for a message");
  }
}

TEST_F(CliImport, TheMessagesThemselvesAreReadToo) {
  const std::string log = file(
      "log.json",
      R"({"ts":"100","type":"PRIME_API_DEV_KNOB_DISC_SET","data":{"knob":{"id":"5","type":"1","val":"18"},"val":"12"}})"
      "\n"
      R"({"ts":"200","type":"PRIME_API_DEV_MON_CONT_GET","data":{"mon":{"id":"9","type":"0","val":"0"}}})"
      "\n"
      R"({"ts":"300","type":"PRIME_API_DEV_RETURN_MON_CONT_GET","data":"2.79"})"
      "\n");
  const std::string out = dir_ / "log.csv";
  imported({"prime", log, "--out", out});
  EXPECT_EQ(read_text(out),
            "time_s,of,process,kind,id,type,value,unit,used\n"
            "0.000000,device,,knob,5,PRIME_FREQ,12,index,1\n"
            "0.000200,device,,monitor,9,PRIME_POW,2.79,W,1\n");
}

TEST_F(CliImport, DisturbedRowsOfATableAreNamed) {
  std::string table = kExynos5250;
  const json before = json::parse(
      imported({"freqbench", file("good.csv", table), "--out", dir_ / "good.out", "--json"}).out);
  EXPECT_EQ(before.at("flagged"), 0);
  EXPECT_EQ(before.at("used"), before.at("points"));
  EXPECT_EQ(flyball_run({"fit", "--data", dir_ / "good.out"}).exit_code, 0);
  table.replace(table.find("677.7"), 5, "2033.1");
  const std::string out = dir_ / "bad.out";
  EXPECT_THAT(
      imported({"freqbench", file("bad.csv", table), "--out", out}).out,
      AllOf(HasSubstr("bad.csv:8: A15 at 800 MHz: draws 2033 mW"), HasSubstr("15 of 16 rows")));
  EXPECT_THAT(read_text(out), ::testing::Not(HasSubstr("2033")));
}

// ---- logs as records

TEST_F(CliImport, APrimeLogBecomesARecordThatOthersRead) {
  std::string log = kPrimeLog;
  // The clock goes down, and power with it.
  const std::string beginning =
      "source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:1503589345000000,id:33554432,val:6,type:PRIME_"
      "FREQ,\n";
  log = log.substr(0, log.find("source:UDS,api:PRIME_API_DEV_KNOB_DISC_SET,ts:1503589343728284"));
  log += beginning +
         "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589345500000,id:33816583,val:60,"
         "type:PRIME_TEMP,\n"
         "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589345726944,id:33619968,val:1.2,"
         "type:PRIME_POW,\n"
         "source:UDS,api:PRIME_API_DEV_RETURN_MON_CONT_GET,ts:1503589347726944,id:33619968,val:1.0,"
         "type:PRIME_POW,\n";
  const std::string record = dir_ / "log.flyrec";
  const json result = json::parse(imported({"prime", file("log.txt", log), "--out", record,
                                            "--platform", "odroid_xu3", "--json"})
                                      .out);
  EXPECT_EQ(result.at("epochs"), 2);
  const Finished shown = flyball_run({"record", "show", record, "--json"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const json show = json::parse(shown.out);
  EXPECT_EQ(show.at("platform"), "odroid_xu3");
  EXPECT_EQ(show.at("policy"), "imported from prime");
  ASSERT_EQ(flyball_run({"record", "export", "csv", record, "--out", dir_ / "csv"}).exit_code, 0);
  std::istringstream lines(read_text(dir_ / "csv/epochs.csv"));
  std::string heading, row;
  std::getline(lines, heading);
  std::getline(lines, row);
  const auto cell = [&](const std::string& name) {
    std::istringstream names(heading), cells(row);
    std::string one, value;
    while (std::getline(names, one, ',')) {
      std::getline(cells, value, ',');
      if (one == name) return value;
    }
    return std::string("no such column");
  };
  EXPECT_EQ(cell("A15.freq_khz"), "800000");
  EXPECT_EQ(cell("A15.power_mw"), "1200");
  EXPECT_EQ(cell("A15.temp_c"), "60");
  EXPECT_EQ(cell("energy_mj"), "2400") << "1.2 W for 2 s";
  EXPECT_EQ(cell("A15.util_pct"), "") << "not in the log";
  EXPECT_EQ(cell("A7.freq_khz"), "no such column") << "not in the log";
  EXPECT_EQ(
      flyball_run({"record", "export", "perfetto", record, "--out", dir_ / "p.json"}).exit_code, 0);
  EXPECT_EQ(read_text(dir_ / "p.json").find("nan"), std::string::npos);
  EXPECT_EQ(flyball_run({"report", record, "--out", dir_ / "p.html"}).exit_code, 0);
  const Finished replayed = flyball_run({"replay", record, "--policy", "rule", "--json"});
  EXPECT_EQ(replayed.exit_code, 2) << replayed.out;
  EXPECT_THAT(replayed.err, HasSubstr("with other clusters"));

  const Finished refused = flyball_run({"import", "prime", file("log.txt", log), "--out", record});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("a record needs --platform"));
}

TEST_F(CliImport, ALogOfPowersBecomesARecord) {
  const std::string record = dir_ / "log.flyrec";
  std::string log = "time_s,unit,freq_mhz,power_w,temp_c\n";
  for (int i = 0; i < 8; ++i)
    log += fmt::format("{},A15,{},{},{}\n{},A7,1000,0.16,50\n", 0.5 * i, i < 4 ? 1400 : 800,
                       i < 4 ? 2.79 : 1.17, i < 4 ? 64 : 55, 0.5 * i);
  const json result = json::parse(
      imported({"csv", file("log.csv", log), "--out", record, "--platform", "odroid_xu3", "--json"})
          .out);
  EXPECT_EQ(result.at("epochs"), 7);
  EXPECT_EQ(result.at("used"), 16);
  const Finished shown = flyball_run({"record", "show", record});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("imported from csv on odroid_xu3"));
  const Finished other = flyball_run({"import", "csv", file("b.csv", power_log("\n")), "--out",
                                      dir_ / "b.flyrec", "--platform", "odroid_xu3"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("is no cluster of 'odroid_xu3', which has A15, A7"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "b.flyrec"));
  // Of a board with one cluster nobody needs to name it.
  const Finished one = imported({"csv", file("c.csv", power_log("\n")), "--out", dir_ / "c.flyrec",
                                 "--platform", "exynos5250"});
  EXPECT_THAT(one.out, HasSubstr("c.flyrec"));
  EXPECT_EQ(
      flyball_run({"import", "ftrace", file("t.txt", trace_of(kTrace)), "--out", dir_ / "t.flyrec"})
          .exit_code,
      2);
}

}  // namespace
}  // namespace flyball::testing
