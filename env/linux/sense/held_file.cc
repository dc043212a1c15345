#include "env/linux/sense/held_file.h"

#include <charconv>

namespace flyball {

bool HeldFile::read_number(double& value) noexcept {
  std::array<char, 64> text;
  const ssize_t got = read(text.data(), text.size());
  if (got <= 0) return false;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + got, number);
  if (error != std::errc{}) return false;
  if (end != text.data() + got && *end != '\n' && *end != ' ') return false;
  value = number;
  return true;
}

}  // namespace flyball
