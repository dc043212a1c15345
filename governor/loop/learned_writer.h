#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "agents/policy_file.h"
#include "governor/loop/control_loop.h"
#include "kernels/base/bytes.h"
#include "kernels/base/doorbell.h"

namespace flyball {

/// Keeps what an agent learns while it governs: every minute of the run, and at its end, the agent
/// writes itself into a buffer between two epochs, and a thread of its own replaces the policy file
/// by it, whole or not at all. While that thread is still busy with the last one, the epoch after
/// tries again. A disk that is full loses nothing that was there.
class LearnedWriter final : public EpochSink {
 public:
  struct Options {
    std::int64_t every_ns = 60'000'000'000;
  };
  /// `agent` outlives it. Starts the thread: throws std::system_error when there is none to be had.
  LearnedWriter(const Agent& agent, std::string path, PolicyIdentity identity, Options options);
  LearnedWriter(const Agent& agent, std::string path, PolicyIdentity identity)
      : LearnedWriter(agent, std::move(path), std::move(identity), Options()) {}
  ~LearnedWriter() override;

  /// Makes room for what is learned of it.
  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Writes what the agent knows now, which ends it. Returns what went wrong, in one line; empty when
  /// nothing did.
  std::string finish();
  std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }

 private:
  void body();
  bool write();
  void end() noexcept;

  const Agent& agent_;
  const std::string path_;
  const PolicyIdentity identity_;
  const Options options_;
  std::int64_t next_ns_;
  ByteWriter snapshot_;            ///< the loop's while !busy_, the thread's while busy_
  std::atomic<std::size_t> room_;  ///< that the snapshot is to have
  std::atomic<bool> busy_{false}, stop_{false};
  std::atomic<std::uint64_t> written_{0};
  std::string problem_;  ///< of the last attempt; the thread's
  Doorbell bell_;
  std::thread thread_;
};

}  // namespace flyball
