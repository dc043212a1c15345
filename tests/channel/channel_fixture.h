#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "env/model/platform_mappings.h"
#include "governor/channel/channel_platform.h"
#include "governor/channel/channel_server.h"
#include "governor/client/flyball.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"
#include "kernels/base/clock.h"

namespace flyball {

/// A folder for one socket, of a name that is short enough for one.
class SocketDir {
 public:
  SocketDir() {
    char name[] = "/tmp/flyball-channel-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~SocketDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string socket() const { return path_ + "/" FLY_SOCKET_NAME; }

 private:
  std::string path_;
};

/// Four small cores and two big ones, three operating points each; one known kind of application.
inline PlatformSpec two_clusters() {
  PlatformSpec spec;
  spec.name = "two";
  for (const bool big : {false, true}) {
    ClusterSpec cluster;
    cluster.name = big ? "big" : "small";
    cluster.cores = big ? 2 : 4;
    for (const std::int64_t khz : {400'000, 800'000, 1'600'000})
      cluster.opps.push_back({khz, 800 + static_cast<double>(khz) / 4000});
    cluster.capacity_per_mhz = big ? 0.64 : 0.2;
    cluster.uncore_nf = big ? 0.4 : 0.1;
    spec.clusters.push_back(cluster);
  }
  spec.mappings = make_mappings(spec.clusters, false);
  AppProfile app;
  app.name = "known";
  app.levels = {LevelProfile{}};
  app.levels[0].accuracy_pct = 90;
  for (std::size_t c = 0; c < 2; ++c) {
    app.unit[c].supported = true;
    app.unit[c].mcycles = 4;
    app.unit[c].core_nf = 0.3;
  }
  spec.apps = {app};
  return spec;
}

/// The same with a GPU behind them, of two operating points.
inline PlatformSpec two_clusters_and_a_gpu() {
  PlatformSpec spec = two_clusters();
  ClusterSpec gpu;
  gpu.name = "13000000.gpu";
  gpu.kind = ClusterSpec::Kind::kGpu;
  gpu.opps = {{177'000, 800}, {600'000, 1000}};
  gpu.capacity_per_mhz = 4;
  spec.clusters.push_back(gpu);
  spec.mappings = make_mappings(spec.clusters, false);
  return spec;
}

/// A machine with nothing on it, whose epochs last as long as they say and whose clocks do as they are
/// told. Counts what it is asked for.
class BareMachine final : public Platform {
 public:
  explicit BareMachine(const PlatformSpec& spec) : spec_(spec) {}
  const Binding& binding(int) const override { return nobody_; }
  void observe(Observation& out) const noexcept override { show(out, 0); }
  Status apply(const Action& action) noexcept override {
    for (std::size_t c = 0; c < spec_.clusters.size(); ++c) opp_[c].store(action.opp[c]);
    return Status::kOk;
  }
  Status advance(const EpochRequest&, Observation& out) noexcept override {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::int64_t now_ns = monotonic_ns() - start_ns_;
    show(out, now_ns - last_ns_);
    last_ns_ = now_ns;
    return stop_.load() ? Status::kInterrupted : Status::kOk;
  }
  void interrupt() override { stop_.store(true); }
  std::vector<KnobSetting> capture() const override { return {}; }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }
  void occupy(unsigned clusters) noexcept override { occupied_.store(clusters); }
  unsigned occupied() const { return occupied_.load(); }
  int opp(int cluster) const { return opp_[static_cast<std::size_t>(cluster)].load(); }

