#include "governor/desktop/desktop.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "env/linux/discover/linux_machine.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

// How soon a governor that starts is told, and a laptop on somebody's knees noticed.
constexpr std::int64_t kPeriodNs = 2'000'000'000;
constexpr std::uint64_t kCallUs = 2'000'000;

Bus system_bus() {
  sd_bus* bus = nullptr;
  const int status = sd_bus_open_system(&bus);
  if (status < 0) {
    failure("D-Bus", "the system bus is not to be had: " + std::generic_category().message(-status),
            "start it, or do without flyball-desktop");
  }
  Bus opened(bus);
  sd_bus_set_method_call_timeout(bus, kCallUs);
  return opened;
}

void say(const std::string& sentence) { fmt::print(stderr, "flyball-desktop: {}\n", sentence); }

}  // namespace

Desktop::Desktop(const Options& options)
    : tree_(options.sysfs_root), bus_(system_bus()), preference_(options.state_dir) {
  owner_ = watch_owner(bus_.get(), kProfiles.name, on_owner, this);
  legacy_owner_ = watch_owner(bus_.get(), kLegacyProfiles.name, on_owner, this);
  power_owner_ = watch_owner(bus_.get(), kUPower.name, on_change, this);
  change_ = watch_properties(bus_.get(), kProfiles, on_change, this);
  legacy_change_ = watch_properties(bus_.get(), kLegacyProfiles, on_change, this);
  power_change_ = watch_properties(bus_.get(), kUPower, on_change, this);
}

int Desktop::on_owner(sd_bus_message*, void* data, sd_bus_error*) {
  static_cast<Desktop*>(data)->find_ = static_cast<Desktop*>(data)->look_ = true;
  return 0;
}

int Desktop::on_change(sd_bus_message*, void* data, sd_bus_error*) {
  static_cast<Desktop*>(data)->look_ = true;
  return 0;
}

/// The old name first: a provider that has only that one is a provider, too.
bool Desktop::be_provider() {
  sd_bus* bus = bus_.get();
  if (sd_bus_request_name(bus, kLegacyProfiles.name, 0) < 0) return false;
  if (sd_bus_request_name(bus, kProfiles.name, 0) >= 0) return true;
  sd_bus_release_name(bus, kLegacyProfiles.name);
  return false;
}

void Desktop::find_provider() {
  if (provider_) return;  // nobody takes the names from who has them
  auto provider = std::make_unique<ProfileProvider>(bus_.get(), profile_, [this] { look_ = true; });
  other_ = nullptr;
  if (be_provider()) {
    provider_ = std::move(provider);
    say("provides power profiles");
    return;
  }
  for (const BusFace* face : {&kProfiles, &kLegacyProfiles}) {
    if (other_ == nullptr && name_has_owner(bus_.get(), face->name)) other_ = face;
  }
  say(other_ ? fmt::format("follows the power profiles of {}", other_->name)
             : std::string("may not provide power profiles: the bus refuses the name"));
}

bool Desktop::on_battery() const {
  int battery = 0;
  BusError error;
  if (name_has_owner(bus_.get(), kUPower.name) &&
      sd_bus_get_property_trivial(bus_.get(), kUPower.name, kUPower.path, kUPower.interface,
                                  "OnBattery", error.get(), 'b', &battery) >= 0) {
    return battery != 0;
  }
  LinuxMachine machine;
  machine.supplies = discover_supplies(tree_);
  return machine.on_battery();
}

std::string Desktop::degraded() const {
  const bool lap = tree_.number("/sys/devices/platform/thinkpad_acpi/dytc_lapmode") == 1;
  const bool hot =
      preference_.is_hot() || tree_.number("/sys/devices/system/cpu/intel_pstate/no_turbo") == 1;
  return fmt::format("{}{}{}", lap ? "lap-detected" : "", lap && hot ? "," : "",
                     hot ? "high-operating-temperature" : "");
}

void Desktop::look() {
  if (provider_) profile_ = provider_->active();
  if (other_) {
    BusError error;
    char* name = nullptr;
    if (sd_bus_get_property_string(bus_.get(), other_->name, other_->path, other_->interface,
                                   "ActiveProfile", error.get(), &name) >= 0) {
      // One that we do not know leaves what was.
      profile_ = profile_named(name).value_or(profile_);
    }
    std::free(name);
  }
  preference_.keep(preference_of(profile_, on_battery()));
  if (provider_) provider_->set_degraded(degraded());
  if (preference_.problem() != said_ && !preference_.problem().empty()) say(preference_.problem());
  said_ = preference_.problem();
}

void Desktop::run(int stop) {
  std::int64_t next_ns = 0;  // however much is asked meanwhile
  for (;;) {
    int status = 0;
    while ((status = sd_bus_process(bus_.get(), nullptr)) > 0) {
    }
    if (status < 0) {
      failure("D-Bus", "the system bus is gone: " + std::generic_category().message(-status),
              "start it again when the bus is there");
    }
    if (find_) {
      find_ = false;
      find_provider();
    }
    if (look_) {
      look_ = false;
      look();
      next_ns = monotonic_ns() + kPeriodNs;
      continue;  // the calls may have brought messages with them
    }
    sd_bus_flush(bus_.get());
    std::array<pollfd, 2> wait = {
        pollfd{sd_bus_get_fd(bus_.get()), static_cast<short>(sd_bus_get_events(bus_.get())), 0},
        {stop, POLLIN, 0}};
    const std::int64_t left_ns = std::max<std::int64_t>(0, next_ns - monotonic_ns());
    poll(wait.data(), wait.size(), static_cast<int>(left_ns / 1'000'000 + 1));
    if (wait[1].revents != 0) return;
    look_ = look_ || monotonic_ns() >= next_ns;
  }
}

}  // namespace flyball
