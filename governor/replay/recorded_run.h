#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/spaces/binding.h"
#include "env/spaces/observation.h"
#include "governor/metrics/metrics.h"
#include "governor/record/recording.h"

namespace flyball {

/// A run as its record tells it, in memory: what happened to it and what it did, without why.
struct RecordedRun {
  /// Somebody in a slot, from when it came until it left. Who has the slot later is another.
  struct App {
    int slot = 0;
    Binding binding;
    Requirements required;  ///< when it came
    std::int64_t start_ns = 0, stop_ns = 0;
    std::uint32_t longest_backlog = 0;  ///< at the end of an epoch
    bool dropped_any = false;
    std::vector<JobRecord> jobs;  ///< by release; those that were open at the end have no finish
  };
  /// What an application asked for from some time within an epoch on.
  struct Change {
    std::size_t app = 0;
    std::int64_t after_ns = 0, by_ns = 0;
    Requirements before, required;
  };
  struct Preference {
    std::int64_t at_ns = 0;
    double value = 0;
  };
  struct Epoch {
    std::int64_t start_ns = 0, end_ns = 0;
    Action applied;  ///< `app[i]` is of the i-th of `apps`
    struct Cluster {
      float util_mean = 0, power_mw = 0, temp_c = 0;
      std::uint8_t opp = 0;
    };
    std::array<Cluster, kMaxClusters> cluster{};
  };

  RecordingReport report;
  std::unique_ptr<Observation> start = std::make_unique<Observation>();
  std::vector<App> apps;
  std::vector<Change> changes;
  std::vector<Preference> preferences;
  std::vector<Epoch> epochs;
  double energy_mj = 0;
  double battery_first_pct = 100, battery_last_pct = 100, sustainable_mw = 0;
  std::uint64_t jobs_unlisted = 0;
  std::string
      unusable;     ///< why it is not all in memory, where it is not: nothing can be played by it
  Metrics metrics;  ///< as of a run that is compared

  std::int64_t duration_ns() const { return epochs.empty() ? 0 : epochs.back().end_ns; }
};

/// More than this many epochs, or jobs, are not held in memory.
inline constexpr std::size_t kMaxRecordedEpochs = 1'000'000;

/// Reads a record whole. Throws Error (kInput) where the file is no recording, or of another
/// platform (record_guard.h). Stops storing after `max_epochs`, or as many jobs; `metrics` are of all.
RecordedRun read_recorded_run(const std::string& recording, const PlatformSpec& platform,
                              std::size_t max_epochs = kMaxRecordedEpochs);

}  // namespace flyball
