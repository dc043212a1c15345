#pragma once

#include <string>
#include <vector>

namespace flyball::report {

struct Axis {
  std::string label;  ///< "energy per job"
  std::string unit;   ///< "mJ"
  bool log = false;
  std::vector<std::string> categories{};  ///< values are their indices; empty: numbers
};

/// NaN is a gap.
struct Series {
  enum class Kind { kLine, kSteps, kPoints };
  std::string name;
  Kind kind = Kind::kPoints;
  int colour = 0;       ///< and shape of points: the same for one policy in all figures
  bool dashed = false;  ///< a bound, a front or what was asked for, rather than what was measured
  std::vector<double> x{}, y{};
  std::vector<double> x_lo{}, x_hi{}, y_lo{}, y_hi{};  ///< intervals of points; empty: none
  std::vector<std::string> text{};                     ///< of each point, for people; or empty
  bool labelled = false;                               ///< its name stands at its first point
  bool cell = false;  ///< points fill their cell of a grid of categories, without a gap
};

/// Colours from here on go from what is less to what is more, over seven; those below tell policies apart.
inline constexpr int kFirstCellColour = 100;

/// One plot, as data: the page draws it with a library, and svg_of() for papers.
struct Figure {
  std::string name;     ///< of `--figure`: "energy_latency"
  std::string title;    ///< "Energy per job against latency"
  std::string caption;  ///< what it shows and how to read it
  Axis x, y;
  std::vector<Series> series{};
  std::string timeline{};  ///< figures of one timeline are zoomed and pointed at together

  std::size_t points() const {
    std::size_t count = 0;
    for (const Series& one : series) count += one.y.size();
    return count;
  }
};

/// A static picture, 800 x 500, with a legend; text stays text.
std::string svg_of(const Figure& figure);

}  // namespace flyball::report
