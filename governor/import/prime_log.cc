#include "governor/import/prime_log.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "governor/fit/table_text.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

// The format is that of github.com/PRiME-project/PRiME-Framework, logger/logger.py: read there, and
// written anew here.

namespace flyball {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRows = 5'000'000;
constexpr double kMostUs = 1e17;  // 3,000 years
constexpr int kMaxDepth = 16;
constexpr std::array<const char*, 6> kDeviceKnobs{
    "PRIME_VOLT", "PRIME_FREQ", "PRIME_EN", "PRIME_PMC_CNT", "PRIME_GOVERNOR", "PRIME_FREQ_EN"};
constexpr std::array<const char*, 4> kDeviceMonitors{"PRIME_POW", "PRIME_TEMP", "PRIME_CYCLES",
                                                     "PRIME_PMC"};
constexpr std::array<const char*, 5> kAppKnobs{"PRIME_PAR", "PRIME_PREC", "PRIME_DEV_SEL",
                                               "PRIME_ITR", "PRIME_GEN"};
constexpr std::array<const char*, 4> kAppMonitors{"PRIME_PERF", "PRIME_ACC", "PRIME_ERR",
                                                  "PRIME_POW"};

using Fields = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (key == name) return &value;
  return nullptr;
}

/// Where a message of a kind that matters has its values.
struct Api {
  std::string_view name;
  bool application, knob;
};
constexpr std::array<Api, 14> kValues{{
    {"PRIME_API_DEV_KNOB_DISC_SET", false, true},
    {"PRIME_API_DEV_KNOB_CONT_SET", false, true},
    {"PRIME_LOG_DEV_KNOB_DISC", false, true},
    {"PRIME_LOG_DEV_KNOB_CONT", false, true},
    {"PRIME_API_DEV_RETURN_MON_DISC_GET", false, false},
    {"PRIME_API_DEV_RETURN_MON_CONT_GET", false, false},
    {"PRIME_LOG_DEV_MON_DISC", false, false},
    {"PRIME_LOG_DEV_MON_CONT", false, false},
    {"PRIME_API_APP_RETURN_KNOB_DISC_GET", true, true},
    {"PRIME_API_APP_RETURN_KNOB_CONT_GET", true, true},
    {"PRIME_API_APP_MON_DISC_SET", true, false},
    {"PRIME_API_APP_MON_CONT_SET", true, false},
    {"PRIME_API_APP_KNOB_DISC_SET", true, true},
    {"PRIME_API_APP_KNOB_CONT_SET", true, true},
}};

class PrimeReader {
 public:
  PrimeReader(const std::string& path, ImportFlags& flags) : lines_(path), flags_(flags) {
    log_.path = path;
  }

  PrimeLog read() {
    std::string_view line;
    while (lines_.next(line)) {
      if (line.empty()) continue;
      if (line.starts_with("Remote logger listening")) continue;
      if (line.find("Not Present") != line.npos) {
        flags_.add(log_.path, lines_.number(), "the logger found a field of this message missing");
        continue;
      }
      if (line.front() == '{')
        read_json(line);
      else
        read_printed(line);
      if (log_.rows.size() > kMaxRows)
        input_error(log_.path, fmt::format("has more than {} values", kMaxRows), "split it");
    }
    if (log_.rows.empty())
      input_error(log_.path, "has no value of a knob or a monitor in it",
                  "give what the PRiME framework's logger printed during a run");
    return std::move(log_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    input_error(lines_.where(), why, "it may be cut off: mend the line, or remove it");
  }

  double number(const std::string& name, const std::string& text) const {
    double value = 0;
    if (!to_number(text, value))
      refuse(fmt::format("{} '{}' is not a number", name, shown_text(text)));
    return value;
  }

  long whole(const std::string& name, const std::string& text) const {
    long value = 0;
    const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || stop != text.data() + text.size() || value < 0)
      refuse(fmt::format("{} '{}' is not a whole number", name, shown_text(text)));
    return value;
  }

