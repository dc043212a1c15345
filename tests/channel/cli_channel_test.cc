// The channel of the real `flyball run`: on a Linux machine made of files, and on emulated clocks.

#include <gmock/gmock.h>

#include <fstream>

#include "tests/channel/raw_client.h"
#include "tests/status/governed.h"

/// Where a program of somebody else is to load or link the library.
#ifdef FLYBALL_SANITIZED
#define FLYBALL_LENDS_LIBRARY() GTEST_SKIP() << "a sanitizer's library loads into nothing else"
#else
#define FLYBALL_LENDS_LIBRARY() FLYBALL_STARTS_PROGRAMS()
#endif

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Jobs with a millisecond of nothing between them, until `done`.
bool works_until(TestSession& client, const std::function<bool()>& done) {
  return comes_about([&] {
    client.job();
    return done();
  });
}

flyball_effect effect_of(const TestSession& client) {
  flyball_effect effect{};
  flyball_session_effect(client.session, &effect);
  return effect;
}

TEST(CliChannel, AnApplicationJoinsTheGovernorOfALinuxMachine) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  TestSession client(governed.state_dir() + "/" FLY_SOCKET_NAME);
  ASSERT_EQ(client.error, 0);
  ASSERT_TRUE(works_until(client, [&] { return flyball_now(client.session)->number > 0; }));
  ASSERT_TRUE(works_until(client, [&] { return effect_of(client).latency_ns.known == 1; }));
  EXPECT_EQ(effect_of(client).lost, 0u);
  EXPECT_EQ(effect_of(client).energy_measured, 1);  // the board's rails
  const json status = governed.status();
  ASSERT_EQ(status.at("applications").size(), 1u);
  const json& app = status.at("applications")[0];
  EXPECT_EQ(app.at("name"), "camera");
  EXPECT_EQ(app.at("process"), getpid());
  EXPECT_TRUE(app.at("knobs").contains("model"));
  EXPECT_FALSE(app.at("effect").at("latency_difference_ms").is_null());
  EXPECT_THAT(governed.ask({"status"}).out, HasSubstr("camera, process"));
}

TEST(CliChannel, AGovernorKilledAndRestartedFindsItsClientAgain) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  TestSession client(governed.state_dir() + "/" FLY_SOCKET_NAME);
  std::uint64_t published = 0;
  const auto publish = [&] { published += client.job() == 0; };
  ASSERT_TRUE(comes_about([&] {
    publish();
    return effect_of(client).jobs > 10;
  }));
  governed.governor().signal(SIGKILL);
  governed.governor().wait();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 0; }));
  for (int i = 0; i < 20; ++i) publish();  // kept, and handed to the next
  Flyball next({"run", "--platform", "linux", "--sysfs-root", governed.tree().root(), "--state-dir",
                governed.state_dir(), "--json"});
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 1; }))
      << next.err_so_far();
  for (int i = 0; i < 20; ++i) publish();
  const auto before =
      governed.status().at("applications").at(0).at("jobs_before").get<std::uint64_t>();
  EXPECT_GT(before, 10u);
  EXPECT_TRUE(comes_about([&] { return before + effect_of(client).jobs >= published; }));
  EXPECT_EQ(before + effect_of(client).jobs, published);
  EXPECT_EQ(effect_of(client).lost, 0u);
  EXPECT_THAT(governed.ask({"status"}).out,
              HasSubstr("no comparison with before: it joined before this governor"));
  next.signal(SIGTERM);
  EXPECT_EQ(next.wait().exit_code, 0);
}