 private:
  void show(Observation& out, std::int64_t epoch_ns) const {
    out.clear_jobs();
    out.now_ns = monotonic_ns() - start_ns_;
    out.epoch_ns = epoch_ns;
    out.cluster_count = static_cast<int>(spec_.clusters.size());
    out.app_count = 0;
    out.roster_version = 0;
    out.power_mw = 1000;
    out.energy_mj = static_cast<double>(epoch_ns) * 1e-6;
    for (int c = 0; c < out.cluster_count; ++c) {
      const auto& opps = spec_.clusters[static_cast<std::size_t>(c)].opps;
      ClusterObservation& to = out.cluster[c] = {};
      to.opp = to.asked_opp = static_cast<std::uint8_t>(opp(c));
      to.opp_cap = static_cast<std::uint8_t>(opps.size() - 1);
      to.freq_khz = to.asked_khz = opps[to.opp].freq_khz;
      to.temp_c = 40;
    }
  }
  const PlatformSpec& spec_;
  Binding nobody_;
  std::array<std::atomic<int>, kMaxClusters> opp_{};
  std::atomic<unsigned> occupied_{0};
  std::atomic<bool> stop_{false};
  const std::int64_t start_ns_ = monotonic_ns();
  std::int64_t last_ns_ = 0;
};

/// Does with every application what it is told, and keeps what the loop tells it.
class ScriptedAgent final : public Agent {
 public:
  struct Seen {
    std::vector<Binding> bound;
    std::vector<int> unbound;
    std::vector<JobRecord> jobs;
    Requirements required;  ///< of the slot bound last
    bool active = false, running = false;
    int bound_now = 0;
    double energy_mj = 0;
    std::uint64_t finished = 0;  ///< of all, those that no epoch had room to list too
  };
  std::string_view name() const override { return "scripted"; }
  void bind(int slot, const Binding& binding, const Observation&) override {
    const std::lock_guard lock(mutex_);
    seen_.bound.push_back(binding);
    last_slot_ = slot;
    ++seen_.bound_now;
  }
  void unbind(int slot) override {
    const std::lock_guard lock(mutex_);
    seen_.unbound.push_back(slot);
    --seen_.bound_now;
  }
  void decide(const Observation& now, Decision& out) noexcept override {
    for (int c = 0; c < now.cluster_count; ++c)
      out.action.opp[c] = static_cast<std::uint8_t>(c == 0   ? small_opp.load()
                                                    : c == 1 ? big_opp.load()
                                                             : gpu_opp.load());
    for (int a = 0; a < now.app_count; ++a) {
      if (!now.app[a].bound()) continue;
      out.action.app[a].mapping = static_cast<std::uint8_t>(mapping.load());
      out.action.app[a].level = static_cast<std::uint8_t>(level.load());
    }
  }
  void learn(const Observation& outcome, const Action&, const Reward&) noexcept override {
    const std::lock_guard lock(mutex_);
    for (const JobRecord& job : outcome.jobs()) seen_.jobs.push_back(job);
    for (int a = 0; a < outcome.app_count; ++a) seen_.finished += outcome.app[a].finished;
    if (last_slot_ >= 0 && last_slot_ < outcome.app_count) {
      seen_.required = outcome.app[last_slot_].required;
      seen_.active = outcome.app[last_slot_].active;
      seen_.running = outcome.app[last_slot_].running.busy;
      seen_.energy_mj += outcome.app[last_slot_].energy_mj;
    }
  }
  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::atomic<int> level{0}, mapping{0}, small_opp{0}, big_opp{0}, gpu_opp{0};

 private:
  mutable std::mutex mutex_;
  Seen seen_;
  int last_slot_ = -1;
};

/// Waits for what is to come about: tests wait for conditions and not for times.
inline bool comes_about(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// A whole governor over a bare machine: socket, memory, platform, loop.
class TestGovernor {
 public:
  /// `decides` instead of `agent`, which then sees nothing.
  explicit TestGovernor(const std::string& dir, bool emulated = false,
                        PlatformSpec spec = two_clusters(), Agent* decides = nullptr)
      : dir_(StateDir::make(dir)),
        spec_(std::move(spec)),
        belief_(Belief::of(spec_)),
        machine_(spec_) {
    ChannelServer::Options served;
    served.features = 0xff;
    served.elements = Elements(spec_);
    server_.emplace(dir_, *table_, served);
    ChannelPlatformOptions options;
    options.cluster_cpus = {CpuSet{0, 1, 2, 3}, CpuSet{4, 5}};
    options.emulated = emulated;
    platform_.emplace(machine_, spec_, *table_, 0, options);
    thread_ = std::thread([this, decides] {
      Shield shield(belief_, {.guard = false});
      ControlLoop loop(*platform_, decides != nullptr ? *decides : agent, shield,
                       reward_weights(belief_));
      loop.run();
    });
  }
  ~TestGovernor() {
    machine_.interrupt();
    thread_.join();
    platform_.reset();
    server_.reset();
  }
  int mapping(const std::string& name) const {
    for (std::size_t m = 0; m < spec_.mappings.size(); ++m)
      if (spec_.mappings[m].name == name) return static_cast<int>(m);
    return -1;
  }
  const BareMachine& machine() const { return machine_; }
  int places_taken() const {
    int taken = 0;
    for (const Guest& guest : table_->guest) taken += guest.state.load() != Guest::State::kFree;
    return taken;
  }

  ScriptedAgent agent;

 private:
  StateDir dir_;
  PlatformSpec spec_;
  Belief belief_;
  BareMachine machine_;
  std::unique_ptr<GuestTable> table_ = std::make_unique<GuestTable>();
  std::optional<ChannelServer> server_;
  std::optional<ChannelPlatform> platform_;
  std::thread thread_;
};

/// A session with a knob of three models.
struct TestSession {
  explicit TestSession(const std::string& socket, int flags = 0, const char* name = "camera") {
    setenv("FLYBALL_SOCKET", socket.c_str(), 1);
    setenv("FLYBALL_QUIET", "1", 1);
    static const char* const models[] = {"small", "medium", "large"};
    static const double accuracy[] = {60, 70, 80};
    const flyball_knob knob{"model", "", models, 3};
    flyball_application app{};
    app.name = name;
    app.knobs = &knob;
    app.knob_count = 1;
    app.accuracy_pct = accuracy;
    app.flags = flags;
    app.required.period_ns = 10'000'000;
    app.required.deadline_ns = 20'000'000;
    error = flyball_open(&app, &session);
  }
  ~TestSession() { flyball_close(session); }
  TestSession(const TestSession&) = delete;
  TestSession& operator=(const TestSession&) = delete;
  int job() {
    flyball_begin(session, 0);
    return flyball_end(session);
  }
  void jobs(int count) {
    for (int i = 0; i < count; ++i) EXPECT_EQ(job(), 0) << flyball_why();
  }
  flyball_session* session = nullptr;
  int error = 0;
};

}  // namespace flyball
