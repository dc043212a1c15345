#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "env/spaces/limits.h"
#include "kernels/base/control_character.h"
#include "kernels/base/seq_slot.h"

namespace flyball {

/// A text in shared memory: cut to its room, ended by 0 unless it fills it.
template <std::size_t N>
struct PageText {
  std::array<char, N> bytes{};
  void set(std::string_view text) noexcept {
    bytes.fill('\0');
    std::memcpy(bytes.data(), text.data(), text.size() < N ? text.size() : N);
  }
  /// Whatever is in there, as one line that a terminal does not obey.
  std::string get() const {
    const void* end = std::memchr(bytes.data(), '\0', N);
    const std::size_t size =
        end ? static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) : N;
    return printable(std::string_view(bytes.data(), size));
  }
};

/// What is not known in a page is NaN.
inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// How the governor uses the machine.
enum class GovernorMode : std::uint8_t { kGoverns, kDryRun };

/// What does not change while a governor runs.
struct StatusFacts {
  static constexpr int kIdleStates = 8;
  struct Cluster {
    PageText<32> name;
    PageText<64> cpus;
    PageText<96> policies;
    PageText<16> actuator;
    PageText<192> why;
    std::int64_t lowest_khz = 0, highest_khz = 0;
    double trip_c = kUnknown;  ///< the lowest at which Linux holds the clock down
    std::int32_t idle_states = 0;
    std::array<PageText<16>, kIdleStates> idle_state{};  ///< names, shallowest first
  };
  std::int32_t pid = 0;
  std::uint8_t mode = 0;      ///< GovernorMode
  std::int64_t start_ns = 0;  ///< CLOCK_MONOTONIC
  std::int64_t epoch_ns = 0;  ///< unless it is set
  PageText<48> policy;
  PageText<128> power_source;  ///< what measures power at times; empty: nothing does
  std::int32_t clusters = 0;
  std::array<Cluster, kMaxClusters> cluster{};
};

/// Of at least a second: what is finer tells of other people's programs.
struct StatusNow {
  struct Cluster {
    std::int64_t asked_khz = 0;       ///< last
    double delivered_khz = kUnknown;  ///< mean while it was busy
    double busiest = kUnknown;        ///< mean busy share of the busiest core
    double busy = kUnknown;           ///< over all cores
    double modelled_mw = kUnknown;
    double temp_c = kUnknown;
    /// Of the time of all its CPUs, in the mean of a second or more of its own.
    std::array<double, StatusFacts::kIdleStates> idle_share = all_unknown();
    std::int32_t error = 0;  ///< errno of the last write
    std::int32_t stood_down = 0;
    std::uint64_t decisions = 0, writes = 0, refused = 0, rounded = 0, ignored = 0;
    std::int64_t min_khz = 0, max_khz = 0;  ///< as set; 0: not

    static constexpr std::array<double, StatusFacts::kIdleStates> all_unknown() {
      std::array<double, StatusFacts::kIdleStates> all{};
      all.fill(kUnknown);
      return all;
    }
  };
  struct Note {
    std::int64_t at_ns = 0;  ///< CLOCK_MONOTONIC
    PageText<240> text;
  };
  static constexpr int kNotes = 6;
  std::int64_t at_ns = 0;      ///< CLOCK_MONOTONIC, of the end of the window
  std::int64_t window_ns = 0;  ///< 0: the first one is not over
  std::uint64_t epochs = 0, naps = 0;
  std::uint8_t napping = 0;
  double power_mw = kUnknown;
  double measured_share = 0;  ///< of the window in which that was measured; the rest is modelled
  double energy_mj = 0;       ///< so far
  double energy_measured_mj = 0;  ///< of that
  std::int64_t epoch_ns = 0;      ///< as set; 0: not
  double preference = 0.5;
  std::uint8_t preference_set = 0;  ///< by the user; else the scenario or the battery says
  // How far what was predicted, epoch by epoch, was from what came out, in the mean of a second.
  std::uint64_t scored = 0;       ///< seconds of a cluster that was busy, so far
  double busy_error = kUnknown;   ///< mean absolute, share of a core
  double power_error = kUnknown;  ///< mean absolute, share of what came out
  std::int32_t clusters = 0;
  std::uint32_t notes = 0;  ///< so far; note n is at n % kNotes
  std::array<Cluster, kMaxClusters> cluster{};
  std::array<Note, kNotes> note{};
};

/// A clock that was changed: what was seen, what was expected, what came out.
struct PlainDecision {
  std::uint64_t number = 0;  ///< from 0
  std::int64_t at_ns = 0;    ///< CLOCK_MONOTONIC
  std::int64_t epoch_ns = 0;
  std::uint8_t cluster = 0;
  std::uint8_t verdict = 0;         ///< Shield::Verdict
  std::uint8_t reason = 0;          ///< Reason::Code
  std::uint8_t capped = 0;          ///< heat or a limit held it below its highest clock
  std::int32_t error = 0;           ///< errno of the write
  std::int64_t last_asked_khz = 0;  ///< before it
  std::int64_t before_khz = 0, decided_khz = 0, asked_khz = 0, next_khz = 0, delivered_khz = 0;
  float seen_busiest = 0, seen_temp_c = 0;
  float chosen_busiest = 0, chosen_mw = 0;  ///< predicted
  float next_busiest = 0, next_mw = 0;      ///< of the next best
  float out_busiest = 0, out_mw = 0;        ///< power as modelled from what came out
};

struct StatusSecond {
  std::uint64_t number = 0;
  float power_mw = 0;
  std::array<float, kMaxClusters> busiest{}, khz{};
};

/// What a governor shows of itself in shared memory, for whoever asks its control socket. One
/// thread of the governor writes; readers map it read-only, and neither can make the other wait.
struct StatusPage {
  static constexpr std::uint64_t kMagic = 0x4547415059424c46;  // "FLBYPAGE"
  static constexpr std::uint32_t kVersion = 3;
  static constexpr int kDecisions = 128, kSeconds = 64;

  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t bytes = sizeof(StatusPage);
  SeqSlot<StatusFacts> facts;
  SeqSlot<StatusNow> now;
  std::atomic<std::uint32_t> decisions{0};  ///< so far; decision n is at n % kDecisions
  std::atomic<std::uint32_t> seconds{0};
  std::array<SeqSlot<PlainDecision>, kDecisions> decision;
  std::array<SeqSlot<StatusSecond>, kSeconds> second;
};

}  // namespace flyball
