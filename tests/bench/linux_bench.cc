// What an epoch of the Linux platform costs: sense, decide, write two policies. The files are in
// tmpfs, where a read is cheaper than in sysfs, so the system calls are counted beside it, with what
// one costs on this machine's real files. Limits: p50 20 us, p99 200 us, 0.1 % of a core at 20
// epochs a second.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agents/agent.h"
#include "env/linux/linux_platform.h"
#include "env/linux/sense/held_file.h"
#include "governor/metrics/session.h"
#include "kernels/base/clock.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

struct CountedCalls final : SettingCalls {
  int open_file(const char* path, bool to_write) noexcept override {
    return linux_setting_calls().open_file(path, to_write);
  }
  ssize_t read_file(int fd, char* buffer, std::size_t bytes) noexcept override {
    reads.fetch_add(1, std::memory_order_relaxed);
    return linux_setting_calls().read_file(fd, buffer, bytes);
  }
  ssize_t write_file(int fd, const char* bytes, std::size_t size) noexcept override {
    writes.fetch_add(1, std::memory_order_relaxed);
    return linux_setting_calls().write_file(fd, bytes, size);
  }
  void close_file(int fd) noexcept override { linux_setting_calls().close_file(fd); }
  std::atomic<std::int64_t> reads{0}, writes{0};
};

double percentile(std::vector<std::int64_t> sorted, double part) {
  std::sort(sorted.begin(), sorted.end());
  return static_cast<double>(sorted[static_cast<std::size_t>(part * (sorted.size() - 1))]);
}

/// An Odroid XU3, or a Jetson Nano with an application on its GPU, in tmpfs; all cores are busy: nothing is
/// skipped.
void BM_LinuxEpoch(benchmark::State& state, void (testing::LinuxTree::*make)() const) {
  if (std::filesystem::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 1);
  const testing::LinuxTree tree;
  (tree.*make)();
  const SysTree at(tree.root());
  CountedCalls calls;
  LinuxOptions options;
  options.actuator = ActuatorKind::kSetSpeed;
  options.calls = &calls;
  const LinuxMachine machine = discover_machine(at);
  const MachineSpec made = make_machine_spec(machine, /*devices=*/true);
  options.made = &made;
  LinuxPlatform platform(at, machine, options);
  unsigned devices = 0;
  for (std::size_t c = 0; c < made.device.size(); ++c)
    devices |= (made.device[c] >= 0 ? 1u : 0u) << c;
  platform.occupy(devices);
  const Belief belief = Belief::of(platform.spec());
  const auto agent = make_agent("plain_load", {belief, reward_weights(belief)});
  const auto now = std::make_unique<Observation>();
  Decision decision;
  platform.observe(*now);
  agent->begin_run();
  const auto idle = [&] {
    const auto clusters = platform.clusters();
    return std::none_of(clusters.begin(), clusters.end(),
                        [](const auto& cluster) { return cluster.hand.busy; });
  };
  std::vector<std::int64_t> times_ns;
  std::int64_t ticks = 0, cpu_ns = 0;
  calls.reads = calls.writes = 0;
  for (auto _ : state) {
    ++ticks;
    tree.write_stat(std::vector<std::int64_t>(8, ticks), ticks);
    const std::int64_t cpu_began_ns = read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const std::int64_t began_ns = monotonic_ns();
    platform.advance({.interval_ns = 1}, *now);
    agent->decide(*now, decision);
    Action action = decision.action;  // but all clocks always change
    for (int c = 0; c < now->cluster_count; ++c)
      action.opp[c] = static_cast<std::uint8_t>(1 + ticks % 4);
    platform.apply(action);
    times_ns.push_back(monotonic_ns() - began_ns);
    const std::int64_t waiting_began_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (!idle()) std::this_thread::yield();
    const std::int64_t waited_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID) - waiting_began_ns;
    cpu_ns += read_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_began_ns - waited_ns;
    state.SetIterationTime(static_cast<double>(times_ns.back()) * 1e-9);
  }
  const auto epochs = static_cast<double>(times_ns.size());
  state.counters["p50_us"] = percentile(times_ns, 0.5) * 1e-3;
  state.counters["p99_us"] = percentile(times_ns, 0.99) * 1e-3;
  state.counters["reads"] = static_cast<double>(calls.reads) / epochs;
  state.counters["writes"] = static_cast<double>(calls.writes) / epochs;
  // Of all threads, but for our own waiting until the writers are done.
  state.counters["core_pct_at_20_hz"] = static_cast<double>(cpu_ns) / epochs * 20 * 1e-7;
}
BENCHMARK_CAPTURE(BM_LinuxEpoch, two_policies, &testing::LinuxTree::make_xu3)
    ->UseManualTime()
    ->Iterations(5000);
BENCHMARK_CAPTURE(BM_LinuxEpoch, policy_and_gpu, &testing::LinuxTree::make_nano)
    ->UseManualTime()
    ->Iterations(5000);

/// A start that takes over looks twice: its first look may have seen what somebody was giving back.
void BM_DiscoverMachine(benchmark::State& state) {
  if (std::filesystem::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 1);
  const testing::LinuxTree tree;
  tree.make_xu3();
  const SysTree at(tree.root());
  for (auto _ : state) benchmark::DoNotOptimize(discover_machine(at));
}
BENCHMARK(BM_DiscoverMachine)->Unit(benchmark::kMillisecond);

/// A held descriptor, as the epoch reads it.
void BM_HeldRead(benchmark::State& state, const char* path) {
  HeldFile file(linux_setting_calls(), path);
  std::vector<char> buffer(1 << 14);
  for (auto _ : state) {
    if (file.read(buffer.data(), buffer.size()) <= 0) {
      state.SkipWithError("cannot be read here");
      return;
    }
  }
}
BENCHMARK_CAPTURE(BM_HeldRead, sysfs, "/sys/devices/system/cpu/online");
BENCHMARK_CAPTURE(BM_HeldRead, proc_stat, "/proc/stat");
BENCHMARK_CAPTURE(BM_HeldRead, cpufreq, "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq");

}  // namespace
}  // namespace flyball
