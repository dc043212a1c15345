#include "kernels/data/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "kernels/base/error.h"
#include "kernels/data/png.h"

namespace flyball {
namespace {

constexpr std::string_view kPngStart = "\x89PNG\r\n\x1a\n";

[[noreturn]] void refuse_picture(const std::string& path, const std::string& why,
                                 const std::string& remedy = "save it again, or remove it") {
  input_error(path, why, remedy);
}

/// The header of a PNM: numbers between blanks, and comments from '#' to the end of the line.
class Header {
 public:
  explicit Header(std::string_view bytes) : bytes_(bytes), at_(2) {}
  std::optional<int> number() {
    skip_blanks();
    const std::size_t begin = at_;
    int value = 0;
    while (at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9' && at_ - begin < 8)
      value = 10 * value + (bytes_[at_++] - '0');
    if (at_ == begin) return std::nullopt;
    return value;
  }
  /// Exactly one blank is before the pixels.
  std::string_view rest() const { return bytes_.substr(std::min(at_ + 1, bytes_.size())); }

 private:
  static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  void skip_blanks() {
    while (at_ < bytes_.size() && (is_blank(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#')
        while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
      else
        ++at_;
    }
  }

  std::string_view bytes_;
  std::size_t at_;
};

Picture decode_pnm(const std::string& path, std::string_view bytes) {
  Header header(bytes);
  const std::optional<int> width = header.number(), height = header.number(),
                           most = header.number();
  if (!width || !height || !most) refuse_picture(path, "its header is no PPM's");
  if (*width < 1 || *height < 1 || std::int64_t{*width} * *height > kMaxImagePixels)
    refuse_picture(path, fmt::format("{} x {} pixels", *width, *height),
                   fmt::format("use pictures of 1 to {} pixels", kMaxImagePixels));
  if (*most < 1 || *most > 65535)
    refuse_picture(path, fmt::format("its values go up to {}", *most));

  Picture image{*width, *height, bytes[1] == '6' ? 3 : 1, {}};
  const std::size_t values = std::size_t(*width) * *height * image.channels;
  const std::size_t value_bytes = *most > 255 ? 2 : 1;
  const std::string_view pixels = header.rest();
  if (pixels.size() < values * value_bytes)
    refuse_picture(path, fmt::format("is cut short: {} bytes of pixels instead of {}",
                                     pixels.size(), values * value_bytes));
  image.pixels.resize(values);
  for (std::size_t i = 0; i < values; ++i) {
    int value = static_cast<unsigned char>(pixels[i * value_bytes]);
    if (value_bytes == 2) value = 256 * value + static_cast<unsigned char>(pixels[2 * i + 1]);
    image.pixels[i] = static_cast<std::uint8_t>((std::min(value, *most) * 255 + *most / 2) / *most);
  }
  return image;
}

/// What an output pixel covers of the input's, in one direction: input pixel i is `size` long and
/// output pixel o begins at o * length, so that all of it is in whole numbers.
struct Cover {
  std::int64_t begin, end;
  int first, last;
  Cover(int o, int length, int size)
      : begin(std::int64_t{o} * length),
        end(begin + length),
        first(static_cast<int>(begin / size)),
        last(static_cast<int>((end - 1) / size)) {}
  std::int64_t of(int i, int size) const {
    return std::min(end, std::int64_t{i + 1} * size) - std::max(begin, std::int64_t{i} * size);
  }
};

}  // namespace

Picture decode_picture(const std::string& path, std::string_view bytes) {
  if (bytes.empty()) refuse_picture(path, "is empty");
  if (bytes.starts_with("P6") || bytes.starts_with("P5")) return decode_pnm(path, bytes);
  if (bytes.starts_with("P3") || bytes.starts_with("P2"))
    refuse_picture(path, "is a PPM or PGM in plain text", "save it as a binary one (P6 or P5)");
  // A file that ends within the signature is one, too.
  if (!bytes.starts_with(kPngStart.substr(0, std::min(bytes.size(), kPngStart.size()))))
    refuse_picture(path, "is neither PNG nor PPM", "convert it, or remove it");
  if (!reads_png())
    refuse_picture(path, "is a PNG, and this flyball was built without libpng",
                   "convert it to PPM, or build with libpng-dev installed");
  Picture image;
  if (const std::string why = decode_png(bytes, image); !why.empty()) refuse_picture(path, why);
  return image;
}

void resize_picture(const Picture& image, int size, int channels, std::span<std::uint8_t> out) {
  const std::int64_t area = std::int64_t{image.width} * image.height;
  for (int y = 0; y < size; ++y) {
    const Cover rows(y, image.height, size);
    for (int x = 0; x < size; ++x) {
      const Cover columns(x, image.width, size);
      std::array<std::int64_t, 3> sum{};
      for (int row = rows.first; row <= rows.last; ++row) {
        for (int column = columns.first; column <= columns.last; ++column) {
          const std::int64_t weight = rows.of(row, size) * columns.of(column, size);
          const std::size_t at = (std::size_t(row) * image.width + column) * image.channels;
          for (int c = 0; c < 3; ++c)
            sum[c] += weight * image.pixels[at + (image.channels == 3 ? c : 0)];
        }
      }
      std::uint8_t* const to = &out[(std::size_t(y) * size + x) * channels];
      if (channels == 1) {  // weights of ITU-R BT.601, in thousandths
        const std::int64_t grey = 299 * sum[0] + 587 * sum[1] + 114 * sum[2];
        to[0] = static_cast<std::uint8_t>((grey + 500 * area) / (1000 * area));
      } else {
        for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>((sum[c] + area / 2) / area);
      }
    }
  }
}

}  // namespace flyball
