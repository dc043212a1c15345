#include "governor/report/thinner.h"

#include <algorithm>
#include <cmath>

namespace flyball::report {

Thinner::Thinner(std::size_t columns, std::size_t max_rows)
    : columns_(columns), max_rows_(std::max(max_rows, 4 * columns + 8)) {}

void Thinner::add(double x, std::span<const double> values) {
  ++taken_;
  x_.push_back(x);
  values_.insert(values_.end(), values.begin(), values.end());
  if (x_.size() > max_rows_) thin();
}

std::vector<double> Thinner::column(std::size_t index) const {
  std::vector<double> values(x_.size());
  for (std::size_t row = 0; row < x_.size(); ++row) values[row] = values_[row * columns_ + index];
  return values;
}

void Thinner::mark(std::size_t begin, std::size_t end, std::vector<bool>& keep) const {
  for (std::size_t column = 0; column < columns_; ++column) {
    const auto value = [&](std::size_t row) { return values_[row * columns_ + column]; };
    std::size_t least = end, greatest = end;
    for (std::size_t row = begin; row < end; ++row) {
      if (std::isnan(value(row))) continue;
      if (least == end || value(row) < value(least)) least = row;
      if (greatest == end || value(row) > value(greatest)) greatest = row;
    }
    if (least < end) keep[least] = keep[greatest] = true;
  }
}

void Thinner::thin() {
  const double span = x_.back() - x_.front();
  if (width_ <= 0) width_ = std::max(span, 1e-9) / static_cast<double>(max_rows_);
  while (true) {
    std::vector<bool> keep(x_.size());
    keep.front() = keep.back() = true;
    const auto bucket = [&](std::size_t row) { return std::floor((x_[row] - x_[0]) / width_); };
    for (std::size_t begin = 0, end; begin < x_.size(); begin = end) {
      for (end = begin + 1; end < x_.size() && bucket(end) == bucket(begin);) ++end;
      mark(begin, end, keep);
    }
    std::size_t kept = 0;
    for (std::size_t row = 0; row < x_.size(); ++row) {
      if (!keep[row]) continue;
      x_[kept] = x_[row];
      std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(row * columns_), columns_,
                  values_.begin() + static_cast<std::ptrdiff_t>(kept * columns_));
      ++kept;
    }
    x_.resize(kept);
    values_.resize(kept * columns_);
    if (kept <= max_rows_ / 2) return;
    width_ *= 2;
  }
}

}  // namespace flyball::report
