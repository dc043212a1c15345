#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace flyball::report {

/// Takes rows of several values in order of x, any number of them, and keeps at most `max_rows`:
/// of every bucket of x those rows in which a value is its column's least or greatest there, and the
/// first and the last of all. A bucket doubles its width whenever the rows become too many, and an
/// extreme of a wide bucket is one of a narrow one within it, so no extreme is ever lost. What is
/// kept are rows as they were, never averages.
class Thinner {
 public:
  /// `max_rows` is at least 4 * columns + 8.
  Thinner(std::size_t columns, std::size_t max_rows);

  /// `x` never falls; NaN among the values is none.
  void add(double x, std::span<const double> values);
  std::size_t taken() const { return taken_; }
  const std::vector<double>& x() const { return x_; }
  std::vector<double> column(std::size_t index) const;

 private:
  void thin();
  /// Of the rows [begin, end), which are one bucket's, marks those to keep.
  void mark(std::size_t begin, std::size_t end, std::vector<bool>& keep) const;

  std::size_t columns_, max_rows_, taken_ = 0;
  double width_ = 0;
  std::vector<double> x_, values_;  ///< row by row
};

}  // namespace flyball::report
