#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "env/linux/counter_source.h"

namespace flyball {

/// Plays a list of samples, for tests of whatever reads counters; nothing in the list is a reading
/// that failed. Held and counted as a real source does it. The end of the list is silence: all
/// further readings fail.
class ScriptedCounterSource final : public CounterSource {
 public:
  explicit ScriptedCounterSource(std::vector<std::optional<CounterSample>> script)
      : script_(std::move(script)) {
    for (const auto& step : script_) {
      if (step) measured_ |= step->valid;
    }
  }

  bool read(CounterSample& out) noexcept override {
    ++tally_.reads;
    out = {};
    if (next_ < script_.size() && script_[next_]) {
      out = *script_[next_];
    } else {
      ++tally_.failed;
    }
    if (next_ < script_.size()) ++next_;
    const bool fresh = out.valid != 0;
    hold_.complete(out, measured_, tally_);
    return fresh;
  }
  const CounterTally& tally() const noexcept override { return tally_; }
  std::string describe() const override { return "scripted counters"; }

 private:
  std::vector<std::optional<CounterSample>> script_;
  std::size_t next_ = 0;
  std::uint8_t measured_ = 0;
  CounterHold hold_;
  CounterTally tally_;
};

}  // namespace flyball
