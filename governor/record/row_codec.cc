#include "governor/record/row_codec.h"

#include <cstring>
#include <utility>

namespace flyball {
namespace {

std::size_t bytes_of(Monitor::Type type) {
  switch (type) {
    case Monitor::Type::kF64:
    case Monitor::Type::kI64:
    case Monitor::Type::kU64:
      return 8;
    case Monitor::Type::kU32:
    case Monitor::Type::kI32:
      return 4;
    case Monitor::Type::kI16:
      return 2;
    case Monitor::Type::kU8:
    case Monitor::Type::kBool:
      return 1;
    case Monitor::Type::kDerived:
      return 0;
  }
  return 0;
}

std::size_t offset_of(const Monitor& row) {
  switch (row.scope) {
    case Monitor::Scope::kPlatform:
      return row.offset;
    case Monitor::Scope::kCluster:
      return offsetof(Observation, cluster) + row.index * sizeof(ClusterObservation) + row.offset;
    case Monitor::Scope::kApp:
      return offsetof(Observation, app) + row.index * sizeof(AppObservation) + row.offset;
  }
  return 0;
}

}  // namespace

std::vector<Monitor> stored_rows(const std::vector<Monitor>& rows) {
  std::vector<Monitor> stored;
  for (const Monitor& row : rows)
    if (row.type != Monitor::Type::kDerived) stored.push_back(row);
  return stored;
}

void RowCodec::set_rows(std::vector<Monitor> rows, std::vector<bool> known) {
  monitors_ = std::move(rows);
  known_ = std::move(known);
  known_.resize(monitors_.size(), true);
  const std::size_t groups = (monitors_.size() + kGroup - 1) / kGroup;
  rows_.assign(groups * kGroup, Row());
  last_mask_.assign(groups, 0);
  for (std::size_t i = 0; i < monitors_.size(); ++i) {
    const Monitor& monitor = monitors_[i];
    Row& row = rows_[i];
    row.exact = monitor.type == Monitor::Type::kF64 && monitor.resolution == 0;
    row.trend = monitor.scope == Monitor::Scope::kPlatform &&
                (monitor.type == Monitor::Type::kI64 || monitor.type == Monitor::Type::kU64);
    if (!known_[i]) continue;
    const std::size_t offset = offset_of(monitor), bytes = bytes_of(monitor.type);
    // Eight bytes are looked at, and those of the row among them masked; they may not go beyond the
    // observation.
    const std::size_t from = std::min(offset, sizeof(Observation) - 8);
    row.offset = static_cast<std::uint32_t>(from);
    std::memset(reinterpret_cast<char*>(&row.mask) + (offset - from), 0xff, bytes);
  }
  reset();
}

void RowCodec::reset() {
  for (Row& row : rows_) {
    row.raw = 0;
    row.value = row.step = 0;
    row.rice = {};
  }
  std::fill(last_mask_.begin(), last_mask_.end(), 0);
  fresh_ = true;
}

std::int64_t RowCodec::expected(const Row& row) const {
  // Unsigned: NaN is the lowest number there is, and its distance to others wraps around.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(row.value) +
                                   static_cast<std::uint64_t>(row.step));
}

std::uint64_t RowCodec::difference(const Row& row, std::int64_t value) const {
  // A double that people chose (70, 0.5) has zeros at its low end.
  if (row.exact) return __builtin_bswap64(static_cast<std::uint64_t>(value ^ row.value));
  return zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(value) -
                                          static_cast<std::uint64_t>(expected(row))));
}

std::int64_t RowCodec::value_of(const Row& row, std::uint64_t difference) const {
  if (row.exact) return row.value ^ static_cast<std::int64_t>(__builtin_bswap64(difference));
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(expected(row)) +
                                   static_cast<std::uint64_t>(unzigzag(difference)));
}

void RowCodec::encode(const Observation& now, BitWriter& out) {
  const char* base = reinterpret_cast<const char*>(&now);
  for (std::size_t first = 0, group = 0; first < rows_.size(); first += kGroup, ++group) {
    std::uint8_t mask = 0;
    std::uint64_t differences[kGroup];
    for (std::size_t j = 0; j < kGroup; ++j) {
      Row& row = rows_[first + j];
      std::uint64_t raw;
      std::memcpy(&raw, base + row.offset, sizeof raw);
      raw &= row.mask;
      if (raw == row.raw && !row.trend) continue;
      row.raw = raw;
      const std::int64_t value = quantised(monitors_[first + j], now);
      const std::uint64_t differs = difference(row, value);
      // The first step of an absolute observation is its value, and no trend.
      if (row.trend)
        row.step = fresh_ ? 0
                          : static_cast<std::int64_t>(static_cast<std::uint64_t>(value) -
                                                      static_cast<std::uint64_t>(row.value));
      row.value = value;
      if (differs == 0) continue;
      differences[j] = differs;
      mask = static_cast<std::uint8_t>(mask | 1u << j);
    }
    out.put(mask != 0, 1);
    if (mask == 0) continue;
    const bool same = mask == last_mask_[group];
    out.put(same, 1);
    if (!same) out.put(mask, 8);
    if (!fresh_) last_mask_[group] = mask;
    for (std::size_t j = 0; j < kGroup; ++j) {
      if ((mask >> j & 1) == 0) continue;
      if (fresh_)
        RiceRow::put_long(out, differences[j]);
      else
        rows_[first + j].rice.put(out, differences[j]);
    }
  }
  fresh_ = false;
}

void RowCodec::decode(BitReader& in, Observation& now) {
  for (std::size_t first = 0, group = 0; first < rows_.size(); first += kGroup, ++group) {
    std::uint8_t mask = 0;
    if (in.get(1) != 0)
      mask = in.get(1) != 0 ? last_mask_[group] : static_cast<std::uint8_t>(in.get(8));
    if (mask != 0 && !fresh_) last_mask_[group] = mask;
    for (std::size_t j = 0; j < kGroup && first + j < monitors_.size(); ++j) {
      Row& row = rows_[first + j];
      std::uint64_t differs = 0;
      if ((mask >> j & 1) != 0) differs = fresh_ ? RiceRow::get_long(in) : row.rice.get(in);
      if (differs == 0 && !row.trend && !fresh_) continue;
      const std::int64_t value = value_of(row, differs);
      if (row.trend)
        row.step = fresh_ ? 0
                          : static_cast<std::int64_t>(static_cast<std::uint64_t>(value) -
                                                      static_cast<std::uint64_t>(row.value));
      row.value = value;
      if (known_[first + j]) restore(monitors_[first + j], value, now);
    }
  }
  fresh_ = false;
}

}  // namespace flyball
