#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "governor/client/flyball.h"
#include "governor/machine/inference_engine.h"

namespace flyball {

/// The dynamic network as an application of flyball.h: its knobs are width and precision, and it runs
/// on as many threads, and where, as the governor says. Without one: everything, on `threads`.
class GovernedNetwork {
 public:
  struct Options {
    std::string name;
    int threads = 1;  ///< where nobody says how many
    flyball_requirements required{};
  };
  /// Throws Error (kInput) for what the library refuses.
  GovernedNetwork(const Network& network, const Options& options);

  /// A job begins: what it is to run with.
  struct Work {
    JobEngine::Setting setting;
    bool governed = false;
    std::string where;  ///< as the governor names it; empty without one
  };
  Work begin(std::int64_t release_ns);
  void end();
  /// A job that never ran.
  void report_dropped(std::int64_t release_ns);

  /// Whether the governor came or went since the last call.
  bool has_changed_hands();
  flyball_effect effect();

 private:
  struct Close {
    void operator()(flyball_session* session) const { flyball_close(session); }
  };
  Work work_of(const flyball_setting& now) const;

  std::unique_ptr<flyball_session, Close> session_;
  int widths_;
  bool has_precision_;
  bool governed_ = false, told_governed_ = false;
};

/// How good each width and precision is, as flyball_application.accuracy_pct; empty where the model's
/// file does not say.
std::vector<double> knob_accuracies(const Network& network);

}  // namespace flyball
