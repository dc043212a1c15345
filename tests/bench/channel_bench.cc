// What the application channel costs an application: promised are 200 ns to publish a job and 20 ns to
// read the setting. Beside them, what one would do instead: a message over a Unix socket and back, and a
// call over D-Bus (libsystemd, where it and a bus are there).

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "env/platform.h"
#include "governor/channel/channel_platform.h"
#include "governor/channel/channel_server.h"
#include "governor/client/flyball.h"
#include "kernels/base/clock.h"

#ifdef FLYBALL_HAS_SYSTEMD
#include <systemd/sd-bus.h>
#endif

namespace flyball {
namespace {

/// One cluster of one core, whose epochs last 1 ms.
class IdleMachine final : public Platform {
 public:
  const Binding& binding(int) const override { return nobody_; }
  void observe(Observation& out) const noexcept override { show(out); }
  Status apply(const Action&) noexcept override { return Status::kOk; }
  Status advance(const EpochRequest& request, Observation& out) noexcept override {
    usleep(static_cast<useconds_t>(request.interval_ns / 1000));
    show(out);
    return Status::kOk;
  }
  void interrupt() override {}
  std::vector<KnobSetting> capture() const override { return {}; }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }

 private:
  void show(Observation& out) const {
    out.clear_jobs();
    out.now_ns = monotonic_ns() - start_ns_;
    out.epoch_ns = 1'000'000;
    out.cluster_count = 1;
    out.app_count = 0;
    out.cluster[0].freq_khz = 1'000'000;
  }
  Binding nobody_;
  const std::int64_t start_ns_ = monotonic_ns();
};

PlatformSpec one_core() {
  PlatformSpec spec;
  ClusterSpec cluster;
  cluster.name = "cpu";
  cluster.opps = {{1'000'000, 900}};
  spec.clusters = {cluster};
  Mapping mapping;
  mapping.cores[0] = 1;
  mapping.name = "cpux1";
  spec.mappings = {mapping};
  return spec;
}

/// A governor whose epochs are played by the thread that asks, or by one of its own.
struct Governor {
  Governor() {
    char name[] = "/tmp/flyball-bench-XXXXXX";
    path = mkdtemp(name);
    dir = std::make_unique<StateDir>(StateDir::make(path));
    server = std::make_unique<ChannelServer>(*dir, *table, ChannelServer::Options{});
    platform = std::make_unique<ChannelPlatform>(machine, spec, *table, 0,
                                                 ChannelPlatformOptions{{CpuSet{0}}, false, false});
    setenv("FLYBALL_SOCKET", (path + "/" FLY_SOCKET_NAME).c_str(), 1);
  }
  ~Governor() {
    stop();
    platform.reset();
    server.reset();
    rmdir(path.c_str());
  }
  void epoch() {
    platform->apply(action);
    platform->advance({.interval_ns = interval_ns}, *now);
  }
  void start() {
    running = true;
    thread = std::thread([this] {
      while (running.load()) {
        for (auto& app : action.app) app.level = level.load();
        epoch();
      }
    });
  }
  void stop() {
    if (!running.exchange(false)) return;
    thread.join();
  }
  std::string path;
  std::unique_ptr<StateDir> dir;
  std::unique_ptr<GuestTable> table = std::make_unique<GuestTable>();
  PlatformSpec spec = one_core();
  IdleMachine machine;
  std::unique_ptr<ChannelServer> server;
  std::unique_ptr<ChannelPlatform> platform;
  std::unique_ptr<Observation> now = std::make_unique<Observation>();
  Action action{};
  std::int64_t interval_ns = 1'000'000;
  std::atomic<std::uint8_t> level{0};
  std::atomic<bool> running{false};
  std::thread thread;
};

flyball_session* open_session() {
  static const char* const values[] = {"small", "large"};
  const flyball_knob knob{"model", "", values, 2};
  flyball_application app{};
  app.name = "bench";
  app.knobs = &knob;
  app.knob_count = 1;
  app.required.deadline_ns = 1'000'000'000;
  flyball_session* session = nullptr;
  flyball_open(&app, &session);
  return session;
}

/// How long each time took, in the order of the benchmark's counters.
class Durations {
 public:
  Durations() { took_.reserve(1 << 20); }
  void add(std::int64_t ns) {
    if (took_.size() < took_.capacity()) took_.push_back(ns);
  }
  /// p50, p99 and the longest: a mean hides what the governor's epochs cost.
  void report(benchmark::State& state) {
    if (took_.empty()) return;
    std::sort(took_.begin(), took_.end());
    const auto at = [&](double share) {
      return static_cast<double>(
          took_[static_cast<std::size_t>(share * static_cast<double>(took_.size() - 1))]);
    };
    state.counters["p50_ns"] = at(0.5);
    state.counters["p99_ns"] = at(0.99);
    state.counters["max_ns"] = at(1);
  }

