#pragma once

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "env/emulated/job_engine.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "tests/env/network_levels.h"

namespace flyball::emulated_test {

inline std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline void sleep_ns(std::int64_t ns) {
  timespec span{ns / 1'000'000'000, ns % 1'000'000'000};
  nanosleep(&span, nullptr);
}

/// Of this process. ThreadSanitizer starts one of its own with the first thread, so there is one
/// before anything is counted.
inline int thread_count() {
  static const bool started = (std::thread([] {}).join(), true);
  static_cast<void>(started);
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

/// Waits, 10 s at most, until the process has `count` threads: one that was joined is listed for a
/// moment longer.
inline bool threads_become(int count) {
  for (int i = 0; i < 10'000 && thread_count() != count; ++i) sleep_ns(1'000'000);
  return thread_count() == count;
}

/// One cluster of two cores, 500, 1000 and 2000 MHz at 1 V, with easy numbers: without leakage a
/// clocked cluster takes 0.1 nF, each busy core of the application 1 nF, so that at 2 GHz it is 200
/// mW idle and 2200 mW with one busy core. Two widths, half the time and half the power of the
/// other. A job is 20 Mcycles: 10 ms at 2 GHz on one core.
inline PlatformSpec easy_spec() {
  PlatformSpec spec;
  spec.name = "easy";
  spec.emulated = true;
  ClusterSpec cpu;
  cpu.name = "CPU";
  cpu.cores = 2;
  cpu.opps = {{500'000, 1000}, {1'000'000, 1000}, {2'000'000, 1000}};
  cpu.uncore_nf = 0.1;
  spec.clusters = {cpu};
  Mapping one, two;
  one.cores[0] = 1;
  one.name = "CPUx1";
  two.cores[0] = 2;
  two.name = "CPUx2";
  spec.mappings = {one, two};
  AppProfile cnn;
  cnn.name = "cnn";
  give_widths(cnn, {{50, 0.5, 0.5, 60, "test"}, {100, 1, 1, 70, "test"}});
  cnn.unit[0].supported = true;
  cnn.unit[0].mcycles = 20;
  cnn.unit[0].core_nf = 1;
  spec.apps = {cnn};
  ThermalNode node;
  node.name = "CPU";
  node.cluster = 0;
  node.offset_c = 10;
  node.terms = {{5, 2}};
  spec.thermal = {node};
  return spec;
}

/// One application whose jobs come every 40 ms and have 30 ms.
inline Scenario easy_scenario(std::int64_t duration_ms) {
  Scenario scenario;
  scenario.name = "easy";
  scenario.duration_ns = duration_ms * 1'000'000;
  AppSpec app;
  app.name = "camera";
  app.arrival.period_ns = 40'000'000;
  app.required.period_ns = 40'000'000;
  app.required.deadline_ns = 30'000'000;
  app.required.accuracy_floor_pct = 65;
  app.queue_limit = 3;
  app.stop_ns = scenario.duration_ns;
  scenario.apps = {app};
  return scenario;
}

/// Works by sleeping: an inference at full width on one core takes `inference_ns` at speed ratio 1,
/// half of that at the lower of two widths. Notices a change of the ratio within 1 ms.
class SleepingEngine final : public JobEngine {
 public:
  explicit SleepingEngine(std::int64_t inference_ns) : inference_ns_(inference_ns) {}

  std::int64_t run(const Setting& setting, int inferences) override {
    if (broken) throw std::runtime_error("engine broke");
    const std::int64_t begin = now_ns();
    ratio_ = setting.speed_ratio;
    {
      const std::lock_guard lock(mutex_);
      runs_.push_back({setting, inferences, begin});
    }
    double left = static_cast<double>(inference_ns_) * inferences / setting.active *
                  (setting.width == 0 ? 0.5 : 1);
    std::int64_t last = begin;
    while (left > 0 && !is_cut_short()) {
      const double ratio = ratio_;
      sleep_ns(std::min<std::int64_t>(1'000'000, static_cast<std::int64_t>(left / ratio) + 1));
      const std::int64_t now = now_ns();
      left -= static_cast<double>(now - last) * ratio;
      last = now;
    }
    return now_ns() - begin;
  }
  void set_speed_ratio(double ratio) override {
    ratio_ = ratio;
    const std::lock_guard lock(mutex_);
    ratios_.push_back({ratio, now_ns()});
  }
  int max_active() const override { return 2; }
  void release_thread() override { ++released; }

  struct Run {
    Setting setting;
    int inferences;
    std::int64_t begin_ns;
  };
  struct Ratio {
    double ratio;
    std::int64_t at_ns;
  };
  std::vector<Run> runs() const {
    const std::lock_guard lock(mutex_);
    return runs_;
  }
  std::vector<Ratio> ratios() const {
    const std::lock_guard lock(mutex_);
    return ratios_;
  }
  std::atomic<bool> broken{false};
  std::atomic<int> released{0};

 private:
  const std::int64_t inference_ns_;
  std::atomic<double> ratio_{1};
  mutable std::mutex mutex_;
  std::vector<Run> runs_;
  std::vector<Ratio> ratios_;
};

}  // namespace flyball::emulated_test
