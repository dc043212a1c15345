// The faces that libflyball has in C++ and in Python.

#include <gmock/gmock.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <regex>

#include "governor/client/flyball.hpp"
#include "tests/channel/channel_fixture.h"
#include "tests/governor/subprocess.h"

#ifdef FLYBALL_SANITIZED
#define FLYBALL_NEEDS_PYTHON() GTEST_SKIP() << "a sanitizer's library loads into nothing else"
#else
#define FLYBALL_NEEDS_PYTHON()                                                           \
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the library runs only in an emulator"; \
  if (std::system("python3 -c 0 2>/dev/null") != 0) GTEST_SKIP() << "there is no python3"
#endif

namespace flyball {
namespace {

using ::testing::HasSubstr;
using testing::read_text;

/// A governor that welcomes everybody, and reads nothing.
struct MuteGovernor {
  explicit MuteGovernor(const std::string& path)
      : dir(StateDir::make(path)), server(dir, *table, ChannelServer::Options{}) {}
  StateDir dir;
  std::unique_ptr<GuestTable> table = std::make_unique<GuestTable>();
  ChannelServer server;
};

/// A case of python_face.py, until it ends: it may wait for a line.
class PythonProgram {
 public:
  PythonProgram(const SocketDir& dir, const std::string& words) : said_(dir.path() + "/said") {
    const std::string command = "FLYBALL_SOCKET=" + dir.socket() +
                                " PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=" FLYBALL_SOURCE_DIR
                                "/governor/client FLYBALL_LIBRARY=" FLYBALL_LIBRARY
                                " timeout 120 python3 " +
                                words + " >" + said_ + " 2>&1";
    running_ = popen(command.c_str(), "w");
  }
  ~PythonProgram() {
    if (running_ != nullptr) pclose(running_);
  }
  PythonProgram(const PythonProgram&) = delete;
  PythonProgram& operator=(const PythonProgram&) = delete;
  void expect_done() {
    ASSERT_NE(running_, nullptr);
    std::fputs("\n", running_);
    const int status = pclose(running_);
    running_ = nullptr;
    EXPECT_EQ(status, 0);
    EXPECT_EQ(read_text(said_), "done\n");
  }

 private:
  std::string said_;
  std::FILE* running_ = nullptr;
};

PythonProgram python_case(const SocketDir& dir, const std::string& name) {
  return {dir, FLYBALL_SOURCE_DIR "/tests/channel/python_face.py " + name};
}

TEST(PythonFace, AClosedSessionRaises) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  python_case(dir, "closed").expect_done();
  TestGovernor governor(dir.path());
  python_case(dir, "closed").expect_done();
}

TEST(PythonFace, WithoutAGovernorEveryCallWorksAndIsCounted) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  python_case(dir, "alone").expect_done();
}

TEST(PythonFace, NoReportIsLostSilently) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  MuteGovernor governor(dir.path());
  python_case(dir, "mute").expect_done();
}

TEST(PythonFace, AJobThatRaisesIsADroppedOne) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  PythonProgram program = python_case(dir, "raising");
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 6; }));
  const std::string told = ask_for_applications(dir.path());
  EXPECT_THAT(told, ::testing::AllOf(HasSubstr("\"model_px\""), HasSubstr("\"heat_ms\"")));
  std::vector<bool> dropped;
  for (const JobRecord& job : governor.agent.seen().jobs) dropped.push_back(job.dropped);
  EXPECT_THAT(dropped, ::testing::ElementsAre(false, false, true, true, true, false));
  EXPECT_TRUE(comes_about([&] { return !governor.agent.seen().running; }));
  program.expect_done();
}

TEST(PythonFace, ACallbackHearsOfAnotherSetting) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  python_case(dir, "changing").expect_done();
}

TEST(PythonFace, DeadlineSessionsHaveAllVerbs) {
  FLYBALL_NEEDS_PYTHON();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  PythonProgram program = python_case(dir, "hints");
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 2; }));
  const auto seen = governor.agent.seen();
  EXPECT_EQ(seen.jobs[0].execution_ns(), 4'000'000);
  EXPECT_FALSE(seen.jobs[0].missed);
  EXPECT_TRUE(seen.jobs[1].missed);
  EXPECT_EQ(seen.required.deadline_ns, 5'000'000);
  EXPECT_EQ(seen.required.grace_ns, 1'250'000);  // power efficiency is preferred
  program.expect_done();
}

