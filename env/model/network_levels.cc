#include "env/model/network_levels.h"

#include <fmt/format.h>

#include <algorithm>

namespace flyball {
namespace {

constexpr const char* kInt8 = "int8";
constexpr const char* kFp32 = "fp32";

bool is_width(const QualityKnob& knob) { return knob.name == "width" && knob.unit == "%"; }

bool is_precision(const QualityKnob& knob) {
  using Words = std::vector<std::string>;
  return knob.name == "precision" &&
         (knob.values == Words{kInt8, kFp32} || knob.values == Words{kFp32});
}

}  // namespace

bool has_network_knobs(const AppProfile& app) {
  const auto& knobs = app.knobs;
  if (knobs.empty() || knobs.size() > 2 || !is_width(knobs[0])) return false;
  return knobs.size() == 1 || is_precision(knobs[1]);
}

NetworkLevel network_level(const AppProfile& app, int level) {
  const KnobValues& value = app.levels[static_cast<std::size_t>(level)].knob;
  NetworkLevel of;
  of.width = value[0];
  of.width_pct = static_cast<int>(number_of(app.knobs[0].values[value[0]]).value_or(0));
  of.int8 = app.knobs.size() > 1 && app.knobs[1].values[value[1]] == kInt8;
  return of;
}

void set_network_knobs(AppProfile& app, const std::vector<NetworkLevel>& levels) {
  QualityKnob width{"width", "%", {}}, precision{"precision", "", {kFp32}, true};
  const bool any_int8 =
      std::any_of(levels.begin(), levels.end(), [](const NetworkLevel& l) { return l.int8; });
  if (any_int8) precision.values = {kInt8, kFp32};
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const std::string pct = fmt::to_string(levels[l].width_pct);
    if (width.values.empty() || width.values.back() != pct) width.values.push_back(pct);
    app.levels[l].knob = {static_cast<std::uint8_t>(width.values.size() - 1),
                          static_cast<std::uint8_t>(any_int8 && !levels[l].int8 ? 1 : 0)};
  }
  app.knobs = {std::move(width), std::move(precision)};
}

void mark_network_knobs(AppProfile& app) {
  if (has_network_knobs(app) && app.knobs.size() > 1) app.knobs[1].qualifies = true;
}

}  // namespace flyball