  void read_printed(std::string_view line) {
    if (!line.starts_with("source:")) refuse("does not begin with 'source:'");
    if (line.back() != ',') refuse("does not end with a comma");
    Fields fields;
    while (!line.empty()) {
      const std::size_t end = line.find(',');
      const std::string_view one = line.substr(0, end);
      const std::size_t colon = one.find(':');
      line.remove_prefix(std::min(end + 1, line.size()));
      // A message of errors may have commas in its text, and what lacks fields says so in quotes.
      if (colon == one.npos) continue;
      std::string_view value = one.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      fields.emplace_back(one.substr(0, colon), value);
    }
    const std::string* api = find(fields, "api");
    const std::string* ts = find(fields, "ts");
    if (!api || api->empty()) refuse("has no 'api:'");
    if (!ts) refuse("has no 'ts:'");
    const double time_s = time_of(number("ts", *ts));
    if (api->find("_REG") != api->npos) {
      read_registered(*api, fields);
      return;
    }
    for (const Api& one : kValues)
      if (*api == one.name) {
        take(one, time_s, fields);
        return;
      }
  }

  double time_of(double us) {
    if (!(us >= 0 && us <= kMostUs)) refuse("its time is beyond 3000 years");
    if (!begun_) first_us_ = last_us_ = us;
    begun_ = true;
    // Its messages come over several sockets: some milliseconds of disorder are the logger's own.
    constexpr double kDisorderUs = 1e5;
    if (us < last_us_ - kDisorderUs)
      input_error(lines_.where(), fmt::format("time goes back by {:.3g} s", (last_us_ - us) * 1e-6),
                  "give one log, in the order of time");
    last_us_ = std::max(last_us_, us);
    return (us - first_us_) * 1e-6;
  }

  /// "id:1,type:PRIME_FREQ,min:0,max:12,init:12,id:..."
  void read_registered(const std::string& api, const Fields& fields) {
    if (api == "PRIME_API_APP_RETURN_APP_REG") ++log_.applications;
    if (api.find("DEV_RETURN_KNOB") == api.npos) return;
    PrimeRange* range = nullptr;
    for (const auto& [key, value] : fields) {
      if (key == "id") {
        range = &log_.device_knobs[whole(key, value)];
      } else if (range && key == "type") {
        range->type = printable(value);
      } else if (range && key == "min") {
        range->least = number(key, value);
      } else if (range && key == "max") {
        range->most = number(key, value);
        range->bounded = true;
      }
    }
  }

  void take(const Api& api, double time_s, const Fields& fields) {
    const std::string* id = find(fields, "id");
    // Later loggers print the value before, and the one that is set.
    const std::string* value = find(fields, "val_set");
    if (!value) value = find(fields, "val");
    if (!id) refuse("has no 'id:'");
    if (!value) refuse("has no 'val:'");
    PrimeRow row;
    row.line = lines_.number();
    row.time_s = time_s;
    row.application = api.application;
    row.knob = api.knob;
    row.id = whole("id", *id);
    row.value = number("val", *value);
    if (const std::string* type = find(fields, "type")) row.type = printable(shown_text(*type));
    if (const std::string* process = find(fields, "proc_id"))
      row.process = printable(shown_text(*process));
    check(row);
    log_.rows.push_back(std::move(row));
  }

  void check(PrimeRow& row) {
    std::string why;
    if (row.type == "PRIME_POW" && !(row.value >= 0 && row.value < 1000))
      why = fmt::format("a power of {:g} W", row.value);
    if (row.type == "PRIME_TEMP" && !(row.value >= -55 && row.value <= 150 && row.value != 0))
      why = fmt::format("a temperature of {:g} C", row.value);
    if (row.type == "PRIME_PERF" && !(row.value >= 0 && row.value < 1e9))
      why = fmt::format("a performance of {:g}", row.value);
    if (row.knob && !row.application) {
      const auto known = log_.device_knobs.find(row.id);
      if (known != log_.device_knobs.end() && known->second.bounded &&
          (row.value < known->second.least || row.value > known->second.most))
        why = fmt::format("knob {} is set to {:g}, and has values from {:g} to {:g}", row.id,
                          row.value, known->second.least, known->second.most);
    }
    if (why.empty()) return;
    row.used = false;
    flags_.add(log_.path, row.line, why);
  }

