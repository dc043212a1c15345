#include "governor/channel/offer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <optional>

#include "kernels/base/control_character.h"

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

/// A level is as good wherever it runs: what differs in that alone is one level of the ledger's.
bool read_levels(const fly_hello& hello, Offer& offer) {
  offer.level_of.fill(-1);
  const WhereKnob& where = offer.where;
  for (std::uint32_t flat = 0; flat < hello.level_count; ++flat) {
    const std::size_t first = flat - where.in_level(flat) * where.stride;
    const float stated = hello.accuracy_pct[flat], as_first = hello.accuracy_pct[first];
    if (std::isnan(stated) != std::isnan(as_first)) return false;
    if (std::isnan(stated)) continue;
    const double accuracy = static_cast<double>(stated);
    if (!within(accuracy, 0, 100)) return false;
    if (first != flat) {
      if (stated != as_first) return false;
      offer.level_of[flat] = offer.level_of[first];
      continue;
    }
    DeclaredLevel level;
    level.accuracy_pct = accuracy;
    std::size_t rest = flat, own = offer.binding.knobs.size();
    for (std::size_t k = offer.knob_counts.size(); k-- > 0;) {
      if (static_cast<int>(k) != where.index)
        level.knob[--own] = static_cast<std::uint8_t>(rest % offer.knob_counts[k]);
      rest /= offer.knob_counts[k];
    }
    offer.level_of[flat] = static_cast<std::int16_t>(offer.flat_level.size());
    offer.flat_level.push_back(static_cast<std::uint16_t>(flat));
    offer.binding.levels.push_back(level);
  }
  return !offer.flat_level.empty();
}

/// Takes the knob that says where it runs from the others.
bool take_where(Offer& offer) {
  std::vector<QualityKnob>& knobs = offer.binding.knobs;
  for (const QualityKnob& knob : knobs)
    offer.knob_counts.push_back(static_cast<std::uint16_t>(knob.values.size()));
  for (std::size_t k = 0; k < knobs.size(); ++k) {
    if (knobs[k].name != FLYBALL_WHERE) continue;
    if (offer.where.index >= 0) return false;
    offer.where.index = static_cast<int>(k);
    offer.where.values = knobs[k].values;
    for (std::size_t after = k + 1; after < knobs.size(); ++after)
      offer.where.stride *= knobs[after].values.size();
  }
  if (offer.where.index >= 0) knobs.erase(knobs.begin() + offer.where.index);
  return true;
}

/// Empty, or which of them is refused and why: as libflyball refuses it, and short enough for a welcome.
std::string read_monitors(const fly_hello& hello, Offer& offer) {
  for (std::uint32_t m = 0; m < hello.monitor_count; ++m) {
    const fly_monitor& from = hello.monitor[m];
    const auto name = text_of(from.name, false), unit = text_of(from.unit, true);
    if (!name || !unit || from.direction < 0 || from.direction > FLYBALL_NEITHER)
      return "monitors: are not as flyball.h says; use libflyball";
    const std::string which = fmt::format("monitors: '{}'", *name);
    if (!std::isfinite(from.desired_min) || !std::isfinite(from.desired_max))
      return which + " has a desired value that is no number; give 0";
    if (!within(from.weight, 0, FLYBALL_WEIGHT_MOST))
      return fmt::format("{} weighs {:.4g}; 0 to {}", which, from.weight, FLYBALL_WEIGHT_MOST);
    if (from.direction == FLYBALL_NEITHER && from.desired_min > from.desired_max)
      return fmt::format("{} wants {:.4g} to {:.4g}; swap them", which, from.desired_min,
                         from.desired_max);
    offer.monitor_names.push_back(*name);
    offer.monitor_units.push_back(*unit);
    offer.monitors.push_back(
        {nullptr, nullptr, from.direction, from.desired_min, from.desired_max, from.weight});
  }
  return "";
}

}  // namespace

