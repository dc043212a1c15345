#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <thread>

#include "kernels/base/file_descriptor.h"

namespace flyball {

inline constexpr char kBlockMagic[9] = "FLYBLOCK";
inline constexpr std::size_t kBlockHeaderBytes = 16;           // magic, number, length
inline constexpr std::size_t kBlockFullBytes = 64 * 1024;      // goes out once it holds as much
inline constexpr std::size_t kBlockPayloadBytes = 1024 * 1024;  // holds no more: one huge record

/// Writes numbered, checksummed blocks to a file from a thread of its own. One thread fills blocks
/// (`reserve`, `submit`): it copies into memory that was allocated before and never touches the
/// file. Between the two is a ring of 8 blocks, of which mostly the first 64 KB each are touched. It is
/// not Boost's queue, which takes items that are complete: blocks are filled where they lie, and who
/// fills them may have to wait for one.
///
/// When the ring is full the next block is filled in a place of its own and thrown away, so that it
/// is known how many were.
///
/// A block that cannot be written (disk full) is taken back out of the file and counted, and the
/// next one is tried: what is in the file stays readable, and the gap in the numbers shows.
class BlockWriter {
 public:
  /// Takes over `file`, which stands at the end of the header, at `offset`. `wait`: when all blocks
  /// are full, wait for the disk instead of dropping. Throws std::system_error when no thread can
  /// be started.
  BlockWriter(FileDescriptor file, std::uint64_t offset, bool wait);
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  /// Room for `bytes` more (at most kBlockPayloadBytes - kBlockFullBytes) in the current block, or
  /// in a new one when that is full. What of it is not needed is given back before the next call.
  std::uint8_t* reserve(std::size_t bytes);
  void give_back(std::size_t bytes) { used_ -= bytes; }
  /// The next reserve() will begin a block.
  bool between_blocks() const { return !open_ || used_ >= kBlockFullBytes; }
  /// Hands the current block to the writing thread. Nothing happens when it is empty.
  void submit();
  /// From now on nothing is dropped: the end of a run may wait for the disk.
  void wait_for_disk() {
    if (dropping_) submit();
    wait_ = true;
  }

  /// Writes what was submitted, stops the thread and closes the file.
  void close();

  std::uint64_t lost_blocks() const {
    return dropped_ + unwritten_.load(std::memory_order_relaxed);
  }
  /// errno of the first failed write, 0 when all went well.
  int error() const { return error_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kBlocks = 8;
  struct Block {
    std::size_t bytes;  // of the payload
    std::uint8_t data[kBlockHeaderBytes + kBlockPayloadBytes + 4];
  };
  Block& at(std::uint64_t i) { return blocks_[i % kBlocks]; }
  Block& current() {
    return dropping_ ? blocks_[kBlocks] : at(filled_.load(std::memory_order_relaxed));
  }
  void begin_block();
  void run();
  bool write_all(const std::uint8_t* data, std::size_t bytes);

  FileDescriptor file_;
  std::uint64_t offset_;             ///< end of the last whole block; the writing thread's
  std::unique_ptr<Block[]> blocks_;  ///< the ring, and one to throw away
  std::atomic<std::uint64_t> filled_{0}, written_{0};  ///< blocks handed over, blocks given back
  std::counting_semaphore<> work_{0};
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> unwritten_{0};
  std::atomic<int> error_{0};
  // The filling thread's.
  bool wait_;
  bool open_ = false;      ///< a block is being filled
  bool dropping_ = false;  ///< and will be thrown away
  std::size_t used_ = 0;
  std::uint32_t number_ = 0;
  std::uint64_t dropped_ = 0;
  std::thread thread_;
};

}  // namespace flyball
