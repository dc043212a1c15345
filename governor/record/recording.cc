#include "governor/record/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "governor/record/block_reader.h"
#include "governor/record/block_writer.h"
#include "governor/record/frame.h"
#include "governor/record/record_codec.h"
#include "governor/record/recording_header.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {
namespace {

[[noreturn]] void reject(const std::string& path, const std::string& why) {
  input_error(fmt::format("recording {}", path), why,
              "name a file that 'flyball run --record' wrote");
}

/// A file that is read here and there.
class File {
 public:
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat status;
    if (!fd_ || fstat(fd_.get(), &status) != 0) {
      reject(path, std::string("cannot be opened: ") + std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) reject(path, "is not a file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::uint64_t size() const { return size_; }
  /// Up to `bytes` from `offset`; how many there were.
  std::size_t read(std::uint64_t offset, void* to, std::size_t bytes) const {
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t n = pread(fd_.get(), static_cast<char*>(to) + done, bytes - done,
                              static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

 private:
  FileDescriptor fd_;
  std::uint64_t size_ = 0;
};

template <class T>
T number_at(const std::uint8_t* at) {
  T value;
  Decoder{at, at + sizeof value}(value);
  return value;
}

constexpr std::uint32_t kMaxHeaderBytes = 1 << 20;

/// Reads the header; returns where the blocks begin.
std::uint64_t read_header(const File& file, const std::string& path, RecordingInfo& info) {
  std::uint8_t start[16];
  if (file.read(0, start, sizeof start) < sizeof start ||
      std::memcmp(start, kRecordingMagic, sizeof kRecordingMagic) != 0)
    reject(path, "is not a flyball recording");
  const auto version = number_at<std::uint32_t>(start + 8);
  const bool compressed = version == kCompressedVersion || version == kFormerCompressedVersion;
  if (compressed && !can_compress()) {
    input_error(fmt::format("recording {}", path),
                "is compressed, and this program was built without Zstandard",
                "build it where libzstd-dev is, or read it with the program that wrote it");
  }
  if (version != kRecordingVersion && version != kFormerVersion && !compressed) {
    input_error(
        fmt::format("recording {}", path),
        fmt::format("has format version {}, this program reads {}", version, kRecordingVersion),
        version < kRecordingVersion
            ? "record the run again, or read it with the program that wrote it"
            : "read it with the program that wrote it");
  }
  const auto length = number_at<std::uint32_t>(start + 12);
  std::vector<std::uint8_t> header(sizeof start + std::min(length, kMaxHeaderBytes) + 4);
  if (length > kMaxHeaderBytes || file.read(0, header.data(), header.size()) < header.size())
    reject(path, "has a header that is cut off");
  if (number_at<std::uint32_t>(header.data() + header.size() - 4) !=
      crc32c(header.data(), header.size() - 4))
    reject(path, "has a damaged header");
  try {
    info = decode_header_json(std::string(header.begin() + sizeof start, header.end() - 4));
  } catch (const nlohmann::json::exception& e) {
    reject(path, fmt::format("has an unreadable header ({})", e.what()));
  }
  return header.size();
}

enum class BlockState { kWhole, kDamaged, kCutOff, kNone };

bool is_frame(const std::vector<std::uint8_t>& block) {
  return std::memcmp(block.data(), kFrameMagic, 8) == 0;
}

/// Finds the blocks of a file, and the frames of them, whatever was done to it. In a file of nothing but headers each may
/// claim half a megabyte behind it: checksums that come out wrong may cost so many bytes in all, and
/// a header beyond that is taken for no block until reading has gone further.
class BlockFinder {
 public:
  explicit BlockFinder(const File& file) : file_(file) {}

  /// Looks at the block at `offset`; `block` is filled when it is whole.
  BlockState look(std::uint64_t offset, std::vector<std::uint8_t>& block) {
    block.resize(kBlockHeaderBytes);
    const std::size_t got = file_.read(offset, block.data(), block.size());
    if (got < block.size()) return BlockState::kCutOff;
    if (std::memcmp(block.data(), kBlockMagic, 8) != 0 && !is_frame(block))
      return BlockState::kNone;
    const auto length = number_at<std::uint32_t>(block.data() + 12);
    if (length > kBlockPayloadBytes) return BlockState::kDamaged;
    const std::size_t bytes = kBlockHeaderBytes + length + 4;
    if (bytes > file_.size() - offset) return BlockState::kCutOff;
    if (wrong_bytes_ + bytes > 16 * kBlockPayloadBytes + 4 * offset) return BlockState::kNone;
    block.resize(bytes);
    if (file_.read(offset, block.data(), bytes) < bytes) return BlockState::kCutOff;
    const std::size_t covered = bytes - 4;
    if (number_at<std::uint32_t>(block.data() + covered) == crc32c(block.data(), covered))
      return BlockState::kWhole;
    wrong_bytes_ += bytes;
    return BlockState::kDamaged;
  }

  /// Where the next whole block from `offset` on begins; the end of the file when there is none.
  std::uint64_t next_whole(std::uint64_t offset, std::vector<std::uint8_t>& block) {
    std::array<char, 4096> chunk;
    while (offset < file_.size()) {
      const std::size_t got = file_.read(offset, chunk.data(), chunk.size());
      if (got < kBlockHeaderBytes) break;
      const std::string_view text(chunk.data(), got);
      for (std::size_t i = text.find("FLY"); i != text.npos; i = text.find("FLY", i + 1)) {
        const std::string_view magic = text.substr(i, 8);
        if (magic != kBlockMagic && magic != kFrameMagic) continue;
        if (look(offset + i, block) == BlockState::kWhole) return offset + i;
      }
      offset += got - 7;  // a magic may straddle two chunks
    }
    return file_.size();
  }

 private:
  const File& file_;
  std::uint64_t wrong_bytes_ = 0;
};

/// How long the block at `at` of a frame is; 0 when there is none, or it is damaged.
std::size_t whole_block(const std::vector<std::uint8_t>& frame, std::size_t at) {
  const std::size_t left = frame.size() - at;
  if (left < kBlockHeaderBytes + 4 || std::memcmp(frame.data() + at, kBlockMagic, 8) != 0) return 0;
  const std::size_t length = number_at<std::uint32_t>(frame.data() + at + 12);
  if (length > left - kBlockHeaderBytes - 4) return 0;
  const std::size_t covered = kBlockHeaderBytes + length;
  const bool right =
      number_at<std::uint32_t>(frame.data() + at + covered) == crc32c(frame.data() + at, covered);
  return right ? covered + 4 : 0;
}

}  // namespace

RecordingReport read_recording(const std::string& path, const RecordingVisitor& visitor) {
  const File file(path);
  RecordingReport report;
  std::uint64_t offset = read_header(file, path, report.info);
  if (visitor.on_info) visitor.on_info(report.info);

  BlockReader reading(visitor, report);
  std::uint64_t next_number = 0;
  bool frame_lost = false;
  // A block whose checksum is right.
  const auto read_block = [&](const std::uint8_t* at, std::size_t bytes) {
    const std::uint64_t number = number_at<std::uint32_t>(at + 8);
    if (number > next_number) {
      report.missing_blocks += number - next_number;
      // The blocks of a damaged frame, which was counted as one, are damaged all.
      if (std::exchange(frame_lost, false)) report.damaged_blocks += number - next_number - 1;
    }
    next_number = number + 1;
    ++report.blocks;
    if (!reading.read(at + kBlockHeaderBytes, at + bytes - 4)) ++report.damaged_blocks;
  };
  FrameReader frames;
  std::vector<std::uint8_t> block;
  BlockFinder blocks(file);
  while (offset < file.size()) {
    if (const BlockState state = blocks.look(offset, block); state != BlockState::kWhole) {
      frame_lost = frame_lost || (state == BlockState::kDamaged && is_frame(block));
      // Reading goes on at the next whole block. Without one, what is left is torn off, unless the
      // length says that it is all there.
      const std::uint64_t resume = blocks.next_whole(offset + 1, block);
      if (resume < file.size() || state == BlockState::kDamaged)
        ++report.damaged_blocks;
      else
        report.torn_bytes = file.size() - offset;
      offset = resume;
      continue;
    }
    offset += block.size();
    if (!is_frame(block)) {
      read_block(block.data(), block.size());
      continue;
    }
    const std::vector<std::uint8_t>& within = frames.unpack(block);
    std::size_t at = 0;
    while (const std::size_t bytes = whole_block(within, at)) {
      read_block(within.data() + at, bytes);
      at += bytes;
    }
    if (at < within.size() || within.empty()) ++report.damaged_blocks;
  }
  report.ended = reading.end().has_value();
  report.complete = report.ended && report.damaged_blocks == 0 && report.missing_blocks == 0 &&
                    report.torn_bytes == 0 && reading.end()->epochs == report.epochs &&
                    reading.end()->jobs == report.jobs;
  return report;
}

namespace {

double per(std::uint64_t bytes, std::uint64_t count) {
  return count > 0 ? static_cast<double>(bytes) / static_cast<double>(count)
                   : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

double RecordingReport::bytes_per_decision() const { return per(decision_bytes, decisions); }
double RecordingReport::bytes_per_other_epoch() const {
  return per(other_bytes, epochs - decisions);
}
double RecordingReport::bytes_per_job() const { return per(job_bytes, jobs); }

std::string RecordingReport::problem() const {
  if (complete) return "";
  std::string text =
      ended ? ""
            : "the run ended before it closed the recording (killed, a power cut or a full disk)";
  const auto say = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (damaged_blocks > 0) say(fmt::format("{} block(s) damaged", damaged_blocks));
  if (missing_blocks > damaged_blocks)
    say(fmt::format("{} block(s) not written", missing_blocks - damaged_blocks));
  if (torn_bytes > 0) say(fmt::format("{} bytes of a torn block at its end skipped", torn_bytes));
  if (text.empty()) say("its counts of epochs and jobs are not those of its end");
  return text;
}

std::string RecordingReport::unlisted() const {
  if (jobs_unlisted == 0) return "";
  return fmt::format(
      "{} more jobs are counted and not described: an epoch describes the first {} that end in it",
      jobs_unlisted, kMaxEpochJobs);
}

const char* verdict_name(Shield::Verdict verdict) {
  constexpr const char* kNames[] = {"passed", "clamped", "replaced", "taken_over"};
  return kNames[static_cast<std::size_t>(verdict)];
}

float DecisionRow::executed_probability() const {
  return recorded ? decision.probability : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace flyball
