#pragma once

#include <cstdint>
#include <string>

#include "env/model/platform_spec.h"
#include "kernels/dnn/model.h"

namespace flyball {

/// The trained network that is used wherever none is named.
inline constexpr const char* kDefaultModel = "dynamic_cnn";

struct NamedModel {
  Model model;
  std::string path;
  std::uint32_t checksum = 0;
};

/// Reads configs/models/NAME.flynet or a path. Throws Error (kInput).
NamedModel load_named_model(const std::string& name_or_path = kDefaultModel);

/// Throws Error (kInput) when the knobs or the widths of `app` are not the network's, or when it has
/// a level in int8 and the network has none.
void check_levels(const AppProfile& app, const NamedModel& named);

/// Gives the levels of `app` the accuracies that the model file says. Throws Error (kInput) when
/// nobody has measured them.
void take_accuracies(AppProfile& app, const NamedModel& named);

}  // namespace flyball
