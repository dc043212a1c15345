// An application that says what it can run on: a scripted governor over a machine with a GPU.

#include <errno.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "env/model/belief.h"
#include "tests/channel/channel_fixture.h"
#include "tests/channel/good_hello.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr unsigned kGpuBit = 0b100;

/// Two models, on what `where` says; the knob stands before the models.
struct WhereSession {
  WhereSession(const std::string& socket, std::vector<const char*> where, int flags = 0,
               const double* accuracy = nullptr) {
    setenv("FLYBALL_SOCKET", socket.c_str(), 1);
    setenv("FLYBALL_QUIET", "1", 1);
    static const char* const models[] = {"small", "large"};
    const flyball_knob knobs[] = {{FLYBALL_WHERE, "", where.data(), where.size()},
                                  {"model", "", models, 2}};
    flyball_application app{};
    app.name = "camera";
    app.knobs = knobs;
    app.knob_count = 2;
    app.accuracy_pct = accuracy;
    app.threads = 3;
    app.flags = flags;
    app.required.period_ns = 10'000'000;
    app.required.deadline_ns = 20'000'000;
    error = flyball_open(&app, &session);
    why = error != 0 ? flyball_why() : "";
  }
  ~WhereSession() {
    if (error == 0) flyball_close(session);
  }
  WhereSession(const WhereSession&) = delete;
  WhereSession& operator=(const WhereSession&) = delete;
  const flyball_setting& now() const { return *flyball_now(session); }
  int job() {
    flyball_begin(session, 0);
    return flyball_end(session);
  }
  flyball_session* session = nullptr;
  int error = 0;
  std::string why;
};

class WhereTest : public ::testing::Test {
 protected:
  WhereTest() : governor_(dir_.path(), false, two_clusters_and_a_gpu()) {
    gpu_ = governor_.mapping("13000000.gpux1");
    governor_.agent.mapping = gpu_;
    governor_.agent.level = 1;
  }
  /// Jobs until that is so.
  static bool works_until(WhereSession& client, const std::function<bool()>& done) {
    return comes_about([&] {
      client.job();
      return done();
    });
  }

  SocketDir dir_;
  TestGovernor governor_;
  int gpu_ = -1;
};

TEST_F(WhereTest, TheAgentIsToldOfLevelsWithoutWhereAndOfWhatItCanRunOn) {
  WhereSession client(dir_.socket(), {"cpu", "gpu"});
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(comes_about([&] { return governor_.agent.seen().bound.size() == 1; }));
  const Binding bound = governor_.agent.seen().bound[0];
  ASSERT_EQ(bound.levels.size(), 2u);
  EXPECT_EQ(bound.levels[0].accuracy_pct, 50);
  EXPECT_EQ(bound.levels[1].accuracy_pct, 100);
  ASSERT_EQ(bound.knobs.size(), 1u);
  EXPECT_EQ(bound.knobs[0].name, "model");
  EXPECT_EQ(bound.clusters, 0b111u);
  const AppProfile believed = neutral_profile(two_clusters_and_a_gpu(), bound, 0);
  EXPECT_TRUE(believed.unit[2].supported);
  EXPECT_GT(believed.unit[2].mcycles, 0);
}

TEST_F(WhereTest, WhoSaysNothingOfItRunsOnCpus) {
  TestSession client(dir_.socket());
  ASSERT_TRUE(comes_about([&] { return governor_.agent.seen().bound.size() == 1; }));
  EXPECT_EQ(governor_.agent.seen().bound[0].clusters, 0u);
  client.jobs(GuestSeat::kBeforeJobs + 1);
  ASSERT_TRUE(comes_about([&] { return flyball_now(client.session)->number > 0; }));
  EXPECT_STREQ(flyball_now(client.session)->where, "smallx4");
  EXPECT_EQ(governor_.machine().occupied() & kGpuBit, 0u);
}

TEST_F(WhereTest, TheSettingNamesTheElementAndOccupiesItUntilItIsLeft) {
  WhereSession client(dir_.socket(), {"gpu", "cpu"}, FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF);
  ASSERT_EQ(client.error, 0) << client.why;
  EXPECT_EQ(client.now().value[0], 1) << "as it came: the last that it named";
  EXPECT_EQ(governor_.machine().occupied() & kGpuBit, 0u);
  ASSERT_TRUE(works_until(client, [&] { return client.now().number > 0; }));
  EXPECT_STREQ(client.now().where, "13000000.gpux1");
  EXPECT_EQ(client.now().value[0], 0);
  EXPECT_EQ(client.now().value[1], 1);
  EXPECT_EQ(client.now().level, 1);
  EXPECT_EQ(client.now().threads, 3) << "who feeds the GPU is the application's affair";
  for (const std::uint64_t word : client.now().cpus) EXPECT_EQ(word, 0u);
  ASSERT_TRUE(comes_about([&] { return (governor_.machine().occupied() & kGpuBit) != 0; }));

  governor_.agent.mapping = governor_.mapping("bigx2");
  governor_.agent.level = 0;
  ASSERT_TRUE(works_until(client, [&] { return client.now().value[0] == 1; }));
  EXPECT_STREQ(client.now().where, "bigx2");
  EXPECT_EQ(client.now().value[1], 0);
  EXPECT_EQ(client.now().level, 2) << "cpu, small";
  EXPECT_EQ(client.now().cpus[0], 0b110000u);
  ASSERT_TRUE(works_until(client, [&] { return (governor_.machine().occupied() & kGpuBit) == 0; }));

  governor_.agent.mapping = gpu_;
  ASSERT_TRUE(works_until(client, [&] { return (governor_.machine().occupied() & kGpuBit) != 0; }));
  flyball_close(client.session);
  client.error = -1;
  ASSERT_TRUE(comes_about([&] { return (governor_.machine().occupied() & kGpuBit) == 0; }));
}

