// flyball-desktop between a bus of its own and a real governor of a machine made of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "governor/desktop/bus.h"
#include "tests/service/installed_tree.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using ::testing::HasSubstr;

/// A program until the end of the test.
class Child {
 public:
  explicit Child(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(open("/dev/null", O_RDWR), 2);
      execvp(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Child() { end(SIGKILL); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int end(int signal_number) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal_number);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

bool comes(const std::function<bool()>& condition) {
  for (int i = 0; i < 12'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// A system bus on which everybody may do everything, as far as the bus is concerned.
class PrivateBus {
 public:
  PrivateBus() {
    chmod(dir_.path().c_str(), 0755);
    std::ofstream(dir_ / "bus.conf")
        << "<busconfig><type>system</type><listen>unix:path=" << (dir_ / "bus")
        << "</listen><policy context='default'><allow user='*'/><allow own='*'/>"
           "<allow send_type='method_call'/><allow send_destination='*'/>"
           "<allow receive_sender='*'/></policy></busconfig>";
    daemon_.emplace(std::vector<std::string>{"dbus-daemon", "--config-file=" + (dir_ / "bus.conf"),
                                             "--nofork", "--nopidfile"});
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address().c_str(), 1);
    comes([&] { return std::filesystem::exists(dir_ / "bus"); });
  }
  ~PrivateBus() { unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
  std::string address() const { return "unix:path=" + (dir_ / "bus"); }

 private:
  TempDir dir_;
  std::optional<Child> daemon_;
};

/// An application, or a desktop's switch.
class Client {
 public:
  Client() {
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) throw std::runtime_error("no bus");
    bus_.reset(bus);
  }
  bool provided(const BusFace& face = kProfiles) const {
    return name_has_owner(bus_.get(), face.name);
  }
  std::string property(const char* name, const BusFace& face = kProfiles) const {
    BusError error;
    char* text = nullptr;
    sd_bus_get_property_string(bus_.get(), face.name, face.path, face.interface, name, error.get(),
                               &text);
    const std::string value = text ? text : error.get()->name ? error.get()->name : "?";
    std::free(text);
    return value;
  }
  /// Empty, or the name of the error.
  std::string select(const char* profile, const BusFace& face = kProfiles) const {
    BusError error;
    sd_bus_set_property(bus_.get(), face.name, face.path, face.interface, "ActiveProfile",
                        error.get(), "s", profile);
    return error.get()->name ? error.get()->name : "";
  }
  std::uint32_t hold(const char* profile, std::string* refused = nullptr) const {
    BusError error;
    sd_bus_message* reply = nullptr;
    sd_bus_call_method(bus_.get(), kProfiles.name, kProfiles.path, kProfiles.interface,
                       "HoldProfile", error.get(), &reply, "sss", profile, "a game runs",
                       "org.game");
    const BusMessage kept(reply);
    std::uint32_t cookie = 0;
    if (reply) sd_bus_message_read(reply, "u", &cookie);
    if (refused) *refused = error.get()->name ? error.get()->name : "";
    return cookie;
  }
  std::string release(std::uint32_t cookie) const {
    BusError error;
    sd_bus_call_method(bus_.get(), kProfiles.name, kProfiles.path, kProfiles.interface,
                       "ReleaseProfile", error.get(), nullptr, "u", cookie);
    return error.get()->name ? error.get()->name : "";
  }
  /// That one of its holds was released.
  bool hears_release_of(std::uint32_t cookie) const {
    return comes([&] {
      sd_bus_message* message = nullptr;
      if (sd_bus_process(bus_.get(), &message) < 0) return false;
      const BusMessage kept(message);
      std::uint32_t of = 0;
      return message &&
             sd_bus_message_is_signal(message, kProfiles.interface, "ProfileReleased") > 0 &&
             sd_bus_message_read(message, "u", &of) >= 0 && of == cookie;
    });
  }

 private:
  Bus bus_;
};

std::vector<std::string> desktop(const std::string& state_dir, const std::string& root) {
  return {std::string(FLYBALL_BIN_DIR) + "/flyball-desktop", "--state-dir", state_dir,
          "--sysfs-root", root};
}

#define NEEDS_A_BUS()                                                \
  FLYBALL_STARTS_PROGRAMS();                                         \
  if (!has_program("dbus-daemon")) GTEST_SKIP() << "no dbus-daemon"; \
  const PrivateBus bus

TEST(DesktopBus, ProvidesPowerProfilesAndTheGovernorPrefersWhatIsActive) {
  NEEDS_A_BUS();
  const Governed governed;
  const auto prefers = [&](double preference) {
    return comes([&] { return governed.status().value("preference", -1.0) == preference; });
  };
  Child program(desktop(governed.state_dir(), governed.tree().root()));
  const Client user;
  ASSERT_TRUE(comes([&] { return user.provided() && user.provided(kLegacyProfiles); }));
  EXPECT_EQ(user.property("ActiveProfile"), "balanced");
  EXPECT_EQ(user.property("PerformanceDegraded"), "");
  EXPECT_EQ(user.property("PerformanceInhibited"), "");
  EXPECT_EQ(user.select("performance"), "");
  EXPECT_EQ(user.property("ActiveProfile", kLegacyProfiles), "performance");
  EXPECT_TRUE(prefers(0));
  EXPECT_EQ(user.select("turbo"), SD_BUS_ERROR_FAILED);
  // By the old interface.
  EXPECT_EQ(user.select("balanced", kLegacyProfiles), "");
  EXPECT_EQ(user.property("ActiveProfile"), "balanced");
  {
    const Client game;
    std::string refused;
    EXPECT_EQ(game.hold("balanced", &refused), 0u);
    EXPECT_EQ(refused, SD_BUS_ERROR_INVALID_ARGS);
    const std::uint32_t cookie = game.hold("power-saver");
    EXPECT_NE(cookie, 0u);
    EXPECT_EQ(user.property("ActiveProfile"), "power-saver");
    EXPECT_EQ(game.release(cookie + 1), SD_BUS_ERROR_INVALID_ARGS);
    // The user's switch ends the hold, and the game is told.
    EXPECT_EQ(user.select("balanced"), "");
    EXPECT_TRUE(game.hears_release_of(cookie));
    EXPECT_NE(game.hold("performance"), 0u);
    EXPECT_EQ(user.property("ActiveProfile"), "performance");
  }
  // The hold ends with the game.
  EXPECT_TRUE(comes([&] { return user.property("ActiveProfile") == "balanced"; }));
  // Set by hand meanwhile, it stays.
  EXPECT_TRUE(prefers(0.5));
  EXPECT_EQ(governed.ask({"set", "preference", "0.3"}).exit_code, 0);
  EXPECT_TRUE(prefers(0.3));
  // As a laptop on somebody's knees says.
  governed.tree().write("/sys/devices/platform/thinkpad_acpi/dytc_lapmode", "1\n");
  EXPECT_TRUE(comes([&] { return user.property("PerformanceDegraded") == "lap-detected"; }));
  EXPECT_EQ(program.end(SIGTERM), 0);
}

// The other provider is another flyball-desktop, of a governor that is not there.
TEST(DesktopBus, FollowsAnotherProviderAndTakesItsPlaceWhenItEnds) {
  NEEDS_A_BUS();
  const Governed governed;
  const TempDir none;
  const Client user;
  std::optional<Child> other(std::in_place, desktop(none / "state", governed.tree().root()));
  ASSERT_TRUE(comes([&] { return user.provided(); }));
  EXPECT_EQ(user.select("power-saver"), "");
  Child program(desktop(governed.state_dir(), governed.tree().root()));
  const auto prefers = [&](double preference) {
    return comes([&] { return governed.status().value("preference", -1.0) == preference; });
  };
  EXPECT_TRUE(prefers(1));
  EXPECT_EQ(user.select("performance"), "");
  EXPECT_TRUE(prefers(0));
  other.reset();
  // It goes on from there.
  ASSERT_TRUE(comes([&] { return user.property("ActiveProfile") == "performance"; }));
  EXPECT_EQ(user.select("power-saver"), "");
  EXPECT_TRUE(prefers(1));
}

TEST(DesktopBus, OnBatteryBalancedMeansLess) {
  NEEDS_A_BUS();
  const Governed governed;
  governed.tree().write("/sys/class/power_supply/BAT0/type", "Battery\n");
  governed.tree().write("/sys/class/power_supply/BAT0/status", "Discharging\n");
  Child program(desktop(governed.state_dir(), governed.tree().root()));
  EXPECT_TRUE(comes([&] { return governed.status().value("preference", -1.0) == 0.75; }));
}

TEST(DesktopBus, AStrangerMaySwitchAndHoldNothing) {
  NEEDS_A_BUS();
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const TempDir none;
  Child program(desktop(none / "state", "/"));
  const Client user;
  ASSERT_TRUE(comes([&] { return user.provided(); }));
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
    const Client stranger;
    std::string refused;
    const bool denied = stranger.select("performance") == SD_BUS_ERROR_ACCESS_DENIED &&
                        stranger.hold("performance", &refused) == 0 &&
                        refused == SD_BUS_ERROR_ACCESS_DENIED &&
                        stranger.property("ActiveProfile") == "balanced";
    _exit(denied ? 0 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(user.property("ActiveProfile"), "balanced");
}

TEST(DesktopBus, WithoutABusItSaysSo) {
  FLYBALL_STARTS_PROGRAMS();
  setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus", 1);
  const ShellResult told = shell(std::string(FLYBALL_BIN_DIR) + "/flyball-desktop");
  unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.said, HasSubstr("flyball-desktop: D-Bus: the system bus is not to be had"));
  const ShellResult wrong = shell(std::string(FLYBALL_BIN_DIR) + "/flyball-desktop --state");
  EXPECT_EQ(wrong.exit_code, 2);
}

}  // namespace
}  // namespace flyball::testing
