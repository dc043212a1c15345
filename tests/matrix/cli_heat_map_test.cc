// `report` of a policy file, by the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agents/policy_file.h"
#include "agents/q_learning.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CliHeatMap : public ::testing::Test {
 protected:
  /// One job in one state of each table, found to cost more, and less, than is believed.
  CliHeatMap() {
    ByteWriter out;
    out.u32(QLearning::kPayload);
    out.u32(static_cast<std::uint32_t>(board_.mappings.size()));
    out.u32(1);
    out.text("dynamic_cnn");
    out.u64(0);
    out.u64(7);
    slow_.update(true, kSlow, 4, {}, {-1, -0.5}, 0, {}, 1);
    fast_.update(true, kFast, 5, {}, {0.4, 0}, 0, {}, 1);
    slow_.save(out);
    fast_.save(out);
    write_policy(policy_, {{"q_learning", 2, "odroid_xu3", 1, 0}, out.take()});
  }
  std::string report(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"report", policy_};
    words.insert(words.end(), more.begin(), more.end());
    const Finished finished = flyball_run(words);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  }
  json section() const {
    const std::string page = report({"--out", "-"});
    const std::string begin = "<script type=\"application/json\" id=\"data\">";
    const std::size_t from = page.find(begin) + begin.size();
    return json::parse(page.substr(from, page.find("</script>", from) - from)).at("sections")[0];
  }
  static double dearer_pct(const DoubleQ& table, int state, int action) {
    return -100 * table.value(state, action, {}).weighed(1);
  }

  // Pressure 1.3 to 1.7, some load, cool, a queue; pressure above 10, erratic, hot, for battery.
  static constexpr int kSlow = ((2 * 3 + 1) * 3 + 0) * 2 + 1;
  static constexpr int kFast = (((7 * 3 + 2) * 3 + 2) * 3 + 2) * 2;
  const TempDir dir_;
  const std::string policy_ = dir_ / "a.policy";
  const PlatformSpec board_ = load_platform("odroid_xu3");
  DoubleQ slow_{QLearning::kSlowStates, static_cast<int>(board_.mappings.size()),
                QLearning::kSlowTable};
  DoubleQ fast_{QLearning::kFastStates, static_cast<int>(QLearning::kMargins.size()),
                QLearning::kTable};
};

TEST_F(CliHeatMap, ACellIsWhatAnActionWasFoundToCostInAState) {
  const json found = section();
  EXPECT_EQ(found.at("title"), "What q_learning learned on odroid_xu3");
  const auto only_cell = [&](std::size_t figure) {
    const json& of = found.at("figures").at(figure);
    EXPECT_EQ(of.at("series").size(), 1u) << "bands that nothing is in are left out";
    const json& one = of.at("series")[0];
    EXPECT_TRUE(one.at("cell").get<bool>());
    EXPECT_EQ(one.at("y"), json({0}));
    return std::pair(of, one);
  };
  const auto [mappings, slow] = only_cell(0);
  EXPECT_EQ(mappings.at("name"), "q_mappings");
  EXPECT_EQ(mappings.at("y").at("categories"), json({"1.3-1.7x, some load, queue"}));
  EXPECT_EQ(mappings.at("x").at("categories")[4], board_.mappings[4].name);
  EXPECT_EQ(slow.at("x"), json({4}));
  // Half of what one of the two tables holds: of a first job's 150 % the step and the state's share.
  const double expected = 0.5 * 150 * (1.0 / 201 + 0.1);
  EXPECT_NEAR(dearer_pct(slow_, kSlow, 4), expected, 1e-4);
  EXPECT_EQ(slow.at("name"), "dearer by 3 to 10 %");
  EXPECT_EQ(slow.at("text")[0], "+7.87 %, 1 job");

  const auto [margins, fast] = only_cell(1);
  EXPECT_EQ(margins.at("y").at("categories"), json({"above 10x, erratic, hot, for battery"}));
  EXPECT_EQ(fast.at("x"), json({5}));
  EXPECT_LT(dearer_pct(fast_, kFast, 5), -1);
  EXPECT_THAT(fast.at("name").get<std::string>(), HasSubstr("cheaper by"));

  const std::string svg = report({"--figure", "q_mappings", "--out", "-"});
  EXPECT_THAT(svg, AllOf(HasSubstr("dearer by 3 to 10 %"), HasSubstr("rotate(-60")));
}

TEST_F(CliHeatMap, APolicyWithoutTablesSaysSo) {
  const std::string file = dir_ / "planner.policy";
  write_policy(file, {{"planner", 2, "odroid_xu3", 1, 0}, {1, 2, 3}});
  const Finished finished = flyball_run({"report", file, "--out", "-"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("planner keeps no table of states and actions"));
  const Finished cut = flyball_run({"report", policy_, file, "--figure", "none", "--out", "-"});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_THAT(cut.err, HasSubstr("use one of q_mappings, q_margins"));
}

// In a browser where there is one.
TEST_F(CliHeatMap, TheBrowserDrawsItAndTheKeyboardReadsIt) {
  if (std::system("command -v chromium >/dev/null 2>&1") != 0) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "there is no chromium here";
    GTEST_SKIP() << "there is no chromium here";
  }
  const std::string page = dir_ / "report.html";
  report({"--out", page});
  // What the keyboard says of each cell, and the colour that fills most of the second plot.
  std::ofstream(page, std::ios::app) << R"(<script>
    const plots = [...document.querySelectorAll(".plot")];
    document.documentElement.dataset.said = plots.map((plot) => {
      plot.dispatchEvent(new KeyboardEvent("keydown", {key: "Home", bubbles: true}));
      return plot.parentElement.querySelector("[aria-live]").textContent;
    }).join(" / ");
    const canvas = plots[1].querySelector("canvas");
    const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const count = {};
    for (let i = 0; i < seen.length; i += 4)
      if (seen[i + 3] === 255) { const key = [seen[i], seen[i + 1], seen[i + 2]].join(); count[key] = (count[key] || 0) + 1; }
    document.documentElement.dataset.colour = Object.entries(count).sort((a, b) => b[1] - a[1])[0][0];
  </script>)";
  const std::string dom = dir_ / "dom", log = dir_ / "log";
  const std::string command =
      "chromium --headless --no-sandbox --disable-gpu --user-data-dir=" + (dir_ / "browser") +
      " --enable-logging=stderr --dump-dom file://" + page + " >" + dom + " 2>" + log;
  ASSERT_EQ(std::system(command.c_str()), 0) << read_text(log);
  EXPECT_THAT(read_text(log), Not(HasSubstr("CONSOLE")));
  EXPECT_THAT(read_text(dom),
              AllOf(HasSubstr("data-plots=\"2\""), HasSubstr("1.3-1.7x, some load, queue"),
                    HasSubstr("above 10x, erratic, hot, for battery")));
  // --h2 of the light page: cheaper by 1 to 3 %.
  EXPECT_THAT(read_text(dom), HasSubstr("data-colour=\"169,207,232\""));
}

}  // namespace
}  // namespace flyball::testing
