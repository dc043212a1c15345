#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "env/ledger/arrivals.h"
#include "tests/channel/channel_fixture.h"
#include "tests/governor/allocation_count.h"

extern "C" {
#include "governor/client/session.h"
}

namespace flyball {
namespace {

/// A setting of which every byte follows from its number.
flyball_setting setting_of(std::uint64_t number) {
  flyball_setting setting{};
  setting.number = number;
  for (auto& value : setting.value) value = static_cast<std::uint8_t>(number);
  setting.level = static_cast<std::uint16_t>(number);
  setting.threads = static_cast<std::uint16_t>(number >> 16);
  setting.speed = static_cast<float>(number & 0xffff);
  std::snprintf(setting.where, sizeof setting.where, "%llu",
                static_cast<unsigned long long>(number));
  for (auto& word : setting.cpus) word = number * 0x9e3779b97f4a7c15u;
  return setting;
}

bool is_whole(const flyball_setting& setting) {
  const flyball_setting whole = setting_of(setting.number);
  return std::equal(whole.value, whole.value + FLYBALL_KNOBS, setting.value) &&
         whole.level == setting.level && whole.threads == setting.threads &&
         whole.speed == setting.speed && std::string(whole.where) == setting.where &&
         std::equal(std::begin(whole.cpus), std::end(whole.cpus), setting.cpus);
}

struct MappedSession {
  explicit MappedSession(int memory) {
    session.shared = static_cast<fly_shared*>(
        mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
    session.socket = -1;
    session.hello.level_count = 1;
    session.fork_generation = fly_fork_generation;
    session.check_ns = std::numeric_limits<std::int64_t>::max();
  }
  ~MappedSession() { munmap(session.shared, FLYBALL_SHARED_BYTES); }
  flyball_session session{};
};

TEST(ChannelLaws, NobodyEverReadsHalfASetting) {
  const std::uint64_t kWrites = *FLYBALL_EMULATOR == '\0' ? 1'000'000 : 50'000;
  ClientMemory memory;
  MappedSession reader(memory.descriptor());
  std::atomic<bool> reading{false};
  // A reader that has no CPU meanwhile sees few of them: it is written until many were seen.
  constexpr std::uint64_t kSeen = 5'000;
  std::atomic<std::uint64_t> seen{0}, final{0};
  std::thread writer([&] {
    while (!reading.load()) std::this_thread::yield();
    std::uint64_t n = 0;
    while (++n < kWrites || (seen < kSeen && n < 1'000 * kWrites))
      memory.put_setting(setting_of(n));
    memory.put_setting(setting_of(n));
    final = n;
  });
  std::uint64_t last = 0, torn = 0;
  reading = true;
  while (final == 0 || last < final) {
    const flyball_setting* now = flyball_now(&reader.session);
    if (now->number == 0) continue;
    torn += !is_whole(*now);
    seen += now->number != last;
    EXPECT_GE(now->number, last);  // time does not go back
    last = now->number;
  }
  writer.join();
  EXPECT_EQ(torn, 0u);
  EXPECT_GE(seen, kSeen);
}

TEST(ChannelLaws, ASettingThatIsNeverFinishedIsNeverRead) {
  ClientMemory memory;
  MappedSession reader(memory.descriptor());
  memory.put_setting(setting_of(5));
  EXPECT_EQ(flyball_now(&reader.session)->number, 5u);
  fly_settings& at = reader.session.shared->settings;  // its writer dies in the middle
  __atomic_store_n(&at.sequence, at.sequence + 1, __ATOMIC_SEQ_CST);
  std::memset(at.word, 0xee, 64);
  EXPECT_EQ(flyball_now(&reader.session)->number, 5u);
  EXPECT_TRUE(is_whole(*flyball_now(&reader.session)));
}

TEST(ChannelLaws, ThatAReaderIsHeldToWhatIsTornIsSeenByTheLaw) {
  flyball_setting torn = setting_of(1);
  torn.cpus[15] = setting_of(2).cpus[15];
  EXPECT_FALSE(is_whole(torn));
}

TEST(ChannelLaws, AKilledProducersRingIsReadableToItsLastWholeRecord) {
  ClientMemory memory;
  const pid_t child = fork();
  if (child == 0) {
    MappedSession producer(memory.descriptor());
    for (std::int64_t i = 1;; ++i) {
      flyball_job job{};
      job.release_ns = i;
      job.start_ns = 2 * i;
      job.finish_ns = 3 * i;
      job.cpu_ns = 5 * i;
      flyball_report(&producer.session, &job);
    }
  }
  const MappedSession view(memory.descriptor());
  const fly_shared& shared = *view.session.shared;
  const auto head = [&] { return __atomic_load_n(&shared.head, __ATOMIC_ACQUIRE); };
  std::uint64_t records = 0, read = 0, broken = 0, out_of_order = 0;
  const auto drain = [&] {
    fly_job job;
    while (memory.next_job(job)) {
      broken += job.start_ns != 2 * job.release_ns || job.finish_ns != 3 * job.release_ns ||
                job.cpu_ns != 5 * job.release_ns;
      out_of_order += read > 0 && job.sequence < read;
      read = job.sequence + 1;
      ++records;
    }
  };
  ASSERT_TRUE(comes_about([&] {
    drain();
    return read > 20'000;
  }));
  ASSERT_TRUE(comes_about([&] { return head() > records + 10; }));  // there is something to be read
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  drain();
  EXPECT_EQ(records, head());
  EXPECT_EQ(read - 1, shared.job[(head() - 1) % FLYBALL_RING_JOBS].sequence);
  EXPECT_EQ(broken, 0u);
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_EQ(memory.garbage(), 0u);
}

TEST(ChannelLaws, AFullRingSaysSoAndWhatIsInItIsKept) {
  ClientMemory memory;
  MappedSession producer(memory.descriptor());
  flyball_job job{1, 1, 1, 0, 0, 0, 0, 0};
  for (int i = 0; i < FLYBALL_RING_JOBS; ++i) EXPECT_EQ(flyball_report(&producer.session, &job), 0);
  EXPECT_EQ(flyball_report(&producer.session, &job), EBUSY);
  fly_job read;
  for (std::uint64_t i = 0; i < FLYBALL_RING_JOBS; ++i) {
    ASSERT_TRUE(memory.next_job(read));
    EXPECT_EQ(read.sequence, i);
  }
  EXPECT_FALSE(memory.next_job(read));
  EXPECT_EQ(flyball_report(&producer.session, &job), 0);
  ASSERT_TRUE(memory.next_job(read));
  EXPECT_EQ(read.sequence,
            static_cast<std::uint64_t>(FLYBALL_RING_JOBS) + 1);  // the lost one counts
}

TEST(ChannelLaws, AGovernorThatComesBackMissesNoReport) {
  const SocketDir dir;
  auto governor = std::make_unique<TestGovernor>(dir.path());
  TestSession client(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor->agent.seen().bound_now == 1; }));
  int published = 0;
  const auto publish = [&](int count) {
    for (int i = 0; i < count; ++i) published += client.job() == 0;
  };
  publish(50);
  ASSERT_TRUE(comes_about([&] { return governor->agent.seen().finished == 50; }));
  governor.reset();
  publish(100);  // to nobody
  EXPECT_EQ(published, 150);
  governor = std::make_unique<TestGovernor>(dir.path());
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 1; }));
  publish(10);
  EXPECT_EQ(published, 160);
  // What the first one has not read, the second one has, and nothing twice.
  flyball_effect effect{};
  const auto counted = [&](std::uint64_t jobs) {
    return comes_about([&] {
      flyball_session_effect(client.session, &effect);
      return effect.jobs >= jobs;
    });
  };
  ASSERT_TRUE(counted(110));
  EXPECT_EQ(effect.jobs, 110u);
  EXPECT_EQ(effect.lost, 0u);

