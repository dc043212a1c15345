// 'flyball fit' as it is typed: tables in, a platform out that the other verbs load.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
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

class CliFit : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }
  void expect_refused(const std::vector<std::string>& arguments, const std::string& part) const {
    const Finished finished = flyball_run(arguments);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: "), HasSubstr(part)));
  }
  TempDir dir_;
};

// As freqbench writes it; of one cluster with room for a disturbance.
std::string freqbench_table() {
  std::string text =
      "CPU,Frequency (kHz),CoreMarks (iter/s),CoreMarks/MHz,Power (mW),Energy (J),ULPMark-CM "
      "(iter/mJ),Time (s)\n";
  const auto row = [&](int cpu, double khz, double marks_per_mhz, double mw) {
    const double rate = marks_per_mhz * khz / 1e3, seconds = 250'000 / rate;
    text += fmt::format("{},{:.0f},{},{},{},{},{},{}\n", cpu, khz, rate, marks_per_mhz, mw,
                        mw * seconds / 1e3, rate / mw, seconds);
  };
  for (const double mhz : {300, 600, 900, 1200, 1500, 1800})
    row(1, mhz * 1e3, 3.7, mhz * 0.05 + 20);
  for (const double mhz : {500, 1000, 1500, 2000, 2500})
    row(4, mhz * 1e3, 8.5, mhz * 0.2 + mhz * mhz * mhz * 3e-8 + 10);
  return text;
}

