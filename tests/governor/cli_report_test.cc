// `report` and the figures of `characterise`, by the real program.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/governor/recorder_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball::test {
namespace {

using flyball::testing::Finished;
using flyball::testing::flyball_run;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size())
    ++count;
  return count;
}

/// What the page draws.
json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = page.find(begin) + begin.size();
  return json::parse(page.substr(from, page.find("</script>", from) - from));
}

json policy(const std::string& name, std::vector<double> energy, double missed_pct,
            double latency_ms) {
  const double mean = (energy.front() + energy.back()) / 2;
  const auto figure = [](double value) {
    return json{{"mean", value}, {"ci95", {value - 1, value + 1}}};
  };
  json row{{"policy", name}};
  row["energy_mj_per_job"] = figure(mean);
  row["energy_mj_per_job"]["per_seed"] = energy;
  row["deadline_miss_pct"] = {{"mean", missed_pct},
                              {"ci95", {missed_pct, missed_pct}},
                              {"per_seed", std::vector<double>(energy.size(), missed_pct)},
                              {"worst", missed_pct}};
  row["infeasible_pct"] = figure(0);
  row["latency_p99_ms"] = figure(latency_ms);
  row["accuracy_pct"] = {{"mean", nullptr}, {"ci95", {nullptr, nullptr}}};
  return row;
}

json comparison(const std::vector<json>& policies) {
  return {
      {"schema", 1},
      {"platform", "board"},
      {"scenario", "steady"},
      {"seeds", 2},
      {"first_seed", 1},
      {"policies", policies},
      {"differences", {{"against", policies.front().at("policy")}, {"policies", json::array()}}}};
}

class CliReport : public RecorderTest {
 protected:
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string input(const std::string& name, const json& contents) const {
    put(file(name), contents.dump());
    return file(name);
  }
  /// The page made of these inputs.
  std::string page_of(const std::vector<std::string>& inputs) const {
    std::vector<std::string> arguments{"report"};
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    arguments.insert(arguments.end(), {"--out", file("report.html")});
    const Finished finished = flyball_run(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return contents(file("report.html"));
  }
  json section_of(const std::vector<std::string>& inputs, std::size_t index) const {
    return data_of(page_of(inputs)).at("sections").at(index);
  }
  static json figure_named(const json& section, const std::string& name) {
    for (const json& figure : section.at("figures"))
      if (figure.at("name") == name) return figure;
    ADD_FAILURE() << "no figure " << name;
    return {};
  }
};

TEST_F(CliReport, SaysWhichPolicySavesMostOfThoseThatAreOnTime) {
  const std::string compared = input(
      "c.json",
      comparison({policy("performance", {100, 100}, 0, 10), policy("rule", {50, 50}, 30, 40),
                  policy("oracle", {40, 40}, 0, 20), policy("schedutil", {78, 82}, 0.2, 15)}));
  const json section = section_of({compared}, 0);
  EXPECT_EQ(section.at("title"), "steady on board");
  EXPECT_THAT(section.at("verdict").get<std::string>(),
              AllOf(StartsWith("schedutil needs least energy of those that keep their deadlines: "
                               "80.00 mJ per job, -20.0 % ["),
                    HasSubstr("against performance; it misses 0.20 %")));
  const json& table = section.at("tables")[0];
  std::vector<std::string> names;
  for (const json& row : table.at("rows")) names.push_back(row[0][0]);
  EXPECT_THAT(names, ElementsAre("oracle", "rule", "schedutil", "performance")) << "by energy";
  EXPECT_EQ(table.at("marks"), json({"bound", "late", "best", ""}));
  // The front joins those on time, by latency: performance at 10 ms, then schedutil at 15 ms.
  const json front = figure_named(section, "energy_latency").at("series")[0];
  EXPECT_EQ(front.at("x"), json({10, 15}));
  EXPECT_EQ(front.at("y"), json({100, 80}));

  const Finished lenient =
      flyball_run({"report", compared, "--max-miss-pct", "30", "--out", file("lenient.html")});
  EXPECT_EQ(lenient.exit_code, 0) << lenient.err;
  EXPECT_THAT(contents(file("lenient.html")), HasSubstr("\"verdict\":\"rule needs least energy"));
}

// Dolan and More by hand: the best of seed 1 is b with 80, of seed 2 a with 100.
TEST_F(CliReport, ProfilesPerformanceOverTheProblems) {
  const std::string compared =
      input("c.json", comparison({policy("a", {100, 100}, 0, 10), policy("b", {80, 120}, 0, 10),
                                  policy("late", {10, 10}, 50, 10)}));
  const json profile = figure_named(section_of({compared}, 1), "performance_profile");
  const auto series = [&](const std::string& name) -> json {
    for (const json& one : profile.at("series"))
      if (one.at("name") == name) return one;
    return {};
  };
  EXPECT_EQ(series("a").at("x"), json({1, 1.25}));
  EXPECT_EQ(series("a").at("y"), json({50, 100}));
  EXPECT_EQ(series("b").at("x"), json({1, 1.2, 1.25}));
  EXPECT_EQ(series("b").at("y"), json({50, 100, 100}));
  EXPECT_EQ(series("late").at("y"), json({0, 0})) << "never within anything";
}

TEST_F(CliReport, HostileNamesStayText) {
  const std::string hostile = "</script><script>alert(1)</script><!-- & \" ' \\";
  json compared = comparison({policy(hostile, {100, 100}, 0, 10), policy("b", {80, 120}, 0, 10)});
  compared["scenario"] = hostile;
  const std::string page = page_of({input("c.json", compared)});
  EXPECT_EQ(count_of(page, "</script"), 3u) << "the data, the library and the page's own";
  EXPECT_EQ(count_of(page, "alert(1)"), count_of(page, "script\\u003ealert(1)"));
  const json data = data_of(page);
  EXPECT_EQ(data.at("sections")[0].at("title"), hostile + " on board");
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, HasSubstr("Permission is hereby granted")) << "the library's licence";

