#include "governor/report/png.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>

#include "kernels/base/error.h"

#ifdef __SANITIZE_ADDRESS__
/// Fontconfig, which librsvg brings, keeps what it has read until the end.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }
#endif

namespace flyball::report {
namespace {

// librsvg draws, and brings cairo, pango and GLib with it: 25 libraries that no governor is to carry. So it
// is loaded where a PNG is wanted, and what is used of it is declared here as its headers have it, which
// have kept these since librsvg 2.46 (2019).
struct Rectangle {
  double x, y, width, height;
};
struct Library {
  void* (*new_from_data)(const std::uint8_t*, unsigned long, void**) = nullptr;
  int (*render)(void*, void*, const Rectangle*, void**) = nullptr;
  void* (*surface_create)(int, int, int) = nullptr;
  void* (*context_create)(void*) = nullptr;
  int (*write_png)(void*, int (*)(void*, const unsigned char*, unsigned), void*) = nullptr;
  void (*context_destroy)(void*) = nullptr;
  void (*surface_destroy)(void*) = nullptr;
  void (*unref)(void*) = nullptr;
  bool loaded = false;
};
constexpr int kRgb24 = 1;

template <class F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));  // those of what it depends on too
  return function != nullptr;
}

const Library& library() {
  static const Library loaded = [] {
    Library out;
    void* const rsvg = dlopen("librsvg-2.so.2", RTLD_LAZY | RTLD_LOCAL);
    out.loaded = rsvg && find(rsvg, "rsvg_handle_new_from_data", out.new_from_data) &&
                 find(rsvg, "rsvg_handle_render_document", out.render) &&
                 find(rsvg, "cairo_image_surface_create", out.surface_create) &&
                 find(rsvg, "cairo_create", out.context_create) &&
                 find(rsvg, "cairo_surface_write_to_png_stream", out.write_png) &&
                 find(rsvg, "cairo_destroy", out.context_destroy) &&
                 find(rsvg, "cairo_surface_destroy", out.surface_destroy) &&
                 find(rsvg, "g_object_unref", out.unref);
    return out;
  }();
  return loaded;
}

int append(void* to, const unsigned char* bytes, unsigned count) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(bytes), count);
  return 0;
}

}  // namespace

std::string png_missing() {
  return library().loaded ? "" : "PNG needs librsvg, which is not installed";
}

std::string png_of(const std::string& svg) {
  const Library& rsvg = library();
  std::string png;
  bool drawn = false;
  if (rsvg.loaded) {
    void* const handle =
        rsvg.new_from_data(reinterpret_cast<const std::uint8_t*>(svg.data()), svg.size(), nullptr);
    void* const surface = rsvg.surface_create(kRgb24, kPngWidth, kPngHeight);
    void* const context = rsvg.context_create(surface);
    const Rectangle all{0, 0, kPngWidth, kPngHeight};
    drawn = handle && rsvg.render(handle, context, &all, nullptr) != 0 &&
            rsvg.write_png(surface, append, &png) == 0;
    rsvg.context_destroy(context);
    rsvg.surface_destroy(surface);
    if (handle) rsvg.unref(handle);
  }
  if (drawn) png.insert(std::min(kPngHeaderBytes, png.size()), kPngStart.substr(kPngHeaderBytes));
  if (!drawn) failure("the picture", "librsvg does not draw it as PNG", "write an .svg instead");
  return png;
}

}  // namespace flyball::report
