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
  explicit SettingSink(const PlatformSpec& platform) : mappings_(platform.mappings.size()) {}
  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_epoch(const EpochEvent& event) noexcept override;
  /// The most used first. Allocates.
  std::vector<SettingUse> uses() const;

 private:
  struct Counts {
    std::size_t levels = 0;
    std::vector<std::uint64_t> jobs;  ///< [mapping][level]
  };
  std::size_t mappings_;
  std::array<Counts, kMaxApps> counts_;
};

}  // namespace flyball::cli
