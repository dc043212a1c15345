#include "governor/cli/verbs/figure_output.h"

#include "governor/report/png.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {

void check_figure_output(const std::string& out, const std::string& option) {
  constexpr OutputKind kSvgOutput{"a figure that flyball made", report::kPictureStart};
  constexpr OutputKind kPngOutput{"a figure that flyball made", report::kPngStart};
  if (is_standard_output(out) && option == "--out") return;
  const std::string svg = out.substr(0, out.find_last_of('.')) + ".svg";
  if (out.ends_with(".png")) {
    if (const std::string why = report::png_missing(); !why.empty())
      input_error(option + " " + out, why, "install librsvg2-2, or write '" + svg + "'");
  } else if (!out.ends_with(".svg")) {
    input_error(
        option + " " + out, "pictures are written as SVG or PNG only",
        "write '" + svg + "'; 'rsvg-convert -f pdf " + svg + " -o FILE.pdf' makes a PDF of it");
  }
  check_output(option + " " + out, out, out.ends_with(".png") ? kPngOutput : kSvgOutput);
}

void write_figure(const std::string& out, const report::Figure& figure) {
  const std::string svg = report::svg_of(figure);
  write_made(out, out.ends_with(".png") ? report::png_of(svg) : svg);
}

}  // namespace flyball::cli
