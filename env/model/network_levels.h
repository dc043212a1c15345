#pragma once

#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

/// A level of the dynamic network, whose knobs are width and precision: what real jobs run.
struct NetworkLevel {
  int width = 0;  ///< index into the widths of the application's levels
  int width_pct = 100;
  bool int8 = false;
};

/// Whether the application's own knobs are width in percent and precision, or width alone.
bool has_network_knobs(const AppProfile& app);
/// Only of an application that has them.
NetworkLevel network_level(const AppProfile& app, int level);

/// Gives `app` these two knobs, and its levels their values: of each its width in percent and its
/// precision, in order.
void set_network_knobs(AppProfile& app, const std::vector<NetworkLevel>& levels);
/// Marks the precision of such an application as what people read behind the width.
void mark_network_knobs(AppProfile& app);

}  // namespace flyball