// All that the header declares is there, and is laid out as in C.
TEST(PythonFace, AgreesWithTheHeader) {
  FLYBALL_NEEDS_PYTHON();
  const std::string header = read_text(FLYBALL_SOURCE_DIR "/governor/client/flyball.h");
  const SocketDir dir;
  std::ofstream program(dir.path() + "/agrees.py");
  program << "import ctypes, flyball\n"
             "def same(what, here, there):\n"
             "    assert here == there, (what, here, there)\n";
  const auto same = [&](const std::string& python, auto value) {
    program << "same('" << python << "', " << python << ", " << value << ")\n";
  };
  std::string functions;
  const std::regex declared(R"(FLYBALL_API [^;(]*\bflyball_(\w+)\()");
  for (std::sregex_iterator at(header.begin(), header.end(), declared), end; at != end; ++at)
    functions += "'" + (*at)[1].str() + "', ";
  program << "same('functions', set(flyball._FUNCTIONS), {" << functions << "})\n";

  same("flyball._KNOBS", FLYBALL_KNOBS);
  same("flyball._LEVELS", FLYBALL_LEVELS);
  same("flyball._MONITORS", FLYBALL_MONITORS);
  same("flyball._NAME", FLYBALL_NAME_BYTES);
  same("flyball._CPUS", FLYBALL_CPUS);
  same("flyball.ENERGY", FLYBALL_ENERGY);
  same("flyball.ACCURACY", FLYBALL_ACCURACY);
  same("flyball.LATENCY", FLYBALL_LATENCY);
  same("flyball._LOWER_IS_BETTER", FLYBALL_LOWER_IS_BETTER);
  same("flyball._HIGHER_IS_BETTER", FLYBALL_HIGHER_IS_BETTER);
  same("flyball._NEITHER", FLYBALL_NEITHER);
  same("flyball.FOLLOWS_CPUS", FLYBALL_FOLLOWS_CPUS);
  same("flyball.PINS_ITSELF", FLYBALL_PINS_ITSELF);
  // In order, by the names that the header has.
  const std::regex feature(R"(\n  FLYBALL_FEATURE_(\w+))");
  std::string features;
  for (std::sregex_iterator at(header.begin(), header.end(), feature), end; at != end; ++at)
    features += "'" + (*at)[1].str() + "'.lower(), ";
  program << "same('features', flyball.FEATURES, (" << features << "))\n";
  same("flyball.FEATURES.index(\"sessions\")", FLYBALL_FEATURE_SESSIONS);
  same("flyball.FEATURES.index(\"effect\")", FLYBALL_FEATURE_EFFECT);

  // Of each struct the names in order, with where the last member of it is: what is between has to fit.
  const auto layout = [&](const std::string& python, const std::string& c, std::size_t bytes,
                          std::vector<std::pair<const char*, std::size_t>> members) {
    same("ctypes.sizeof(flyball." + python + ")", bytes);
    std::string names;
    for (const auto& [name, offset] : members) {
      same("flyball." + python + "." + name + ".offset", offset);
      names += std::string("'") + name + "', ";
      EXPECT_THAT(header, HasSubstr(name)) << c;
    }
    program << "same('" << c << "', [n for n, _ in flyball." << python << "._fields_], [" << names
            << "])\n";
  };
#define MEMBER(type, name) {#name, offsetof(type, name)}
  layout("_Knob", "flyball_knob", sizeof(flyball_knob),
         {MEMBER(flyball_knob, name), MEMBER(flyball_knob, unit), MEMBER(flyball_knob, values),
          MEMBER(flyball_knob, count)});
  layout("_Monitor", "flyball_monitor", sizeof(flyball_monitor),
         {MEMBER(flyball_monitor, name), MEMBER(flyball_monitor, unit),
          MEMBER(flyball_monitor, direction), MEMBER(flyball_monitor, desired_min),
          MEMBER(flyball_monitor, desired_max), MEMBER(flyball_monitor, weight)});
  layout("_Requirements", "flyball_requirements", sizeof(flyball_requirements),
         {MEMBER(flyball_requirements, period_ns), MEMBER(flyball_requirements, deadline_ns),
          MEMBER(flyball_requirements, grace_ns), MEMBER(flyball_requirements, accuracy_floor_pct),
          MEMBER(flyball_requirements, energy_budget_mj),
          MEMBER(flyball_requirements, power_budget_mw), MEMBER(flyball_requirements, priority),
          MEMBER(flyball_requirements, objective)});
  layout("_Application", "flyball_application", sizeof(flyball_application),
         {MEMBER(flyball_application, name), MEMBER(flyball_application, knobs),
          MEMBER(flyball_application, knob_count), MEMBER(flyball_application, accuracy_pct),
          MEMBER(flyball_application, monitors), MEMBER(flyball_application, monitor_count),
          MEMBER(flyball_application, threads), MEMBER(flyball_application, flags),
          MEMBER(flyball_application, required)});
  layout("_Setting", "flyball_setting", sizeof(flyball_setting),
         {MEMBER(flyball_setting, number), MEMBER(flyball_setting, value),
          MEMBER(flyball_setting, level), MEMBER(flyball_setting, threads),
          MEMBER(flyball_setting, speed), MEMBER(flyball_setting, where),
          MEMBER(flyball_setting, cpus)});
  layout("_ReportedJob", "flyball_job", sizeof(flyball_job),
         {MEMBER(flyball_job, release_ns), MEMBER(flyball_job, start_ns),
          MEMBER(flyball_job, finish_ns), MEMBER(flyball_job, deadline_ns),
          MEMBER(flyball_job, cpu_ns), MEMBER(flyball_job, gpu_ns), MEMBER(flyball_job, level),
          MEMBER(flyball_job, dropped)});
  layout("_Estimate", "flyball_estimate", sizeof(flyball_estimate),
         {MEMBER(flyball_estimate, mean), MEMBER(flyball_estimate, low),
          MEMBER(flyball_estimate, high), MEMBER(flyball_estimate, known)});
  layout("_Effect", "flyball_effect", sizeof(flyball_effect),
         {MEMBER(flyball_effect, jobs), MEMBER(flyball_effect, late), MEMBER(flyball_effect, lost),
          MEMBER(flyball_effect, latency_ns), MEMBER(flyball_effect, energy_mj),
          MEMBER(flyball_effect, before_ns), MEMBER(flyball_effect, now_ns),
          MEMBER(flyball_effect, before_mj), MEMBER(flyball_effect, now_mj),
          MEMBER(flyball_effect, before_mhz), MEMBER(flyball_effect, now_mhz),
          MEMBER(flyball_effect, energy_measured), MEMBER(flyball_effect, before_where),
          MEMBER(flyball_effect, now_where), MEMBER(flyball_effect, no_comparison)});
#undef MEMBER
  program << "print('done')\n";
  program.close();
  PythonProgram(dir, dir.path() + "/agrees.py").expect_done();
}