TEST(CliChannel, AnApplicationJoinsARunOnEmulatedClocks) {
  FLYBALL_STARTS_PROGRAMS();
  const SocketDir dir;
  Flyball run({"run", "--policy", "rule", "--duration", "600", "--no-compare", "--no-learn",
               "--profile", "none", "--plain", "--state-dir", dir.path()});
  ASSERT_TRUE(comes_about([&] { return std::filesystem::exists(dir.socket()); }))
      << run.err_so_far();
  TestSession client(dir.socket(), FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF);
  ASSERT_TRUE(works_until(client, [&] { return flyball_now(client.session)->number > 0; }))
      << run.err_so_far();
  const flyball_setting* now = flyball_now(client.session);
  EXPECT_GT(now->speed, 0.0f);
  EXPECT_LE(now->speed, 1.0f);
  EXPECT_NE(now->where[0], 0);
  std::uint64_t any = 0;
  for (const std::uint64_t word : now->cpus) any |= word;
  EXPECT_NE(any, 0u);
  const Finished told = flyball_run({"status", "--json", "--state-dir", dir.path()});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(json::parse(told.out).at("applications").size(), 1u);
  EXPECT_THAT(run.err_so_far(), HasSubstr("Applications of other processes can join, at"));
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"explain"}, {"top"}, {"set", "epoch_ms", "20"}, {"metrics"}}) {
    std::vector<std::string> words = verb;
    words.insert(words.end(), {"--state-dir", dir.path()});
    const Finished asked = flyball_run(words);
    EXPECT_EQ(asked.exit_code, 3) << verb[0];
    EXPECT_THAT(asked.out, ::testing::StartsWith("the flyball here (" + dir.path() +
                                                 ") runs on emulated clocks, which has no "));
    EXPECT_EQ(std::count(asked.out.begin(), asked.out.end(), '\n'), 1) << asked.out;
    EXPECT_EQ(asked.err, "");
  }
  const json explained =
      json::parse(flyball_run({"explain", "--json", "--state-dir", dir.path()}).out);
  EXPECT_EQ(explained.at("running"), true);
  EXPECT_EQ(explained.at("emulated"), true);
  run.signal(SIGINT);
  const Finished ended = run.wait();
  EXPECT_EQ(ended.exit_code, 1);  // of ten minutes, seconds
  EXPECT_THAT(ended.err,
              ::testing::EndsWith("flyball: run: interrupted before its end; run it again\n"));
}

/// How many of the last 64 of 400 jobs ran with the large model, of an application whose confidence is low
/// with the small one; each job takes what its model takes.
int large_of_64(const std::string& socket, double weight) {
  setenv("FLYBALL_SOCKET", socket.c_str(), 1);
  static const char* const models[] = {"small", "large"};
  const flyball_knob knob{"model", "", models, 2};
  const flyball_monitor confidence{"confidence", "%", FLYBALL_HIGHER_IS_BETTER, 80, 0, weight};
  flyball_application app{};
  app.name = "detector";
  app.knobs = &knob;
  app.knob_count = 1;
  app.monitors = &confidence;
  app.monitor_count = 1;
  app.required.period_ns = app.required.deadline_ns = 20'000'000;
  flyball_session* session = nullptr;
  EXPECT_EQ(flyball_open(&app, &session), 0) << flyball_why();
  EXPECT_TRUE(comes_about([&] { return flyball_connected(session) == 1; }));
  int large = 0;
  for (int job = 0; job < 400; ++job) {
    const bool is_large = flyball_begin(session, 0)->value[0] == 1;
    const std::int64_t until_ns = monotonic_ns() + (is_large ? 2'000'000 : 500'000);
    while (monotonic_ns() < until_ns) continue;
    const double measured = is_large ? 90 : 40;
    EXPECT_EQ(flyball_end_with(session, &measured, 1), 0) << flyball_why();
    large += is_large && job >= 336;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  flyball_close(session);
  return large;
}

TEST(CliChannel, AnUndesiredValueOfAMonitorTurnsTheKnobThatMakesIt) {
  FLYBALL_STARTS_PROGRAMS();
  for (const double weight : {0.0, 10.0}) {
    const SocketDir dir;
    Flyball run({"run", "--policy", "q_learning", "--duration", "600", "--no-compare", "--no-learn",
                 "--profile", "none", "--plain", "--state-dir", dir.path()});
    ASSERT_TRUE(comes_about([&] { return std::filesystem::exists(dir.socket()); }))
        << run.err_so_far();
    const int large = large_of_64(dir.socket(), weight);
    if (weight > 0) {
      EXPECT_GE(large, 56);
    } else {
      EXPECT_LE(large, 8);
    }
    run.signal(SIGINT);
    EXPECT_EQ(run.wait().exit_code, 1);
  }
}

/// An application with a knob of so many values has so many jobs, in a burst: an epoch lists 32.
void joins_for(const std::string& socket, std::size_t values, int jobs) {
  setenv("FLYBALL_SOCKET", socket.c_str(), 1);
  static const char* const texts[] = {"1", "2", "3", "4", "5"};
  const flyball_knob knob{"model", "", texts, values};
  flyball_application app{};
  app.name = "camera";
  app.knobs = &knob;
  app.knob_count = 1;
  flyball_session* session = nullptr;
  ASSERT_EQ(flyball_open(&app, &session), 0) << flyball_why();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(session) == 1; }));
  ASSERT_TRUE(comes_about([&] { return flyball_now(session)->number > 0; }));
  for (int job = 0; job < jobs; ++job) {
    flyball_begin(session, 0);
    ASSERT_EQ(flyball_end(session), 0) << flyball_why();
  }
  flyball_effect effect{};
  ASSERT_TRUE(comes_about([&] {
    flyball_session_effect(session, &effect);
    return effect.jobs == static_cast<std::uint64_t>(jobs);
  }));
  EXPECT_EQ(effect.lost, 0u);
  flyball_close(session);
}

