#include "governor/record/block_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "governor/record/record_codec.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {

BlockWriter::BlockWriter(FileDescriptor file, std::uint64_t offset, bool wait)
    : file_(std::move(file)),
      offset_(offset),
      blocks_(std::make_unique<Block[]>(kBlocks)),
      wait_(wait),
      thread_(quiet_thread([this] { run(); })) {}

BlockWriter::~BlockWriter() { close(); }

bool BlockWriter::begin_block() {
  const std::uint64_t next = filled_.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    if (next - written < kBlocks) break;
    if (!wait_) return false;
    written_.wait(written, std::memory_order_acquire);
  }
  dropping_ = false;
  open_ = true;
  used_ = 0;
  return true;
}

/// Counts what is dropped in blocks too, each with a number: the gap shows how much is missing.
void BlockWriter::drop(std::size_t bytes) {
  if (!dropping_ || used_ + bytes > kBlockPayloadBytes) {
    ++dropped_;
    ++number_;
    used_ = 0;
  }
  dropping_ = true;
  used_ += bytes;
}

std::uint8_t* BlockWriter::reserve(std::size_t bytes) {
  if (open_ && used_ + bytes > kBlockPayloadBytes) submit();
  if (!open_ && !begin_block()) {
    drop(bytes);
    return nullptr;
  }
  std::uint8_t* room = at(filled_.load(std::memory_order_relaxed)).data + kBlockHeaderBytes + used_;
  used_ += bytes;
  return room;
}

void BlockWriter::submit() {
  if (!open_) dropping_ = false;  // what is dropped next would have been another block
  if (!open_ || used_ == 0) return;
  Block& block = at(filled_.load(std::memory_order_relaxed));
  block.bytes = used_;
  std::memcpy(block.data, kBlockMagic, 8);
  Encoder header{block.data + 8};
  header(number_++);
  header(static_cast<std::uint32_t>(used_));
  open_ = false;
  used_ = 0;
  filled_.fetch_add(1, std::memory_order_release);
  work_.release();
}

bool BlockWriter::write_all(const std::uint8_t* data, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = write(file_.get(), data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int none = 0;
      error_.compare_exchange_strong(none, n < 0 ? errno : EIO);
      return false;
    }
    data += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

void BlockWriter::run() {
  for (;;) {
    work_.acquire();
    const std::uint64_t next = written_.load(std::memory_order_relaxed);
    if (next == filled_.load(std::memory_order_acquire)) {
      if (closing_.load(std::memory_order_acquire)) return;
      continue;
    }
    Block& block = at(next);
    const std::size_t covered = kBlockHeaderBytes + block.bytes;
    Encoder{block.data + covered}(crc32c(block.data, covered));
    if (write_all(block.data, covered + 4)) {
      offset_ += covered + 4;
    } else {
      unwritten_.fetch_add(1, std::memory_order_relaxed);
      const off_t whole = static_cast<off_t>(offset_);
      if (ftruncate(file_.get(), whole) == 0) (void)lseek(file_.get(), whole, SEEK_SET);
    }
    written_.store(next + 1, std::memory_order_release);
    written_.notify_one();
  }
}

void BlockWriter::close() {
  if (!file_) return;
  submit();
  closing_.store(true, std::memory_order_release);
  work_.release();
  thread_.join();
  if (!file_.close_now()) {
    int none = 0;
    error_.compare_exchange_strong(none, errno);
  }
}

}  // namespace flyball
