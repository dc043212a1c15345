// The real `flyball run` on a machine made of files that has a GPU under devfreq: its clock moves for an
// application that is on it, and it is given back whoever dies.

#include <errno.h>
#include <gmock/gmock.h>

#include "tests/channel/channel_fixture.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kGpu = "/sys/class/devfreq/13000000.gpu/";

/// The class has a link to the device, as in sysfs.
void add_gpu(const LinuxTree& tree) {
  const std::string device = "/sys/devices/platform/13000000.gpu/devfreq/13000000.gpu";
  std::filesystem::create_directories(tree.path(device));
  std::filesystem::create_directories(tree.path("/sys/class/devfreq"));
  std::filesystem::create_directory_symlink("../.." + device.substr(4),
                                            tree.path("/sys/class/devfreq/13000000.gpu"));
  tree.write(kGpu + "governor", "simple_ondemand\n");
  tree.write(kGpu + "available_governors", "userspace performance simple_ondemand\n");
  tree.write(kGpu + "available_frequencies", "177000000 350000000 543000000 600000000\n");
  tree.write(kGpu + "min_freq", "177000000\n");
  tree.write(kGpu + "max_freq", "600000000\n");
  tree.write(kGpu + "cur_freq", "177000000\n");
}

/// One model, on the GPU alone: wherever the governor's choice falls, it is there.
struct GpuSession {
  explicit GpuSession(const Governed& governed, const char* where = "gpu") {
    setenv("FLYBALL_SOCKET", (governed.state_dir() + "/" FLY_SOCKET_NAME).c_str(), 1);
    setenv("FLYBALL_QUIET", "1", 1);
    const flyball_knob knob{FLYBALL_WHERE, "", &where, 1};
    flyball_application app{};
    app.name = "detector";
    app.knobs = &knob;
    app.knob_count = 1;
    app.required.period_ns = 20'000'000;
    app.required.deadline_ns = 50'000'000;
    error = flyball_open(&app, &session);
    why = error != 0 ? flyball_why() : "";
  }
  ~GpuSession() { close(); }
  GpuSession(const GpuSession&) = delete;
  GpuSession& operator=(const GpuSession&) = delete;
  void close() {
    if (error == 0) flyball_close(session);
    error = -1;
  }
  bool works_until(const std::function<bool()>& done) const {
    return comes_about([&] {
      flyball_begin(session, 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      flyball_end(session);
      return done();
    });
  }
  flyball_session* session = nullptr;
  int error = 0;
  std::string why;
};

std::string limits(const LinuxTree& tree) {
  return tree.line(kGpu + "min_freq") + " " + tree.line(kGpu + "max_freq");
}
const std::string kFound = "177000000 600000000";

/// Both at one operating point.
bool is_held(const LinuxTree& tree) {
  const std::string min = tree.line(kGpu + "min_freq");
  return !min.empty() && min == tree.line(kGpu + "max_freq");
}

TEST(CliDevice, AnApplicationOnTheGpuSeesItsClockMoveAndItIsLinuxsAgainAfterwards) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed({}, add_gpu);
  const json before = governed.first_status();
  EXPECT_EQ(limits(governed.tree()), kFound) << "nobody is on it";
  GpuSession client(governed);
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(client.works_until([&] { return is_held(governed.tree()); }))
      << governed.governor().err_so_far();
  const flyball_setting now = *flyball_now(client.session);
  EXPECT_STREQ(now.where, "13000000.gpu");
  EXPECT_EQ(now.value[0], 0);
  EXPECT_EQ(governed.tree().line(kGpu + "governor"), "simple_ondemand");
  // What is delivered is what the device says.
  governed.tree().write(kGpu + "cur_freq", "543000000\n");
  ASSERT_TRUE(client.works_until([&] {
    flyball_effect effect{};
    flyball_session_effect(client.session, &effect);
    return effect.now_mhz > 500;
  }));
  const json status = governed.status();
  ASSERT_EQ(status.at("applications").size(), 1u);
  EXPECT_EQ(status.at("applications")[0].at("knobs").at("where"), "gpu");
  ASSERT_EQ(status.at("clusters").size(), 3u);
  EXPECT_EQ(status.at("clusters")[2].at("policies"), "13000000.gpu") << status.dump(2);

  client.close();
  EXPECT_TRUE(comes_about([&] { return limits(governed.tree()) == kFound; }));
  governed.governor().signal(SIGTERM);
  const Finished ended = governed.governor().wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const json result = json::parse(ended.out);
  EXPECT_GT(result.at("clusters")[2].at("writes"), 0);
}

TEST(CliDevice, AGovernorThatIsKilledLeavesTheDeviceAsItWas) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed({}, add_gpu);
  GpuSession client(governed);
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(client.works_until([&] { return is_held(governed.tree()); }));
  governed.governor().signal(SIGKILL);
  governed.governor().wait();
  EXPECT_TRUE(comes_about([&] { return limits(governed.tree()) == kFound; }));
}

TEST(CliDevice, SetspeedTakesTheGovernorAndGivesItBack) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed({"--actuator", "setspeed"}, [](const LinuxTree& tree) {
    add_gpu(tree);
    // As long as the other one's name: a shorter one leaves the rest in a plain file.
    tree.write(kGpu + "governor", "powersave\n");
    // In a tree of files the governor's own folder is there before it is chosen.
    tree.write(kGpu + "userspace/set_freq", "undefined\n");
    for (const int first : {0, 4}) tree.write(LinuxTree::policy(first) + "scaling_setspeed", "1\n");
  });
  GpuSession client(governed);
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(client.works_until([&] {
    return governed.tree().line(kGpu + "governor") == "userspace" &&
           governed.tree().line(kGpu + "userspace/set_freq") != "undefined";
  }));
  EXPECT_EQ(limits(governed.tree()), kFound);
  governed.governor().signal(SIGKILL);
  governed.governor().wait();
  EXPECT_TRUE(comes_about([&] { return governed.tree().line(kGpu + "governor") == "powersave"; }));
}

TEST(CliDevice, AProgramThatSetsTheDevicesLimitHasIt) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed({}, add_gpu);
  GpuSession client(governed);
  ASSERT_EQ(client.error, 0) << client.why;
  ASSERT_TRUE(client.works_until([&] { return is_held(governed.tree()); }));
  ASSERT_TRUE(client.works_until([&] {
    // Until it is seen: what is written before the file is watched is met with the next clock only.
    governed.tree().write(kGpu + "max_freq", "350000001\n");  // no value of ours
    return governed.governor().err_so_far().find("13000000.gpu is left to them") !=
           std::string::npos;
  })) << governed.governor().err_so_far();
  EXPECT_TRUE(client.works_until([&] { return limits(governed.tree()) == "177000000 350000001"; }))
      << limits(governed.tree());
  governed.governor().signal(SIGTERM);
  EXPECT_EQ(governed.governor().wait().exit_code, 0);
  EXPECT_EQ(limits(governed.tree()), "177000000 350000001");
}

TEST(CliDevice, AMachineWithoutSuchADeviceSaysSo) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  const GpuSession client(governed);
  EXPECT_EQ(client.error, ENOTSUP);
  EXPECT_THAT(client.why, HasSubstr("where: there is no 'gpu' here; there are cpu, policy0"));
  const GpuSession other(governed, "cpu");
  EXPECT_EQ(other.error, 0) << other.why;
}

}  // namespace
}  // namespace flyball::testing
