// Metrics for Prometheus: by a parser of the text format, and by promtool where there is one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "governor/status/metrics_text.h"
#include "tests/service/installed_tree.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// By name and labels as they stand there.
using Samples = std::map<std::string, double>;

/// The text format 0.0.4, strictly: HELP and TYPE once before the samples of a family, which stand
/// together, each series once.
Samples parse(const std::string& text) {
  Samples samples;
  std::set<std::string> families;
  std::string family;
  if (!text.ends_with('\n')) ADD_FAILURE() << "the last line has no end";
  std::istringstream lines(text);
  const std::regex help(R"(# HELP ([a-z_]+) ([^\\]+))"),
      type(R"(# TYPE ([a-z_]+) (gauge|counter))"),
      sample(
          R"rx(([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+))rx");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      family = match[1];
      EXPECT_TRUE(families.insert(family).second) << family << " comes twice";
      std::string next;
      std::getline(lines, next);
      std::smatch typed;
      EXPECT_TRUE(std::regex_match(next, typed, type)) << next;
      EXPECT_EQ(typed[1], family);
      EXPECT_EQ(typed[2] == "counter", family.ends_with("_total")) << family;
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_EQ(match[1], family) << line;
      std::size_t end = 0;
      const std::string number = match[3];
      const double value = std::stod(number, &end);
      EXPECT_EQ(end, number.size()) << line;
      EXPECT_TRUE(std::isfinite(value)) << line;
      EXPECT_TRUE(samples.emplace(match[1].str() + match[2].str(), value).second) << line;
    } else {
      ADD_FAILURE() << "not of the format: " << line;
    }
  }
  return samples;
}