std::uint16_t Offer::flat(std::size_t level, std::size_t mapping) const {
  const int element = where.of(mapping);
  const std::size_t value = where.is_there() && element > 0 ? static_cast<std::size_t>(element) : 0;
  return static_cast<std::uint16_t>(flat_level[level] + value * where.stride);
}

std::uint8_t Offer::mapping_of(std::size_t flat_level, std::uint8_t told) const {
  if (!where.is_there()) return told;
  const std::size_t value = where.in_level(flat_level);
  return where.of(told) == static_cast<int>(value) ? told : where.mapping[value];
}

std::string find_elements(const Elements& elements, Offer& offer) {
  WhereKnob& where = offer.where;
  if (where.index < 0) return "";
  where.of_mapping.assign(elements.mappings().size(), -1);
  for (std::size_t v = 0; v < where.values.size(); ++v) {
    const unsigned clusters = elements.find(where.values[v]);
    int widest = -1, most = 0;
    for (std::size_t m = 0; m < elements.mappings().size(); ++m) {
      const Elements::Where& each = elements.mappings()[m];
      if (clusters == 0 || (each.clusters & ~clusters) != 0) continue;
      if (where.of_mapping[m] < 0) where.of_mapping[m] = static_cast<std::int16_t>(v);
      if (each.cores > most) widest = static_cast<int>(m);
      most = std::max(most, each.cores);
    }
    if (widest < 0)
      return "where: there is no '" + where.values[v] + "' here; there are " + elements.names();
    where.mapping.push_back(static_cast<std::uint8_t>(widest));
    offer.binding.clusters |= clusters;
  }
  // As it is where nothing is said of it.
  if (offer.binding.clusters == elements.cpu_clusters()) offer.binding.clusters = 0;
  return "";
}

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

bool is_understood(std::span<const char> message) {
  std::array<std::uint32_t, 4> head{};  // magic, kind, version, bytes
  static_assert(offsetof(fly_hello, bytes) == 3 * sizeof head[0]);
  if (message.size() < sizeof head) return true;  // cut off
  std::memcpy(head.data(), message.data(), sizeof head);
  return head[0] != FLY_MAGIC || head[1] != FLY_HELLO ||
         (head[2] == FLYBALL_INTERFACE && head[3] >= sizeof(fly_hello));
}

std::string read_offer(std::span<const char> message, Offer& offer) {
  fly_hello hello;
  if (message.size() < sizeof(std::uint32_t) * 4) return "hello: is cut off; use libflyball";
  std::memcpy(&hello, message.data(), std::min(message.size(), sizeof hello));
  if (hello.magic != FLY_MAGIC || hello.kind != FLY_HELLO) return "hello: is none; use libflyball";
  if (!is_understood(message))
    return "hello: is of another version; use the libflyball of the flyball that governs";
  if (message.size() < hello.bytes) return "hello: is cut off; use libflyball";
  if (hello.knob_count > FLYBALL_KNOBS || hello.monitor_count > FLYBALL_MONITORS ||
      hello.level_count > FLYBALL_LEVELS || hello.thread_count > FLYBALL_THREADS ||
      hello.text_bytes > FLY_TEXT_BYTES || message.size() - hello.bytes != hello.text_bytes)
    return "hello: lies about its sizes; use libflyball";
  const auto name = text_of(hello.name, false);
  if (!name) return "name: is empty, too long or not printable; use another";
  offer.binding.name = *name;
  if (!read_knobs(hello, message.subspan(hello.bytes), offer.binding) || !take_where(offer))
    return "knobs: are not as flyball.h says; use libflyball";
  if (!read_levels(hello, offer))
    return offer.where.index >= 0
               ? "accuracy_pct: 0 to 100 for one level at least, the same for each value of where"
               : "accuracy_pct: 0 to 100 for one level at least";
  if (std::string why = read_monitors(hello, offer); !why.empty()) return printable(why);
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
