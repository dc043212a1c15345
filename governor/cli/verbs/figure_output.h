#pragma once

#include <string>

#include "governor/cli/verbs/made_file.h"
#include "governor/report/report.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {

/// Throws Error (kInput) unless a picture can be written there: SVG, of which other programs make
/// whatever else is needed.
inline void check_figure_output(const std::string& out, const std::string& option = "--out") {
  if (is_standard_output(out) && option == "--out") return;
  if (!out.ends_with(".svg")) {
    const std::string svg = out.substr(0, out.find_last_of('.')) + ".svg";
    input_error(option + " " + out, "pictures are written as SVG only",
                "write '" + svg + "'; 'rsvg-convert " + svg + " -o FILE.png' makes a PNG of it");
  }
  constexpr OutputKind kPictureOutput{"a figure that flyball made", report::kPictureStart};
  check_output(option + " " + out, out, kPictureOutput);
}

}  // namespace flyball::cli
