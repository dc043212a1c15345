// What jobs of other processes are counted and charged with is what the ledger would say of the same jobs.

#include <sys/mman.h>

#include <limits>
#include <memory>

#include "env/ledger/arrivals.h"
#include "env/ledger/job_counts.h"
#include "tests/channel/channel_fixture.h"
#include "tests/env/round_board.h"

extern "C" {
#include "governor/client/session.h"
}

namespace flyball {
namespace {

constexpr std::int64_t kMsNs = 1'000'000;

/// A client's end of a guest's memory.
struct OwnSession {
  explicit OwnSession(Guest& guest) {
    guest.offer.binding.levels.resize(1);
    guest.offer.binding.levels[0].accuracy_pct = 90;
    guest.offer.level_of.fill(-1);
    guest.offer.level_of[0] = 0;
    guest.offer.flat_level = {0};
    guest.offer.flags = FLYBALL_FOLLOWS_CPUS;
    guest.memory.emplace();
    session.shared =
        static_cast<fly_shared*>(mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE,
                                      MAP_SHARED, guest.memory->descriptor(), 0));
    session.socket = -1;
    session.hello.level_count = 1;
    session.fork_generation = fly_fork_generation;
    session.check_ns = std::numeric_limits<std::int64_t>::max();
  }
  ~OwnSession() { munmap(session.shared, FLYBALL_SHARED_BYTES); }
  flyball_session session{};
};

Requirements demanding() {
  Requirements required;
  required.period_ns = required.deadline_ns = 40 * kMsNs;
  required.grace_ns = 10 * kMsNs;
  required.accuracy_floor_pct = 60;
  required.energy_budget_mj = 5;
  required.objective = Objective::kLatency;
  return required;
}

/// A job that is dropped in a simulation, as its observation counts it.
AppObservation dropped_in_simulation() {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[0].mcycles = spec.apps[0].unit[1].mcycles = 4'000;
  spec.apps[0].levels.back().accuracy_pct = 90;
  AppSpec app = stream("camera", 40, 40);
  app.queue_limit = 1;
  app.required = demanding();
  const Scenario scenario = of_apps({app}, 1'000);
  Simulator sim(spec, scenario);
  Observation out;
  sim.advance({60 * kMsNs}, out);  // released at 0, which runs, and at 40
  return out.app[0];
}

TEST(ChannelShares, ADroppedJobCostsWhatItCostsInASimulation) {
  GuestTable table;
  Guest& guest = table.guest[0];
  OwnSession client(guest);
  guest.offer.required = demanding();
  GuestSeat seat;
  seat.bind(guest, {}, 0);
  flyball_job job{20 * kMsNs, 20 * kMsNs, 20 * kMsNs, 0, 0, 0, 0, 1};
  ASSERT_EQ(flyball_report(&client.session, &job), 0);
  auto out = std::make_unique<Observation>();
  out->now_ns = out->epoch_ns = 60 * kMsNs;
  seat.read(0, out->now_ns, out->epoch_ns, *out, 0);
  seat.charge(1000, out->now_ns, 1600, *out, 0);
  const AppObservation& real = out->app[0];
  const AppObservation simulated = dropped_in_simulation();
  ASSERT_EQ(simulated.dropped, 1u);
  EXPECT_EQ(real.dropped, 1u);
  EXPECT_EQ(real.missed, simulated.missed);
  EXPECT_EQ(real.below_floor, simulated.below_floor);
  EXPECT_EQ(real.over_budget, 1u);
  EXPECT_EQ(real.over_budget, simulated.over_budget);
  EXPECT_EQ(real.latency_sum_ns, 50 * kMsNs) << "deadline and grace";
  EXPECT_EQ(real.latency_sum_ns, simulated.latency_sum_ns);
  EXPECT_EQ(real.accuracy_lost_pct, simulated.accuracy_lost_pct);
  EXPECT_EQ(real.forgiven, simulated.forgiven);
}

/// With jobs of its own, which have all of its energy while they run.
class OneJobMachine final : public Platform {
 public:
  explicit OneJobMachine(const PlatformSpec& spec, double budget_mj) : spec_(spec) {
    required_.energy_budget_mj = budget_mj;
  }
  const Binding& binding(int) const override { return nobody_; }
  void observe(Observation& out) const noexcept override { show(out, 0); }
  Status apply(const Action&) noexcept override { return Status::kOk; }
  Status advance(const EpochRequest&, Observation& out) noexcept override {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::int64_t now_ns = monotonic_ns() - start_ns_;
    show(out, now_ns - last_ns_);
    last_ns_ = now_ns;
    AppObservation& app = out.app[0];
    job_mj_ += app.energy_mj = out.energy_mj;
    if (++epoch_ % kEpochsOfAJob != 0) {
      app.running.busy = true;
      app.running.start_ns = begin_ns_;
      return Status::kOk;
    }
    JobRecord job;
    job.start_ns = begin_ns_;
    job.finish_ns = begin_ns_ = now_ns;
    job.deadline_ns = kNeverNs;
    job.energy_mj = job_mj_;
    out.add_job(job);
    app.finished = 1;
    count_energy(app, required_, job_mj_);
    job_mj_ = 0;
    return Status::kOk;
  }
  void interrupt() override {}
  std::vector<KnobSetting> capture() const override { return {}; }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }

  static constexpr int kEpochsOfAJob = 4;

 private:
  void show(Observation& out, std::int64_t epoch_ns) const {
    out.clear_jobs();
    out.now_ns = last_ns_ + epoch_ns;
    out.epoch_ns = epoch_ns;
    out.cluster_count = static_cast<int>(spec_.clusters.size());
    out.app_count = 1;
    out.app[0] = {};
    out.app[0].generation = 1;
    out.app[0].required = required_;
    out.roster_version = 1;
    out.energy_mj = static_cast<double>(epoch_ns) * 1e-6;  // 1 W
  }
  const PlatformSpec& spec_;
  Requirements required_;
  Binding nobody_;
  const std::int64_t start_ns_ = monotonic_ns();
  std::int64_t last_ns_ = 0, begin_ns_ = 0;
  double job_mj_ = 0;
  int epoch_ = 0;
};

TEST(ChannelShares, OfOwnJobsAndGuestsSumToThePlatformsEnergy) {
  const PlatformSpec spec = two_clusters();
  // A job has 8 ms of 1 W at least; with a guest beside it half, and a machine that is late more.
  OneJobMachine machine(spec, 1e-3);
  const auto table = std::make_unique<GuestTable>();
  OwnSession client(table->guest[0]);
  table->guest[0].state = Guest::State::kReady;
  ChannelPlatform platform(machine, spec, *table, 1,
                           {{CpuSet{0, 1, 2, 3}, CpuSet{4, 5}}, false, true});
  auto out = std::make_unique<Observation>();
  platform.advance({}, *out);  // binds it
  double own_mj = out->app[0].energy_mj;
  flyball_begin(&client.session, 0);
  int together = 0, ended = 0;
  for (int epoch = 1; epoch < 8 * OneJobMachine::kEpochsOfAJob; ++epoch) {
    platform.advance({}, *out);
    ASSERT_EQ(out->app_count, 2);
    const double sum_mj = out->app[0].energy_mj + out->app[1].energy_mj;
    EXPECT_LE(sum_mj, out->energy_mj * (1 + 1e-9)) << epoch;
    own_mj += out->app[0].energy_mj;
    if (epoch > 1) {  // both ran all the time
      EXPECT_NEAR(out->app[0].energy_mj, out->energy_mj / 2, 0.01 * out->energy_mj) << epoch;
      EXPECT_NEAR(sum_mj, out->energy_mj, 0.01 * out->energy_mj) << epoch;
      ++together;
    }
    for (const JobRecord& job : out->jobs()) {
      ASSERT_EQ(job.app, 0);
      EXPECT_NEAR(job.energy_mj, own_mj, 1e-9 * own_mj) << "its shares of all its epochs";
      EXPECT_EQ(out->app[0].over_budget, 1u);
      EXPECT_NEAR(out->app[0].over_budget_mj, own_mj - 1e-3, 1e-9 * own_mj);
      own_mj = 0;
      ++ended;
    }
  }
  EXPECT_GT(together, 20);
  EXPECT_EQ(ended, 8);
}

TEST(ChannelShares, WithoutGuestsOwnJobsKeepWhatTheyHave) {
  const PlatformSpec spec = two_clusters();
  OneJobMachine machine(spec, 0);
  const auto table = std::make_unique<GuestTable>();
  ChannelPlatform platform(machine, spec, *table, 1,
                           {{CpuSet{0, 1, 2, 3}, CpuSet{4, 5}}, false, true});
  auto out = std::make_unique<Observation>();
  for (int epoch = 0; epoch < 6; ++epoch) {
    platform.advance({}, *out);
    EXPECT_EQ(out->app[0].energy_mj, out->energy_mj);
  }
}

}  // namespace
}  // namespace flyball
