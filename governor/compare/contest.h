#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "governor/compare/compare.h"

namespace flyball {

/// What was found on a seed.
struct SeedFigures {
  std::vector<Metrics> policies;  ///< one per listed policy, in order
  std::optional<Bounds> bounds;   ///< none where energies are held against nothing
};

/// Policies on one platform in one scenario, a seed at a time. Platform, scenario and options outlive it.
class Contest {
 public:
  /// Looks for `static_best` on all seeds of the options, where it is needed and they do not name it.
  Contest(const PlatformSpec& platform, const Scenario& scenario, const CompareOptions& options);
  ~Contest();
  Contest(const Contest&) = delete;
  Contest& operator=(const Contest&) = delete;

  /// Of the listed policies: with the argument that was found, of static_best.
  std::vector<std::string> agents() const;
  /// The configuration that was found; empty: none was looked for.
  const std::string& static_best() const;
  const std::string& why_no_bound() const;
  /// How many runs a seed takes, those of nobody who is listed included.
  std::size_t runs_per_seed() const;
  /// One of a seed's runs, seeds counted from 0. The last one of a seed to be done answers with what was
  /// found on it; nothing when a run was stopped. Each once; from several threads at a time.
  std::optional<SeedFigures> run(std::size_t seed, std::size_t i);

 private:
  class Runs;
  std::unique_ptr<Runs> runs_;
};

}  // namespace flyball
