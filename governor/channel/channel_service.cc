#include "governor/channel/channel_service.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

namespace flyball {
namespace {

ChannelServer::Options served(const ChannelServiceOptions& options, const PlatformSpec& spec) {
  ChannelServer::Options served;
  served.take_over = options.holds_lock;
  served.places = kMaxApps - options.slots;
  served.taken_names = options.names;
  served.elements = Elements(spec, options.elements);
  served.features = 1u << FLYBALL_FEATURE_SESSIONS | 1u << FLYBALL_FEATURE_POWER_EFFICIENCY |
                    1u << FLYBALL_FEATURE_VOTES_CPU | 1u << FLYBALL_FEATURE_KNOBS |
                    1u << FLYBALL_FEATURE_CPUS | 1u << FLYBALL_FEATURE_EFFECT;
  return served;
}

}  // namespace

ChannelService::ChannelService(Platform& inner, const PlatformSpec& spec,
                               const ChannelServiceOptions& options)
    : dir_(StateDir::make(options.state_dir)),
      table_(std::make_unique<GuestTable>()),
      platform_(inner, spec, *table_, options.slots, options.platform),
      server_(dir_, *table_, served(options, spec)) {}

std::string default_channel_dir() {
  if (geteuid() == 0) return kDefaultStateDir;
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  std::error_code ignored;
  if (runtime == nullptr || !std::filesystem::is_directory(runtime, ignored)) return "";
  return std::string(runtime) + "/flyball";
}

}  // namespace flyball