 private:
  std::vector<std::int64_t> took_;
};

template <typename Step>
void report_durations(benchmark::State& state, Step&& step) {
  Durations durations;
  for (auto _ : state) {
    const std::int64_t before_ns = monotonic_ns();
    step();
    durations.add(monotonic_ns() - before_ns);
  }
  durations.report(state);
}

/// Begin and end, clock readings and all, of jobs that are published: while the ring is half full the next
/// one waits, untimed, and one that is refused ends the benchmark.
void BM_ChannelJob(benchmark::State& state) {
  Governor governor;
  flyball_session* session = open_session();
  governor.start();
  Durations durations;
  std::uint64_t told = 0, read = 0;
  for (auto _ : state) {
    while (told - read > FLYBALL_RING_JOBS / 2) {
      usleep(200);
      flyball_effect effect;
      flyball_session_effect(session, &effect);
      read = effect.jobs + effect.lost;
    }
    const std::int64_t before_ns = monotonic_ns();
    flyball_begin(session, 0);
    const int error = flyball_end(session);
    const std::int64_t took_ns = monotonic_ns() - before_ns;
    if (error != 0) {
      state.SkipWithError(flyball_why());
      break;
    }
    ++told;
    durations.add(took_ns);
    state.SetIterationTime(static_cast<double>(took_ns) * 1e-9);
  }
  durations.report(state);
  governor.stop();
  flyball_close(session);
}
BENCHMARK(BM_ChannelJob)->Iterations(50'000)->UseManualTime();

void BM_ChannelReadSetting(benchmark::State& state) {
  Governor governor;
  flyball_session* session = open_session();
  for (auto _ : state) benchmark::DoNotOptimize(flyball_now(session));
  flyball_close(session);
}
BENCHMARK(BM_ChannelReadSetting);

/// From the moment at which it is decided, one epoch of 1 ms included.
void BM_ChannelChangeSeen(benchmark::State& state) {
  Governor governor;
  flyball_session* session = open_session();
  governor.start();
  std::uint8_t level = 0;
  for (int i = 0; i < 32; ++i) {  // past those that run as they came
    flyball_begin(session, 0);
    flyball_end(session);
    usleep(2000);
  }
  report_durations(state, [&] {
    governor.level = level = 1 - level;
    while (flyball_now(session)->level != level) {
    }
  });
  governor.stop();
  flyball_close(session);
}
BENCHMARK(BM_ChannelChangeSeen)->Iterations(500);

/// What a look at so many applications costs the governor, each with a job.
void BM_ChannelEpoch(benchmark::State& state) {
  Governor governor;
  governor.interval_ns = 0;
  std::vector<flyball_session*> sessions;
  for (int i = 0; i < state.range(0); ++i) sessions.push_back(open_session());
  for (auto _ : state) {
    state.PauseTiming();
    for (flyball_session* session : sessions) {
      flyball_begin(session, 0);
      flyball_end(session);
    }
    state.ResumeTiming();
    governor.epoch();
  }
  for (flyball_session* session : sessions) flyball_close(session);
}
BENCHMARK(BM_ChannelEpoch)->Arg(0)->Arg(1)->Arg(FLYBALL_SESSIONS)->Iterations(2000);

void BM_SocketRoundTrip(benchmark::State& state) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return;
  std::thread other([&] {
    char message[64];
    for (ssize_t got; (got = recv(ends[1], message, sizeof message, 0)) > 0;)
      send(ends[1], message, static_cast<std::size_t>(got), 0);
  });
  char message[64] = {};
  report_durations(state, [&] {
    send(ends[0], message, sizeof message, 0);
    recv(ends[0], message, sizeof message, 0);
  });
  shutdown(ends[0], SHUT_RDWR);
  other.join();
  close(ends[0]);
  close(ends[1]);
}
BENCHMARK(BM_SocketRoundTrip);

#ifdef FLYBALL_HAS_SYSTEMD
void BM_DBusCall(benchmark::State& state) {
  sd_bus* bus = nullptr;
  if (sd_bus_open_system(&bus) < 0 && sd_bus_open_user(&bus) < 0) {
    state.SkipWithError("there is no bus");
    return;
  }
  report_durations(state, [&] {
    sd_bus_message* reply = nullptr;
    sd_bus_call_method(bus, "org.freedesktop.DBus", "/", "org.freedesktop.DBus.Peer", "Ping",
                       nullptr, &reply, "");
    sd_bus_message_unref(reply);
  });
  sd_bus_unref(bus);
}
BENCHMARK(BM_DBusCall);
#endif

}  // namespace
}  // namespace flyball
