#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/spaces/limits.h"

namespace flyball {

/// A knob of an application's own, which trades how good its answers are for what they cost: the
/// width of a network, a resolution, the choice of a model. The last values of all knobs together
/// are the whole application, as it runs where nobody turns them.
struct QualityKnob {
  std::string name;                 ///< "width"
  std::string unit;                 ///< "%"; empty for words, or where there is none
  std::vector<std::string> values;  ///< in order; numbers ascend
  /// Says how the knob before it is meant. People read it behind that one's value, and its last
  /// value goes without saying: "75 int8", "75".
  bool qualifies = false;
  friend bool operator==(const QualityKnob&, const QualityKnob&) = default;
};

/// A level taken apart: of each knob the index of its value; 0 past the last knob. Levels are in
/// ascending order of these, so the first knob counts most. A combination without a level is one
/// that the application does not offer.
using KnobValues = std::array<std::uint8_t, kMaxQualityKnobs>;

/// The level that has these values; -1 when the application does not offer it. The other way is
/// `levels[level].knob`.
template <class Levels>
int find_level(const Levels& levels, const KnobValues& values) {
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (levels[level].knob == values) return static_cast<int>(level);
  }
  return -1;
}

/// What a value of a number knob is; nothing for a word.
std::optional<double> number_of(std::string_view value);

/// How a unit ends the name of a column or of a JSON key: "_pct", "_khz"; "" for none.
std::string unit_suffix(std::string_view unit);
/// A knob as such a name: "width_pct", "precision".
std::string column_name(const QualityKnob& knob);

/// "75 int8", "320/small": unambiguous within an application, and without blanks but for `gap`,
/// which stands before what qualifies.
std::string level_name(const std::vector<QualityKnob>& knobs, const KnobValues& values,
                       std::string_view gap = " ");

enum class LevelText {
  kShort,      ///< "width 75 int8"
  kWithUnits,  ///< "width 75 % int8", "resolution 320 px, model small"
  kAligned,    ///< the same, numbers padded, for a line that is written over and over
};
std::string level_text(const std::vector<QualityKnob>& knobs, const KnobValues& values,
                       LevelText style);

}  // namespace flyball
