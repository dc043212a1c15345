#pragma once

#include <functional>
#include <map>
#include <string>

#include "governor/desktop/bus.h"
#include "governor/desktop/profiles.h"

namespace flyball {

/// Power profiles as power-profiles-daemon provides them, on both interfaces, for desktops' switches
/// and `powerprofilesctl`. Who may switch and hold: root, who runs this, and whom polkit lets.
class ProfileProvider {
 public:
  using Changed = std::function<void()>;
  /// `selected` is active at first; `changed` is called when another one is. Throws Error (kFailure).
  ProfileProvider(sd_bus* bus, PowerProfile selected, Changed changed);
  ProfileProvider(const ProfileProvider&) = delete;
  ProfileProvider& operator=(const ProfileProvider&) = delete;

  PowerProfile active() const { return holds_.active(); }
  /// Why performance is not what it could be: "lap-detected", "high-operating-temperature", both with
  /// a comma between them, or nothing.
  void set_degraded(const std::string& reasons);

  // For the table of the interfaces.
  int get(std::string_view property, sd_bus_message* reply) const;
  int set_active(sd_bus_message* value, sd_bus_error* error);
  int hold(sd_bus_message* call, sd_bus_error* error);
  int release(sd_bus_message* call, sd_bus_error* error);
  void requester_changed(sd_bus_message* signal);

 private:
  bool authorised(sd_bus_message* call, const char* action, sd_bus_error* error) const;
  void tell(const ProfileHolds::Change& change);
  void emit(const char* property) const;
  void forget_watches();

  sd_bus* bus_;
  Changed changed_;
  ProfileHolds holds_;
  std::string degraded_;
  std::map<std::string, BusSlot> watches_;  ///< by requester
  BusSlot face_, legacy_;
};

}  // namespace flyball
