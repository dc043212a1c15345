#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "governor/channel/guest.h"
#include "governor/channel/guest_seat.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

struct ChannelPlatformOptions {
  /// CPUs of each cluster, for settings and for the clocks of whoever does not follow them.
  std::vector<CpuSet> cluster_cpus;
  /// Whether the platform's clocks are emulated: then its model knows nothing of what guests take, which
  /// is added by the same model, and a guest is told its speed.
  bool emulated = false;
  bool energy_measured = false;
};

/// A platform and the applications of other processes upon it, which take the slots behind its own: in
/// one observation, so that neither agent, shield nor recorder knows the difference. Per epoch: what the
/// platform did; then reports from the rings, who came, who left and what they ask for now.
///
/// A guest's first jobs run as it is (GuestSeat), so that its effect can be told. One that does not
/// follow CPUs is taken to be on the mapping of most cores; all CPU clusters then are clocked as near their
/// top as those that were chosen for it. One that says that it can run elsewhere, too, is on a device while
/// its setting, or the job that runs, is; what it is busy for keeps that device busy.
class ChannelPlatform final : public Platform {
 public:
  /// `inner` and `table` outlive it; `slots` of `inner` are its own.
  ChannelPlatform(Platform& inner, const PlatformSpec& spec, GuestTable& table, int slots,
                  const ChannelPlatformOptions& options);
  /// Guests may be taken by another platform.
  ~ChannelPlatform() override;

  const Binding& binding(int slot) const override;
  void observe(Observation& out) const noexcept override;
  /// Clocks up for who votes for them, and for who may be anywhere.
  void amend(Action& action) const noexcept override;
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override { inner_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return inner_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override {
    return inner_.restore(settings);
  }

 private:
  bool may_bind(const Guest& guest, std::int64_t now_ns) noexcept;
  void merge(Observation& out) noexcept;
  void follow(Guest& guest, GuestSeat& seat, Observation& out, int slot) noexcept;
  void charge(Observation& out) noexcept;
  void charge_own(double part, Observation& out) noexcept;
  void raise_clocks(const GuestSeat& seat, std::size_t asked_mapping,
                    Action& action) const noexcept;
  void set(GuestSeat& seat, const AppSetting& asked, const Action& action) noexcept;
  bool is_on_cpus(std::size_t mapping) const noexcept;
  std::uint8_t mapping_for(const GuestSeat& seat, std::size_t asked) const noexcept;
  void occupy_devices() noexcept;
  CpuSet cpus_for(int seat, const Mapping& mapping) const noexcept;
  float speed_of(const Mapping& mapping, const Action& action) const noexcept;

  Platform& inner_;
  const PlatformSpec& spec_;
  GuestTable& table_;
  const int slots_;
  const ChannelPlatformOptions options_;
  int widest_mapping_ = 0;
  std::vector<std::unique_ptr<GuestSeat>> seats_;  ///< one per place
  std::array<CpuSet, FLYBALL_SESSIONS> cpus_{};    ///< of each seat
  /// Of the job that runs in a slot of `inner`, so far: as it has it, and without the guests' part.
  struct Carried {
    double whole_mj = 0, own_mj = 0;
  };
  std::array<Carried, kMaxApps> carried_{};
  std::uint32_t roster_changes_ = 0;
  std::size_t bound_levels_ = 0;  ///< within this epoch
  std::int64_t next_bind_ns_ = 0;
  std::int64_t origin_ns_ = 0;  ///< monotonic time at which the platform's clock is 0
  std::array<std::uint8_t, kMaxClusters> cap_{};
};

}  // namespace flyball