/// Every figure is there, and in base units.
TEST(Metrics, SayWhatTheStatusPageSaysInBaseUnits) {
  StatusFacts facts;
  facts.policy.set("plain \"load\"\\");
  facts.clusters = 2;
  facts.cluster[0].name.set("policy0");
  facts.cluster[0].cpus.set("0-3");
  facts.cluster[1].name.set("policy4");
  facts.cluster[1].cpus.set("4-7");
  facts.cluster[1].highest_khz = 2'000'000;
  facts.start_ns = 1'000'000'000;
  StatusNow now;
  now.clusters = 2;
  now.at_ns = 8'500'000'000;
  now.window_ns = 1'000'000'000;
  now.power_mw = 2500;
  now.measured_share = 0.75;
  now.energy_mj = 12'000'000'000;
  now.epochs = 123456789012;
  now.cluster[1].delivered_khz = 1'234'567;
  now.cluster[1].busiest = 0.25;
  now.cluster[1].refused = 3;
  const Samples samples = parse(metrics_text(facts, now, 9'000'000'000));
  EXPECT_EQ(samples.at(R"(flyball_info{policy="plain \"load\"\\",power_source="modelled"})"), 1);
  EXPECT_EQ(samples.at("flyball_uptime_seconds"), 8);
  EXPECT_EQ(samples.at("flyball_updated_seconds"), 0.5);
  EXPECT_EQ(samples.at("flyball_power_watts"), 2.5);
  EXPECT_EQ(samples.at("flyball_power_measured_ratio"), 0.75);
  EXPECT_EQ(samples.at("flyball_energy_joules_total"), 12'000'000);
  EXPECT_EQ(samples.at("flyball_epochs_total"), 123456789012);
  const std::string of = R"({policy="policy4",cpus="4-7"})";
  EXPECT_EQ(samples.at("flyball_clock_delivered_hertz" + of), 1'234'567'000);
  EXPECT_EQ(samples.at("flyball_clock_highest_hertz" + of), 2e9);
  EXPECT_EQ(samples.at("flyball_busiest_core_ratio" + of), 0.25);
  EXPECT_EQ(samples.at("flyball_writes_refused_total" + of), 3);
  // What is not known is absent, and never 0.
  for (const std::string name : {"flyball_clock_delivered_hertz", "flyball_temperature_celsius",
                                 "flyball_clock_maximum_hertz", "flyball_clock_asked_hertz"})
    EXPECT_EQ(samples.count(name + R"({policy="policy0",cpus="0-3"})"), 0u) << name;
  EXPECT_EQ(samples.count("flyball_prediction_busy_error_ratio"), 0u);
}

TEST(Metrics, AreAllInTheReadme) {
  const std::string readme = read_text(FLYBALL_SOURCE_DIR "/README.md");
  for (const MetricFamily& family : metric_families())
    EXPECT_THAT(readme, HasSubstr("`" + std::string(family.name) + "`"));
}

std::string http_get(const std::string& path) {
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  std::string answer;
  if (connect(client, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) {
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(write(client, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char part[4096];
    for (ssize_t size; (size = read(client, part, sizeof part)) > 0;)
      answer.append(part, static_cast<std::size_t>(size));
  }
  close(client);
  return answer;
}

/// The file, once it tells of a whole second.
std::string waited_for(const std::string& path) {
  std::string text;
  for (int i = 0; i < 60'000 && text.find("flyball_power_watts ") == text.npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    text = read_text(path);
  }
  return text;
}

TEST(Metrics, ComeByFileByVerbAndBySocketAndGoWithTheGovernor) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  const std::string file = dir / "flyball.prom";
  std::ofstream(dir / "flyball.yaml") << "schema: 1\nmetrics: {file: " << file << ", every_s: 1}\n";
  Governed governed({"--config", dir / "flyball.yaml", "--metrics-socket"});
  const std::string written = waited_for(file);
  const Samples in_file = parse(written);
  EXPECT_NEAR(in_file.at("flyball_power_watts"), 2.0, 0.01);
  EXPECT_EQ(std::filesystem::status(file).permissions() & std::filesystem::perms::others_read,
            std::filesystem::perms::others_read);
  const Finished by_verb = governed.ask({"metrics"});
  EXPECT_EQ(by_verb.exit_code, 0) << by_verb.err;
  const Samples printed = parse(by_verb.out);
  EXPECT_GE(printed.at("flyball_epochs_total"), in_file.at("flyball_epochs_total"));
  const std::string answer = http_get(governed.state_dir() + "/metrics.sock");
  EXPECT_THAT(answer, StartsWith("HTTP/1.0 200 OK\r\n"));
  const std::size_t body = answer.find("\r\n\r\n");
  ASSERT_NE(body, answer.npos);
  EXPECT_GE(parse(answer.substr(body + 4)).at("flyball_energy_joules_total"),
            in_file.at("flyball_energy_joules_total"));
  if (has_program("promtool")) {
    std::ofstream(dir / "copy") << written;
    const ShellResult checked = shell("promtool check metrics < " + (dir / "copy"));
    EXPECT_EQ(checked.exit_code, 0) << checked.said;
    EXPECT_EQ(checked.said, "");
  }
  governed.governor().signal(SIGTERM);
  EXPECT_EQ(governed.governor().wait().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(std::filesystem::exists(governed.state_dir() + "/metrics.sock"));
}

TEST(Metrics, ReplaceNoFileThatIsNotTheirs) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  std::ofstream(dir / "thesis.txt") << "years of work";
  LinuxTree tree;
  tree.make_xu3();
  std::filesystem::create_directories(tree.path("/run"));
  const Finished refused =
      flyball_run({"run", "--platform", "linux", "--sysfs-root", tree.root(), "--state-dir",
                   tree.path("/run/flyball"), "--metrics-file", dir / "thesis.txt"});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--metrics-file"));
  EXPECT_EQ(read_text(dir / "thesis.txt"), "years of work");
  EXPECT_EQ(flyball_run({"metrics", "--state-dir", dir / "none"}).exit_code, 3);
}

}  // namespace
}  // namespace flyball::testing
