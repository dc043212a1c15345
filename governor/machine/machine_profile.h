#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "governor/machine/inference_engine.h"

namespace flyball {

/// What times depend on, as far as it can be told: they hold for the same machine only.
struct MachineIdentity {
  std::string cpu;        ///< "AMD EPYC 7763 64-Core Processor"
  int cpus = 0;           ///< that the process may use
  std::string operators;  ///< the operators that ran: "avx2"
  double cpu_quota = 0;   ///< cores' worth that its control groups allow, to 0.01; 0: no quota
  bool operator==(const MachineIdentity&) const = default;
};
MachineIdentity this_machine();

/// Time of one inference per width, precision and set of CPUs, as measured on a machine by
/// `flyball profile`; what the governor starts from there. A YAML file.
struct MachineProfile {
  struct Row {
    int width_pct = 100;
    bool int8 = false;
    CpuSet cpus;
    double time_us = 0;  ///< first decile: what undisturbed inferences take
    double median_us = 0;
    double high_us = 0;  ///< last decile
    int batches = 0;
    /// Half the distance of the deciles over the median; of normal times 1.28 standard deviations.
    double spread() const { return (high_us - time_us) / (2 * median_us); }
    bool unstable() const { return 100 * spread() > EngineCalibration::kUnstablePct; }
  };
  MachineIdentity machine;
  std::string model;               ///< its name, for people
  std::uint32_t checksum = 0;      ///< of the model's file
  double decision_latency_us = 0;  ///< see measure_decision_latency(); 0: not measured
  std::vector<Row> rows;

  /// How many rows are so unstable that something else must have run beside the measurement.
  int unstable_rows() const;
  /// How far off its times may be, relative, one standard deviation.
  double time_spread() const;
  /// The row of the first set of that many CPUs; nullptr when it was not measured.
  const Row* find(int width_pct, bool int8, int cores) const;
  /// Empty, or why the times say nothing of `machine` running the model of that checksum.
  std::string mismatch(const MachineIdentity& machine, std::uint32_t model_checksum) const;
  /// Gives the levels of `app` their time factors and how they spread over up to `cores` cores.
  /// False, and nothing has changed, when one of them was not measured.
  bool apply(AppProfile& app, int cores) const;
};

MachineProfile make_profile(const EngineCalibration& calibration, const Network& network,
                            const std::string& model, std::uint32_t checksum);

/// The sets of CPUs worth measuring: the first one that this process may use, the first two and so
/// on; on a machine with several kinds of cores also one and all of each kind.
std::vector<CpuSet> profile_cpu_sets(const std::string& sysfs = "/sys/devices/system/cpu");

/// ${XDG_STATE_HOME:-~/.local/state}/flyball: what was measured and learned on this machine. Empty
/// where neither variable is set. As its specification wants it, a relative XDG_STATE_HOME counts
/// for nothing.
std::string state_folder();
/// `name` with every character replaced that could lead a path elsewhere.
std::string plain_file_name(std::string name);
/// profile-HOST.yaml in the state folder. Throws Error (kInput) where there is none.
std::string default_profile_path();

/// check_output() of a profile.
void check_profile_output(const std::string& what, const std::string& path);
/// The profile as its file, byte for byte.
std::string profile_text(const MachineProfile& profile);
/// FNV-1a of it: equal for files that say the same, whatever their layout and comments.
std::uint64_t content_hash(const MachineProfile& profile);
/// Throws Error (kFailure).
void write_profile(const std::string& path, const MachineProfile& profile);
/// Throws Error (kInput).
MachineProfile read_profile(const std::string& path);

}  // namespace flyball
