#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <type_traits>

namespace flyball {

/// Takes a table cell by cell, the line of headings first.
class TableWriter {
 public:
  virtual ~TableWriter() = default;

  /// 12 digits: what was rounded to a monitor's resolution looks so. NaN is an empty cell.
  template <class T>
  TableWriter& cell(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      boolean(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(value)) return empty();
      number(std::is_same_v<T, float> ? fmt::format("{:.6g}", value)
                                      : fmt::format("{:.12g}", value));
    } else {
      number(fmt::format("{}", value));
    }
    return *this;
  }
  virtual TableWriter& empty() = 0;
  virtual TableWriter& text(std::string_view value) = 0;
  virtual void end_line() = 0;

 protected:
  virtual void boolean(bool value) = 0;
  virtual void number(std::string_view digits) = 0;
};

}  // namespace flyball
