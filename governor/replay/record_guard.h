#pragma once

#include <array>
#include <cstddef>

#include "env/model/platform_spec.h"
#include "governor/record/recording.h"

namespace flyball {

/// What is read from a file indexes the platform's tables: a record of another platform, or one that
/// names what the platform has not, is refused before it does. Throws Error (kInput).
class RecordGuard {
 public:
  explicit RecordGuard(const PlatformSpec& platform) : platform_(platform) {}

  void on_info(const RecordingInfo& info) const;
  void on_bind(int slot, const Binding& binding);
  void on_epoch(const Observation& now, const DecisionRow& row) const;

 private:
  const PlatformSpec& platform_;
  std::array<std::size_t, kMaxApps> levels_{};
};

}  // namespace flyball