  // More than are kept: those without room are counted, with no report behind them.
  governor.reset();
  publish(FLYBALL_RING_JOBS + 44);
  EXPECT_EQ(published, 160 + FLYBALL_RING_JOBS);
  governor = std::make_unique<TestGovernor>(dir.path());
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 1; }));
  ASSERT_TRUE(counted(FLYBALL_RING_JOBS));
  EXPECT_EQ(effect.jobs, static_cast<std::uint64_t>(FLYBALL_RING_JOBS));
  EXPECT_EQ(effect.lost, 44u);
  publish(1);
  ASSERT_TRUE(counted(FLYBALL_RING_JOBS + 1));
  EXPECT_EQ(effect.lost, 44u);  // nor counted twice
}

TEST(ChannelLaws, ReportsOfOtherProcessesAreAllRead) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulated program cannot start another";
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::vector<pid_t> children;
  const std::string program = std::string(FLYBALL_BIN_DIR) + "/channel_client";
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
      if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
      execl(program.c_str(), "channel_client", i % 2 == 0 ? "paced" : "begin_and_die", "50",
            nullptr);
      _exit(127);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9))
        << status;
  }
  // Its welcome is there before its place is seen to be taken.
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 4; }));
  ASSERT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  EXPECT_EQ(governor.agent.seen().finished, 200u);
}

