#include "governor/channel/offer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

namespace flyball {
namespace {

constexpr std::int64_t kLongestNs = 86'400'000'000'000;

/// As the library checks it: printable, without what separates columns. Nothing else is believed.
template <std::size_t N>
std::optional<std::string> text_of(const char (&from)[N], bool may_be_empty) {
  const char* end = static_cast<const char*>(std::memchr(from, 0, N));
  if (end == nullptr) return std::nullopt;
  std::string text(from, end);
  if (text.empty()) return may_be_empty ? std::optional(text) : std::nullopt;
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u <= ' ' || u == 127 || c == '"' || c == '\\' || c == ',';
  });
  return plain ? std::optional(text) : std::nullopt;
}

bool within(double value, double low, double high) { return value >= low && value <= high; }
bool within_day(std::int64_t ns) { return ns >= 0 && ns <= kLongestNs; }

/// The values' texts lie one behind the other.
bool read_knobs(const fly_hello& hello, std::span<const char> texts, Binding& binding) {
  std::size_t levels = 1;
  for (std::uint32_t k = 0; k < hello.knob_count; ++k) {
    const fly_knob& from = hello.knob[k];
    const auto name = text_of(from.name, false), unit = text_of(from.unit, true);
    if (!name || !unit || from.count == 0 || from.count > FLYBALL_LEVELS) return false;
    levels *= from.count;
    if (levels > FLYBALL_LEVELS) return false;
    QualityKnob& knob = binding.knobs.emplace_back();
    knob.name = *name;
    knob.unit = *unit;
    for (std::uint32_t v = 0; v < from.count; ++v) {
      char value[FLYBALL_NAME_BYTES] = {};
      const std::size_t room = std::min(sizeof value, texts.size());
      const char* end =
          room > 0 ? static_cast<const char*>(std::memchr(texts.data(), 0, room)) : nullptr;
      if (end == nullptr) return false;
      std::copy(texts.data(), end, value);
      const auto text = text_of(value, false);
      if (!text || std::ranges::find(knob.values, *text) != knob.values.end()) return false;
      knob.values.push_back(*text);
      texts = texts.subspan(static_cast<std::size_t>(end - texts.data()) + 1);
    }
  }
  return levels == hello.level_count && texts.empty();
}

bool read_levels(const fly_hello& hello, Offer& offer) {
  offer.level_of.fill(-1);
  for (std::uint32_t flat = 0; flat < hello.level_count; ++flat) {
    const double accuracy = static_cast<double>(hello.accuracy_pct[flat]);
    if (std::isnan(accuracy)) continue;
    if (!within(accuracy, 0, 100)) return false;
    DeclaredLevel level;
    level.accuracy_pct = accuracy;
    std::uint32_t rest = flat;
    for (std::size_t k = offer.binding.knobs.size(); k-- > 0;) {
      const auto count = static_cast<std::uint32_t>(offer.binding.knobs[k].values.size());
      level.knob[k] = static_cast<std::uint8_t>(rest % count);
      rest /= count;
    }
    offer.level_of[flat] = static_cast<std::int16_t>(offer.flat_level.size());
    offer.flat_level.push_back(static_cast<std::uint16_t>(flat));
    offer.binding.levels.push_back(level);
  }
  return !offer.flat_level.empty();
}

bool read_monitors(const fly_hello& hello, Offer& offer) {
  for (std::uint32_t m = 0; m < hello.monitor_count; ++m) {
    const fly_monitor& from = hello.monitor[m];
    const auto name = text_of(from.name, false), unit = text_of(from.unit, true);
    if (!name || !unit || !std::isfinite(from.desired_min) || !std::isfinite(from.desired_max) ||
        !within(from.weight, 0, FLYBALL_WEIGHT_MOST) || from.direction < 0 ||
        from.direction > FLYBALL_NEITHER)
      return false;
    offer.monitor_names.push_back(*name);
    offer.monitor_units.push_back(*unit);
    offer.monitors.push_back(
        {nullptr, nullptr, from.direction, from.desired_min, from.desired_max, from.weight});
  }
  return true;
}

}  // namespace

double cost_of(const flyball_monitor& monitor, double value) {
  const bool low = monitor.direction != FLYBALL_LOWER_IS_BETTER && value < monitor.desired_min;
  const bool high = monitor.direction != FLYBALL_HIGHER_IS_BETTER && value > monitor.desired_max;
  return low || high ? monitor.weight : 0;
}

bool read_requirements(const fly_requirements& from, Requirements& to) {
  if (!within_day(from.period_ns) || !within_day(from.deadline_ns) || !within_day(from.grace_ns) ||
      !within(from.accuracy_floor_pct, 0, 100) || !within(from.energy_budget_mj, 0, 1e12) ||
      !within(from.power_budget_mw, 0, 1e12) || from.priority < 1 || from.priority > 100 ||
      from.objective < FLYBALL_ENERGY || from.objective > FLYBALL_LATENCY)
    return false;
  to.period_ns = from.period_ns;
  to.deadline_ns = from.deadline_ns;
  to.grace_ns = from.grace_ns;
  to.accuracy_floor_pct = from.accuracy_floor_pct;
  to.energy_budget_mj = from.energy_budget_mj;
  to.power_budget_mw = from.power_budget_mw;
  to.priority = from.priority;
  to.objective = static_cast<Objective>(from.objective);
  return true;
}

std::string read_offer(std::span<const char> message, Offer& offer) {
  fly_hello hello;
  if (message.size() < sizeof(std::uint32_t) * 4) return "hello: is cut off; use libflyball";
  std::memcpy(&hello, message.data(), std::min(message.size(), sizeof hello));
  if (hello.magic != FLY_MAGIC || hello.kind != FLY_HELLO) return "hello: is none; use libflyball";
  if (hello.version != FLYBALL_INTERFACE || hello.bytes != sizeof hello)
    return "hello: is of another version; use the libflyball of the flyball that governs";
  if (message.size() < sizeof hello) return "hello: is cut off; use libflyball";
  if (hello.knob_count > FLYBALL_KNOBS || hello.monitor_count > FLYBALL_MONITORS ||
      hello.level_count > FLYBALL_LEVELS || hello.thread_count > FLYBALL_THREADS ||
      hello.text_bytes > FLY_TEXT_BYTES || message.size() != sizeof hello + hello.text_bytes)
    return "hello: lies about its sizes; use libflyball";
  const auto name = text_of(hello.name, false);
  if (!name) return "name: is empty, too long or not printable; use another";
  offer.binding.name = *name;
  if (!read_knobs(hello, message.subspan(sizeof hello), offer.binding))
    return "knobs: are not as flyball.h says; use libflyball";
  if (!read_levels(hello, offer)) return "accuracy_pct: 0 to 100 for one level at least";
  if (!read_monitors(hello, offer)) return "monitors: are not as flyball.h says; use libflyball";
  if (!read_requirements(hello.required, offer.required))
    return "requirements: are not as flyball.h says; use libflyball";
  if (hello.threads < 1 || hello.threads > FLYBALL_CPUS ||
      (hello.flags & ~(FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF)) != 0)
    return "threads or flags: are not as flyball.h says; use libflyball";
  offer.binding.threads = hello.threads;
  offer.flags = hello.flags;
  offer.first_sequence = hello.first_sequence;
  offer.threads.assign(hello.thread, hello.thread + hello.thread_count);
  return "";
}

}  // namespace flyball