TEST(CliChannel, AllJobsOfAllThatJoinedAreCountedAndTheSharesAreOfTheScenarios) {
  FLYBALL_STARTS_PROGRAMS();
  const SocketDir dir;
  Flyball run({"run", "--policy", "performance", "--duration", "600", "--no-compare", "--profile",
               "none", "--plain", "--state-dir", dir.path()});
  ASSERT_TRUE(comes_about([&] { return std::filesystem::exists(dir.socket()); }))
      << run.err_so_far();
  ASSERT_TRUE(comes_about([&] { return run.err_so_far().find(" missed ") != std::string::npos; }));
  // A place is taken by one after another, with knobs of their own.
  joins_for(dir.socket(), 3, 100);
  joins_for(dir.socket(), 2, 50);
  joins_for(dir.socket(), 5, 30);
  run.signal(SIGINT);
  const Finished told = run.wait();
  EXPECT_THAT(told.out, HasSubstr("performance: 180 jobs of applications that joined"));
  // One setting, so it has all of the scenario's jobs, whoever else had some.
  EXPECT_THAT(told.out, HasSubstr(" 100.0\n")) << told.out;
}

TEST(CliChannel, AUserWithoutARuntimeFolderIsToldThatNobodyCanJoin) {
  FLYBALL_STARTS_PROGRAMS();
  if (geteuid() == 0 && std::system("setpriv --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "there is no setpriv";
  const SocketDir dir;
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  const std::string as =
      geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
  const auto run = [&](const std::string& words) {
    const std::string command = as + "env -u XDG_RUNTIME_DIR XDG_STATE_HOME=" + dir.path() +
                                "/state " FLYBALL_BIN_DIR
                                "/flyball run --policy performance --duration 0.5 --no-compare "
                                "--profile none --plain " +
                                words + " >/dev/null 2>" + dir.path() + "/err";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_text(dir.path() + "/err");
  };
  if (geteuid() == 0 && std::system((as + "test -x " FLYBALL_BIN_DIR "/flyball").c_str()) != 0)
    GTEST_SKIP() << "nobody else may start what is in this folder";
  const std::string reason = "No application of another process can join: there is no folder";
  const std::string without = run("");
  EXPECT_THAT(without, HasSubstr(reason));
  EXPECT_THAT(without, HasSubstr("--state-dir"));
  EXPECT_THAT(run("--state-dir " + dir.path() + "/here"),
              ::testing::AllOf(HasSubstr("can join, at"), ::testing::Not(HasSubstr(reason))));
}

struct Footprint {
  std::size_t descriptors = 0;
  long resident_kb = 0;
};

Footprint footprint_of(pid_t process) {
  const std::filesystem::path proc = "/proc/" + std::to_string(process);
  Footprint out;
  for (const auto& each : std::filesystem::directory_iterator(proc / "fd"))
    out.descriptors += !each.path().empty();
  std::ifstream statm(proc / "statm");
  long pages = 0;
  statm >> pages >> pages;
  out.resident_kb = pages * (sysconf(_SC_PAGESIZE) / 1024);
  return out;
}

/// './dev soak': a week with a session a minute.
TEST(CliChannel, WhoComesAndGoesLeavesNothingBehind) {
  FLYBALL_STARTS_PROGRAMS();
  const char* asked = std::getenv("FLYBALL_SOAK_SESSIONS");
  const int sessions = asked != nullptr ? std::max(64, std::atoi(asked)) : 192;
  constexpr int kAtATime = 16;  // as many as a user may have
  Governed governed;
  const pid_t governor = governed.status().at("pid").get<pid_t>();
  const auto nobody_is_there = [&] { return governed.status().at("applications").empty(); };
  Footprint before;
  int served = 0;
  for (int done = 0; done < sessions; done += kAtATime) {
    if (done == 64) {  // every name has been there
      ASSERT_TRUE(comes_about(nobody_is_there));
      before = footprint_of(governor);
    }
    std::vector<std::unique_ptr<TestSession>> together;
    for (int i = 0; i < kAtATime; ++i) {
      const std::string name = "app" + std::to_string(i % 8);
      ASSERT_TRUE(comes_about([&] {
        auto session = std::make_unique<TestSession>(governed.state_dir() + "/" FLY_SOCKET_NAME, 0,
                                                     name.c_str());
        if (session->error != 0 || flyball_connected(session->session) != 1)
          return false;  // one before is not gone yet
        together.push_back(std::move(session));
        return true;
      }));
    }
    for (const auto& session : together) session->jobs(3);
    ASSERT_TRUE(
        works_until(*together.front(), [&] { return effect_of(*together.front()).jobs > 0; }));
    ++served;
  }
  EXPECT_EQ(served, sessions / kAtATime);
  EXPECT_TRUE(comes_about(nobody_is_there));
  Footprint after;
  EXPECT_TRUE(comes_about([&] {
    after = footprint_of(governor);
    return after.descriptors <= before.descriptors;
  })) << after.descriptors
      << " descriptors, and before " << before.descriptors;
  std::printf(
      "%d sessions came and went: the governor's memory %ld bytes before and %ld after, "
      "descriptors %zu and %zu\n",
      sessions, before.resident_kb * 1024, after.resident_kb * 1024, before.descriptors,
      after.descriptors);
#ifndef FLYBALL_SANITIZED  // a sanitizer keeps what was freed
  EXPECT_LE(after.resident_kb, before.resident_kb + 512);
#endif
}

TEST(CliChannel, AFolderThatCannotBeHadIsSaid) {
  const Finished told =
      flyball_run({"run", "--policy", "rule", "--duration", "0.5", "--no-compare", "--no-learn",
                   "--profile", "none", "--state-dir", "/dev/null"});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("/dev/null"));
  const Finished word = flyball_run({"run", "--applications", "rule"});
  EXPECT_EQ(word.exit_code, 2);
  EXPECT_THAT(word.err, HasSubstr("--applications"));
}

TEST(CliChannel, APythonProgramJoins) {
  FLYBALL_LENDS_LIBRARY();
  if (std::system("python3 -c 0 2>/dev/null") != 0) GTEST_SKIP() << "there is no python3";
  const SocketDir dir;
  TestGovernor governor(dir.path());
  const std::string program =
      "'import flyball, sys\n"
      "app = flyball.open(\"detector\", knobs={\"model\": [\"small\", \"large\"]},\n"
      "                   accuracy_pct=[61, 68], deadline_ms=50,\n"
      "                   monitors={\"heat\": {}, \"fog\": {\"at_most\": 9, \"weight\": 2}})\n"
      "assert app.connected\n"
      "try:\n"
      "    flyball.open(\"other\", monitors={\"fog\": {\"at_least\": 9, \"at_most\": 3}})\n"
      "    sys.exit(1)\n"
      "except flyball.Error as error:\n"
      "    assert \"desired_min 9 is above desired_max 3\" in str(error), error\n"
      "for i in range(40):\n"
      "    with app.job() as setting:\n"
      "        assert setting[\"model\"] in (\"small\", \"large\")\n"
      "        setting.measured = {\"fog\": 7.5}\n"
      "app.require(deadline_ms=30)\n"
      "sys.stdin.readline()\n"
      "app.close()\n'";
  const std::string command = "FLYBALL_SOCKET=" + dir.socket() +
                              " PYTHONPATH=" FLYBALL_SOURCE_DIR
                              "/governor/client FLYBALL_LIBRARY=" FLYBALL_LIBRARY " python3 -c " +
                              program;
  std::FILE* const running = popen(command.c_str(), "w");
  ASSERT_NE(running, nullptr);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().finished == 40; }));
  ASSERT_EQ(governor.agent.seen().bound.size(), 1u);
  const auto monitors = [&] {
    const json all = applications_of(dir);
    return all.empty() ? json() : all[0].value("monitors", json());
  };
  const json expected = {{"heat", nullptr}, {"fog", 7.5}};
  EXPECT_TRUE(comes_about([&] { return monitors() == expected; })) << monitors();
  std::fputs("\n", running);
  EXPECT_EQ(pclose(running), 0);
  EXPECT_EQ(governor.agent.seen().bound[0].levels[1].accuracy_pct, 68);
}

