#pragma once

#include <cstdint>
#include <vector>

#include "env/linux/sense/held_file.h"
#include "env/linux/sense/power_reading.h"
#include "env/linux/shadow_platform.h"

namespace flyball {

/// Who governs for the length of a block.
enum class AuditArm : std::uint8_t {
  kFlyball,
  kLinux,   ///< Linux as it was found; flyball looks at the power, and at little else
  kShadow,  ///< Linux too; flyball watches as `shadow` does, and predicts
};

/// What a block showed, without its beginning, in which the machine still settles.
struct AuditBlock {
  AuditArm arm = AuditArm::kLinux;
  double ns = 0;
  double energy_mj = 0;      ///< of the rail
  double busy_ns = 0;        ///< of all CPUs together
  double full_ns = 0;        ///< some core was busy throughout
  double waited_ns = -1;     ///< some task waited for a CPU (PSI); negative: not known
  double instructions = -1;  ///< negative: not counted throughout
  double own_cpu_ns = 0;     ///< flyball's
};

/// Rounds of one block per arm, in an order that is drawn anew for each: whatever drifts (the load,
/// the heat, the battery) falls on all arms alike.
std::vector<AuditArm> audit_schedule(int rounds, std::uint64_t seed);

/// A Linux machine that is governed in turns, and measured. Ends with the last block.
class AuditPlatform final : public Platform {
 public:
  /// While Linux governs, so often is looked: power of a rail that does not count energy needs it.
  static constexpr std::int64_t kLookNs = 100'000'000;

  /// `real` outlives it.
  AuditPlatform(LinuxPlatform& real, const SysTree& tree, const LinuxMachine& machine,
                std::vector<AuditArm> schedule, std::int64_t block_ns);
  bool measures() const { return power_.measures(); }
  const std::string& power_source() const { return power_.source(); }
  /// Those that are complete, in order.
  const std::vector<AuditBlock>& blocks() const { return blocks_; }
  /// What was predicted in the shadow's blocks, mJ by the model over all clusters.
  double shadow_linux_mj() const { return shadow_linux_mj_; }
  double shadow_ours_mj() const { return shadow_ours_mj_; }
  double shadow_ns() const { return shadow_ns_; }

  const Binding& binding(int slot) const override { return real_.binding(slot); }
  void observe(Observation& out) const noexcept override { real_.observe(out); }
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override { real_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return real_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }

 private:
  AuditArm arm() const { return schedule_[blocks_.size()]; }
  void begin_block() noexcept;
  void measure(std::int64_t now_ns, const Observation& seen) noexcept;
  void end_block() noexcept;
  double waited_us() noexcept;

  LinuxPlatform& real_;
  ShadowPlatform shadow_;
  PowerReading power_;
  HeldFile pressure_;
  std::vector<AuditArm> schedule_;
  std::vector<AuditBlock> blocks_;
  std::int64_t block_ns_;
  bool begun_ = false, settled_ = false;
  std::int64_t begin_ns_ = 0, read_ns_ = 0;
  double mw_ = -1;
  std::int64_t cpu_ns_ = 0;
  double waited_us_ = -1;
  AuditBlock block_;
  double shadow_linux_mj_ = 0, shadow_ours_mj_ = 0, shadow_ns_ = 0;
};

}  // namespace flyball