TEST_F(WhereTest, AJobIsOfTheElementThatItSaysItRanOn) {
  WhereSession client(dir_.socket(), {"cpu", "gpu"});
  ASSERT_TRUE(works_until(client, [&] { return client.now().number > 0; }));
  // By hand on the other one, whatever the setting says.
  flyball_job job{};
  job.release_ns = job.start_ns = monotonic_ns() - 1000;
  job.finish_ns = job.start_ns + 500;
  job.level = 0;  // cpu, small
  ASSERT_EQ(flyball_report(client.session, &job), 0) << flyball_why();
  ASSERT_TRUE(comes_about([&] {
    const auto seen = governor_.agent.seen();
    return !seen.jobs.empty() && seen.jobs.back().setting.level == 0;
  }));
  const AppSetting ran = governor_.agent.seen().jobs.back().setting;
  EXPECT_EQ(ran.mapping, governor_.mapping("smallx4"));
  job.release_ns = job.start_ns = monotonic_ns() - 1000;
  job.finish_ns = job.start_ns + 500;
  job.level = 2;  // gpu, small
  ASSERT_EQ(flyball_report(client.session, &job), 0) << flyball_why();
  ASSERT_TRUE(
      comes_about([&] { return governor_.agent.seen().jobs.back().setting.mapping == gpu_; }));
  EXPECT_EQ(governor_.agent.seen().jobs.back().setting.level, 0);
}

TEST_F(WhereTest, AVoteRaisesTheDevicesClockAndNoOther) {
  WhereSession client(dir_.socket(), {"gpu"});
  ASSERT_TRUE(works_until(client, [&] { return client.now().number > 0; }));
  EXPECT_EQ(governor_.machine().opp(2), 0);
  ASSERT_EQ(flyball_supports(client.session, FLYBALL_FEATURE_VOTES_GPU), 1);
  ASSERT_TRUE(comes_about([&] {
    flyball_session_notify_increase(client.session, 0, 1, "more");
    return governor_.machine().opp(2) == 1;
  })) << flyball_why();
  EXPECT_EQ(governor_.machine().opp(0), 0);
  EXPECT_EQ(governor_.machine().opp(1), 0);
}

TEST_F(WhereTest, OneClusterOrDeviceGoesByItsName) {
  WhereSession client(dir_.socket(), {"big", "13000000.gpu"}, FLYBALL_FOLLOWS_CPUS);
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(works_until(client, [&] { return client.now().number > 0; }));
  EXPECT_EQ(client.now().value[0], 1);
  ASSERT_EQ(governor_.agent.seen().bound[0].clusters, 0b110u);
  // What it cannot run on is not what it is told.
  governor_.agent.mapping = governor_.mapping("smallx2");
  governor_.agent.level = 0;
  ASSERT_TRUE(works_until(client, [&] { return client.now().value[1] == 0; }));
  EXPECT_STREQ(client.now().where, "bigx1");
  EXPECT_EQ(client.now().value[0], 0);
}

TEST_F(WhereTest, AnElementThatTheMachineLacksIsNotSupported) {
  WhereSession client(dir_.socket(), {"cpu", "npu"});
  EXPECT_EQ(client.error, ENOTSUP);
  EXPECT_THAT(client.why, HasSubstr("where: there is no 'npu' here"));
  EXPECT_THAT(client.why, HasSubstr("cpu, gpu, small, big, 13000000.gpu"));
}

TEST_F(WhereTest, ALevelIsAsGoodWhereverItRuns) {
  const double differs[] = {60, 70, 60, 71};
  WhereSession client(dir_.socket(), {"cpu", "gpu"}, 0, differs);
  EXPECT_EQ(client.error, EINVAL);
  EXPECT_THAT(client.why, StartsWith("accuracy_pct[3]"));
  const double lacks[] = {60, NAN, 60, 70};
  WhereSession other(dir_.socket(), {"cpu", "gpu"}, 0, lacks);
  EXPECT_EQ(other.error, EINVAL);
  const double fits[] = {60, NAN, 60, NAN};
  WhereSession right(dir_.socket(), {"cpu", "gpu"}, 0, fits);
  EXPECT_EQ(right.error, 0) << right.why;
}

/// What a client that does not use the library says.
TEST(WhereOffer, LevelsThatDifferInMoreThanWhereAreRefused) {
  fly_hello hello = good_hello();
  hello.knob_count = 1;
  std::strcpy(hello.knob[0].name, FLYBALL_WHERE);
  hello.knob[0].count = 2;
  hello.level_count = 2;
  hello.accuracy_pct[0] = 60;
  hello.accuracy_pct[1] = 60;
  hello.text_bytes = 8;
  std::vector<char> message(sizeof hello + 8);
  const auto read = [&](Offer& offer) {
    std::memcpy(message.data(), &hello, sizeof hello);
    std::memcpy(message.data() + sizeof hello, "cpu\0gpu\0", 8);
    return read_offer(message, offer);
  };
  Offer offer;
  EXPECT_EQ(read(offer), "");
  EXPECT_EQ(offer.binding.levels.size(), 1u);
  const Elements elements(two_clusters_and_a_gpu());
  EXPECT_EQ(find_elements(elements, offer), "");
  EXPECT_EQ(find_elements(Elements(two_clusters()), offer).substr(0, 6), "where:");
  hello.accuracy_pct[1] = 61;
  Offer wrong;
  EXPECT_THAT(read(wrong), StartsWith("accuracy_pct"));
  hello.accuracy_pct[1] = NAN;
  Offer half;
  EXPECT_THAT(read(half), StartsWith("accuracy_pct"));
}

}  // namespace
}  // namespace flyball
