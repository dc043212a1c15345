#pragma once

#include <systemd/sd-bus.h>

#include <memory>
#include <string>

namespace flyball {

struct BusDeleter {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
  void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
  void operator()(sd_bus_creds* creds) const { sd_bus_creds_unref(creds); }
};
using Bus = std::unique_ptr<sd_bus, BusDeleter>;
using BusSlot = std::unique_ptr<sd_bus_slot, BusDeleter>;
using BusMessage = std::unique_ptr<sd_bus_message, BusDeleter>;
using BusCreds = std::unique_ptr<sd_bus_creds, BusDeleter>;

class BusError {
 public:
  BusError() = default;
  ~BusError() { sd_bus_error_free(&error_); }
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  sd_bus_error* get() { return &error_; }

 private:
  sd_bus_error error_ = SD_BUS_ERROR_NULL;
};

/// A bus name with the object and the interface of that service.
struct BusFace {
  const char *name, *path, *interface;
};
/// The interface of power profiles, and what it was called before 2023: Debian 12's daemon has only that.
inline constexpr BusFace kProfiles = {"org.freedesktop.UPower.PowerProfiles",
                                      "/org/freedesktop/UPower/PowerProfiles",
                                      "org.freedesktop.UPower.PowerProfiles"};
inline constexpr BusFace kLegacyProfiles = {"net.hadess.PowerProfiles", "/net/hadess/PowerProfiles",
                                            "net.hadess.PowerProfiles"};
inline constexpr BusFace kUPower = {"org.freedesktop.UPower", "/org/freedesktop/UPower",
                                    "org.freedesktop.UPower"};

/// Without starting it.
bool name_has_owner(sd_bus* bus, const char* name);
/// Calls with the signals by which a service's properties change. Throws Error (kFailure).
BusSlot watch_properties(sd_bus* bus, const BusFace& face, sd_bus_message_handler_t handler,
                         void* data);
/// Calls when `name` gets an owner, loses it, or changes it. Throws Error (kFailure).
BusSlot watch_owner(sd_bus* bus, const std::string& name, sd_bus_message_handler_t handler,
                    void* data);

}  // namespace flyball
