#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flyball {

/// What a thread of rt-app does next (github.com/scheduler-tools/rt-app, doc/tutorial.txt).
struct RtAppEvent {
  enum class Kind {
    kRun,      ///< work that takes `ns` on the CPU that rt-app was calibrated on
    kRuntime,  ///< `ns` of time on any CPU
    kSleep,
    kTimer,
    kSuspend,
    kResume,
    kLock,
    kUnlock,
    kWait,
    kSignal,
    kBroadcast,
  };
  Kind kind = Kind::kRun;
  std::int64_t ns = 0;
  int resource = -1;      ///< that it names, among all of the file
  int mutex = -1;         ///< kWait
  bool absolute = false;  ///< kTimer: a period that was overrun is not forgotten
  bool own = false;       ///< kTimer: of each thread by itself
};

struct RtAppPhase {
  std::int64_t loops = 1;
  std::vector<RtAppEvent> events;
};

/// A thread object: as many threads as it has instances.
struct RtAppTask {
  std::string name;   ///< as plain as YamlMap::name() wants it
  std::string where;  ///< "file.json:12", for messages
  int instances = 1;
  std::int64_t delay_ns = 0;
  std::int64_t loops = -1;  ///< of all phases; -1: for ever
  std::vector<RtAppPhase> phases;
  std::vector<int> cpus;  ///< ascending; empty: any
};

/// Of instance 1 and on; each thread of a file has a name of its own.
std::string thread_name(const RtAppTask& task, int instance);

struct RtAppFile {
  std::vector<RtAppTask> tasks;
  std::int64_t duration_ns = 0;
  int resources = 0;               ///< that events name
  std::vector<std::string> notes;  ///< one line each: what is read and left without effect
};

/// Reads rt-app's JSON as its workgen does, which lets keys recur and commas trail. What it does not
/// understand it refuses: throws Error (kInput) that names the key and the line.
RtAppFile read_rtapp(const std::string& path);

/// A stretch of a thread between two waits: released when it could begin.
struct RtAppJob {
  std::int64_t release_ns = 0;
  std::int64_t run_ns = 0, runtime_ns = 0;
};

/// The jobs of every thread (the instances of a task in a row) while all of them run at the speed that
/// they were calibrated at, each on a core of its own: when they are released at another speed
/// cannot be known before it is played. Throws Error (kInput) when the file has threads that go on
/// without end and without time.
std::vector<std::vector<RtAppJob>> play_rtapp(const RtAppFile& file);

}  // namespace flyball