/// What Python says at the end of a program that opens an application with these arguments.
std::string python_says(const std::string& arguments) {
  const SocketDir dir;
  std::ofstream(dir.path() + "/x.py") << "import flyball, math\n"
                                      << "flyball.open(\"big\", " << arguments << ").close()\n";
  const std::string command =
      "FLYBALL_SOCKET=" + dir.socket() +
      " FLYBALL_QUIET=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=" FLYBALL_SOURCE_DIR
      "/governor/client FLYBALL_LIBRARY=" FLYBALL_LIBRARY " python3 " +
      dir.path() + "/x.py 2>&1 | tail -n 1 >" + dir.path() + "/said";
  EXPECT_EQ(std::system(command.c_str()), 0);
  return read_text(dir.path() + "/said");
}

TEST(CliChannel, APythonProgramIsToldWhichArgumentIsWrong) {
  FLYBALL_LENDS_LIBRARY();
  if (std::system("python3 -c 0 2>/dev/null") != 0) GTEST_SKIP() << "there is no python3";
  for (const std::string time : {"(2**64+50_000_000)/1e6", "1e30", "10**400", "math.nan",
                                 "math.inf", "-1", "86_400_001", "\"50\"", "None"}) {
    for (const std::string name : {"period_ms", "deadline_ms", "grace_ms"}) {
      const std::string said = python_says(name + "=" + time);
      EXPECT_THAT(said, ::testing::StartsWith("ValueError: " + name + ": ")) << time;
      EXPECT_THAT(said, HasSubstr("finite and from 0 to a day")) << time;
    }
  }
  for (const std::string good : {"0", "50", "86_400_000", "16.7"})
    EXPECT_EQ(python_says("deadline_ms=" + good), "");
  EXPECT_EQ(python_says("monitors={\"fog\": {\"at_leats\": 3}}"),
            "ValueError: monitor 'fog': has no 'at_leats'; there are at_least, at_most, weight\n");
  EXPECT_THAT(
      python_says("deadlin_ms=5"),
      ::testing::StartsWith("ValueError: requirement 'deadlin_ms': there is none; there are "
                            "period_ms, "));
  EXPECT_THAT(python_says("priority=2**32+1"), ::testing::StartsWith("ValueError: priority: "));
  EXPECT_THAT(python_says("knobs={\"model\": [\"a\", \"b\", \"a\"]}"),
              HasSubstr("knob 'model': has the value 'a' twice"));
}

}  // namespace
}  // namespace flyball::testing
