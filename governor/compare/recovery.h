#pragma once

#include <cstdint>
#include <vector>

#include "env/scenario/scenario.h"
#include "governor/loop/control_loop.h"

namespace flyball {

/// When something changes within a scenario: an application or other load comes or goes, what is asked
/// for, its work or rate, the temperature, the battery or a sensor. Ascending, each once.
std::vector<std::int64_t> changes_of(const Scenario& scenario);

/// How long a policy takes after each change until its jobs are on time again (recovery_s).
class RecoverySink final : public EpochSink {
 public:
  static constexpr int kInARow = 10;  ///< jobs on time, after which it has recovered

  explicit RecoverySink(std::vector<std::int64_t> changes) : changes_(std::move(changes)) {}
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Mean over the changes, s; NaN when there is none that enough jobs followed.
  double mean_s() const;

 private:
  void close(std::int64_t until_ns);

  const std::vector<std::int64_t> changes_;
  std::size_t next_ = 0;  ///< of changes_
  std::int64_t changed_ns_ = 0, last_miss_ns_ = 0, now_ns_ = 0;
  bool open_ = false;  ///< after a change, not recovered
  int jobs_ = 0, in_a_row_ = 0;
  double sum_s_ = 0;
  int counted_ = 0;
};

}  // namespace flyball
