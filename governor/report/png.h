#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flyball::report {

/// Pixels of every PNG: twice the picture's own size, for print.
inline constexpr int kPngWidth = 1600, kPngHeight = 1000;
/// How every such file begins: PNG's signature, those pixels of 8 bits of red, green and blue, then the
/// name of this program, without which it is somebody else's.
inline constexpr char kPngBytes[] =
    "\x89PNG\r\n\x1a\n"
    "\0\0\0\rIHDR\0\0\x06\x40\0\0\x03\xe8\x08\x02\0\0\0\x09\x19\xa5\xd4"
    "\0\0\0\x10tEXtSoftware\0flyball\x83\xea\x1a\x19";
inline constexpr std::string_view kPngStart{kPngBytes, sizeof kPngBytes - 1};
/// Of that, what librsvg writes too.
inline constexpr std::size_t kPngHeaderBytes = 33;

/// Why no PNG can be made on this machine, with what to do; empty where it can.
std::string png_missing();

/// The picture of an SVG. Throws Error (kFailure) when librsvg refuses it.
std::string png_of(const std::string& svg);

}  // namespace flyball::report
