#include <unistd.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <thread>

#include "governor/cli/interrupt.h"
#include "governor/cli/keyboard.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/cli/views/redrawn_block.h"
#include "governor/cli/views/top_view.h"
#include "governor/status/control_protocol.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct TopVerb {
  std::string state_dir = kDefaultStateDir;
  bool plain = false;
  int pictures = 0;  ///< 0: until it is ended
};

constexpr int kHistorySeconds = 60;

/// Looks at a governor once a second.
class TopEye {
 public:
  explicit TopEye(AskedGovernor& governor) : governor_(governor), facts_(governor.view.facts()) {}

  /// False when the governor has ended.
  bool look(TopPicture& picture) {
    picture.shown = {facts_, governor_.view.now(), monotonic_ns()};
    picture.seconds = governor_.view.seconds(kHistorySeconds);
    const std::vector<PlainDecision> last = governor_.view.decisions(1);
    if (!last.empty()) picture.last = last.back();
    try {
      count(governor_.client.request("counters"), picture);
    } catch (const Error&) {  // it hangs, or it is gone
      return picture.shown.stalled() && ++silent_ < kSilentLooks;
    }
    silent_ = 0;
    return true;
  }

 private:
  static constexpr int kSilentLooks = 10;
  struct Counted {
    double instructions = 0, cycles = 0, misses = 0;
  };

  void count(const ControlClient::Reply& reply, TopPicture& picture) {
    picture.counters_denied = reply.word == kReplyDenied;
    if (reply.word != kReplyOk) return;
    std::istringstream numbers(reply.rest);
    for (std::size_t c = 0; c < static_cast<std::size_t>(kMaxClusters); ++c) {
      Counted now;
      int valid = 0;
      double references = 0;
      if (!(numbers >> valid >> now.instructions >> now.cycles >> references >> now.misses)) return;
      const double instructions = now.instructions - before_[c].instructions;
      const double cycles = now.cycles - before_[c].cycles;
      const double misses = now.misses - before_[c].misses;
      before_[c] = now;
      if (!(instructions > 0) || !(cycles > 0)) continue;
      picture.counters[c] = {instructions / cycles, 1000 * misses / instructions};
    }
  }

  AskedGovernor& governor_;
  const StatusFacts facts_;
  std::array<Counted, kMaxClusters> before_{};
  int silent_ = 0;
};

int run_top(const TopVerb& verb) {
  using std::chrono::milliseconds;
  std::optional<AskedGovernor> governor = ask_governor(verb.state_dir);
  if (!governor) return none_governs(verb.state_dir, false, "clocks of this machine to watch");
  const InterruptScope interrupt;
  TopEye eye(*governor);
  TopPicture picture;
  RedrawnBlock block;
  const bool plain = verb.plain || !Terminal::of(STDOUT_FILENO).is_tty;
  std::optional<Keyboard> keyboard;
  if (!plain) keyboard.emplace();
  picture.keys = keyboard && keyboard->on();
  bool quits = false;
  const auto draw = [&] {
    const Terminal terminal = Terminal::of(STDOUT_FILENO);
    write_result(plain ? top_line(picture) + '\n'
                       : block.draw(top_block(picture, terminal), terminal.rows));
  };
  for (int shown = 0; !quits && !interrupt.stopped() && !result_refused();) {
    if (!eye.look(picture)) {
      write_note("The governor has ended.\n");
      break;
    }
    draw();
    if (++shown == verb.pictures) break;
    for (int i = 0; i < 10 && !quits && !interrupt.stopped(); ++i) {
      std::this_thread::sleep_for(milliseconds(100));
      for (char key = '?'; keyboard && (key = keyboard->key()) != '\0';) {
        quits = quits || key == 'q';
        if (key != '?') continue;
        picture.legend = !picture.legend;
        draw();
      }
    }
  }
  return 0;
}

}  // namespace

Verb add_top(CLI::App& program) {
  auto verb = std::make_shared<TopVerb>();
  CLI::App* parser = program.add_subcommand(
      "top", "Watch the flyball that governs this machine, live: q ends it, ? explains the words");
  integer_option(*parser, "-n", verb->pictures, 1, 1'000'000,
                 "End after so many looks, one a second (default: when you do)");
  parser->add_flag("--plain", verb->plain, "A line per second instead of the picture");
  state_dir_option(*parser, verb->state_dir);
  parser->footer(
      "Example:\n  sudo flyball top    # without sudo, all but the counters\n"
      "Exit status: 0 done, 3 no flyball governs, 1 it cannot be asked.");
  return {parser, [verb] { return run_top(*verb); }};
}

}  // namespace flyball::cli
