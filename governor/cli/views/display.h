#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "governor/cli/keyboard.h"
#include "governor/cli/views/live_sink.h"
#include "governor/cli/views/live_text.h"
#include "governor/cli/views/redrawn_block.h"

namespace flyball::cli {

/// Shows a run on standard error while it lasts, from a thread of its own: redrawn in place five
/// times a second on a terminal, a line per second elsewhere. The loop is never made to wait. Every
/// write ends with its colours reset; what the terminal's modes need, Keyboard does.
class Display {
 public:
  Display(const PlatformSpec& platform, const Scenario& scenario, LiveTitle title, LiveSink& source,
          bool plain);
  /// Leaves one line of the block, with what the policy achieved, for as long as the others run.
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

 private:
  void show();
  void redraw(const LiveState& state, const Terminal& terminal);
  Look look_at(const LiveState& state);

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const MonitorTable monitors_;
  const LiveTitle title_;
  LiveSink& source_;
  const bool plain_;
  const std::int64_t suspended_before_ns_;
  const LiveState* seen_ = nullptr;  ///< the newest state
  std::array<std::uint64_t, kMaxClusters> capped_epochs_{};
  LivePage page_ = LivePage::kHistory;
  RedrawnBlock block_;
  std::optional<Keyboard> keyboard_;  ///< of the display that is redrawn
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace flyball::cli
