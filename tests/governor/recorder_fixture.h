#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "governor/record/recorder.h"
#include "kernels/base/error.h"
#include "tests/env/network_levels.h"

namespace flyball::test {

namespace fs = std::filesystem;
constexpr std::int64_t kMs = 1'000'000;

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}
inline void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
/// In place: a file system may write a file out that is emptied and filled again.
inline void put_at(const std::string& path, std::size_t offset, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset)).put(byte);
}
struct Undo {
  std::function<void()> action;
  ~Undo() { action(); }
};

inline PlatformSpec two_clusters() {
  PlatformSpec spec;
  spec.name = "small";
  ClusterSpec big, little;
  big.name = "big";
  big.opps = {{500'000, 800}, {1'000'000, 1000}, {2'000'000, 1250}};
  little.name = "little";
  little.opps = {{250'000, 800}, {500'000, 1000}, {1'000'000, 1250}};
  spec.clusters = {big, little};
  spec.mappings = {{{0, 1}, "littlex1"}, {{1, 0}, "bigx1"}, {{2, 0}, "bigx2"}};
  return spec;
}

inline Action setting(int big, int little, int mapping, int level) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(big);
  action.opp[1] = static_cast<std::uint8_t>(little);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(level)};
  return action;
}

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    std::string name = (fs::temp_directory_path() / "flyball_recorder_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    path_ = folder_ + "/run.flyrec";
    Scenario scenario;
    scenario.name = "steady";
    const PlatformSpec spec = two_clusters();
    info_ = recording_info(spec, Belief::of(spec), scenario, "fake", 7, {});
    before_->cluster_count = 2;
    before_->app_count = 1;
    before_->app[0].generation = 1;
    before_->app[0].active = true;
    before_->app[0].required.deadline_ns = 150 * kMs;
    before_->app[0].required.accuracy_floor_pct = 65.5;
  }
  ~RecorderTest() override { fs::remove_all(folder_); }

  void bind(Recorder& recorder) const { recorder.on_bind(0, camera_, *before_); }

  /// Epoch `i`, of 50 ms, with a job in every second one.
  void epoch(Recorder& recorder, int i) const {
    Observation& outcome = *outcome_;
    outcome = *before_;
    outcome.sequence = static_cast<std::uint64_t>(i) + 1;
    outcome.now_ns = (i + 1) * 50 * kMs;
    outcome.epoch_ns = 50 * kMs;
    outcome.energy_mj = 12.5;
    outcome.power_mw = 250;
    outcome.cluster[0].freq_khz = 1'000'000;
    outcome.cluster[0].temp_c = 41.5;
    outcome.app[0].released = 1;
    outcome.app[0].energy_mj = 12.5;
    if (i % 2 == 1) {
      JobRecord job;
      job.sequence = static_cast<std::uint64_t>(i / 2);
      job.release_ns = job.start_ns = (i * 50 - 50) * kMs;
      job.finish_ns = job.start_ns + 80 * kMs;
      job.deadline_ns = job.start_ns + 150 * kMs;
      job.setting = {2, 1};
      job.energy_mj = 20.25;
      job.accuracy_pct = 70;
      job.accuracy_floor_pct = 65.5f;
      outcome.add_job(job);
    }
    Decision decided;
    decided.action = setting(2, 0, 2, 1);
    decided.fresh = true;
    decided.probability = i == 0 ? std::numeric_limits<float>::quiet_NaN() : 0.25f;
    decided.value = -0.5f;
    decided.reason = {Reason::Code::kExplored, 0, {static_cast<float>(i), 0.5f, 65.5f}};
    decided.add_forecast({0, static_cast<std::uint64_t>(i), 8e7f, 1e6f, 20, 2, 0.125f});
    decided.has_runner_up = true;
    decided.runner_up = {1, 0};
    decided.runner_up_energy_mj = 33;
    recorder.on_epoch({*before_, decided, setting(1, 0, 2, 1), Shield::Verdict::kReplaced, outcome,
                       *reward_, 321});
  }

  /// Ten epochs, a block for every second one.
  std::string small_recording() {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    bind(recorder);
    for (int i = 0; i < 10; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
    return contents(path_);
  }

  struct ReadBack {
    RecordingReport report;
    std::vector<Observation> epochs;
    std::vector<DecisionRow> rows;
    std::vector<JobRecord> jobs;
    std::vector<std::pair<int, Binding>> bindings;
    std::vector<int> unbound;
  };
  ReadBack read_back() const {
    ReadBack back;
    RecordingVisitor visitor;
    visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
      back.bindings.emplace_back(slot, binding);
    };
    visitor.on_unbind = [&](int slot) { back.unbound.push_back(slot); };
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      back.epochs.push_back(now);
      back.rows.push_back(row);
    };
    visitor.on_job = [&](const JobRecord& job) { back.jobs.push_back(job); };
    back.report = read_recording(path_, visitor);
    return back;
  }
  static std::string error_of(const std::function<void()>& action, Error::Kind kind) {
    try {
      action();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  std::string folder_, path_;
  RecordingInfo info_;
  const Binding camera_ = with_widths("camera", "net",
                                      {{.width_pct = 50, .accuracy_pct = 60.1, .int8 = true},
                                       {.width_pct = 100, .accuracy_pct = 70.3}},
                                      2);
  std::unique_ptr<Observation> before_ = std::make_unique<Observation>();
  std::unique_ptr<Observation> outcome_ = std::make_unique<Observation>();
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
};

}  // namespace flyball::test
