#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flyball {

/// What a column holds.
enum class Quantity {
  kUnit,
  kMhz,
  kCores,
  kWidth,
  kIdle,
  kTimeMs,
  kRate,  ///< CoreMark iterations a second
  kPowerMw,
  kEnergyMj,
  kTempC,
  kVoltageMv,
  kAccuracyPct,
};

struct Column {
  Quantity quantity;
  double factor = 1;  ///< from the column's unit to that of the quantity
  double offset = 0;  ///< added after that
  bool names_unit = true;
};

/// What a heading means: "Frequency (kHz)", "freq_khz", "khz"; nothing when it is not known.
std::optional<Column> column_of(std::string_view heading);

/// "mhz (or freq_khz)": how a heading of the quantity is written, for messages.
std::string_view heading_of(Quantity quantity);

}  // namespace flyball
