#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <vector>

#include "governor/channel/channel_server.h"
#include "governor/channel/effect_estimate.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxListBytes = 128 * 1024;

Json estimate_json(const flyball_estimate& estimate, double scale) {
  if (estimate.known == 0) return nullptr;
  return {{"mean", estimate.mean * scale},
          {"low", estimate.low * scale},
          {"high", estimate.high * scale}};
}

Json number_or_none(double value) { return value > 0 ? Json(value) : Json(nullptr); }

Json effect_json(const flyball_effect& effect) {
  return {
      {"latency_difference_ms", estimate_json(effect.latency_ns, 1e-6)},
      {"energy_difference_mj", estimate_json(effect.energy_mj, 1)},
      {"latency_before_ms", estimate_json(effect.before_ns, 1e-6)},
      {"latency_ms", estimate_json(effect.now_ns, 1e-6)},
      {"energy_before_mj", estimate_json(effect.before_mj, 1)},
      {"energy_mj", estimate_json(effect.now_mj, 1)},
      {"clock_before_mhz", number_or_none(effect.before_mhz)},
      {"clock_mhz", number_or_none(effect.now_mhz)},
      {"where_before", effect.before_where},
      {"where", effect.now_where},
      {"energy_measured", effect.energy_measured != 0},
      {"no_comparison",
       effect.no_comparison != 0 ? Json(why_no_comparison(effect.no_comparison)) : Json(nullptr)}};
}

}  // namespace

/// What an application is worth and takes is shown to root, to its own user and to ours; others see that
/// it is there.
std::string ChannelServer::list(const Client& client) const {
  Json apps = Json::array();
  for (const Guest& guest : table_.guest) {
    const Guest::State state = guest.state.load(std::memory_order_acquire);
    if (state != Guest::State::kReady && state != Guest::State::kBound) continue;
    Json app{{"name", guest.offer.binding.name}, {"governed", state == Guest::State::kBound}};
    GuestShown shown;
    const bool may_see = client.user == 0 || client.user == geteuid() || client.user == guest.user;
    if (may_see && guest.shown.get(shown)) {
      shown.effect.before_where[FLYBALL_NAME_BYTES - 1] =
          shown.effect.now_where[FLYBALL_NAME_BYTES - 1] = 0;
      app["process"] = guest.pid;
      app["user"] = guest.user;
      app["profile"] = guest.offer.binding.profile;
      app["silent"] = shown.silent;
      Json& knobs = app["knobs"] = Json::object();
      const int level = guest.offer.level_of[shown.level % FLYBALL_LEVELS];
      for (std::size_t k = 0; k < guest.offer.binding.knobs.size() && level >= 0; ++k) {
        const QualityKnob& knob = guest.offer.binding.knobs[k];
        knobs[column_name(knob)] =
            knob.values[guest.offer.binding.levels[static_cast<std::size_t>(level)].knob[k]];
      }
      const WhereKnob& where = guest.offer.where;
      if (where.is_there()) knobs[FLYBALL_WHERE] = where.values[where.in_level(shown.level)];
      Json& monitors = app["monitors"] = Json::object();
      for (std::size_t m = 0; m < guest.offer.monitor_names.size(); ++m) {
        const float value = shown.monitor[m];
        monitors[guest.offer.monitor_names[m] + unit_suffix(guest.offer.monitor_units[m])] =
            std::isfinite(value) ? Json(value) : Json(nullptr);
      }
      app["jobs_before"] = guest.offer.first_sequence;  // of governors before this one
      app["jobs"] = shown.effect.jobs;
      app["late"] = shown.effect.late;
      app["lost"] = shown.effect.lost;
      app["effect"] = effect_json(shown.effect);
    }
    apps.push_back(std::move(app));
  }
  const Json all{{"schema", 1}, {"applications", std::move(apps)}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {

/// Empty and `later`: this user has had the connections of this second.
std::string ask_once(const std::string& dir, bool& later) {
  later = false;
  const std::string where = dir + "/" + FLY_SOCKET_NAME;
  const FileDescriptor folder(open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return "";
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  constexpr timeval kPatience{2, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(socket.get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
  const FolderAddress address(folder.get(), FLY_SOCKET_NAME);
  if (::connect(socket.get(), address.get(), address.size()) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return "";
    if (errno == EAGAIN)
      failure(where, "has more callers than it can take",
              "it may be flooded, or be stopped; ask again");
    failure(where, "cannot be asked: " + std::generic_category().message(errno),
            "name another folder with --state-dir");
  }
  const fly_list asked{FLY_MAGIC, FLY_LIST};
  std::vector<char> buffer(kMaxListBytes);
  send(socket.get(), &asked, sizeof asked, MSG_NOSIGNAL);
  ssize_t got = recv(socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == ECONNRESET)  // that our question was not read; why not, comes next
    got = recv(socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN)
    failure(where, "does not answer", "it may hang, or be stopped; ask again");
  if (got <= 0) failure(where, "has hung up", "ask again; the governor may have ended");
  fly_welcome refusal;
  if (static_cast<std::size_t>(got) >= sizeof refusal) {
    std::memcpy(&refusal, buffer.data(), sizeof refusal);
    refusal.why[sizeof refusal.why - 1] = 0;
    if (refusal.magic == FLY_MAGIC && refusal.kind == FLY_WELCOME) {
      later = refusal.error == EBUSY;
      if (later) return "";
      failure(where, "turns this away", printable(refusal.why));
    }
  }
  return printable({buffer.data(), static_cast<std::size_t>(got)});
}

}  // namespace

std::string ask_for_applications(const std::string& dir) {
  bool later = false;
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (later) std::this_thread::sleep_for(std::chrono::seconds(1));
    std::string told = ask_once(dir, later);
    if (!later) return told;
  }
  failure(dir + "/" + FLY_SOCKET_NAME, "has no room for one more connection of this user",
          "other programs of the user connect again and again; end them, or ask again");
}

}  // namespace flyball
