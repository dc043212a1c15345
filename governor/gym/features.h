#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/spaces/monitors.h"

namespace flyball {

/// An observation as a row of floats: the monitors that say something of what to do next, in their
/// own units. What has no value reads 0.
class Features {
 public:
  /// `table` has the rows of every slot; `clusters` and `apps` are their names.
  Features(const MonitorTable& table, const std::vector<std::string>& clusters,
           const std::vector<std::string>& apps);

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& units() const { return units_; }
  std::size_t size() const { return names_.size(); }
  /// Writes size() numbers.
  void write(const Observation& from, float* to) const;

 private:
  struct Field {
    std::uint32_t from, to;  ///< bytes into an observation; index of the number
    double scale;
  };
  struct Derived {
    std::uint32_t from, to;
    double (*derive)(const void*);
  };
  void add(const Monitor& monitor);

  std::size_t apps_;
  std::vector<std::string> names_, units_;
  // By how they are stored, so that writing them branches on nothing.
  std::vector<Field> f64_, i64_, u32_, i32_, u8_;
  std::vector<Derived> derived_;
  std::size_t first_left_ = 0;
};

}  // namespace flyball
