#include "kernels/dnn/model_file.h"

#include <fmt/format.h>

#include <bit>
#include <fstream>
#include <string_view>
#include <vector>

#include "kernels/base/crc32c.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

constexpr std::string_view kMagic = "FLYBNET\n";
constexpr std::size_t kMaxFileBytes = 64u << 20;  // 200 times the default network

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

}  // namespace

bool is_model_file(const std::string& path) {
  char start[kMagic.size()] = {};
  std::ifstream file(path, std::ios::binary);
  return file.read(start, sizeof start) && std::string_view(start, sizeof start) == kMagic;
}

LoadedModel load_model(const std::string& path) {
  LoadedModel loaded;
  std::string data;
  std::string why;
  Model model;
  if (const FileStatus status = read_whole_file(path, kMaxFileBytes, data); !status)
    why = status.why;
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

  if (const FileStatus status = replace_file(path, out.data()); !status)
    return refuse(status.why, "choose a place that can be written");
  return {};
}

}  // namespace flyball
