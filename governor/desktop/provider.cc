#include "governor/desktop/provider.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::size_t kMostHolds = 256, kLongestText = 512;  // of strangers

ProfileProvider& of(void* data) { return *static_cast<ProfileProvider*>(data); }

// sd-bus calls these, so nothing may be thrown through them.
template <typename Body>
int guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::exception&) {
    return -ENOMEM;
  }
}

int on_get(sd_bus*, const char*, const char*, const char* property, sd_bus_message* reply,
           void* data, sd_bus_error*) {
  return guarded([&] { return of(data).get(property, reply); });
}
int on_set(sd_bus*, const char*, const char*, const char*, sd_bus_message* value, void* data,
           sd_bus_error* error) {
  return guarded([&] { return of(data).set_active(value, error); });
}
int on_hold(sd_bus_message* call, void* data, sd_bus_error* error) {
  return guarded([&] { return of(data).hold(call, error); });
}
int on_release(sd_bus_message* call, void* data, sd_bus_error* error) {
  return guarded([&] { return of(data).release(call, error); });
}
int on_requester(sd_bus_message* signal, void* data, sd_bus_error*) {
  return guarded([&] {
    of(data).requester_changed(signal);
    return 0;
  });
}

constexpr std::uint64_t kChanges = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;

const sd_bus_vtable kInterface[] = {
    SD_BUS_VTABLE_START(SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("HoldProfile", "sss", "u", on_hold, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReleaseProfile", "u", "", on_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("ProfileReleased", "u", 0),
    SD_BUS_WRITABLE_PROPERTY("ActiveProfile", "s", on_get, on_set, 0,
                             kChanges | SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("PerformanceInhibited", "s", on_get, 0, kChanges),
    SD_BUS_PROPERTY("PerformanceDegraded", "s", on_get, 0, kChanges),
    SD_BUS_PROPERTY("Profiles", "aa{sv}", on_get, 0, kChanges),
    SD_BUS_PROPERTY("Actions", "as", on_get, 0, kChanges),
    SD_BUS_PROPERTY("ActiveProfileHolds", "aa{sv}", on_get, 0, kChanges),
    SD_BUS_PROPERTY("Version", "s", on_get, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END};

BusSlot add_interface(sd_bus* bus, const BusFace& face, ProfileProvider* provider) {
  sd_bus_slot* slot = nullptr;
  const int status =
      sd_bus_add_object_vtable(bus, &slot, face.path, face.interface, kInterface, provider);
  if (status < 0) {
    failure("D-Bus",
            "power profiles cannot be offered: " + std::generic_category().message(-status),
            "check the system bus");
  }
  return BusSlot(slot);
}

int append_texts(sd_bus_message* reply,
                 std::initializer_list<std::pair<const char*, const char*>> entries) {
  int status = sd_bus_message_open_container(reply, 'a', "{sv}");
  for (const auto& [key, value] : entries) {
    if (status >= 0) status = sd_bus_message_append(reply, "{sv}", key, "s", value);
  }
  return status < 0 ? status : sd_bus_message_close_container(reply);
}

}  // namespace

ProfileProvider::ProfileProvider(sd_bus* bus, PowerProfile selected, Changed changed)
    : bus_(bus),
      changed_(std::move(changed)),
      face_(add_interface(bus, kProfiles, this)),
      legacy_(add_interface(bus, kLegacyProfiles, this)) {
  holds_.select(selected);
}

void ProfileProvider::set_degraded(const std::string& reasons) {
  if (reasons == degraded_) return;
  degraded_ = reasons;
  emit("PerformanceDegraded");
}

int ProfileProvider::get(std::string_view property, sd_bus_message* reply) const {
  if (property == "ActiveProfile")
    return sd_bus_message_append(reply, "s", profile_name(holds_.active()));
  if (property == "PerformanceInhibited") return sd_bus_message_append(reply, "s", "");
  if (property == "PerformanceDegraded")
    return sd_bus_message_append(reply, "s", degraded_.c_str());
  if (property == "Version") return sd_bus_message_append(reply, "s", "0.23");
  if (property == "Actions") return sd_bus_message_append(reply, "as", 0);
  int status = sd_bus_message_open_container(reply, 'a', "a{sv}");
  if (property == "Profiles") {
    for (const PowerProfile profile :
         {PowerProfile::kPowerSaver, PowerProfile::kBalanced, PowerProfile::kPerformance}) {
      if (status < 0) return status;
      status = append_texts(reply, {{"Profile", profile_name(profile)}, {"Driver", "flyball"}});
    }
  } else {
    for (const auto& [cookie, hold] : holds_.holds()) {
      if (status < 0) return status;
      status = append_texts(reply, {{"ApplicationId", hold.application.c_str()},
                                    {"Profile", profile_name(hold.profile)},
                                    {"Reason", hold.reason.c_str()}});
    }
  }
  return status < 0 ? status : sd_bus_message_close_container(reply);
}

int ProfileProvider::set_active(sd_bus_message* value, sd_bus_error* error) {
  if (!authorised(value, "switch-profile", error)) return -EACCES;
  const char* name = nullptr;
  if (const int status = sd_bus_message_read(value, "s", &name); status < 0) return status;
  const auto profile = profile_named(name);
  if (!profile)
    return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Invalid profile name '%s'", name);
  tell(holds_.select(*profile));
  return 0;
}

int ProfileProvider::hold(sd_bus_message* call, sd_bus_error* error) {
  if (!authorised(call, "hold-profile", error)) return -EACCES;
  const char *name = nullptr, *reason = nullptr, *application = nullptr;
  if (const int status = sd_bus_message_read(call, "sss", &name, &reason, &application); status < 0)
    return status;
  const auto profile = profile_named(name);
  if (!profile || *profile == PowerProfile::kBalanced) {
    return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                            "Only profiles 'performance' and 'power-saver' can be a hold profile");
  }
  const std::string requester = sd_bus_message_get_sender(call);
  const std::string said = reason, by = application;
  if (holds_.holds().size() >= kMostHolds || said.size() > kLongestText || by.size() > kLongestText)
    return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                            "Too many holds, or too long a text");
  if (watches_.count(requester) == 0) {
    watches_.emplace(requester, watch_owner(bus_, requester, on_requester, this));
    if (!name_has_owner(bus_, requester.c_str())) {  // gone before it was watched
      watches_.erase(requester);
      return sd_bus_error_set(error, SD_BUS_ERROR_FAILED, "The requester is gone");
    }
  }
  const bool legacy =
      std::string_view(sd_bus_message_get_interface(call)) == kLegacyProfiles.interface;
  ProfileHolds::Change change;
  const std::uint32_t cookie = holds_.hold({*profile, said, by, requester, legacy}, change);
  const int status = sd_bus_reply_method_return(call, "u", cookie);
  tell(change);
  return status;
}

int ProfileProvider::release(sd_bus_message* call, sd_bus_error* error) {
  std::uint32_t cookie = 0;
  if (const int status = sd_bus_message_read(call, "u", &cookie); status < 0) return status;
  if (!holds_.has(cookie))
    return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "No hold with cookie %u", cookie);
  tell(holds_.release(cookie));
  return sd_bus_reply_method_return(call, "");
}

