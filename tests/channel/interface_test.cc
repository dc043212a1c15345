// The limits of what flyball.h takes, and the callback by which a pool is resized.

#include <errno.h>

#include <cmath>

#include "tests/channel/raw_client.h"

namespace flyball {
namespace {

/// An application with knobs of so many values each, "0" and up.
struct Offering {
  explicit Offering(const std::vector<std::size_t>& counts) {
    names.reserve(257);
    for (int v = 0; v < 257; ++v) names.push_back(std::to_string(v));
    for (const std::string& name : names) values.push_back(name.c_str());
    for (std::size_t k = 0; k < counts.size(); ++k) knob_names.push_back("k" + std::to_string(k));
    for (std::size_t k = 0; k < counts.size(); ++k)
      knobs.push_back({knob_names[k].c_str(), "", values.data(), counts[k]});
    app.name = "offering";
    app.knobs = knobs.data();
    app.knob_count = knobs.size();
  }
  std::vector<std::string> names, knob_names;
  std::vector<const char*> values;
  std::vector<flyball_knob> knobs;
  flyball_application app{};
};

int open_error(const flyball_application& app) {
  flyball_session* session = nullptr;
  const int error = flyball_open(&app, &session);
  EXPECT_EQ(session == nullptr, error != 0);
  flyball_close(session);
  return error;
}

TEST(Interface, FourKnobsAndTwoHundredAndFiftySixLevelsAndNoMore) {
  const SocketDir dir;
  setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
  setenv("FLYBALL_QUIET", "1", 1);
  EXPECT_EQ(open_error(Offering({4, 4, 4, 4}).app), 0);
  EXPECT_EQ(open_error(Offering({256}).app), 0);
  EXPECT_EQ(open_error(Offering({2, 2, 2, 2, 2}).app), EINVAL);
  EXPECT_STREQ(flyball_why(), "knobs: 5; at most 4");
  EXPECT_EQ(open_error(Offering({257}).app), EINVAL);
  EXPECT_STREQ(flyball_why(), "knob 'k0': has 257 values; 1 to 256");
  EXPECT_EQ(open_error(Offering({2, 129}).app), EINVAL);  // 258
  EXPECT_STREQ(flyball_why(), "knob 'k1': makes more than 256 combinations; leave some out");
  EXPECT_EQ(open_error(Offering({0}).app), EINVAL);
}

TEST(Interface, TheGovernorTakesAsManyAndNoMore) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
  const auto texts = [](int count) {
    std::string all;
    for (int v = 0; v < count; ++v) all += std::to_string(v) + '\0';
    return all;
  };
  fly_hello hello = good_hello();
  hello.knob_count = FLYBALL_KNOBS + 1;
  EXPECT_EQ(RawClient(dir.socket(), hello).error, EINVAL);
  hello = good_hello();
  hello.knob_count = 1;
  std::strcpy(hello.knob[0].name, "size");
  for (const int count : {FLYBALL_LEVELS + 1, FLYBALL_LEVELS}) {
    hello.knob[0].count = hello.level_count = static_cast<std::uint32_t>(count);
    for (float& accuracy : hello.accuracy_pct) accuracy = 50;
    hello.text_bytes = static_cast<std::uint32_t>(texts(count).size());
    const RawClient client(dir.socket(), hello, texts(count));
    EXPECT_EQ(client.error, count > FLYBALL_LEVELS ? EINVAL : 0) << client.why;
    if (client.error != 0) continue;
    ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 1; }));
    EXPECT_EQ(governor.agent.seen().bound[0].levels.size(), 256u);
  }
}

TEST(Interface, APowerBudgetIsToldToTheAgent) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession client(dir.socket());
  flyball_requirements required{};
  required.power_budget_mw = 2500;
  ASSERT_EQ(flyball_require(client.session, &required), 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().required.power_budget_mw == 2500; }));
  for (const double wrong : {-1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    required.power_budget_mw = wrong;
    EXPECT_EQ(flyball_require(client.session, &required), EINVAL);
  }
  client.jobs(1);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 1; }));
  EXPECT_EQ(governor.agent.seen().required.power_budget_mw, 2500);
}

/// A pool that is resized by callback, before the call that found the change returns.
struct Pool {
  static void resize(const flyball_setting* now, void* user) {
    auto& pool = *static_cast<Pool*>(user);
    pool.threads = now->threads;
    pool.number = now->number;
    pool.caller = std::this_thread::get_id();
    ++pool.calls;
  }
  int threads = 0, calls = 0;
  std::uint64_t number = 0;
  std::thread::id caller;
};

TEST(Interface, APoolIsResizedByCallbackBeforeTheCallReturns) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  governor.agent.mapping = governor.mapping("smallx1");
  TestSession client(dir.socket(), FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF);
  Pool pool;
  ASSERT_EQ(flyball_on_change(client.session, Pool::resize, &pool), 0);
  client.jobs(GuestSeat::kBeforeJobs);
  ASSERT_TRUE(comes_about([&] { return flyball_now(client.session)->number > 0; }));
  EXPECT_EQ(pool.threads, 1);
  EXPECT_EQ(pool.number, flyball_now(client.session)->number);
  EXPECT_EQ(pool.caller, std::this_thread::get_id());
  governor.agent.mapping = governor.mapping("smallx4");
  ASSERT_TRUE(comes_about([&] {  // by the job that is to run with it
    const int before = pool.calls;
    const flyball_setting* now = flyball_begin(client.session, 0);
    EXPECT_EQ(pool.threads, now->threads);
    EXPECT_EQ(pool.number, now->number);
    flyball_end(client.session);
    return pool.calls > before;
  }));
  EXPECT_EQ(pool.threads, 4);
  const int so_far = pool.calls;
  flyball_now(client.session);
  EXPECT_EQ(pool.calls, so_far);  // nothing has changed
  governor.agent.mapping = governor.mapping("smallx2");
  ASSERT_EQ(flyball_wait(client.session, 20'000'000'000), 0);
  EXPECT_EQ(pool.threads, 2);
  ASSERT_EQ(flyball_on_change(client.session, nullptr, nullptr), 0);
  governor.agent.mapping = governor.mapping("smallx1");
  ASSERT_EQ(flyball_wait(client.session, 20'000'000'000), 0);
  EXPECT_EQ(pool.threads, 2);
}

}  // namespace
}  // namespace flyball
