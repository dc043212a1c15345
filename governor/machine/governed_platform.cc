#include "governor/machine/governed_platform.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "env/model/network_levels.h"
#include "governor/machine/machine_profile.h"
#include "governor/machine/model_check.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr const char* kMeasureAgain = "measure it with 'flyball profile'";

int cores_of(const PlatformSpec& spec) {
  int cores = 0;
  for (const ClusterSpec& cluster : spec.clusters) cores += cluster.cores;
  return cores;
}

struct Chosen {
  std::string path;  ///< empty: none
  bool asked = false;
};

Chosen choose(const std::string& profile) {
  if (profile == "none") return {};
  if (!profile.empty()) return {profile, true};
  std::error_code ignored;
  try {
    const std::string path = default_profile_path();
    if (std::filesystem::exists(path, ignored)) return {path, false};
  } catch (const Error&) {  // no home: nothing is stored
  }
  return {};
}

/// Empty when the profile is in use, or why it is not.
std::string apply(const std::string& path, AppProfile& app, std::uint32_t checksum,
                  GovernedPlatform& governed) {
  const int cores = cores_of(governed.spec);
  const MachineProfile profile = read_profile(path);
  if (const std::string why = profile.mismatch(this_machine(), checksum); !why.empty()) return why;
  if (!profile.apply(app, cores)) return "it lacks some width, precision or number of cores";
  const NetworkLevel full = network_level(app, app.level_count() - 1);
  const auto index = static_cast<std::size_t>(&app - governed.spec.apps.data());
  governed.inference_ns[index] =
      std::llround(1000 * profile.find(full.width_pct, full.int8, 1)->time_us);
  governed.times_hash = content_hash(profile);
  governed.spec.time_spread = std::min(1.0, profile.time_spread());
  if (profile.decision_latency_us > 0) {
    governed.spec.decision_latency_us = profile.decision_latency_us;
  }
  if (const int unstable = profile.unstable_rows(); unstable > 0) {
    governed.notes.push_back(
        fmt::format("{}: {} of its {} times were unstable, since other programs ran beside; {}.",
                    path, unstable, profile.rows.size(), kMeasureAgain));
  }
  return "";
}

void use_profile(const Chosen& chosen, AppProfile& app, std::uint32_t checksum,
                 GovernedPlatform& governed) {
  std::string why = "no profile of this machine is stored";
  if (!chosen.path.empty()) {
    try {
      why = apply(chosen.path, app, checksum, governed);
    } catch (const Error& error) {
      if (chosen.asked) throw;
      governed.notes.push_back(fmt::format("Times of {} are the platform file's assumptions: {}",
                                           app.name, error.what()));
      return;
    }
    if (!why.empty() && chosen.asked) input_error(chosen.path, why, kMeasureAgain);
    if (!why.empty()) why = fmt::format("{}: {}", chosen.path, why);
  }
  if (why.empty()) {
    governed.profile = chosen.path;
    governed.notes.push_back(
        fmt::format("Times of {} were measured on this machine: {}.", app.name, chosen.path));
  } else {
    governed.notes.push_back(fmt::format("Times of {} are the platform file's assumptions: {}; {}.",
                                         app.name, why, kMeasureAgain));
  }
}

}  // namespace

GovernedPlatform load_governed_platform(const std::string& name_or_path,
                                        const std::string& profile) {
  GovernedPlatform governed;
  governed.spec = load_platform(name_or_path);
  governed.inference_ns.resize(governed.spec.apps.size());
  const bool emulated = governed.spec.emulated;
  if (!profile.empty() && profile != "none" && !emulated) {
    input_error(
        fmt::format("--profile {}", profile),
        fmt::format("platform '{}' is simulated: its times are the file's", governed.spec.name),
        "leave it out");
  }
  const Chosen chosen = emulated ? choose(profile) : Chosen{};
  for (AppProfile& app : governed.spec.apps) {
    if (app.model.empty()) continue;
    const NamedModel named = model_of(app);
    take_accuracies(app, named);
    check_answers(named.model, named.path);
    if (emulated) use_profile(chosen, app, named.checksum, governed);
  }
  return governed;
}

Belief load_belief(const std::string& name_or_path, const GovernedPlatform& truth) {
  if (name_or_path.empty()) return Belief::of(truth.spec);
  Belief belief = Belief::of(load_platform(name_or_path), name_or_path);
  for (AppProfile& app : belief.mean.apps) {
    if (!app.model.empty()) take_accuracies(app, model_of(app));
  }
  check_belief(belief, truth.spec);
  return belief;
}

NamedModel model_of(const AppProfile& app) {
  NamedModel named = app.model.empty() ? load_named_model() : load_named_model(app.model);
  check_levels(app, named);
  return named;
}

NamedModel model_of(const PlatformSpec& platform, const Scenario& scenario) {
  const AppProfile& first = platform.apps[static_cast<std::size_t>(scenario.apps[0].profile)];
  const NamedModel named = model_of(first);
  for (const AppSpec& app : scenario.apps) {
    const AppProfile& other = platform.apps[static_cast<std::size_t>(app.profile)];
    if (other.model == first.model) {
      check_levels(other, named);
      continue;
    }
    input_error(fmt::format("scenario '{}'", scenario.name),
                fmt::format("its applications run different models ('{}' and '{}')", first.model,
                            other.model),
                "run them one at a time, or let them share a profile");
  }
  return named;
}

}  // namespace flyball
