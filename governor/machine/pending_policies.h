#pragma once

#include <string>
#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/sense/held_file.h"
#include "governor/loop/control_loop.h"

namespace flyball {

/// Policies that could not be read when a run began, as all their CPUs were offline. What a platform is made
/// of is fixed while it lives, so the run ends when one of them comes, and another one begins.
class PendingPolicies final : public EpochSink {
 public:
  /// The calls outlive it.
  PendingPolicies(const SysTree& tree, const LinuxMachine& machine, SettingCalls& calls);

  /// A sentence each; empty: there are none.
  const std::vector<std::string>& sentences() const { return sentences_; }
  /// Interrupts the platform, which outlives the run, when one can be read; not while an application is
  /// joined, which would lose its place.
  void interrupt_for_one(Platform& platform) { platform_ = &platform; }
  /// "policy4" once it has come, or empty.
  const std::string& come() const { return come_; }

  void on_epoch(const EpochEvent& event) noexcept override;

 private:
  std::vector<std::string> sentences_, names_;
  std::vector<HeldFile> governors_;
  Platform* platform_ = nullptr;
  std::int64_t looked_ns_ = 0;
  std::string come_;
};

}  // namespace flyball
