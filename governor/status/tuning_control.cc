#include "governor/status/tuning_control.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "env/config/yaml.h"
#include "governor/status/control_protocol.h"

namespace flyball {
namespace {

constexpr const char* kDefault = "default";

std::string refused(const std::string& what, const std::string& why, const std::string& remedy) {
  return fmt::format("{} {}: {}; {}", kReplyRefused, what, why, remedy);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

template <typename Number>
std::optional<Number> number_within(const std::string& text, Number least, Number most) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  if (!(value >= least && value <= most)) return std::nullopt;  // nor a NaN
  return value;
}

}  // namespace

const std::vector<std::string>& tuning_keys() {
  static const std::vector<std::string> kKeys = {"epoch_ms", "min_khz", "max_khz", "preference",
                                                 "exploration"};
  return kKeys;
}

TuningControl::TuningControl(LinuxPlatform& platform, const SeqSlot<CounterTotals>& counters,
                             std::string policy, bool explores)
    : platform_(platform),
      counters_(counters),
      policy_(std::move(policy)),
      explores_(explores),
      tuning_(platform.tuning()) {
  const auto status = platform.clusters();
  for (std::size_t c = 0; c < status.size(); ++c) {
    Target& target = clusters_.emplace_back();
    target.policies = status[c].policies;
    for (const OperatingPoint& opp : platform.spec().clusters[c].opps)
      target.table_khz.push_back(opp.freq_khz);
  }
}

std::string TuningControl::answer(std::string_view request, bool may_control) {
  const std::vector<std::string> words = words_of(request);
  const std::string verb = words.empty() ? "" : words[0];
  if (verb != "set" && verb != "counters")
    return refused("request", "is not known", "use the 'flyball' that governs");
  if (!may_control) return fmt::format("{} this is not for everybody", kReplyDenied);
  return verb == "set" ? set(words) : counters();
}

std::string TuningControl::set(const std::vector<std::string>& words) {
  if (words.size() < 3 || words.size() > 4)
    return refused("set", "takes a key and a value", "as in 'flyball set epoch_ms 20'");
  const std::string &key = words[1], &value = words[2];
  const std::string policy = words.size() == 4 ? words[3] : "";
  const std::vector<std::string>& known = tuning_keys();
  const bool limit = key == "min_khz" || key == "max_khz";
  if (!policy.empty() && !limit && std::ranges::find(known, key) != known.end())
    return refused("--policy " + policy, fmt::format("{} is the same for all policies", key),
                   "leave it out");
  if (limit) return set_limit(key == "max_khz", value, policy);
  if (key == "epoch_ms") return set_epoch(value);
  if (key == "preference") return set_preference(value);
  if (key == "exploration") {
    return refused(key, fmt::format("policy '{}' leaves nothing to chance", policy_),
                   explores_ ? "run it with --no-learn" : "it needs none");
  }
  return refused("key '" + key + "'", "cannot be set" + did_you_mean(key, known),
                 fmt::format("use one of {}", fmt::join(known, ", ")));
}

std::string TuningControl::set_epoch(const std::string& value) {
  constexpr double kMs = 1e6;
  if (value == kDefault) {
    tuning_.epoch_ns = 0;
  } else {
    const auto ms = number_within<double>(value, kShortestEpochNs / kMs, kLongestEpochNs / kMs);
    if (!ms) {
      return refused("epoch_ms " + value, "is not a number of milliseconds from 5 to 1000",
                     "give one, or 'default'");
    }
    tuning_.epoch_ns = std::llround(*ms * kMs);
  }
  wanted_.put(tuning_);
  return fmt::format("{} epoch_ms {}", kReplyOk, value);
}

std::string TuningControl::set_preference(const std::string& value) {
  const auto preference = number_within<double>(value, 0, 1);
  if (!preference && value != kDefault) {
    return refused("preference " + value,
                   "is not a number from 0 (performance first) to 1 (battery first)",
                   "give one, or 'default'");
  }
  tuning_.preference = preference;
  wanted_.put(tuning_);
  return fmt::format("{} preference {}", kReplyOk,
                     preference ? fmt::to_string(*preference) : value);
}

/// Of all policies, or none.
std::string TuningControl::set_limit(bool maximum, const std::string& value,
                                     const std::string& policy) {
  const char* key = maximum ? "max_khz" : "min_khz";
  LinuxTuning next = tuning_;
  std::vector<std::string> done, known;
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    const Target& target = clusters_[c];
    known.insert(known.end(), target.policies.begin(), target.policies.end());
    if (!policy.empty() &&
        std::find(target.policies.begin(), target.policies.end(), policy) == target.policies.end())
      continue;
    const std::vector<std::int64_t>& table = target.table_khz;
    const std::string who = fmt::format("{}", fmt::join(target.policies, ", "));
    std::int64_t khz = 0;
    if (value != kDefault) {
      const auto asked = number_within<std::int64_t>(value, table.front(), table.back());
      if (!asked) {
        return refused(fmt::format("{} {}", key, value),
                       fmt::format("{} goes from {} to {} kHz", who, table.front(), table.back()),
                       clusters_.size() > 1 && policy.empty()
                           ? "give what all can have, or name one with --policy"
                           : "give one of that range, or 'default'");
      }
      // What is in force is a clock that it has, within what was asked for.
      khz = maximum ? *(std::upper_bound(table.begin(), table.end(), *asked) - 1)
                    : *std::lower_bound(table.begin(), table.end(), *asked);
    }
    (maximum ? next.max_khz : next.min_khz)[c] = khz;
    if (next.max_khz[c] > 0 && next.min_khz[c] > next.max_khz[c]) {
      return refused(fmt::format("{} {}", key, value),
                     fmt::format("{} would have a minimum of {} and a maximum of {} kHz", who,
                                 next.min_khz[c], next.max_khz[c]),
                     "change the other one first");
    }
    done.push_back(khz == 0 ? fmt::format("{} {} default", who, key)
                   : fmt::to_string(khz) == value
                       ? fmt::format("{} {} {}", who, key, khz)
                       : fmt::format("{} {} {} (the nearest clock {} {} that it has)", who, key,
                                     khz, maximum ? "up to" : "from", value));
  }
  if (done.empty()) {
    return refused("--policy " + policy, "is not governed here" + did_you_mean(policy, known),
                   fmt::format("use one of {}", fmt::join(known, ", ")));
  }
  tuning_ = next;
  wanted_.put(tuning_);
  return fmt::format("{} {}", kReplyOk, fmt::join(done, "; "));
}

/// Per cluster "valid instructions cycles references misses", so far.
std::string TuningControl::counters() const {
  CounterTotals totals;
  std::string text = kReplyOk;
  if (!counters_.get(totals)) return text;
  for (int c = 0; c < totals.clusters; ++c) {
    const CounterTotals::Cluster& one = totals.cluster[static_cast<std::size_t>(c)];
    text += fmt::format(" {} {:.0f} {:.0f} {:.0f} {:.0f}", one.valid, one.instructions, one.cycles,
                        one.references, one.misses);
  }
  return text;
}

}  // namespace flyball
