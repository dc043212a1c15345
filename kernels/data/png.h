#pragma once

#include <string>
#include <string_view>

#include "kernels/data/image_file.h"

namespace flyball {

/// By libpng, as red, green, blue. Empty, or why it cannot be read.
std::string decode_png(std::string_view bytes, Picture& image);

}  // namespace flyball
