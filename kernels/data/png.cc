#include "kernels/data/png.h"

#ifdef FLYBALL_HAVE_PNG
#include <fmt/format.h>
#include <png.h>
#endif

namespace flyball {

#ifdef FLYBALL_HAVE_PNG

bool reads_png() { return true; }

std::string decode_png(std::string_view bytes, Picture& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0)
    return fmt::format("is no good PNG ({})", png.message);
  if (std::int64_t{png.width} * png.height > kMaxImagePixels) {
    const std::string why =
        fmt::format("{} x {} pixels, more than {}", png.width, png.height, kMaxImagePixels);
    png_image_free(&png);
    return why;
  }
  png.format = PNG_FORMAT_RGB;
  image.width = static_cast<int>(png.width);
  image.height = static_cast<int>(png.height);
  image.channels = 3;
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr) == 0)
    return fmt::format("is no good PNG, or cut short ({})", png.message);
  return {};
}

#else

bool reads_png() { return false; }
std::string decode_png(std::string_view, Picture&) { return "cannot be read"; }

#endif

}  // namespace flyball
