// rt-app's files: what its threads do at the speed that they were calibrated at, worked out by hand.

#include "env/scenario/rtapp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "env/model/model.h"
#include "env/scenario/plain_tasks.h"
#include "env/scenario/rtapp_scenario.h"
#include "kernels/base/error.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RtApp : public ::testing::Test {
 protected:
  /// Without the braces around, and a second long.
  std::string file(const std::string& tasks) {
    write("{ \"tasks\" : { " + tasks +
          " },\n\"global\" : { \"duration\" : 1, \"ftrace\" : false } }");
    return path_;
  }
  void write(const std::string& text) { std::ofstream(path_) << text; }
  /// Per thread: release and length of its first jobs, in ms.
  std::vector<std::vector<std::pair<double, double>>> played(const std::string& tasks,
                                                             std::size_t first = 4) {
    std::vector<std::vector<std::pair<double, double>>> all;
    for (const auto& jobs : play_rtapp(read_rtapp(file(tasks)))) {
      auto& thread = all.emplace_back();
      for (const RtAppJob& job : jobs) {
        if (thread.size() == first) break;
        thread.emplace_back(static_cast<double>(job.release_ns) * 1e-6,
                            static_cast<double>(job.run_ns + job.runtime_ns) * 1e-6);
      }
    }
    return all;
  }
  template <typename Read>
  static std::string refusal(const Read& read) {
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    ADD_FAILURE() << "was accepted";
    return "";
  }
  std::string refused(const std::string& tasks) {
    return refusal([&] { play_rtapp(read_rtapp(file(tasks))); });
  }
  void TearDown() override { std::filesystem::remove(path_); }

  PlatformSpec board_ = round_board();
  std::string path_ = ::testing::TempDir() + "rtapp_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                      std::to_string(getpid()) + ".json";
};

using Jobs = std::vector<std::pair<double, double>>;

TEST_F(RtApp, ATimerKeepsItsPeriodAndASleepAddsToIt) {
  EXPECT_THAT(
      played("\"a\" : { \"run\" : 5000, \"timer\" : { \"ref\" : \"t\", \"period\" : 20000 } }"),
      ElementsAre(Jobs{{0, 5}, {20, 5}, {40, 5}, {60, 5}}));
  EXPECT_THAT(played("\"a\" : { \"run\" : 5000, \"sleep\" : 20000 }"),
              ElementsAre(Jobs{{0, 5}, {25, 5}, {50, 5}, {75, 5}}));
  // A relative timer forgets what was overrun, an absolute one makes up for it.
  const std::string phases =
      "\"a\" : { \"phases\" : { \"long\" : { \"run\" : 50000, \"timer\" : { \"ref\" : \"t\", "
      "\"period\" : "
      "20000 MODE } }, \"short\" : { \"loop\" : 3, \"run\" : 5000, \"timer\" : { \"ref\" : \"t\", "
      "\"period\" : 20000 MODE } } } }";
  const auto with = [&](const std::string& mode) {
    std::string text = phases;
    for (std::size_t at; (at = text.find("MODE")) != std::string::npos;) text.replace(at, 4, mode);
    return text;
  };
  EXPECT_THAT(played(with("")), ElementsAre(Jobs{{0, 50}, {50, 5}, {70, 5}, {90, 5}}));
  EXPECT_THAT(played(with(", \"mode\" : \"absolute\""), 5),
              ElementsAre(Jobs{{0, 50}, {50, 5}, {55, 5}, {60, 5}, {80, 50}}));
}

TEST_F(RtApp, ThreadsWakeEachOther) {
  // A camera's pipeline: a tick resumes a thread that hands over to one that waits for a condition.
  EXPECT_THAT(
      played("\"tick\" : { \"run\" : 1000, \"resume\" : \"work\", \"timer\" : { \"ref\" : \"t\", "
             "\"period\" : 100000 } },\n"
             "\"work\" : { \"suspend\" : \"work\", \"run\" : 2000, \"lock\" : \"m\", \"signal\" : "
             "\"c\", "
             "\"unlock\" : \"m\", \"run1\" : 3000 },\n"
             "\"late\" : { \"lock\" : \"m\", \"wait\" : { \"ref\" : \"c\", \"mutex\" : \"m\" }, "
             "\"unlock\" : \"m\", \"run\" : 4000 }",
             2),
      ElementsAre(Jobs{{0, 1}, {100, 1}}, Jobs{{1, 5}, {101, 5}}, Jobs{{3, 4}, {103, 4}}));
}

