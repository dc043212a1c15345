#include "env/linux/counter_proc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "env/linux/perf_counter_source.h"
#include "tests/env/counter_kernel.h"

namespace flyball {
namespace {

using counter_test::ScriptedKernel;
using testing::HasSubstr;
using enum CounterField;

constexpr const char* kSchedstat7 = "/proc/7/task/7/schedstat";
constexpr const char* kSchedstat8 = "/proc/8/task/8/schedstat";
constexpr const char* kStatus7 = "/proc/7/task/7/status";

/// No perf events, as in many containers.
struct Proc : testing::Test {
  Proc() {
    kernel.refuse = [](const ScriptedKernel::Event&) { return EPERM; };
  }
  ScriptedKernel kernel;
  PerfMachine machine{kernel, "/nowhere", "/proc"};
  CounterSample s;
  PerfCounterSource threads(std::vector<int> tids) {
    return PerfCounterSource::of_threads(tids, machine);
  }
};

TEST_F(Proc, SumsThreadsUntilEachEnds) {
  kernel.texts[kSchedstat7] = "1000 5 10\n";
  kernel.texts[kSchedstat8] = "500 5 1\n";
  {
    auto source = threads({7, 8});
    kernel.texts[kSchedstat7] = "3000 5 13\n";
    kernel.texts[kSchedstat8] = "600 5 2\n";
    EXPECT_TRUE(source.read(s));
    EXPECT_DOUBLE_EQ(s.cpu_time_ns, 2100);
    EXPECT_DOUBLE_EQ(s.context_switches, 4);
    kernel.texts.erase(kSchedstat8);
    kernel.texts[kSchedstat7] = "3100 5 14\n";
    EXPECT_TRUE(source.read(s));
    EXPECT_DOUBLE_EQ(s.context_switches, 1);
    EXPECT_EQ(kernel.open_files(), 1);
    kernel.texts.erase(kSchedstat7);
    EXPECT_FALSE(source.read(s));
    EXPECT_EQ(s.valid, 0);  // and nothing is held for the dead
    EXPECT_THAT(source.describe(), HasSubstr("the threads have ended"));
    EXPECT_EQ(source.tally().failed, 0U);
  }
  EXPECT_EQ(kernel.open_files(), 0);
}

TEST_F(Proc, TakesTheStatusFileWhereLinuxLacksTheOther) {
  const auto status = [](int voluntary, int involuntary) {
    // The thread chose its name. Linux escapes the line feed in it; not trusted to do so.
    return "Name:\tx\nvoluntary_ctxt_switches:\t999\nvoluntary_ctxt_switches:\t" +
           std::to_string(voluntary) + "\nnonvoluntary_ctxt_switches:\t" +
           std::to_string(involuntary) + "\n";
  };
  kernel.texts[kStatus7] = status(10, 3);
  auto source = threads({7});
  kernel.texts[kStatus7] = status(12, 4);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.context_switches, 3);
  EXPECT_FALSE(s.is_valid(kCpuTime));
  EXPECT_THAT(source.describe(), HasSubstr("context switches by /proc (status)"));
}

TEST_F(Proc, AZeroOfLinuxWithoutTheAccountingIsNotValid) {
  kernel.texts[kSchedstat7] = "0 0 0\n";
  auto source = threads({7});
  EXPECT_FALSE(source.read(s));
  EXPECT_EQ(s.valid, 0);
}

TEST_F(Proc, HoldsTheLastValuesOverAnythingMalformed) {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("-1 0 5\n"), std::string("5"),
        std::string("5 5\n"), std::string("nan 1 2\n"), std::string("99999999999999999999 1 9\n"),
        std::string("900 1 1\n"), std::string(100'000, '7'), std::string("1e9 0 9\n"),
        std::string("5000\0 0 9\n", 10)}) {
    kernel.texts[kSchedstat7] = "1000 0 5\n";
    auto source = threads({7});
    kernel.texts[kSchedstat7] = "2000 0 6\n";
    source.read(s);
    kernel.texts[kSchedstat7] = text;
    EXPECT_FALSE(source.read(s)) << text.substr(0, 40);
    EXPECT_TRUE(s.is_held(kCpuTime));
    EXPECT_DOUBLE_EQ(s.cpu_time_ns, 1000);
    EXPECT_EQ(source.tally().failed, 1U);
    kernel.texts[kSchedstat7] = "4000 0 8\n";
    EXPECT_TRUE(source.read(s));
    EXPECT_DOUBLE_EQ(s.cpu_time_ns, 2000);  // nothing is lost
    EXPECT_EQ(s.held, 0);
  }
}

