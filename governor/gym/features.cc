#include "governor/gym/features.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

namespace flyball {
namespace {

// By the name that a monitor has without its cluster's or application's. Raw counters and what only
// completes a record are left out: an agent needs rates, and what is asked of it.
constexpr const char* kOfPlatform[] = {"energy", "power", "battery", "preference", "sustainable"};
constexpr const char* kOfCluster[] = {
    "freq",       "asked", "capacity", "util", "util_mean",
    "power",      "temp",  "opp_cap",  "ipc",  "misses_per_kilo_instruction",
    "stall_share"};
constexpr const char* kOfApp[] = {"active",        "latency",      "misses",      "shortfall",
                                  "backlog",       "energy",       "over_budget", "released",
                                  "finished",      "dropped",      "execution",   "mapping",
                                  "level",         "period",       "deadline",    "accuracy_floor",
                                  "energy_budget", "power_budget", "priority",    "objective",
                                  "running",       "ipc",          "stall_share"};

template <class Names>
bool among(const Names& names, const std::string& name) {
  return std::ranges::any_of(names, [&](const char* each) { return name == each; });
}

std::uint32_t place_of(const Monitor& monitor) {
  static const auto observation = std::make_unique<Observation>();
  const char* start = reinterpret_cast<const char*>(observation.get());
  const char* base = start;
  if (monitor.scope == Monitor::Scope::kCluster)
    base = reinterpret_cast<const char*>(&observation->cluster[monitor.index]);
  if (monitor.scope == Monitor::Scope::kApp)
    base = reinterpret_cast<const char*>(&observation->app[monitor.index]);
  return static_cast<std::uint32_t>(base - start) + monitor.offset;
}

template <class Value, class Fields>
void put(const Fields& fields, const char* from, float* to) {
  for (const auto& field : fields) {
    Value value;
    std::memcpy(&value, from + field.from, sizeof value);
    to[field.to] = static_cast<float>(static_cast<double>(value) * field.scale);
  }
}

}  // namespace

Features::Features(const MonitorTable& table, const std::vector<std::string>& clusters,
                   const std::vector<std::string>& apps)
    : apps_(apps.size()) {
  for (const Monitor& monitor : table.rows()) {
    // The rest of the name behind that of its cluster or application, which may have dots too.
    const auto rest = [&](const std::vector<std::string>& names) {
      return monitor.name.substr(names[monitor.index].size() + 1);
    };
    const bool chosen =
        monitor.scope == Monitor::Scope::kPlatform  ? among(kOfPlatform, monitor.name)
        : monitor.scope == Monitor::Scope::kCluster ? among(kOfCluster, rest(clusters))
                                                    : among(kOfApp, rest(apps));
    if (chosen) add(monitor);
  }
  first_left_ = names_.size();
  for (const std::string& app : apps) {
    names_.push_back(app + ".left");
    units_.push_back("ms");
  }
}

void Features::add(const Monitor& monitor) {
  const Field field{place_of(monitor), static_cast<std::uint32_t>(names_.size()), monitor.scale};
  names_.push_back(monitor.name);
  units_.push_back(monitor.unit);
  using T = Monitor::Type;
  switch (monitor.type) {
    case T::kF64:
      return f64_.push_back(field);
    case T::kI64:
    case T::kU64:
      return i64_.push_back(field);
    case T::kU32:
      return u32_.push_back(field);
    case T::kI32:
      return i32_.push_back(field);
    case T::kU8:
    case T::kBool:
      return u8_.push_back(field);
    case T::kDerived:
      return derived_.push_back({field.from, field.to, monitor.derive});
    case T::kI16:
      break;  // errors only: none is chosen
  }
}

void Features::write(const Observation& from, float* to) const {
  const char* bytes = reinterpret_cast<const char*>(&from);
  put<double>(f64_, bytes, to);
  put<std::int64_t>(i64_, bytes, to);
  put<std::uint32_t>(u32_, bytes, to);
  put<std::int32_t>(i32_, bytes, to);
  put<std::uint8_t>(u8_, bytes, to);
  for (const Derived& one : derived_) {
    const double value = one.derive(bytes + one.from);
    to[one.to] = std::isfinite(value) ? static_cast<float>(value) : 0.0f;
  }
  // Until the deadline of the oldest job that is not done; below 0 when it is late.
  for (std::size_t a = 0; a < apps_; ++a) {
    const AppObservation& app = from.app[a];
    to[first_left_ + a] =
        app.backlog > 0 && app.required.deadline_ns > 0
            ? static_cast<float>(static_cast<double>(app.deadline_ns(0) - from.now_ns) * 1e-6)
            : 0.0f;
  }
}

}  // namespace flyball