client::Application of_one_model(const SocketDir& dir) {
  setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
  setenv("FLYBALL_QUIET", "1", 1);
  client::Application app;
  app.name = "face";
  app.knobs = {{"model", "", {"small", "large"}}};
  return app;
}

TEST(CppFace, NoReportIsLostSilently) {
  const SocketDir dir;
  {
    client::Session alone(of_one_model(dir));
    { const auto job = alone.job(); }
    alone.job().end();
    EXPECT_EQ(alone.reports().unheard, 2u);
  }
  MuteGovernor governor(dir.path());
  client::Session session(of_one_model(dir));
  ASSERT_TRUE(session.connected());
  for (int i = 0; i < FLYBALL_RING_JOBS + 44; ++i) const auto job = session.job();
  client::Session moved(std::move(session));
  EXPECT_EQ(moved.reports().published, static_cast<std::uint64_t>(FLYBALL_RING_JOBS));
  EXPECT_EQ(moved.reports().refused, 44u);
  auto job = moved.job();
  try {
    job.end();
    ADD_FAILURE() << "a report that was refused raises nothing";
  } catch (const client::Error& error) {
    EXPECT_EQ(error.code().value(), EBUSY);
  }
  EXPECT_EQ(moved.reports().refused, 45u);  // nor is it told once more
  flyball_job told{};
  told.level = -1;
  told.finish_ns = 1;
  EXPECT_THROW(moved.report(told), client::Error);
  EXPECT_EQ(moved.reports().refused, 46u);
}

TEST(CppFace, AJobThatAnExceptionEndsIsADroppedOne) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  client::Session session(of_one_model(dir));
  { const auto job = session.job(); }
  try {
    const auto job = session.job();
    throw std::runtime_error("no such model");
  } catch (const std::runtime_error&) {
    const auto job = session.job();  // while it is handled none is under way
  }
  {
    auto job = session.job();
    EXPECT_THROW(job.end({1.0}), client::Error);  // there is no monitor; it goes on
  }
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 4; }));
  std::vector<bool> dropped;
  for (const JobRecord& job : governor.agent.seen().jobs) dropped.push_back(job.dropped);
  EXPECT_THAT(dropped, ::testing::ElementsAre(false, true, false, false));
  EXPECT_EQ(session.reports().published, 4u);
}

}  // namespace
}  // namespace flyball
