#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "governor/report/figure.h"

namespace flyball::report {

/// A cell: what people read, and a number to sort by and to draw a bar of.
struct Cell {
  std::string text;
  double value;  ///< NaN: none
};

struct Table {
  std::string title;
  std::vector<std::string> columns, units;
  std::vector<std::vector<Cell>> rows;  ///< the first cell names the row
  std::vector<std::string> marks;       ///< of each row: "best", "late", "bound" or empty
  int bar_column = -1;                  ///< shown as bars too, from 0; -1: none
  std::string note;
};

struct Section {
  std::string title;
  std::string verdict;  ///< what to know when reading nothing else; may be empty
  std::vector<std::string> notes;
  std::vector<Table> tables;
  std::vector<Figure> figures;
};

struct Options {
  /// Misses beyond the infeasible ones up to which a policy keeps its deadlines, % of the jobs.
  double max_miss_pct = 1;
  /// That all timelines together draw; more are thinned.
  std::size_t max_points = 100'000;
};

struct Report {
  std::vector<Section> sections;
};

/// Reads the inputs, each a recording, a policy file or the JSON of `compare`, `characterise` or `train`. Throws
/// Error (kInput) that names the one that is none of them.
Report read_inputs(const std::vector<std::string>& inputs, const Options& options);

/// The one figure of that name (the second one of a name is "NAME-2"). Throws Error (kInput) with
/// the names there are.
const Figure& figure_of(const Report& report, const std::string& name);

/// One page that needs nothing but itself. `made_by`: "flyball 1.0 (build x)".
std::string html_of(const Report& report, std::string_view made_by);

/// How every such page, and every picture, begins.
inline constexpr std::string_view kPageStart = "<!doctype html>\n<!-- a report of flyball -->\n";
inline constexpr std::string_view kPictureStart =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a figure of flyball -->\n";

}  // namespace flyball::report
