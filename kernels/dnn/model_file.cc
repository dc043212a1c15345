#include "kernels/dnn/model_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

namespace flyball {
namespace {

constexpr std::string_view kMagic = "FLYBNET\n";
constexpr std::size_t kMaxFileBytes = 64u << 20;  // 200 times the default network

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
  void size(std::size_t count) { integer(static_cast<std::uint32_t>(count)); }
  void text(std::string_view text) {
    size(text.size());
    bytes(text);
  }
  void reals(const std::vector<float>& values) {
    size(values.size());
    for (float value : values) integer(std::bit_cast<std::uint32_t>(value));
  }
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
  std::vector<float> reals() {
    const std::size_t count = u32();
    std::vector<float> values;
    if (count > left() / sizeof(float)) {
      short_ = true;
      return values;
    }
    values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) values.push_back(std::bit_cast<float>(u32()));
    return values;
  }
  std::string text() { return std::string(bytes(u32())); }
  bool truncated() const { return short_; }
  std::size_t left() const { return data_.size(); }

 private:
  std::string_view data_;
  bool short_ = false;
};

void write_shape(Writer& out, const NetworkSpec& spec) {
  const auto put = [&out](auto... values) { (out.integer(std::uint32_t(values)), ...); };
  put(spec.kind, spec.image_size, spec.image_channels, spec.classes, spec.widths,
      spec.layers.size());
  for (const LayerSpec& l : spec.layers)
    put(l.channels, l.window, l.stride, l.pad, l.pool, l.pool_window, l.pool_stride, l.pool_pad);
}

/// Empty, or why this is no shape. What the numbers say is for NetworkSpec::problem to judge; here
/// they only have to fit their types.
std::string read_shape(Reader& in, NetworkSpec& spec) {
  bool fits = true;
  const auto number = [&] {
    const std::uint32_t value = in.u32();
    if (value >= 1u << 20) fits = false;
    return static_cast<int>(value & 0xfffff);
  };
  const int kind = number();
  if (kind > static_cast<int>(NetworkSpec::Kind::kSlimmable)) fits = false;
  spec.kind = static_cast<NetworkSpec::Kind>(kind);
  spec.image_size = number();
  spec.image_channels = number();
  spec.classes = number();
  spec.widths = number();
  const int layers = number();
  for (int l = 0; l < layers && !in.truncated(); ++l) {
    LayerSpec& layer = spec.layers.emplace_back();
    layer.channels = number();
    layer.window = number();
    layer.stride = number();
    layer.pad = number();
    const int pool = number();
    if (pool > static_cast<int>(LayerSpec::Pool::kAverage)) fits = false;
    layer.pool = static_cast<LayerSpec::Pool>(pool);
    layer.pool_window = number();
    layer.pool_stride = number();
    layer.pool_pad = number();
  }
  return fits ? "" : "its shape makes no sense";
}

/// Empty, or why these bytes are no model.
std::string parse(std::string_view data, Model& model, std::uint32_t& checksum) {
  Reader in(data);
  if (in.bytes(kMagic.size()) != kMagic) return "it is not a Flyball network file";
  if (const std::uint32_t version = in.u32(); version != kModelFileVersion)
    return fmt::format("its version is {}, this program reads {}", version, kModelFileVersion);
  if (data.size() < kMagic.size() + 8) return "it is truncated";
  const std::string_view sealed = data.substr(0, data.size() - 4);
  checksum = crc32c(sealed);
  if (Reader(data.substr(sealed.size())).u32() != checksum)
    return "its checksum is wrong: it is damaged or truncated";

  Reader body(sealed.substr(kMagic.size() + 4));
  if (std::string why = read_shape(body, model.spec); !why.empty()) return why;
  model.accuracy.top1_pct = body.reals();
  model.accuracy.int8_top1_pct = body.reals();
  model.accuracy.source = body.text();
  model.provenance = body.text();
  model.activation_max = body.reals();
  model.parameters = body.reals();
  if (body.truncated() || body.left() != 0) return "its length does not fit its contents";
  return model.problem();
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

LoadedModel load_model(const std::string& path) {
  LoadedModel loaded;
  std::string data;
  std::string why;
  Model model;
  if (const int error = read_all(path, data))
    why = std::strerror(error);
  else
    why = parse(data, model, loaded.checksum);
  if (why.empty())
    loaded.model = std::move(model);
  else
    loaded.error =
        fmt::format("{}: {}; give the file of a network that this version wrote", path, why);
  return loaded;
}

std::string save_model(const Model& model, const std::string& path) {
  const auto refuse = [&path](std::string_view why, std::string_view remedy) {
    return fmt::format("{}: {}; {}", path, why, remedy);
  };
  if (const std::string why = model.problem(); !why.empty())
    return refuse(why, "nothing was written");

  Writer out;
  out.bytes(kMagic);
  out.integer(kModelFileVersion);
  write_shape(out, model.spec);
  out.reals(model.accuracy.top1_pct);
  out.reals(model.accuracy.int8_top1_pct);
  out.text(model.accuracy.source);
  out.text(model.provenance);
  out.reals(model.activation_max);
  out.reals(model.parameters);
  out.integer(crc32c(out.data()));
  if (out.data().size() > kMaxFileBytes)
    return refuse("it would be larger than the 64 MB that can be read", "nothing was written");

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
