#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "governor/cli/views/live_sink.h"
#include "governor/cli/views/live_text.h"

namespace flyball::cli {

/// Shows a run on standard error while it lasts, from a thread of its own: redrawn in place five
/// times a second on a terminal, a line per second elsewhere. The loop is never made to wait. The
/// terminal's modes are not touched and every write ends with its colours reset, so that there is
/// nothing to restore, however the program ends.
class Display {
 public:
  Display(const PlatformSpec& platform, const Scenario& scenario, LiveTitle title, LiveSink& source,
          bool plain);
  /// Takes the block away, for what is printed next.
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

 private:
  void show();
  void redraw(const LiveState& state, const Terminal& terminal);

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const LiveTitle title_;
  LiveSink& source_;
  const bool plain_;
  int drawn_lines_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace flyball::cli