TEST(ChannelLaws, AChildsCopyIsASessionWithoutAGovernor) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession client(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  const pid_t child = fork();
  if (child == 0) {
    const bool apart = flyball_connected(client.session) == 0 && client.job() == EPIPE &&
                       flyball_now(client.session)->value[0] == 2;
    TestSession own(dir.socket(), 0, "own");
    _exit(apart && own.error == 0 && flyball_connected(own.session) == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  client.jobs(1);
  EXPECT_EQ(flyball_connected(client.session), 1);
}

/// A guest of one level.
void offer_one_level(Guest& guest) {
  guest.offer.binding.levels.resize(1);
  guest.offer.level_of.fill(-1);
  guest.offer.level_of[0] = 0;
  guest.offer.flat_level = {0};
  guest.memory.emplace();
}

TEST(ChannelLaws, ReportsThatFoundNoRoomAreCountedThoughNoneComesAfterThem) {
  const PlatformSpec spec = two_clusters();
  const auto table = std::make_unique<GuestTable>();
  Guest& guest = table->guest[0];
  offer_one_level(guest);
  MappedSession client(guest.memory->descriptor());
  GuestSeat seat;
  seat.bind(guest, {}, 0);
  auto out = std::make_unique<Observation>();
  const auto shown = [&] {
    for (bool all = false; !all;) {
      out->clear_jobs();
      all = seat.read(0, 1'000'000, 1'000'000, *out, 0);
      seat.charge(1000, 1'000'000, 800, *out, 0);
    }
    seat.show(spec, false);
    GuestShown told;
    EXPECT_TRUE(guest.shown.get(told));
    return told.effect;
  };
  flyball_job job{1, 1, 1, 0, 0, 0, 0, 0};
  for (int i = 0; i < FLYBALL_RING_JOBS + 10; ++i) flyball_report(&client.session, &job);
  EXPECT_EQ(shown().jobs, static_cast<std::uint64_t>(FLYBALL_RING_JOBS));
  EXPECT_EQ(shown().lost, 10u);
  ASSERT_EQ(flyball_report(&client.session, &job), 0);
  EXPECT_EQ(shown().lost, 10u);  // of which the gap before this one tells too
  for (const std::uint64_t lie : {~0ULL, ~0ULL - 5, FLY_MOST_LOST + 1}) {
    client.session.shared->lost = lie;
    EXPECT_EQ(shown().lost, FLY_MOST_LOST);
  }
  client.session.shared->lost = 0;
  EXPECT_EQ(shown().lost, 10u);
}

TEST(ChannelLaws, OneWhoSaysNothingCountsForNothingUntilItSpeaks) {
  GuestTable table;
  Guest& guest = table.guest[0];
  offer_one_level(guest);
  guest.offer.required.deadline_ns = 1'000'000;
  GuestSeat seat;
  seat.bind(guest, {}, 0);
  auto out = std::make_unique<Observation>();
  const auto look = [&](std::int64_t now_ns) {
    out->clear_jobs();
    seat.read(0, now_ns, 1'000'000, *out, 3);
    return out->app[3].active;
  };
  EXPECT_TRUE(look(1'000'000));
  EXPECT_TRUE(look(FLYBALL_SILENT_NS));
  EXPECT_FALSE(look(FLYBALL_SILENT_NS + 1));
  MappedSession client(guest.memory->descriptor());
  flyball_job job{1, 1, 2'000, 0, 0, 0, 0, 0};
  ASSERT_EQ(flyball_report(&client.session, &job), 0);
  EXPECT_TRUE(look(FLYBALL_SILENT_NS + 2));
}

TEST(ChannelLaws, TimesThatNoClockTellsAreNoTimes) {
  constexpr std::int64_t kNs = 1'000'000, kLastNs = std::numeric_limits<std::int64_t>::max();
  GuestTable table;
  Guest& guest = table.guest[0];
  guest.offer.binding.levels.resize(1);
  guest.offer.level_of.fill(-1);
  guest.offer.level_of[0] = 0;
  guest.offer.flat_level = {0};
  auto out = std::make_unique<Observation>();
  // The zero of the governor's clock may lie on either side of the client's.
  for (const std::int64_t origin_ns : {-1'000, 0, 1'000}) {
    guest.memory.emplace();
    MappedSession client(guest.memory->descriptor());
    fly_shared& shared = *client.session.shared;
    GuestSeat seat;
    seat.bind(guest, {}, 0);
    shared.running = {2, 1, 0, kLastNs - 1, 0, 0};
    seat.read(origin_ns, kNs, kNs, *out, 0);
    EXPECT_FALSE(out->app[0].running.busy);
    shared.running = {4, 1, 5'000, 6'000, 0, 0};
    seat.read(origin_ns, kNs, kNs, *out, 0);
    EXPECT_TRUE(out->app[0].running.busy);
    shared.running.busy = 0;

    flyball_job job{5'000, 6'000, 7'000, 0, 0, 0, 0, 0};
    ASSERT_EQ(flyball_report(&client.session, &job), 0);
    shared.job[0].deadline_ns = kLastNs;
    shared.job[0].sequence = 0;
    out->clear_jobs();
    seat.read(origin_ns, kNs, kNs, *out, 0);
    ASSERT_EQ(out->jobs().size(), 1u);
    EXPECT_EQ(out->jobs()[0].deadline_ns, kNeverNs);
    EXPECT_FALSE(out->jobs()[0].missed);
  }
}

TEST(ChannelLaws, AnEpochAllocatesNothing) {
  const PlatformSpec spec = two_clusters();
  BareMachine machine(spec);
  const auto table = std::make_unique<GuestTable>();
  for (int i = 0; i < 3; ++i) {
    Guest& guest = table->guest[static_cast<std::size_t>(i)];
    guest.offer.binding.levels.resize(1);
    guest.offer.level_of.fill(-1);
    guest.offer.level_of[0] = 0;
    guest.offer.flat_level = {0};
    guest.offer.flags = FLYBALL_FOLLOWS_CPUS;
    guest.memory.emplace();
    guest.state = Guest::State::kReady;
  }
  ChannelPlatform platform(machine, spec, *table, 0,
                           {{CpuSet{0, 1, 2, 3}, CpuSet{4, 5}}, true, false});
  MappedSession client(table->guest[1].memory->descriptor());
  auto out = std::make_unique<Observation>();
  const std::uint64_t before = test::allocations();
  for (int epoch = 0; epoch < 40; ++epoch) {
    Action action;
    action.app[1].mapping = static_cast<std::uint8_t>(epoch % 3);
    platform.apply(action);
    platform.advance({}, *out);
    flyball_begin(&client.session, 0);
    flyball_end(&client.session);
    if (epoch == 30) table->guest[1].leaving = true;
  }
  EXPECT_EQ(test::allocations(), before);
  EXPECT_EQ(table->guest[1].state.load(), Guest::State::kLeft);
  EXPECT_EQ(table->guest[0].state.load(), Guest::State::kBound);
}

TEST(Effect, IsAWelchInterval) {
  EffectEstimate effect;
  flyball_effect out{};
  effect.fill(out);
  EXPECT_EQ(out.latency_ns.known, 0);  // not known yet
  for (int i = 0; i < 8; ++i) effect.add_before(100 + i % 2 * 4, 10, 1600);
  for (int i = 0; i < 7; ++i) effect.add_now(60, 4, 800);
  effect.fill(out);
  EXPECT_EQ(out.latency_ns.known, 0);
  EXPECT_EQ(out.before_ns.known, 1);
  effect.add_now(60, 4, 800);
  effect.fill(out);
  // Before: mean 102, variance 32 / 7, of the mean 4 / 7; now: 60, none. 7 degrees of freedom.
  ASSERT_EQ(out.latency_ns.known, 1);
  EXPECT_DOUBLE_EQ(out.latency_ns.mean, -42);
  EXPECT_NEAR(out.latency_ns.high - out.latency_ns.mean, 2.365 * std::sqrt(4.0 / 7), 1e-9);
  EXPECT_DOUBLE_EQ(out.energy_mj.mean, -6);
  EXPECT_EQ(out.before_mhz, 1600);
  EXPECT_EQ(out.now_mhz, 800);
}

TEST(Effect, IsToldToTheApplication) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  governor.agent.level = 0;
  TestSession client(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  const auto job_of = [&](std::int64_t lasts_ns) {
    flyball_begin(client.session, 0);
    const std::int64_t until_ns = monotonic_ns() + lasts_ns;
    while (monotonic_ns() < until_ns) {
    }
    flyball_end(client.session);
  };
  for (std::uint64_t i = 0; i < GuestSeat::kBeforeJobs; ++i) job_of(4'000'000);
  ASSERT_TRUE(comes_about([&] { return flyball_now(client.session)->number > 0; }));
  for (std::size_t i = 0; i < EffectEstimate::kLeast; ++i) job_of(100'000);
  flyball_effect effect{};
  ASSERT_TRUE(comes_about([&] {
    flyball_session_effect(client.session, &effect);
    return effect.latency_ns.known == 1;
  }));
  EXPECT_GE(effect.before_ns.mean, 4e6);
  EXPECT_EQ(effect.energy_measured, 0);
  EXPECT_EQ(effect.no_comparison, 0);
  EXPECT_EQ(effect.jobs, GuestSeat::kBeforeJobs + EffectEstimate::kLeast);
  EXPECT_STREQ(effect.before_where, "smallx4");
}

TEST(Effect, OfOneThatAnotherGovernorHadThereIsNoComparisonAndThatIsSaid) {
  const SocketDir dir;
  auto governor = std::make_unique<TestGovernor>(dir.path());
  TestSession client(dir.socket());
  client.jobs(20);
  ASSERT_TRUE(comes_about([&] { return governor->agent.seen().finished == 20; }));
  governor = nullptr;
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 0; }));
  TestGovernor next(dir.path());
  ASSERT_TRUE(comes_about([&] { return flyball_connected(client.session) == 1; }));
  client.jobs(20);
  flyball_effect effect{};
  ASSERT_TRUE(comes_about([&] {
    flyball_session_effect(client.session, &effect);
    return effect.jobs == 20;
  }));
  EXPECT_EQ(effect.no_comparison, FLYBALL_JOINED_EARLIER);
  EXPECT_EQ(effect.latency_ns.known, 0);
  EXPECT_EQ(effect.now_ns.known, 1);
  const std::string told = ask_for_applications(dir.path());
  EXPECT_NE(told.find("\"no_comparison\":\"it joined before this governor\""), std::string::npos)
      << told;
}

TEST(Effect, WithTooFewJobsWhileItWasLeftAsItCameThereIsNoComparison) {
  const PlatformSpec spec = two_clusters();
  const auto table = std::make_unique<GuestTable>();
  for (const int jobs : {7, 8}) {
    Guest& guest = table->guest[static_cast<std::size_t>(jobs)];
    offer_one_level(guest);
    MappedSession client(guest.memory->descriptor());
    GuestSeat seat;
    seat.bind(guest, {}, 0);
    auto out = std::make_unique<Observation>();
    const auto reason = [&](std::int64_t now_ns) {
      out->clear_jobs();
      seat.read(0, now_ns, 1'000'000, *out, 0);
      seat.charge(1000, now_ns, 800, *out, 0);
      seat.show(spec, false);
      GuestShown told;
      EXPECT_TRUE(guest.shown.get(told));
      return told.effect.no_comparison;
    };
    flyball_job job{1, 1, 1'000, 0, 0, 0, 0, 0};
    for (int i = 0; i < jobs; ++i) flyball_report(&client.session, &job);
    EXPECT_EQ(reason(1'000'000), 0);
    EXPECT_EQ(reason(GuestSeat::kBeforeNs - 1), 0);
    EXPECT_EQ(reason(GuestSeat::kBeforeNs), jobs < 8 ? FLYBALL_FEW_BEFORE : 0);
  }
}

}  // namespace
}  // namespace flyball
