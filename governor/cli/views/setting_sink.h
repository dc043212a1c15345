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
  /// `own`: how many of the first slots are a scenario's; the others are of applications that join.
  SettingSink(const PlatformSpec& platform, std::size_t own)
      : mappings_(platform.mappings.size()), own_(own) {}
  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Of the scenario's own, the most used first. Allocates.
  std::vector<SettingUse> uses() const;
  /// Finished jobs of all applications that joined, listed in their epoch or not.
  std::uint64_t joined_jobs() const { return joined_jobs_; }

 private:
  struct Counts {
    std::size_t levels = 0;
    std::vector<std::uint64_t> jobs;  ///< [mapping][level]
  };
  std::size_t mappings_, own_;
  std::uint64_t joined_jobs_ = 0;
  std::array<Counts, kMaxApps> counts_;
};

}  // namespace flyball::cli
