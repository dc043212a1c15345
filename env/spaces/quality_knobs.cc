#include "env/spaces/quality_knobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace flyball {
namespace {

/// Values come from files of others too: an index that the knob does not have shows as "?".
std::string value_of(const QualityKnob& knob, std::uint8_t index) {
  return index < knob.values.size() ? knob.values[index] : "?";
}

bool goes_without_saying(const QualityKnob& knob, std::uint8_t index) {
  return knob.qualifies && index + std::size_t{1} == knob.values.size();
}

std::size_t longest(const QualityKnob& knob) {
  std::size_t most = 0;
  for (const std::string& value : knob.values) most = std::max(most, value.size());
  return most;
}

}  // namespace

std::optional<double> number_of(std::string_view value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string unit_suffix(std::string_view unit) {
  if (unit.empty()) return "";
  if (unit == "%") return "_pct";
  std::string suffix = "_";
  for (const char c : unit) {
    if (c >= 'A' && c <= 'Z') {
      suffix += static_cast<char>(c - 'A' + 'a');
    } else if (c == '/') {
      suffix += "_per_";
    } else {
      suffix += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
    }
  }
  return suffix;
}

std::string column_name(const QualityKnob& knob) { return knob.name + unit_suffix(knob.unit); }

std::string level_name(const std::vector<QualityKnob>& knobs, const KnobValues& values,
                       std::string_view gap) {
  std::string name;
  for (std::size_t k = 0; k < knobs.size(); ++k) {
    if (goes_without_saying(knobs[k], values[k])) continue;
    if (k > 0) name += knobs[k].qualifies ? gap : "/";
    name += value_of(knobs[k], values[k]);
  }
  return name;
}

std::string level_text(const std::vector<QualityKnob>& knobs, const KnobValues& values,
                       LevelText style) {
  std::string text;
  for (std::size_t k = 0; k < knobs.size(); ++k) {
    const QualityKnob& knob = knobs[k];
    if (goes_without_saying(knob, values[k])) continue;
    const std::string value = value_of(knob, values[k]);
    if (knob.qualifies) {
      text += " " + value;
      continue;
    }
    const bool pad = style == LevelText::kAligned && number_of(value).has_value();
    text += fmt::format("{}{} {:>{}}", text.empty() ? "" : ", ", knob.name, value,
                        pad ? longest(knob) : 0);
    if (style != LevelText::kShort && !knob.unit.empty()) text += " " + knob.unit;
  }
  return text;
}

}  // namespace flyball
