#pragma once

#include <string>

#include "governor/cli/verbs/made_file.h"
#include "governor/report/report.h"

namespace flyball::cli {

/// Throws Error (kInput) unless a picture can be written there: SVG, or PNG where librsvg is.
void check_figure_output(const std::string& out, const std::string& option = "--out");

/// As its name says; SVG to standard output.
void write_figure(const std::string& out, const report::Figure& figure);

}  // namespace flyball::cli
