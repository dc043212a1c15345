#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "env/linux/actuate/clock_hand.h"
#include "env/linux/machine_spec.h"
#include "env/linux/sense/power_reading.h"
#include "governor/machine/inference_engine.h"
#include "governor/machine/power_table.h"
#include "governor/supervisor/setting_watch.h"
#include "governor/supervisor/takeover.h"

namespace flyball {

/// Why no sensor of the machine can be read now; empty where one can.
std::string why_no_power(const LinuxMachine& machine);

/// This machine under the inference engine, its clocks turned by a hand per cluster. All that is given
/// outlives it. With the `takeover`, what is written goes through `hook`, the supervisor hears from it
/// with every wait, and who else turns a clock ends the measuring; without, nothing is written. Gives
/// every clock back when it is gone.
class LinuxTableMachine final : public TableMachine {
 public:
  /// wait() throws when `stop` is set. `clocks_can_be_set` without a takeover: a plan, nothing turns.
  LinuxTableMachine(const SysTree& tree, const LinuxMachine& machine, const MachineSpec& made,
                    InferenceEngine& engine, Takeover* takeover, SettingHook* hook,
                    const std::atomic<bool>& stop, bool clocks_can_be_set);
  ~LinuxTableMachine() override;
  /// All clocks, at the end: no call but lost_supervisor() comes after it.
  void give_back();

  std::vector<TableCluster> clusters() const override { return clusters_; }
  std::vector<TableRail> rails() const override { return rails_; }
  void wait(std::int64_t ns) override;
  bool read_mw(std::size_t rail, double& mw) override;
  void ask(std::size_t cluster, std::int64_t khz) override;
  std::optional<std::int64_t> clock_khz(std::size_t cluster) override;
  std::optional<double> temp_c() override;
  void run(const CpuSet& cpus, int width_pct) override;
  double stop() override;
  std::vector<int> widths_pct() const override;
  std::optional<double> accuracy_pct(int width_pct) const override;

  bool lost_supervisor() const { return lost_supervisor_; }

 private:
  void add_cluster(const SysTree& tree, const LinuxMachine& machine, const MachineSpec& made,
                   std::size_t c, bool clocks_can_be_set, SettingHook* hook);
  void work(JobEngine::Setting setting);
  void look_for_rivals();

  InferenceEngine& engine_;
  Takeover* takeover_;
  const std::atomic<bool>& interrupted_;
  std::optional<SettingWatch> watch_;
  int watched_ = 0;
  std::int64_t looked_ns_ = 0;
  bool lost_supervisor_ = false;
  std::vector<TableCluster> clusters_;
  std::vector<std::vector<HeldFile>> clock_;  ///< per cluster, of each of its policies
  std::vector<std::unique_ptr<ClockHand>> hand_;
  std::vector<TableRail> rails_;
  std::vector<PowerReading> power_;
  std::vector<HeldFile> zones_;
  std::thread worker_;
  std::atomic<bool> working_{false};
  std::mutex mutex_;
  std::vector<double> job_ms_;
  std::string problem_;  ///< why the load did not run as it was to
};

}  // namespace flyball
