#pragma once

#include <cstdint>

#include "governor/client/channel_layout.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// The memory of one client, made and sealed by us: nobody can take it away under us. What a client
/// wrote may be anything, and change while it is read: it is copied word by word, and positions are
/// our own. The governor's thread reads and writes; nothing here waits, allocates or throws once it is
/// made.
class ClientMemory {
 public:
  /// Throws Error (kFailure) when there is no memory or descriptor for it.
  ClientMemory();
  ~ClientMemory();
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  int descriptor() const { return memory_.get(); }
  /// When the session is over: its pages, of which the client may still have a mapping.
  void give_back() noexcept;
  /// The oldest unread report. A head that cannot be (more ahead than there is room, or behind) empties
  /// the ring and counts as garbage.
  bool next_job(fly_job& out) noexcept {
    if (!peek_job(out)) return false;
    pass_job();
    return true;
  }
  /// In two steps: a look at it, and then it is read.
  bool peek_job(fly_job& out) noexcept;
  void pass_job() noexcept;
  /// False when it is being written, or its writer died in the middle of it.
  bool running(fly_running& out) const noexcept;
  /// Wakes one who waits for it.
  void put_setting(const flyball_setting& setting) noexcept;
  void put_effect(const flyball_effect& effect) noexcept;
  void beat(std::int64_t now_ns) noexcept;
  std::uint64_t garbage() const { return garbage_; }
  /// Reports of the session, to whatever governor, that found no room: its word, FLY_MOST_LOST at most.
  std::uint64_t lost() const noexcept {
    const std::uint64_t lost = __atomic_load_n(&shared_->lost, __ATOMIC_RELAXED);
    return lost < FLY_MOST_LOST ? lost : FLY_MOST_LOST;
  }

 private:
  FileDescriptor memory_;
  fly_shared* shared_ = nullptr;
  std::uint64_t tail_ = 0, garbage_ = 0;
  std::uint32_t setting_sequence_ = 0, effect_sequence_ = 0;
};

}  // namespace flyball