void ProfileProvider::requester_changed(sd_bus_message* signal) {
  const char *name = nullptr, *before = nullptr, *after = nullptr;
  if (sd_bus_message_read(signal, "sss", &name, &before, &after) < 0 || *after != '\0') return;
  tell(holds_.requester_gone(name));
}

/// Asked of polkit as of a session's user, without a dialogue: what a desktop's own user may do.
bool ProfileProvider::authorised(sd_bus_message* call, const char* action,
                                 sd_bus_error* error) const {
  sd_bus_creds* creds = nullptr;
  uid_t user = 0;
  const bool known = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds) >= 0 &&
                     sd_bus_creds_get_euid(creds, &user) >= 0;
  const BusCreds kept(creds);
  if (known && (user == 0 || user == geteuid())) return true;
  const std::string whole = std::string("org.flyball.power-profiles.") + action;
  BusError ignored;
  sd_bus_message* reply = nullptr;
  int yes = 0, challenge = 0;
  const char* sender = sd_bus_message_get_sender(call);
  const bool asked =
      sd_bus_call_method(bus_, "org.freedesktop.PolicyKit1",
                         "/org/freedesktop/PolicyKit1/Authority",
                         "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization",
                         ignored.get(), &reply, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
                         "s", sender, whole.c_str(), 0, 0u, "") >= 0 &&
      sd_bus_message_enter_container(reply, 'r', "bba{ss}") >= 0 &&
      sd_bus_message_read(reply, "bb", &yes, &challenge) >= 0;
  const BusMessage kept_reply(reply);
  if (asked && yes != 0) return true;
  sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Not Authorized: %s", whole.c_str());
  return false;
}

void ProfileProvider::tell(const ProfileHolds::Change& change) {
  for (const auto& [cookie, hold] : change.released) {
    const BusFace& face = hold.legacy ? kLegacyProfiles : kProfiles;
    sd_bus_message* signal = nullptr;
    if (sd_bus_message_new_signal(bus_, &signal, face.path, face.interface, "ProfileReleased") >=
            0 &&
        sd_bus_message_append(signal, "u", cookie) >= 0) {
      sd_bus_send_to(bus_, signal, hold.requester.c_str(), nullptr);
    }
    const BusMessage kept(signal);
  }
  if (change.holds) emit("ActiveProfileHolds");
  if (change.active) emit("ActiveProfile");
  if (change.active) changed_();
  if (change.holds) forget_watches();
}

void ProfileProvider::emit(const char* property) const {
  for (const BusFace& face : {kProfiles, kLegacyProfiles})
    sd_bus_emit_properties_changed(bus_, face.path, face.interface, property, nullptr);
}

void ProfileProvider::forget_watches() {
  for (auto watch = watches_.begin(); watch != watches_.end();) {
    const bool holds =
        std::any_of(holds_.holds().begin(), holds_.holds().end(),
                    [&](const auto& entry) { return entry.second.requester == watch->first; });
    watch = holds ? std::next(watch) : watches_.erase(watch);
  }
}

}  // namespace flyball
