// Whoever shows, records or exports monitors goes through their table: what is in it is everywhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "governor/record/recording.h"
#include "tests/governor/on_terminal.h"
#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

/// What people are shown of the platform and of every application that had a slot.
std::vector<Monitor> shown_in(const RecordingInfo& info,
                              const std::vector<std::pair<int, Binding>>& bindings) {
  MonitorTable table(info.platform, info.weights, info.measured);
  for (const auto& [slot, binding] : bindings) table.bind(slot, binding, {});
  std::vector<Monitor> shown;
  for (const Monitor& row : table.rows())
    if (row.shown) shown.push_back(row);
  return shown;
}

TEST(CliRunMonitors, WhatIsInTheTableIsInJsonRecordAndCsv) {
  const OwnConfigs configs;
  const std::string folder = ::testing::TempDir() + "flyball_monitors";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  const std::string record = folder + "/run.flyrec";
  const Finished run = flyball_run({"run", "--duration", "0.5", "--no-compare", "--policy", "model",
                                    "--plain", "--no-learn", "--json", "--record", record});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_EQ(flyball_run({"record", "export", "csv", record, "--out", folder + "/csv"}).exit_code,
            0);
  std::ifstream csv(folder + "/csv/epochs.csv");
  std::string header;
  std::getline(csv, header);

  std::vector<std::pair<int, Binding>> bindings;
  RecordingVisitor visitor;
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    bindings.emplace_back(slot, binding);
  };
  const RecordingInfo info = read_recording(record, visitor).info;
  ASSERT_FALSE(bindings.empty());
  const std::vector<Monitor> shown = shown_in(info, bindings);
  ASSERT_GT(shown.size(), 30u);

  const json result = json::parse(run.out);
  const json& monitors = result.at("policies")[0].at("monitors");
  EXPECT_EQ(monitors.size(), shown.size());
  std::set<std::string> kept;
  for (const auto* rows : {&info.monitors, &info.app_monitors})
    for (const Monitor& row : *rows) kept.insert(row.name);
  for (const Monitor& row : shown) {
    const auto in_json = std::find_if(monitors.begin(), monitors.end(),
                                      [&](const json& one) { return one.at("name") == row.name; });
    ASSERT_NE(in_json, monitors.end()) << row.name;
    EXPECT_EQ(in_json->at("unit"), row.unit);
    EXPECT_EQ(in_json->at("measured"), row.measured) << row.name;
    EXPECT_THAT("," + header, HasSubstr("," + row.name)) << row.name;
    const bool of_app = row.scope == Monitor::Scope::kApp;
    EXPECT_EQ(kept.count(of_app ? row.name.substr(row.name.find('.')) : row.name), 1u) << row.name;
  }
  // And the record says how well predictions did, as the run does.
  const Finished shown_record = flyball_run({"record", "show", record, "--json"});
  const json summed = json::parse(shown_record.out);
  for (const char* key : {"time_in_interval_pct", "energy_in_interval_pct"}) {
    EXPECT_TRUE(summed.at(key).is_number()) << key;
    // Of some fourteen jobs; one that ends with the run may be in one of the two only.
    EXPECT_NEAR(double(summed.at(key)), double(result.at("policies")[0].at(key)), 15) << key;
  }
  const auto of = [&](const std::string& name) {
    return *std::find_if(monitors.begin(), monitors.end(),
                         [&](const json& one) { return one.at("name") == name; });
  };
  const json power = of("power");
  EXPECT_LE(power.at("least").get<double>(), power.at("mean").get<double>());
  EXPECT_LE(power.at("mean").get<double>(), power.at("most").get<double>());
  EXPECT_GT(power.at("valid_epochs").get<int>(), 0);
  EXPECT_FALSE(power.at("measured").get<bool>()) << "an emulated platform's is modelled";
  std::filesystem::remove_all(folder);
}

TEST(CliRunMonitors, AllAreShownOnRequest) {
  const OwnConfigs configs;
  OnTerminal flyball(160, {"run", "--duration", "60", "--no-compare", "--policy", "rule"});
  ASSERT_TRUE(flyball.shows("m every monitor")) << flyball.out();
  EXPECT_THAT(flyball.out(), Not(HasSubstr("stall_share")));
  flyball.press('m');
  ASSERT_TRUE(flyball.shows("m the last minute again")) << flyball.out();
  const PlatformSpec host = load_platform("host");
  Binding binding;
  binding.name = "app";
  RecordingInfo info;
  info.platform = host;
  for (const Monitor& row : shown_in(info, {{0, binding}})) {
    const std::string name =
        row.scope == Monitor::Scope::kPlatform ? row.name : row.name.substr(row.name.find('.') + 1);
    EXPECT_THAT(flyball.out(), ContainsRegex(name + "[ \r\033]")) << row.name;
  }
  flyball.press('m');
  EXPECT_TRUE(flyball.shows("m every monitor"));
}

}  // namespace
}  // namespace flyball::testing
