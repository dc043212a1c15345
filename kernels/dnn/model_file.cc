#include "kernels/dnn/model_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace flyball {
namespace {

constexpr std::string_view kMagic = "FLYBNET\n";
constexpr std::size_t kMaxFileBytes = 64u << 20;  // 200 times the default network
constexpr std::size_t kMaxSourceBytes = 4096;

std::uint32_t crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

class Writer {
 public:
  void bytes(std::string_view text) { data_ += text; }
  template <class Int>
  void integer(Int value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
      data_ += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  void real(float value) { integer(std::bit_cast<std::uint32_t>(value)); }
  const std::string& data() const { return data_; }

 private:
  std::string data_;
};

/// Reading past the end yields zeros and is remembered.
class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  std::string_view bytes(std::size_t count) {
    if (count > data_.size()) {
      short_ = true;
      count = data_.size();
    }
    const std::string_view taken = data_.substr(0, count);
    data_.remove_prefix(count);
    return taken;
  }
  template <class Int>
  Int integer() {
    const std::string_view raw = bytes(sizeof(Int));
    Int value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i)
      value |= static_cast<Int>(static_cast<unsigned char>(raw[i])) << (8 * i);
    return value;
  }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  float real() { return std::bit_cast<float>(u32()); }
  bool truncated() const { return short_; }
  std::size_t left() const { return data_.size(); }

 private:
  std::string_view data_;
  bool short_ = false;
};

std::vector<std::uint32_t> shape_words(const NetworkSpec& spec) {
  std::vector<std::uint32_t> words;
  const auto add = [&words](auto... values) { (words.push_back(std::uint32_t(values)), ...); };
  add(spec.image_size, spec.image_channels, spec.classes, spec.groups, spec.layers.size());
  for (const LayerSpec& l : spec.layers)
    add(l.channels, l.window, l.stride, l.pad, l.pool, l.pool_window, l.pool_stride, l.pool_pad);
  return words;
}

/// Empty, or why these bytes are no network of the expected shape.
std::string parse(std::string_view data, const NetworkSpec& expected,
                  std::optional<Network>& network) {
  Reader in(data);
  if (in.bytes(kMagic.size()) != kMagic) return "it is not a Flyball network file";
  if (const std::uint32_t version = in.u32(); version != kModelFileVersion)
    return fmt::format("its version is {}, this program reads {}", version, kModelFileVersion);
  if (data.size() < kMagic.size() + 8) return "it is truncated";
  Reader tail(data.substr(data.size() - 4));
  if (crc32c(data.substr(0, data.size() - 4)) != tail.u32())
    return "its checksum is wrong: it is damaged or truncated";

  for (std::uint32_t word : shape_words(expected))
    if (in.u32() != word) return "it holds a network of another shape";
  NetworkAccuracy accuracy;
  const std::uint32_t measured = in.u32();
  if (measured != 0 && measured != std::uint32_t(expected.groups))
    return fmt::format("it has accuracies for {} of {} widths", measured, expected.groups);
  for (std::uint32_t w = 0; w < measured; ++w) {
    const float percent = in.real();
    if (!(percent >= 0 && percent <= 100))
      return fmt::format("the accuracy of width {} is not in 0..100 %", w);
    accuracy.top1_pct.push_back(percent);
  }
  const std::uint32_t source_bytes = in.u32();
  if (source_bytes > kMaxSourceBytes) return "the source of its accuracy is overlong";
  accuracy.source = in.bytes(source_bytes);
  const NetworkLayout layout(expected);
  if (in.integer<std::uint64_t>() != layout.parameters)
    return "its number of parameters does not fit its shape";
  if (in.left() != layout.parameters * sizeof(float) + 4)
    return "its length does not fit its shape";
  std::vector<float> parameters(layout.parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] = in.real();
    if (!std::isfinite(parameters[i])) return fmt::format("parameter {} is NaN or infinite", i);
  }
  if (in.truncated()) return "it is truncated";
  network.emplace(expected, parameters, std::move(accuracy));
  return {};
}

/// A descriptor that is closed on the way out.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// 0 or errno.
int read_all(const std::string& path, std::string& data) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) return errno;
  char block[65536];
  for (;;) {
    const ssize_t got = read(file.fd(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    data.append(block, static_cast<std::size_t>(got));
    if (data.size() > kMaxFileBytes) return EFBIG;
  }
}

int write_all(const std::string& path, std::string_view data) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.fd() < 0) return errno;
  while (!data.empty()) {
    const ssize_t written = write(file.fd(), data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(file.fd()) == 0 ? 0 : errno;
}

}  // namespace

LoadedNetwork load_network(const std::string& path, const NetworkSpec& expected) {
  LoadedNetwork loaded;
  std::string why = expected.problem();
  std::string data;
  if (why.empty())
    if (const int error = read_all(path, data)) why = std::strerror(error);
  if (why.empty()) why = parse(data, expected, loaded.network);
  if (!why.empty())
    loaded.error =
        fmt::format("{}: {}; give the file of a network of this version and shape", path, why);
  return loaded;
}

std::string save_network(const Network& network, const std::string& path) {
  const NetworkAccuracy& accuracy = network.accuracy();
  const auto refuse = [&path](std::string_view why, std::string_view remedy) {
    return fmt::format("{}: {}; {}", path, why, remedy);
  };
  if (!accuracy.top1_pct.empty() && accuracy.top1_pct.size() != std::size_t(network.widths()))
    return refuse("accuracies of some widths only", "measure all widths or none");
  if (accuracy.source.size() > kMaxSourceBytes)
    return refuse("the source of the accuracy is overlong", "keep it below 4 kB");

  Writer out;
  out.bytes(kMagic);
  out.integer(kModelFileVersion);
  for (std::uint32_t word : shape_words(network.spec())) out.integer(word);
  out.integer(static_cast<std::uint32_t>(accuracy.top1_pct.size()));
  for (float percent : accuracy.top1_pct) out.real(percent);
  out.integer(static_cast<std::uint32_t>(accuracy.source.size()));
  out.bytes(accuracy.source);
  out.integer(static_cast<std::uint64_t>(network.parameters().size()));
  for (float parameter : network.parameters()) out.real(parameter);
  out.integer(crc32c(out.data()));

  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  int error = write_all(temporary, out.data());
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return refuse(std::strerror(error), "choose a place that can be written");
  }
  // The rename itself must survive a power cut, too.
  const std::string folder = std::filesystem::path(path).parent_path();
  const File directory(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (directory.fd() >= 0) fsync(directory.fd());
  return {};
}

}  // namespace flyball
