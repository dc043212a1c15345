#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/machine/named_model.h"

namespace flyball {

/// A platform with what only measurements know: how accurate its applications' models are, and, of
/// an emulated one, how fast this machine runs them.
struct GovernedPlatform {
  PlatformSpec spec;
  std::string profile;  ///< the machine's profile in use; empty: the file's assumptions
  /// Per application: of it, the whole network on one core; 0 where the profile is not in use.
  std::vector<std::int64_t> inference_ns;
  std::uint64_t times_hash = 0;    ///< of it; 0: none
  std::vector<std::string> notes;  ///< a sentence on where the times come from; none when simulated
};

/// load_platform(), the accuracies of the models that its applications name, and, of an emulated
/// platform, the times of a machine profile: of the stored one when `profile` is empty and it is
/// there and fits (a note says when it does not); of that file, which must fit; or of none when it
/// is "none". Throws Error (kInput).
GovernedPlatform load_governed_platform(const std::string& name_or_path,
                                        const std::string& profile = "");

/// What agents are to believe of a platform: what is true of it when `name_or_path` is empty, or
/// that platform, whose knobs must be the same. Throws Error (kInput).
Belief load_belief(const std::string& name_or_path, const GovernedPlatform& truth);

/// The model that an application's jobs run: the one it names, or the default one when its
/// accuracies are the platform file's. Throws Error (kInput) also when its levels are not the
/// network's.
NamedModel model_of(const AppProfile& app);
/// That of all applications of a scenario, which share one pool and one network. Throws Error (kInput).
NamedModel model_of(const PlatformSpec& platform, const Scenario& scenario);

}  // namespace flyball