  const Finished drawn =
      flyball_run({"report", file("c.json"), "--figure", "energy_latency", "--out", file("f.svg")});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_THAT(contents(file("f.svg")),
              AllOf(HasSubstr("&lt;script>alert(1)"), Not(HasSubstr("<script"))));
}

// 20,000 epochs of two clusters are more than a page draws.
TEST_F(CliReport, ALongRecordingIsThinnedAndItsExtremesStay) {
  {
    Recorder recorder(path_, info_, {.wait_for_disk = true});
    bind(recorder);
    Decision decided;
    decided.action = setting(1, 1, 1, 1);
    for (int i = 0; i < 20'000; ++i) {
      Observation& now = *outcome_;
      now = *before_;
      now.sequence = static_cast<std::uint64_t>(i) + 1;
      now.now_ns = (i + 1) * 10 * kMs;
      now.epoch_ns = 10 * kMs;
      for (int c = 0; c < 2; ++c) {
        ClusterObservation& cluster = now.cluster[static_cast<std::size_t>(c)];
        cluster.freq_khz = cluster.asked_khz = i % 7 == 0 ? 1'000'000 : 500'000;
        cluster.power_mw = 100 + i % 50;
        cluster.temp_c = i == 17'210 ? 97.25 : 40 + i % 10;
      }
      JobRecord job;
      job.sequence = static_cast<std::uint64_t>(i);
      job.release_ns = job.start_ns = i * 10 * kMs;
      job.finish_ns = job.start_ns + (i == 12'345 ? 77 : 5) * kMs;
      job.deadline_ns = job.start_ns + 9 * kMs;
      job.missed = i == 12'345;
      now.add_job(job);
      recorder.on_epoch(
          {*before_, decided, decided.action, Shield::Verdict::kPassed, now, *reward_, 1});
    }
    EXPECT_EQ(recorder.finish(), "");
  }
  const std::string page = page_of({path_});
  EXPECT_LT(page.size(), 5'000'000u);
  const json section = data_of(page).at("sections").at(1);
  std::size_t points = 0;
  for (const json& figure : section.at("figures"))
    for (const json& one : figure.at("series")) points += one.at("y").size();
  EXPECT_LE(points, 100'000u);
  EXPECT_GT(points, 10'000u);
  EXPECT_THAT(figure_named(section, "temperature").at("series")[0].at("y"),
              ::testing::Contains(97.25));
  EXPECT_THAT(figure_named(section, "latency").at("series")[2].at("y"), ::testing::Contains(77));
  EXPECT_THAT(figure_named(section, "latency").at("caption").get<std::string>(),
              HasSubstr(" of 20000: the least and the greatest values are all there"));
}

TEST_F(CliReport, ARecordingBecomesTimelinesAndADistribution) {
  small_recording();
  const json data = data_of(page_of({path_}));
  // Five jobs of 80 ms, with 150 ms for each: all done within 54 % of the deadline.
  const json share = figure_named(data.at("sections")[0], "deadline_share").at("series")[0];
  EXPECT_EQ(share.at("x"), json({54, 54}));
  EXPECT_EQ(share.at("y"), json({0, 100}));
  const json& timelines = data.at("sections")[1];
  const json clock = figure_named(timelines, "clock");
  EXPECT_EQ(clock.at("series")[1].at("name"), "big");
  EXPECT_EQ(clock.at("series")[1].at("y"), json(std::vector<double>(10, 1000)));
  const json mapping = figure_named(timelines, "mapping");
  EXPECT_EQ(mapping.at("y").at("categories")[mapping.at("series")[0].at("y")[0].get<std::size_t>()],
            "bigx2");
  EXPECT_EQ(figure_named(timelines, "power").at("series").back().at("y")[3], 250);
}

TEST_F(CliReport, RefusesWhatIsNoneOfItsInputsAndWritesOverNothing) {
  small_recording();
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& beginning,
                           const std::string& why) {
    const Finished finished = flyball_run(arguments);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: " + beginning), HasSubstr(why)));
  };
  const std::string out = file("r.html"), letter = file("letter");
  put(letter, "Dear reader,\n");
  refused({"report", letter, "--out", out}, "input " + letter + ": is neither a recording", "");
  refused({"report", file("none"), "--out", out}, file("none"), "No such file");
  const std::string other = input("other.json", {{"schema", 1}});
  refused({"report", other, "--out", out}, "input " + other + ": is not the JSON of a verb", "");
  json broken = comparison({policy("a", {1, 1}, 0, 1)});
  broken["policies"][0]["energy_mj_per_job"]["ci95"] = "wide";
  refused({"report", input("broken.json", broken), "--out", out}, "input " + file("broken.json"),
          "is not as that verb prints it");
  EXPECT_FALSE(fs::exists(out));
  for (const std::string& foreign : {letter, path_, other})
    refused({"report", path_, "--out", foreign}, "--out " + foreign + ": ",
            "is there already and is not a report");
  EXPECT_EQ(contents(letter), "Dear reader,\n");
  refused({"report", path_, "--figure", "nope", "--out", file("f.svg")},
          "--figure nope: there is none of that name", "use one of deadline_share, latency, clock");
  refused({"report", path_, "--figure", "clock", "--out", file("f.pdf")},
          "--out " + file("f.pdf") + ": pictures are written as SVG or PNG only", "rsvg-convert");
  EXPECT_EQ(flyball_run({"report", path_, "--out", out}).exit_code, 0);
  EXPECT_EQ(flyball_run({"report", path_, "--out", out}).exit_code, 0) << "its own kind";
}

TEST(CliCharacteriseFigure, DrawsEveryPointAndTheFront) {
  const flyball::testing::TempDir dir;
  const Finished finished = flyball_run({"characterise", "--platform", "odroid_xu3", "--figure",
                                         "energy_time", "--out", dir / "x.svg", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string svg = contents(dir / "x.svg");
  EXPECT_THAT(svg, AllOf(HasSubstr("A15 x4"), HasSubstr("Pareto front"), HasSubstr("</svg>")));
  EXPECT_GT(json::parse(finished.out).at("points"), 500);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_EQ(flyball_run({"characterise", "--platform", "odroid_xu3", "--figure", "energy_time"})
                .exit_code,
            2);
}

TEST(CliCompareReport, WhatCompareAndCharacterisePrintIsRead) {
  const flyball::testing::TempDir dir;
  put(dir / "c.json",
      flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                   "--policies", "performance,rule", "--seeds", "2", "--json"})
          .out);
  put(dir / "p.json", flyball_run({"characterise", "--platform", "odroid_xu3", "--json"}).out);
  const Finished finished =
      flyball_run({"report", dir / "c.json", dir / "p.json", "--out", dir / "r.html"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json data = data_of(contents(dir / "r.html"));
  ASSERT_EQ(data.at("sections").size(), 3u) << "compared, profile, characterised";
  EXPECT_EQ(data.at("sections")[0].at("figures").size(), 4u);
  EXPECT_EQ(data.at("sections")[2].at("figures").size(), 2u);
}

TEST_F(CliReport, ASeedWithoutAFigureIsNoDot) {
  json lacking = policy("b", {80, 90}, 2, 30);
  lacking["deadline_miss_pct"]["per_seed"] = {nullptr, 2};
  json nothing = policy("c", {80, 90}, 2, 30);
  nothing["deadline_miss_pct"]["per_seed"] = {nullptr, nullptr};
  const json section = section_of(
      {input("c.json", comparison({policy("a", {100, 90}, 0, 10), lacking, nothing}))}, 0);
  const json series = figure_named(section, "seeds_misses").at("series");
  ASSERT_EQ(series.size(), 2u);
  for (const json& one : series) {
    const std::size_t dots = one.at("name") == "b" ? 1 : 2;
    EXPECT_EQ(one.at("y").size(), dots) << one;
  }
}

TEST(CliCompareReport, SaysTheSameOfAPairAsCompareDoes) {
  const flyball::testing::TempDir dir;
  std::vector<std::string> words = {"compare",
                                    "--platform",
                                    "odroid_xu3",
                                    "--scenario",
                                    "background",
                                    "--policies",
                                    "performance,schedutil",
                                    "--seeds",
                                    "4"};
  const std::string table = flyball_run(words).out;
  words.push_back("--json");
  put(dir / "c.json", flyball_run(words).out);
  ASSERT_EQ(flyball_run({"report", dir / "c.json", "--out", dir / "r.html"}).exit_code, 0);
  const json rows = data_of(contents(dir / "r.html")).at("sections")[0].at("tables")[0].at("rows");
  for (const json& row : rows) {
    if (row[0][0] != "schedutil") continue;
    const double pct = row[2][1];
    EXPECT_THAT(table, HasSubstr(fmt::format("{:+.2f} [", pct))) << row[2];
    return;
  }
  ADD_FAILURE() << "no schedutil";
}

// What the page itself does, in a browser.
TEST_F(CliReport, BrowserDrawsEveryPlotAndTheKeyboardReadsIt) {
  if (std::system("command -v chromium >/dev/null 2>&1") != 0) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "there is no chromium here";
    GTEST_SKIP() << "there is no chromium here";
  }
  small_recording();
  page_of({path_, input("c.json", comparison({policy("a", {100, 90}, 0, 10),
                                              policy("b", {80, 120}, 2, 30)}))});
  // Points at something in every plot by the keyboard, and counts where something is said.
  std::ofstream(file("report.html"), std::ios::app) << R"(<script>
    const said = [...document.querySelectorAll(".plot")].filter((plot) => {
      plot.dispatchEvent(new KeyboardEvent("keydown", {key: "Home", bubbles: true}));
      return /[0-9]/.test(plot.parentElement.querySelector("[aria-live]").textContent) &&
             plot.querySelector("canvas").width > 0;
    });
    const root = document.documentElement, paper = getComputedStyle(document.body).backgroundColor;
    const light = paper.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
    root.dataset.said = said.length;
    root.dataset.paper = light > 128 ? "light" : "dark";
    root.dataset.width = innerWidth <= 600 ? "narrow" : "wide";
    // What is wider than the screen scrolls in a box of its own.
    root.dataset.fits = root.scrollWidth <= innerWidth + 1;
  </script>)";
  const auto dom = [&](const std::string& options) {
    const std::string command =
        "chromium --headless --no-sandbox --disable-gpu --user-data-dir=" + file("browser") +
        " --enable-logging=stderr " + options + " --dump-dom file://" + file("report.html") + " >" +
        file("dom") + " 2>" + file("log");
    EXPECT_EQ(std::system(command.c_str()), 0) << contents(file("log"));
    EXPECT_THAT(contents(file("log")), Not(HasSubstr("CONSOLE")));
    return contents(file("dom"));
  };
  // A distribution, six timelines (no counters, so no IPC), three of the comparison, a profile.
  const auto all = AllOf(HasSubstr("data-plots=\"11\""), HasSubstr("data-said=\"11\""),
                         HasSubstr("data-fits=\"true\""));
  EXPECT_THAT(dom("--window-size=1280,900"),
              AllOf(all, HasSubstr("data-paper=\"light\""), HasSubstr("data-width=\"wide\"")));
  EXPECT_THAT(dom("--window-size=500,800 --force-dark-mode "
                  "--blink-settings=preferredColorScheme=0"),
              AllOf(all, HasSubstr("data-paper=\"dark\""), HasSubstr("data-width=\"narrow\"")));
}

}  // namespace
}  // namespace flyball::test
