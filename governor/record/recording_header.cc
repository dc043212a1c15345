#include "governor/record/recording_header.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "governor/record/block_writer.h"
#include "governor/record/record_codec.h"
#include "kernels/base/control_character.h"
#include "kernels/base/crc32c.h"

namespace flyball {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKnobKinds[] = {"frequency", "mapping", "width"};
constexpr const char* kDirections[] = {"lower", "higher", "neither"};

template <std::size_t N>
int index_of(const char* const (&names)[N], const std::string& name) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<int>(i);
  throw Json::other_error::create(501, "unknown name " + name, nullptr);
}

/// A number that is used as an index later.
int bounded(const Json& json, int count) {
  const auto value = json.get<std::int64_t>();
  if (value < 0 || value >= count)
    throw Json::other_error::create(502, "no such index: " + std::to_string(value), nullptr);
  return static_cast<int>(value);
}

bool is_of_a_cluster(MonitorSpec::Kind kind) {
  using Kind = MonitorSpec::Kind;
  return kind == Kind::kFreq || kind == Kind::kUtil || kind == Kind::kClusterPower ||
         kind == Kind::kTemp;
}

}  // namespace

std::string encode_header(const RecordingInfo& info) {
  Json json{{"platform", info.platform}, {"scenario", info.scenario}, {"policy", info.policy},
            {"seed", info.seed},         {"clusters", info.clusters}, {"apps", info.apps}};
  json["knobs"] = Json::array();
  for (const KnobSpec& knob : info.knobs)
    json["knobs"].push_back({{"name", knob.name},
                             {"unit", knob.unit},
                             {"kind", kKnobKinds[static_cast<int>(knob.kind)]},
                             {"index", knob.index},
                             {"values", knob.values}});
  json["monitors"] = Json::array();
  for (const MonitorSpec& monitor : info.monitors)
    json["monitors"].push_back({{"name", monitor.name},
                                {"unit", monitor.unit},
                                {"better", kDirections[static_cast<int>(monitor.direction)]},
                                {"desired", {monitor.desired_min, monitor.desired_max}},
                                {"weight", monitor.weight},
                                {"kind", static_cast<int>(monitor.kind)},
                                {"index", monitor.index}});
  const std::string text = json.dump();
  std::string header(kRecordingMagic, sizeof kRecordingMagic);
  std::uint8_t word[4];
  const auto append = [&](std::uint32_t value) {
    Encoder{word}(value);
    header.append(reinterpret_cast<const char*>(word), sizeof word);
  };
  append(kRecordingVersion);
  append(static_cast<std::uint32_t>(text.size()));
  header += text;
  append(crc32c(header.data(), header.size()));
  return header;
}

RecordingInfo decode_header_json(const std::string& text) {
  const Json json = Json::parse(text);
  RecordingInfo info;
  info.platform = printable(json.at("platform").get<std::string>());
  info.scenario = printable(json.at("scenario").get<std::string>());
  info.policy = printable(json.at("policy").get<std::string>());
  info.seed = json.at("seed");
  info.clusters = json.at("clusters").get<std::vector<std::string>>();
  info.apps = json.at("apps").get<std::vector<std::string>>();
  for (const Json& knob : json.at("knobs")) {
    const auto kind = static_cast<KnobSpec::Kind>(index_of(kKnobKinds, knob.at("kind")));
    const int count = kind == KnobSpec::Kind::kFrequency ? kMaxClusters : kMaxApps;
    info.knobs.push_back({knob.at("name"), knob.at("unit"), kind, bounded(knob.at("index"), count),
                          knob.at("values").get<std::vector<std::string>>()});
  }
  // An unlimited end of a desired range has no number in JSON and is written as null.
  const auto number = [](const Json& value, double unlimited) {
    return value.is_null() ? unlimited : value.get<double>();
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr int kKinds = static_cast<int>(MonitorSpec::Kind::kBacklog) + 1;
  for (const Json& monitor : json.at("monitors")) {
    const auto kind = static_cast<MonitorSpec::Kind>(bounded(monitor.at("kind"), kKinds));
    info.monitors.push_back(
        {monitor.at("name"), monitor.at("unit"),
         static_cast<MonitorSpec::Direction>(index_of(kDirections, monitor.at("better"))),
         number(monitor.at("desired").at(0), -kInf), number(monitor.at("desired").at(1), kInf),
         monitor.at("weight"), kind,
         bounded(monitor.at("index"), is_of_a_cluster(kind) ? kMaxClusters : kMaxApps)});
  }
  return info;
}

}  // namespace flyball