TEST_F(RtApp, AMutexIsHeldByOneAtATime) {
  EXPECT_THAT(played("\"a\" : { \"instance\" : 2, \"loop\" : 1, \"lock\" : \"m\", \"run\" : 4000, "
                     "\"unlock\" : \"m\", \"sleep\" : 1000 }"),
              ElementsAre(Jobs{{0, 4}}, Jobs{{4, 4}}));
}

TEST_F(RtApp, DelaysLoopsAndTheEnd) {
  EXPECT_THAT(
      played("\"a\" : { \"delay\" : 7000, \"loop\" : 2, \"phases\" : { \"p\" : { \"loop\" : 2, "
             "\"run\" : 1000, \"sleep\" : 9000 } } }",
             10),
      ElementsAre(Jobs{{7, 1}, {17, 1}, {27, 1}, {37, 1}}));
  EXPECT_EQ(played("\"a\" : { \"run\" : 1000, \"sleep\" : 99000 }", 100)[0].size(), 10u);
  EXPECT_THAT(played("\"a\" : { \"suspend\" : \"\", \"run\" : 1000 }"), ElementsAre(IsEmpty()));
}

TEST_F(RtApp, KeysMayRecurAndCommasTrailAsWithWorkgen) {
  EXPECT_THAT(played("\"a\" : { \"run\" : 1000, \"run\" : 2000, \"sleep\" : 7000, },\n"
                     "\t\t\"a\" : { \"run\" : 3000, \"sleep\" : 7000 },"),
              ElementsAre(Jobs{{0, 3}, {10, 3}, {20, 3}, {30, 3}},
                          Jobs{{0, 3}, {10, 3}, {20, 3}, {30, 3}}));
}

TEST_F(RtApp, WhatIsNotUnderstoodIsRefusedByName) {
  EXPECT_THAT(refused("\"a\" : { \"run\" : 1000,\n\"mem\" : 1000 }"),
              HasSubstr(".json:2: key 'mem': is not understood"));
  EXPECT_THAT(refused("\"a\" : { \"exec\" : 5000, \"period\" : 24000 }"), HasSubstr("key 'exec'"));
  EXPECT_THAT(refused("\"a\" : { \"run\" : 1000, \"fork\" : \"b\" }"), HasSubstr("key 'fork'"));
  EXPECT_THAT(refused("\"a\" : { \"policy\" : \"SCHED_FIFO\", \"run\" : 1000 }"),
              HasSubstr("only threads of SCHED_OTHER are played"));
  EXPECT_THAT(refused("\"a\" : { \"run\" : 1.5 }"), HasSubstr("must be a whole number"));
  EXPECT_THAT(refused("\"a\" : { \"run\" : -1 }"), HasSubstr("key 'run'"));
  EXPECT_THAT(refused("\"a\" : { \"run\" : 1, \"timer\" : { \"ref\" : \"t\" } }"),
              HasSubstr("has no 'period'"));
  EXPECT_THAT(
      refused("\"a\" : { \"timer\" : { \"ref\" : \"t\", \"period\" : 1, \"offset\" : 1 } }"),
      HasSubstr("key 'offset'"));
  EXPECT_THAT(refused("\"a\" : 5"), HasSubstr("must be an object"));
  EXPECT_THAT(refused(""), HasSubstr("it has no tasks"));
  write("{ \"tasks\" : { \"a\" : { \"run\" : 1 } } }");
  EXPECT_THAT(refusal([&] { read_rtapp(path_); }), HasSubstr("how long it is"));
}

TEST_F(RtApp, WhatWouldTakeForEverIsRefused) {
  EXPECT_THAT(refused("\"a\" : {}"), HasSubstr("does nothing"));
  EXPECT_THAT(refused("\"a\" : { \"phases\" : { \"p\" : { \"loop\" : 1000000 } } }"),
              HasSubstr("does nothing"));
  EXPECT_THAT(refused("\"a\" : { \"instance\" : 1000, \"run\" : 1, \"sleep\" : 1 }, \"b\" : { "
                      "\"instance\" : 1000, \"run\" : 1, \"sleep\" : 1 }"),
              HasSubstr("beyond 1024 threads"));
  EXPECT_THAT(refused("\"a\" : { \"instance\" : 60, \"sleep\" : 1 }"),
              HasSubstr("more than three million times"));
}