  static std::string plain(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  /// Fields of an object, with types by their names.
  template <std::size_t N>
  void flatten(const Json& object, const std::array<const char*, N>& types, Fields& fields) const {
    for (const auto& [key, value] : object.items()) {
      if (value.is_structured()) continue;
      std::string text = plain(value);
      if (key == "type") {
        const auto index = static_cast<std::size_t>(whole("type", text));
        text = index < N ? types[index] : "unknown";
      }
      fields.emplace_back(key, std::move(text));
    }
  }

  void flatten(const Json& object, bool application, bool knob, Fields& fields) const {
    if (application)
      knob ? flatten(object, kAppKnobs, fields) : flatten(object, kAppMonitors, fields);
    else
      knob ? flatten(object, kDeviceKnobs, fields) : flatten(object, kDeviceMonitors, fields);
  }

  /// {"ts": ..., "type": "PRIME_API_...", "data": ...}
  void read_json(std::string_view line) {
    // A value is copied and printed by recursion: the stack must not depend on the file.
    const auto shallow = [this](int depth, Json::parse_event_t, const Json&) {
      if (depth > kMaxDepth) refuse("is nested too deeply for a message");
      return true;
    };
    const Json message = Json::parse(line, shallow, false);
    if (message.is_discarded() || !message.is_object()) refuse("is no JSON message");
    if (!message.contains("type") || !message["type"].is_string()) refuse("has no 'type'");
    if (!message.contains("ts")) refuse("has no 'ts'");
    const std::string api = message["type"];
    const double time_s = time_of(number("ts", plain(message["ts"])));
    const Json data = message.value("data", Json());
    if (api.find("_REG") != api.npos) {
      Fields fields;
      if (data.is_array() && api.find("DEV_RETURN_KNOB") != api.npos)
        for (const Json& knob : data) {
          if (!knob.is_object() || !knob.contains("id")) refuse("registers a knob without an 'id'");
          fields.emplace_back("id", plain(knob["id"]));
          flatten(knob, false, true, fields);
        }
      // Of each knob the number comes first.
      read_registered(api, fields);
      return;
    }
    // Who answers says the value only: the number is that of the question before.
    if (api == "PRIME_API_DEV_MON_DISC_GET" || api == "PRIME_API_DEV_MON_CONT_GET") {
      asked_.clear();
      const Json& mon = data.is_object() && data.contains("mon") ? data["mon"] : data;
      if (mon.is_object()) flatten(mon, false, false, asked_);
      std::erase_if(asked_, [](const auto& field) { return field.first == "val"; });
      return;
    }
    for (const Api& one : kValues) {
      if (api != one.name) continue;
      Fields fields;
      if (data.is_object()) {
        const char* part = one.knob ? "knob" : "mon";
        if (data.contains(part) && data[part].is_object()) {
          flatten(data[part], one.application, one.knob, fields);
          if (data.contains("val")) fields.emplace_back("val_set", plain(data["val"]));
        } else {
          flatten(data, one.application, one.knob, fields);
        }
      } else {
        fields = asked_;
        fields.emplace_back("val", plain(data));
      }
      take(one, time_s, fields);
      return;
    }
  }

  TextLines lines_;
  ImportFlags& flags_;
  PrimeLog log_;
  Fields asked_;
  bool begun_ = false;
  double first_us_ = 0, last_us_ = 0;
};

const char* unit_of(const std::string& type) {
  return type == "PRIME_POW"      ? "W"
         : type == "PRIME_TEMP"   ? "C"
         : type == "PRIME_FREQ"   ? "index"
         : type == "PRIME_CYCLES" ? "cycles"
                                  : "";
}

}  // namespace

PrimeLog read_prime_log(const std::string& path, ImportFlags& flags) {
  return PrimeReader(path, flags).read();
}

std::string prime_text(const PrimeLog& log) {
  std::string text = "time_s,of,process,kind,id,type,value,unit,used\n";
  for (const PrimeRow& row : log.rows)
    fmt::format_to(std::back_inserter(text), "{:.6f},{},{},{},{},{},{:.10g},{},{}\n", row.time_s,
                   row.application ? "application" : "device", row.process,
                   row.knob ? "knob" : "monitor", row.id, row.type, row.value, unit_of(row.type),
                   row.used ? 1 : 0);
  return text;
}

}  // namespace flyball