TEST_F(CliFit, PrintsTheErrorOfEachClusterAsJson) {
  const Finished finished = flyball_run({"fit", "--data", file("a.csv", kExynos5250), "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json result = json::parse(finished.out);
  EXPECT_EQ(result.size(), 2u);
  EXPECT_EQ(result.at("schema"), 1);
  ASSERT_EQ(result.at("clusters").size(), 1u);
  const json& a15 = result.at("clusters")[0];
  EXPECT_EQ(a15.size(), 6u);
  EXPECT_EQ(a15.at("name"), "A15");
  EXPECT_EQ(a15.at("points"), 16);
  EXPECT_EQ(a15.at("rejected"), 0);
  EXPECT_LE(a15.at("mean_error_pct"), 5.0);
  EXPECT_GT(a15.at("max_error_pct"), a15.at("mean_error_pct"));
}

TEST_F(CliFit, SaysThatAnIntervalIsNotDeterminedAndWhy) {
  const std::string heading = "unit,mhz,voltage_v,power_mw,time_ms\n", row = "C0,1000,1,500,100\n";
  const std::string thrice = file("a.csv", heading + row + row + row);
  const std::string out = dir_ / "a.yaml";
  const Finished told = flyball_run({"fit", "--data", thrice, "--out", out});
  EXPECT_THAT(told.out, AllOf(HasSubstr("core 0.5 (+- not determined) nF"),
                              HasSubstr("Not determined: no more rows that differ")));
  EXPECT_THAT(read_text(out), HasSubstr("core_nf (interval not determined)"));
  const auto core_of = [&](const std::string& table) {
    const Finished finished = flyball_run({"fit", "--data", table, "--json"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out).at("clusters").at(0).at("parameters").at("core_nf");
  };
  const json core = core_of(thrice);
  EXPECT_NEAR(core.at("value"), 0.5, 1e-12);
  EXPECT_TRUE(core.at("half_width").is_null());
  EXPECT_THAT(core.at("reason"), HasSubstr("no more rows that differ than parameters"));
  const std::string known = file("b.csv", heading + row + "C0,1000,1,510,101\nC0,1000,1,490,99\n");
  EXPECT_GT(core_of(known).at("half_width"), 0.01);
  EXPECT_TRUE(core_of(known).at("reason").is_null());
  EXPECT_EQ(flyball_run({"fit", "--data", known}).out.find("ot determined"), std::string::npos);
}

TEST_F(CliFit, WritesAPlatformThatDrawsWhatTheFitSays) {
  const std::string out = dir_ / "chip.yaml";
  const Finished fitted =
      flyball_run({"fit", "--data", file("a.csv", kExynos5250), "--cores", "A15=2", "--app", "net",
                   "--source", "freqbench, MIT", "--out", out, "--json"});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_THAT(read_text(out), AllOf(HasSubstr("# Source: freqbench, MIT\n# Table: a.csv\n"),
                                    HasSubstr("name: chip\n")));
  const json table = json::parse(flyball_run({"characterise", "--platform", out, "--json"}).out);
  EXPECT_EQ(table.at("app"), "net");
  std::map<double, double> law;
  for (const json& row : table.at("rows"))
    if (row.at("cores") == 1) law[row.at("mhz")] = row.at("power_mw");
  double sum = 0;
  int rows = 0;
  std::istringstream lines(kExynos5250);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    double mhz, mv, mw, ms;
    ASSERT_EQ(std::sscanf(line.c_str(), "A15,%lf,%lf,%lf,%lf", &mhz, &mv, &mw, &ms), 4);
    sum += 100 * std::abs(law.at(mhz) / mw - 1);
    ++rows;
  }
  EXPECT_NEAR(json::parse(fitted.out).at("clusters")[0].at("mean_error_pct"), sum / rows, 0.01);
}

TEST_F(CliFit, OtherVerbsLoadAFreqbenchTablesPlatform) {
  const std::string out = dir_ / "phone.yaml";
  const Finished fitted = flyball_run(
      {"fit", "--data", file("main.csv", freqbench_table()), "--cores", "4=2", "--out", out});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_THAT(fitted.out, AllOf(HasSubstr("cpu1: 6 rows, 0 rejected"), HasSubstr("cpu4: 5 rows"),
                                HasSubstr("+-")));
  const Finished compared =
      flyball_run({"compare", "--platform", out, "--scenario", "single_periodic", "--policies",
                   "performance,rule", "--seeds", "1", "--json"});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  const json table = json::parse(
      flyball_run({"characterise", "--platform", out, "--app", "coremark", "--json"}).out);
  EXPECT_THAT(table.at("apps"), json({"coremark", "dynamic_cnn", "busy"}));
  bool found = false;
  for (const json& row : table.at("rows")) {
    if (row.at("unit") != "cpu4" || row.at("mhz") != 2000 || row.at("cores") != 1) continue;
    found = true;
    EXPECT_NEAR(row.at("time_ms"), 1e5 / (8.5 * 2000), 0.02);
    EXPECT_NEAR(row.at("power_mw"), 650, 0.05 * 650);
  }
  EXPECT_TRUE(found);
}

TEST_F(CliFit, TakesVoltagesByCpuAndClock) {
  std::string voltages;
  for (const int khz : {500'000, 1'000'000, 1'500'000, 2'000'000, 2'500'000})
    voltages += fmt::format("4.{}={} ", khz, 600'000 + khz / 10);
  const std::string out = dir_ / "phone.yaml";
  const Finished fitted =
      flyball_run({"fit", "--data", file("main.csv", freqbench_table()), "--voltages",
                   file("v.txt", "# mine\n" + voltages + "\r\n"), "--out", out});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_THAT(read_text(out), AllOf(HasSubstr("{mhz: 2500, mv: 850}"),
                                    HasSubstr("# Voltages as listed beside the table.")));
}

TEST_F(CliFit, NamesWhatItDoesNotUseAndHowFarDevicesAreApart) {
  const Finished finished =
      flyball_run({"fit", "--data", file("one.csv", kSm8350First), file("two.csv", kSm8350Second)});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, AllOf(HasSubstr("one.csv:7, 1420.8 MHz takes 13.48 ms"),
                                  HasSubstr("it ran at 80"), HasSubstr("Devices differ by")));
  const Finished little = flyball_run(
      {"fit", "--data", file("one.csv", kSm8350FirstLittle), file("two.csv", kSm8350SecondLittle)});
  EXPECT_THAT(little.out, HasSubstr("Devices differ by 2"));
}

TEST_F(CliFit, RefusesWhatIsNoTableInOneLine) {
  const std::string heading = "unit,mhz,power_mw\n";
  const std::string out = dir_ / "out.yaml";
  const std::pair<std::string, std::string> cases[] = {
      {"", "is empty"},
      {"\n# only a comment\n", "is empty"},
      {heading, "has no rows"},
      {"unit,power_mw\nA,1\n", "no column gives the clock"},
      {"unit,mhz\nA,1\n", "no column gives the power"},
      {"unit,mhz,power_mw,power_w\nA,1,1,1\n", "a second time"},
      {heading + "A,1000\n", ":2: has 2 cells, and 3 columns are named"},
      {heading + "A,1000,oops\n", ":2: power_mw 'oops': is not a number"},
      {heading + "A,1000,nan\n", "is not a number"},
      {heading + "A,1000,inf\n", "is not a number"},
      {heading + "A,1000,1e99\n", "is not from"},
      {heading + "A,0,5\n", "mhz '0': is not from 1 to 10000"},
      {heading + "A,,5\n", "has no clock"},
      {heading + ",1000,5\n", "has no unit"},
      {heading + "A,1000,\n", "has no row of busy cores with a usable power"},
      {heading + "A,1000,-5\n", "a power of -5 mW"},
      {"unit,mhz,power_mw,cores\nA,1000,5,1.5\n", "is not a whole number"},
      {"unit,mhz,power_mw,idle\nA,1000,5,gatd\n", "is neither clocked nor gated"},
      {"unit,mhz,power_mw\nGPU,1000,50\n", "none of the units is a CPU"},
      {"unit,mhz,power_mw,cores\nA,1000,5,0\n", "has no row of busy cores"},
      {"unit,mhz,power_mw,time_ms\nA,1000,50,9\nA,2000,90,9\n", "do not depend on the clock"},
      {heading + "A,1,1e9\n", "what was fitted is no platform: line"},
      {std::string("\0\xff\xfe,;\n\0", 7), "no column gives the clock"},
  };
  for (const auto& [table, part] : cases)
    expect_refused({"fit", "--data", file("t.csv", table), "--out", out}, part);
  ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  expect_refused({"fit", "--data", dir_ / "pipe"}, "it is not a regular file");
  expect_refused({"fit", "--data", dir_ / "none.csv"}, "No such file");
  expect_refused({"fit"}, "--data: is missing");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(CliFit, RefusesWattsInAColumnOfMilliwatts) {
  const std::string watts =
      file("w.csv", "unit,mhz,power_mw\nC0,500,0.3\nC0,1000,1.2\nC0,1500,2.9\n");
  expect_refused({"fit", "--data", watts},
                 "takes at most 0.0019 nJ a cycle, where no unit takes less "
                 "than 0.01: is the power in watts");
  expect_refused(
      {"import", "csv", file("l.csv", "time_s,freq_mhz,power_mw\n0,500,0.3\n1,1000,1.2\n"), "--out",
       dir_ / "t.csv"},
      "is the power in watts");
}

// A table measured once is no evidence twice.
TEST_F(CliFit, NamesWhatStandsThereTwiceAndDropsIt) {
  const std::string table = freqbench_table();
  const std::string once = file("once.csv", table), again = file("again.csv", table);
  const std::string doubled = file("doubled.csv", table + table.substr(table.find('\n') + 1));
  const auto fitted = [](const std::vector<std::string>& data) {
    std::vector<std::string> words = {"fit",    "--cores", "cpu1=4", "--cores",
                                      "cpu4=4", "--json",  "--data"};
    words.insert(words.end(), data.begin(), data.end());
    const Finished finished = flyball_run(words);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out);
  };
  const json expected = fitted({once}).at("clusters");
  for (const json& each : {fitted({once, again}), fitted({doubled})})
    EXPECT_EQ(each.at("clusters"), expected);
  EXPECT_THAT(flyball_run({"fit", "--data", once, again}).out,
              HasSubstr("again.csv: is byte for byte"));
  EXPECT_THAT(flyball_run({"fit", "--data", doubled}).out, HasSubstr("11 rows are left out"));
}

TEST_F(CliFit, RefusesVoltagesAndOptionsThatAreNone) {
  const std::string table = file("t.csv", "unit,mhz,power_mw\nA,1000,500\n");
  for (const char* text : {"", "A.1000000", "A1000000=900000", "A.x=900000", "A.1000000=0.9",
                           "A.1000000=nan", "A.1000000=900000 A.1000000=910000"})
    expect_refused({"fit", "--data", table, "--voltages", file("v.txt", text)}, "v.txt");
  expect_refused({"fit", "--data", table, "--cores", "B=4"}, "no table has a unit of that name");
  expect_refused({"fit", "--data", table, "--cores", "A=none"}, "--cores A=none");
  expect_refused({"fit", "--data", table, "--name", "a b"}, "is no plain name");
  const std::string other = file("mine.yaml", "schema: 1\n");
  expect_refused({"fit", "--data", table, "--out", other},
                 "is there already and is not a platform file");
  EXPECT_EQ(read_text(other), "schema: 1\n");
}

TEST_F(CliFit, KeepsTextsAsTextsAndFamiliesOfTablesApart) {
  const std::string table = file("t.csv", "unit,mhz,power_mw\nA,1000,500\n"), out = dir_ / "t.yaml";
  const std::string hostile = "a \"b\" \\ c: #d\nname: e";
  const Finished fitted = flyball_run({"fit", "--data", table, "--out", out, "--name", "mine",
                                       "--source", hostile, "--description", hostile});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_EQ(
      json::parse(flyball_run({"characterise", "--platform", out, "--json"}).out).at("platform"),
      "mine");
  EXPECT_THAT(read_text(out), HasSubstr("# Source: a \"b\" \\ c: #d name: e\n"));
  expect_refused({"fit", "--data", table, file("main.csv", freqbench_table())},
                 "jobs of their own");
  expect_refused({"fit", "--data", file("main.csv", freqbench_table()), table},
                 "jobs of their own");
}

// YAML takes the word for nothing, and would read no name.
TEST_F(CliFit, AUnitMayBeCalledAsYamlCallsNothing) {
  std::string table = freqbench_table();
  for (std::size_t at = 0; (at = table.find("\n1,", at)) != table.npos; at += 5)
    table.replace(at, 3, "\nnull,");
  const Finished finished =
      flyball_run({"fit", "--data", file("a.csv", table), "--out", dir_ / "a.yaml", "--json"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("cpunull"));
  expect_refused({"fit", "--data", dir_ / "a.csv", "--name", "null"}, "YAML's word for nothing");
}

TEST_F(CliFit, APlatformOfPowerAloneHasAPlainLoad) {
  const std::string out = dir_ / "one.yaml";
  ASSERT_EQ(flyball_run({"fit", "--data", file("t.csv", "mhz,mw_of_nothing,power_mw\n1000,x,500\n"),
                         "--out", out})
                .exit_code,
            0);
  const Finished table = flyball_run({"characterise", "--platform", out, "--json"});
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_EQ(json::parse(table.out).at("app"), "busy");
  EXPECT_NEAR(json::parse(table.out).at("rows")[0].at("power_mw"), 500, 1e-3);
}

}  // namespace
}  // namespace flyball::testing
