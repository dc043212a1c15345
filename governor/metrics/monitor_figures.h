#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/spaces/monitors.h"
#include "governor/loop/control_loop.h"

namespace flyball {

/// What a monitor showed in a run. An epoch counts by how long it was, and only where the reading was
/// valid and of that epoch.
struct MonitorFigure {
  Monitor monitor;
  double sum = 0;  ///< of value * ns
  double ns = 0;
  double least = 0, most = 0;
  std::uint64_t epochs = 0, valid = 0, held = 0;
  std::uint64_t absent() const { return epochs - valid - held; }
  double mean() const { return sum / ns; }  ///< NaN where it was never valid
};

/// Sums up every monitor that is of interest to people, whatever the table has; who has gone stays.
class MonitorFigures final : public EpochSink {
 public:
  /// As MonitorTable.
  MonitorFigures(const PlatformSpec& platform, const RewardWeights& weights,
                 const std::vector<std::string>& measured = {});
  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_unbind(int slot) override;
  void on_epoch(const EpochEvent& event) noexcept override { add(event.outcome); }
  void add(const Observation& now) noexcept;

  std::vector<MonitorFigure> result() const;

 private:
  struct Kept {
    MonitorFigure figure;
    bool there = true;
  };
  void add(const Monitor& row);

  MonitorTable table_;
  std::vector<Kept> kept_;
};

}  // namespace flyball
