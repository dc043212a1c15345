#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "agents/agent.h"

namespace flyball {

/// Writes an explanation without allocating. What does not fit is cut at a word and ends in "..",
/// never within a number or a multi-byte character, so that a shortened text cannot be misread.
template <typename... Args>
void explain(Explanation& out, fmt::format_string<Args...> format, Args&&... args) {
  constexpr std::size_t kRoom = sizeof(out.text) - 1;
  const auto result = fmt::format_to_n(out.text, kRoom, format, std::forward<Args>(args)...);
  if (result.size <= kRoom) {
    out.text[result.size] = '\0';
    return;
  }
  constexpr std::string_view kMore = "..";
  std::size_t end = kRoom - kMore.size();
  while (end > 0 && out.text[end] != ' ') --end;
  for (char c : kMore) out.text[end++] = c;
  out.text[end] = '\0';
}

}  // namespace flyball
