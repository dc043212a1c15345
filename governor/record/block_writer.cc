#include "governor/record/block_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "governor/record/record_codec.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {

BlockWriter::BlockWriter(FileDescriptor file, std::uint64_t offset, bool wait)
    : file_(std::move(file)),
      offset_(offset),
      blocks_(std::make_unique_for_overwrite<Block[]>(kBlocks + 1)),
      wait_(wait),
      thread_(quiet_thread([this] { run(); })) {}

BlockWriter::~BlockWriter() { close(); }

void BlockWriter::begin_block() {
  const std::uint64_t next = filled_.load(std::memory_order_relaxed);
  dropping_ = false;
  for (;;) {
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    if (next - written < kBlocks) break;
    if (!wait_) {
      dropping_ = true;
      break;
    }
    written_.wait(written, std::memory_order_acquire);
  }
  open_ = true;
  used_ = 0;
}

std::uint8_t* BlockWriter::reserve(std::size_t bytes) {
  if (open_ && used_ >= kBlockFullBytes) submit();
  if (!open_) begin_block();
  std::uint8_t* room = current().data + kBlockHeaderBytes + used_;
  used_ += bytes;
  return room;
}

void BlockWriter::submit() {
  if (!open_ || used_ == 0) return;
  open_ = false;
  const std::size_t bytes = std::exchange(used_, 0);
  const std::uint32_t number = number_++;  // of one thrown away too: the gap shows
  if (dropping_) {
    dropping_ = false;
    ++dropped_;
    return;
  }
  Block& block = current();
  block.bytes = bytes;
  std::memcpy(block.data, kBlockMagic, 8);
  Encoder header{block.data + 8};
  header(number);
  header(static_cast<std::uint32_t>(bytes));
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
