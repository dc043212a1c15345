#pragma once

#include <initializer_list>
#include <string_view>

namespace flyball {

/// Of a scenario file, and of an entry of its list `tasks`.
inline const std::initializer_list<std::string_view> kScenarioKeys = {
    "name",  "description", "duration_s", "ambient_c", "energy_preference", "battery", "apps",
    "tasks", "background",  "events",     "sensors"};
inline const std::initializer_list<std::string_view> kTaskKeys = {
    "name",       "work_ms", "memory_share",     "activity",    "arrival", "deadline_ms",
    "deadline_x", "work_cv", "work_correlation", "queue_limit", "start_s", "stop_s"};

}  // namespace flyball