TEST_F(Proc, SoftwareEventsTakeOverFromAFileThatStaysBroken) {
  kernel.refuse = [](const ScriptedKernel::Event& event) {
    return event.attr.type == PERF_TYPE_SOFTWARE ? 0 : ENOENT;
  };
  kernel.texts[kSchedstat7] = "1000 0 5\n";
  auto source = threads({7});
  EXPECT_TRUE(kernel.events.empty());
  kernel.texts[kSchedstat7] = "broken\n";
  for (int i = 0; i < ProcCounters::kPatience; ++i) source.read(s);
  EXPECT_THAT(source.describe(), HasSubstr("context switches, CPU time by software events"));
  kernel.count(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, 4, 1000, 1000);
  kernel.count(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1000, 1000, 1000);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.context_switches, 4);
  EXPECT_DOUBLE_EQ(s.cpu_time_ns, 1000);
}

/// A thread of this machine that sleeps as often as it is told.
class Sleeper {
 public:
  Sleeper() {
    while (tid_ == 0) std::this_thread::yield();
  }
  ~Sleeper() {
    stop_ = true;
    thread_.join();
  }
  int tid() const { return tid_; }
  void sleep(int times) {
    left_ = times;
    while (left_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  void body() {
    tid_ = static_cast<int>(syscall(SYS_gettid));
    while (!stop_) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      if (left_ > 0) --left_;
    }
  }
  std::atomic<int> tid_{0}, left_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_{[this] { body(); }};
};

TEST(CountersOfThisMachine, AThreadThatSleepsNTimesIsSwitchedNTimes) {
  Sleeper sleeper;
  for (const char* proc_root : {"/proc", "/nowhere"}) {  // then by software events
    PerfMachine machine;
    machine.proc_root = proc_root;
    auto source = PerfCounterSource::of_threads({sleeper.tid()}, machine);
    CounterSample s;
    source.read(s);
    for (const int times : {20, 50}) {
      sleeper.sleep(times);
      source.read(s);
      if ((source.measured() & counter_bit(kContextSwitches)) == 0) {
        GTEST_SKIP() << proc_root << ": " << source.describe();
      }
      ASSERT_TRUE(s.is_valid(kContextSwitches)) << source.describe();
      // The first sleep had begun before the count, and a sleep that is over before the thread is
      // off its CPU, as on a virtual machine that was not running, is no switch.
      EXPECT_GE(s.context_switches, times / 2) << source.describe();
      EXPECT_LT(s.context_switches, 1000 * times) << source.describe();
      EXPECT_GT(s.cpu_time_ns, 0) << source.describe();
    }
  }
}

TEST(CountersOfThisMachine, EveryFieldIsNamedOnceAndHasAValueOrAReason) {
  auto source = PerfCounterSource::of_threads({static_cast<int>(syscall(SYS_gettid))});
  CounterSample s;
  source.read(s);
  const std::string text = source.describe();
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if (field == kCycles) continue;  // part of another's name
    const std::string name = counter_name(field);
    ASSERT_NE(text.find(name), std::string::npos) << text;
    EXPECT_EQ(text.find(name), text.rfind(name)) << text;
    EXPECT_TRUE(!s.is_valid(field) || (source.measured() & counter_bit(field)) != 0);
  }
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace flyball
