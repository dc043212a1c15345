#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/spaces/limits.h"
#include "governor/loop/control_loop.h"

namespace flyball::cli {

/// How many jobs ran in one setting of an application's knobs.
struct SettingUse {
  int app = 0;
  AppSetting setting;
  std::uint64_t jobs = 0;
};

/// Counts the settings that finished jobs ran in: what an agent made of mapping, width and
/// precision between jobs.
class SettingSink final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) override;
  /// The most used first. Allocates.
  std::vector<SettingUse> uses() const;

 private:
  using Levels = std::array<std::uint64_t, kMaxLevels>;
  std::array<std::array<Levels, kMaxMappings>, kMaxApps> jobs_{};
};

}  // namespace flyball::cli
