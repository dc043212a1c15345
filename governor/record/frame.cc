#include "governor/record/frame.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef FLYBALL_ZSTD
#include <zstd.h>
#endif

#include <cerrno>
#include <cstring>
#include <string_view>

#include "governor/record/record_codec.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/file_descriptor.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

std::uint32_t frame_word(const std::uint8_t* at) {
  std::uint32_t value;
  Decoder{at, at + sizeof value}(value);
  return value;
}

}  // namespace

#ifdef FLYBALL_ZSTD

bool can_compress() { return true; }

struct FrameReader::Context {
  ZSTD_DCtx* zstd = ZSTD_createDCtx();
  ~Context() { ZSTD_freeDCtx(zstd); }
};

namespace {

constexpr std::size_t kUsualFrameBytes = 256 * 1024;  // more makes files hardly smaller
constexpr int kLevel = 3;

class FrameWriter {
 public:
  FrameWriter() : zstd_(ZSTD_createCCtx()) {}
  ~FrameWriter() { ZSTD_freeCCtx(zstd_); }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  /// The frame of these blocks, or they themselves where that is no longer.
  std::string_view pack(std::string_view blocks) {
    frame_.resize(kBlockHeaderBytes + ZSTD_compressBound(blocks.size()) + 4);
    const std::size_t packed =
        ZSTD_compressCCtx(zstd_, frame_.data() + kBlockHeaderBytes,
                          frame_.size() - kBlockHeaderBytes, blocks.data(), blocks.size(), kLevel);
    if (ZSTD_isError(packed) || packed + kBlockHeaderBytes + 4 >= blocks.size()) return blocks;
    auto* const at = reinterpret_cast<std::uint8_t*>(frame_.data());
    std::memcpy(at, kFrameMagic, 8);
    Encoder header{at + 8};
    header(static_cast<std::uint32_t>(blocks.size()));
    header(static_cast<std::uint32_t>(packed));
    const std::size_t covered = kBlockHeaderBytes + packed;
    Encoder{at + covered}(crc32c(at, covered));
    return std::string_view(frame_).substr(0, covered + 4);
  }

 private:
  ZSTD_CCtx* zstd_;
  std::string frame_;
};

/// Exactly `bytes` more of a file.
bool read_exactly(int file, std::string& to, std::size_t bytes) {
  const std::size_t begin = to.size();
  to.resize(begin + bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t n = ::read(file, to.data() + begin + done, bytes - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      to.resize(begin);
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

const std::vector<std::uint8_t>& FrameReader::unpack(const std::vector<std::uint8_t>& frame) {
  if (!context_) context_ = std::make_unique<Context>();
  const std::size_t blocks = frame_word(frame.data() + 8), packed = frame_word(frame.data() + 12);
  blocks_.clear();
  if (blocks > kMaxFrameBytes || packed + kBlockHeaderBytes + 4 != frame.size()) return blocks_;
  blocks_.resize(blocks);
  const std::size_t got = ZSTD_decompressDCtx(context_->zstd, blocks_.data(), blocks_.size(),
                                              frame.data() + kBlockHeaderBytes, packed);
  if (ZSTD_isError(got) || got != blocks) blocks_.clear();
  return blocks_;
}

std::string compress_recording(const std::string& path, std::uint64_t inode) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return std::strerror(errno);
  if (inode != 0 && status.st_ino != inode) return "another file has taken its place";
  std::string header;
  if (!read_exactly(file.get(), header, 16)) return "its header cannot be read";
  const auto* word = reinterpret_cast<const std::uint8_t*>(header.data());
  const std::size_t length = frame_word(word + 12);
  if (length > kBlockPayloadBytes || !read_exactly(file.get(), header, length + 4))
    return "its header cannot be read";
  auto* const start = reinterpret_cast<std::uint8_t*>(header.data());
  Encoder{start + 8}(kCompressedVersion);
  Encoder{start + header.size() - 4}(crc32c(start, header.size() - 4));

  FileReplacement smaller;
  FileStatus made = smaller.begin(path);
  if (made) made = smaller.write(header);
  FrameWriter writer;
  std::uint64_t at = header.size(), bytes = header.size();
  std::string blocks, block;
  const auto flush = [&] {
    if (blocks.empty()) return;
    const std::string_view frame = writer.pack(blocks);
    bytes += frame.size();
    if (made) made = smaller.write(frame);
    blocks.clear();
  };
  while (made && at < static_cast<std::uint64_t>(status.st_size)) {
    block.clear();
    if (!read_exactly(file.get(), block, kBlockHeaderBytes)) return "it is cut off";
    const std::size_t payload =
        frame_word(reinterpret_cast<const std::uint8_t*>(block.data()) + 12);
    if (std::memcmp(block.data(), kBlockMagic, 8) != 0 || payload > kBlockPayloadBytes ||
        !read_exactly(file.get(), block, payload + 4))
      return "a block of it is damaged";
    if (blocks.size() + block.size() > kUsualFrameBytes) flush();
    blocks += block;
    at += block.size();
  }
  flush();
  if (!made) return made.why;
  if (bytes >= static_cast<std::uint64_t>(status.st_size)) return {};
  // What is there already is on the disk as far as it will be: so must this be before it goes. All
  // that took a while, in which somebody else may have begun to record to that name.
  made = smaller.put_in_place(/*durable=*/true, &status);
  return made ? "" : made.why;
}

#else

bool can_compress() { return false; }
struct FrameReader::Context {};
const std::vector<std::uint8_t>& FrameReader::unpack(const std::vector<std::uint8_t>& frame) {
  (void)frame_word(frame.data());
  blocks_.clear();
  return blocks_;
}
std::string compress_recording(const std::string&, std::uint64_t) { return {}; }

#endif

FrameReader::FrameReader() = default;
FrameReader::~FrameReader() = default;

}  // namespace flyball