TEST_F(RtApp, EveryThreadHasANameOfItsOwn) {
  write("{ \"tasks\" : { \"a\" : { \"instance\" : 2, \"run\" : 1000, \"sleep\" : 9000 }, "
        "\"a-1\" : { \"run\" : 9000, \"sleep\" : 1000 } }, \"global\" : { \"duration\" : 1 } }");
  const RtAppFile file = read_rtapp(path_);
  ASSERT_EQ(file.tasks.size(), 2u);
  EXPECT_EQ(thread_name(file.tasks[0], 1), "a-1");
  EXPECT_NE(thread_name(file.tasks[1], 1), "a-1");
}

TEST_F(RtApp, ThreadsThatNeverLetTimePassAreRefused) {
  EXPECT_THAT(refused("\"a\" : { \"resume\" : \"b\" }"), HasSubstr("no time passes"));
  EXPECT_THAT(refused("\"a\" : { \"resume\" : \"b\", \"suspend\" : \"a\" }, \"b\" : { \"resume\" : "
                      "\"a\", \"suspend\" : \"b\" }"),
              HasSubstr("no time passes"));
}

TEST_F(RtApp, BecomesAScenarioWhoseDeadlinesAreTheNextWakeUps) {
  const std::string path = file(
      "\"a.b\" : { \"run\" : 4000, \"sleep\" : 6000, \"run1\" : 8000, \"sleep1\" : 12000 },\n"
      "\"idle\" : { \"suspend\" : \"\", \"run\" : 1000 }");
  add_task_profiles(path, board_);
  const Scenario scenario = load_scenario(path, board_);
  EXPECT_EQ(scenario.duration_ns, 1000 * kMs);
  EXPECT_TRUE(scenario.plain_load);
  ASSERT_EQ(scenario.apps.size(), 1u) << "a thread that never runs is none";
  EXPECT_EQ(scenario.apps[0].name, "a_b");
  const auto& jobs = scenario.apps[0].arrival.listed;
  ASSERT_EQ(jobs.size(), 67u);  // two each 30 ms
  EXPECT_EQ(jobs[1].release_ns, 10 * kMs);
  EXPECT_EQ(jobs[0].deadline_ns, 10 * kMs);
  EXPECT_EQ(jobs[1].deadline_ns, 20 * kMs);
  EXPECT_NEAR(jobs[1].work / jobs[0].work, 2, 1e-12);
  // At full speed on the fastest core the jobs take what they did.
  const AppProfile& profile = board_.apps[static_cast<std::size_t>(scenario.apps[0].profile)];
  const Mapping& fast = board_.mappings[static_cast<std::size_t>(board_.find_mapping(kBig, 1))];
  EXPECT_NEAR(execution_ns(board_, profile, fast, 0, highest_opps(board_), jobs[1].work), 8e6, 1);
}

TEST_F(RtApp, CpusBarTheOtherClusters) {
  // Of the round board CPUs 0 to 3 are LITTLE and 4 to 7 big.
  const auto barred = [&](const std::string& cpus) {
    return rtapp_tasks(
               file("\"a\" : { \"cpus\" : " + cpus + ", \"run\" : 1000, \"sleep\" : 9000 }"),
               board_)[0]
        .barred;
  };
  EXPECT_THAT((std::vector<bool>{barred("[0, 3]")[kBig], barred("[0, 3]")[kLittle]}),
              ElementsAre(true, false));
  EXPECT_THAT((std::vector<bool>{barred("[5]")[kBig], barred("[5]")[kLittle]}),
              ElementsAre(false, true));
  EXPECT_THAT((std::vector<bool>{barred("[3, 4]")[kBig], barred("[3, 4]")[kLittle]}),
              ElementsAre(false, false));
  EXPECT_THAT(refusal([&] { barred("[8]"); }), HasSubstr("has CPUs 0 to 7 only"));
}

TEST_F(RtApp, RuntimeTakesItsTimeAtAnyClock) {
  const std::string path = file("\"a\" : { \"runtime\" : 6000, \"run\" : 2000, \"sleep\" : 2000 }");
  add_task_profiles(path, board_);
  const AppProfile& profile = board_.apps.back();
  const Mapping& fast = board_.mappings[static_cast<std::size_t>(board_.find_mapping(kBig, 1))];
  EXPECT_NEAR(execution_ns(board_, profile, fast, 0, highest_opps(board_)), 8e6, 1);
  EXPECT_NEAR(execution_ns(board_, profile, fast, 0, {}), 6e6 + 4e6, 1);  // half the clock
  EXPECT_THAT(refusal([&] {
                rtapp_tasks(file("\"a\" : { \"runtime\" : 6000, \"sleep\" : 2000, \"run\" : 2000, "
                                 "\"sleep\" : 2000 }"),
                            board_);
              }),
              HasSubstr("key 'runtime'"));
}

}  // namespace
}  // namespace flyball
