#include "governor/desktop/bus.h"

#include <fmt/format.h>

#include <system_error>

#include "kernels/base/error.h"

namespace flyball {
namespace {

BusSlot watch(sd_bus* bus, const std::string& rule, sd_bus_message_handler_t handler, void* data) {
  sd_bus_slot* slot = nullptr;
  const int status = sd_bus_add_match(bus, &slot, rule.c_str(), handler, data);
  if (status < 0) {
    failure("D-Bus", "does not tell of changes: " + std::generic_category().message(-status),
            "check the system bus");
  }
  return BusSlot(slot);
}

}  // namespace

bool name_has_owner(sd_bus* bus, const char* name) {
  BusError error;
  sd_bus_message* reply = nullptr;
  const int status =
      sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "NameHasOwner", error.get(), &reply, "s", name);
  const BusMessage kept(reply);
  int has = 0;
  return status >= 0 && sd_bus_message_read(reply, "b", &has) >= 0 && has != 0;
}

BusSlot watch_properties(sd_bus* bus, const BusFace& face, sd_bus_message_handler_t handler,
                         void* data) {
  return watch(bus,
               fmt::format("type='signal',sender='{}',path='{}',interface='org.freedesktop.DBus."
                           "Properties',member='PropertiesChanged'",
                           face.name, face.path),
               handler, data);
}

BusSlot watch_owner(sd_bus* bus, const std::string& name, sd_bus_message_handler_t handler,
                    void* data) {
  return watch(bus,
               fmt::format("type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop."
                           "DBus',member='NameOwnerChanged',arg0='{}'",
                           name),
               handler, data);
}

}  // namespace flyball
