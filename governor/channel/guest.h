#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "env/spaces/limits.h"
#include "governor/channel/client_memory.h"
#include "governor/channel/offer.h"
#include "kernels/base/seq_slot.h"

namespace flyball {

/// What is shown of a guest, by whoever governs it.
struct GuestShown {
  flyball_effect effect{};
  std::uint16_t level = 0;                        ///< as the client counts
  std::array<float, FLYBALL_MONITORS> monitor{};  ///< last reported; NaN: not yet
  bool silent = false;  ///< said nothing for so long that it counts for nothing
};

/// An application of another process, between the thread that serves the socket and the one that
/// governs. A place goes round:
///
///   kFree -> (server: fills it in) kReady -> (governor) kBound -> (governor, when the server says that
///   it is `leaving` and all reports are read) kLeft -> (server: clears it) kFree
///
/// and where nobody governs from kReady back to kFree. Whose state it is may touch the fields; others
/// are atomic.
struct Guest {
  enum class State : std::uint8_t { kFree, kReady, kBound, kLeft };
  std::atomic<State> state{State::kFree};
  std::atomic<bool> leaving{false};

  Offer offer;
  uid_t user = 0;
  pid_t pid = 0;
  std::optional<ClientMemory> memory;

  // From the server, at any time.
  SeqSlot<Requirements> required;
  std::atomic<std::uint32_t> required_version{0};
  std::atomic<std::int64_t> increase_until_ns{0}, spike_until_ns{0};  ///< monotonic
  std::atomic<std::uint32_t> resets{0};
  std::atomic<bool> efficient{false};
  // And back.
  SeqSlot<GuestShown> shown;
};

/// All places. Outlives server and governor.
struct GuestTable {
  /// Somebody governs: also one who has left before it was bound is bound, for its reports.
  std::atomic<bool> governed{false};
  static_assert(FLYBALL_SESSIONS <= kMaxApps);
  std::array<Guest, FLYBALL_SESSIONS> guest;
};

}  // namespace flyball
