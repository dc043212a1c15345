#include "governor/record/recording_header.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "env/model/content_hash.h"
#include "governor/record/record_codec.h"
#include "governor/record/scenario_hash.h"
#include "kernels/base/control_character.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/hash.h"

namespace flyball {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDirections[] = {"lower", "higher", "neither"};
constexpr const char* kScopes[] = {"platform", "cluster", "app"};
constexpr const char* kTypes[] = {"f64", "i64", "u64",  "u32",    "i32",
                                  "u8",  "i16", "bool", "derived"};
constexpr std::size_t kMaxWorkloadApps = 4096;  // who comes later may have the slot of who left
constexpr std::int64_t kMaxNs = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMaxKhz = 1'000'000'000'000;  // no clock, and no sum of some overflows

template <std::size_t N>
int index_of(const char* const (&names)[N], const std::string& name) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<int>(i);
  throw Json::other_error::create(501, "unknown name " + name, nullptr);
}

/// A whole number from `least` to `most`: get() would cut a fraction off, and of 1e300 make anything.
std::int64_t whole(const Json& json, std::int64_t least, std::int64_t most) {
  const bool fits = json.is_number_unsigned()
                        ? json.get<std::uint64_t>() <= static_cast<std::uint64_t>(most) &&
                              static_cast<std::int64_t>(json.get<std::uint64_t>()) >= least
                        : json.is_number_integer() && json.get<std::int64_t>() >= least &&
                              json.get<std::int64_t>() <= most;
  if (!fits) {
    throw Json::other_error::create(
        502, fmt::format("{} is no whole number from {} to {}", json.dump(), least, most), nullptr);
  }
  return json.get<std::int64_t>();
}

/// An array of `least` to `most` elements.
const Json& counted(const Json& json, std::size_t least, std::size_t most) {
  if (json.is_array() && json.size() >= least && json.size() <= most) return json;
  throw Json::other_error::create(
      504, fmt::format("{} elements where {} to {} can be", json.size(), least, most), nullptr);
}

/// It reaches terminals and CSV files.
std::string name_of(const Json& json) { return printable(json.get<std::string>()); }

/// As text: JSON's numbers lose the last bits of it.
std::string hex(std::uint64_t hash) { return hash == 0 ? "" : fmt::format("{:016x}", hash); }

std::uint64_t from_hex(const Json& json) {
  const auto text = json.get<std::string>();
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
  if (error != std::errc() ? !text.empty() : end != text.data() + text.size())
    throw Json::other_error::create(503, "no hash: " + text, nullptr);
  return hash;
}

Json rows_json(const std::vector<Monitor>& rows) {
  Json json = Json::array();
  for (const Monitor& row : rows) {
    Json one{{"name", row.name},
             {"unit", row.unit},
             {"better", kDirections[static_cast<int>(row.direction)]},
             {"scope", kScopes[static_cast<int>(row.scope)]},
             {"index", row.index},
             {"type", kTypes[static_cast<int>(row.type)]},
             {"scale", row.scale},
             {"resolution", row.resolution},
             {"desired", {row.desired_min, row.desired_max}},
             {"weight", row.weight},
             {"measured", row.measured}};
    json.push_back(std::move(one));
  }
  return json;
}

std::vector<Monitor> rows_of(const Json& json) {
  // An unlimited end of a desired range has no number in JSON and is written as null.
  const auto number = [](const Json& value, double unlimited) {
    return value.is_null() ? unlimited : value.get<double>();
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::vector<Monitor> rows;
  for (const Json& one : json) {
    Monitor row;
    row.name = name_of(one.at("name"));
    row.unit = name_of(one.at("unit"));
    row.direction = static_cast<Monitor::Direction>(index_of(kDirections, one.at("better")));
    row.scope = static_cast<Monitor::Scope>(index_of(kScopes, one.at("scope")));
    row.index = static_cast<std::uint16_t>(whole(
        one.at("index"), 0, (row.scope == Monitor::Scope::kCluster ? kMaxClusters : kMaxApps) - 1));
    row.type = static_cast<Monitor::Type>(index_of(kTypes, one.at("type")));
    row.scale = one.at("scale");
    row.resolution = one.at("resolution");
    row.desired_min = number(one.at("desired").at(0), -kInf);
    row.desired_max = number(one.at("desired").at(1), kInf);
    row.weight = one.at("weight");
    row.measured = one.at("measured");
    rows.push_back(std::move(row));
  }
  return rows;
}

Json workload_json(const RecordedWorkload& workload) {
  Json json{{"queue_limits", Json::array()}};
  for (const auto& [app, limit] : workload.queue_limits)
    json["queue_limits"].push_back({{"app", app}, {"jobs", limit}});
  if (workload.battery_mj > 0)
    json["battery"] = {{"capacity_mj", workload.battery_mj},
                       {"charge_pct", workload.battery_pct},
                       {"until_ns", workload.battery_until_ns}};
  return json;
}

RecordedWorkload workload_of(const Json& json) {
  RecordedWorkload workload;
  for (const Json& one : counted(json.at("queue_limits"), 0, kMaxWorkloadApps))
    workload.queue_limits.emplace_back(name_of(one.at("app")),
                                       static_cast<int>(whole(one.at("jobs"), 1, kMaxQueue)));
  if (!json.contains("battery")) return workload;
  const Json& battery = json.at("battery");
  workload.battery_mj = battery.at("capacity_mj");
  workload.battery_pct = battery.at("charge_pct");
  workload.battery_until_ns = whole(battery.at("until_ns"), 0, kMaxNs);
  if (!(workload.battery_mj > 0 && workload.battery_mj < 1e15 && workload.battery_pct >= 0 &&
        workload.battery_pct <= 100))
    throw Json::other_error::create(505, "no battery: " + battery.dump(), nullptr);
  return workload;
}

std::uint64_t hash_of(const PlatformSpec& platform) {
  Fnv1a hash;
  hash.add(content_hash(platform));
  for (const AppProfile& app : platform.apps) hash.add(content_hash(platform, app));
  return hash.value();
}

}  // namespace

RecordingInfo recording_info(const PlatformSpec& platform, const Belief& belief,
                             const Scenario& scenario, const std::string& policy,
                             std::uint64_t seed, const RewardWeights& weights,
                             const std::vector<std::string>& measured) {
  RecordingInfo info;
  info.platform.name = platform.name;
  info.platform.mappings = platform.mappings;
  for (const ClusterSpec& cluster : platform.clusters) {
    ClusterSpec named;
    named.name = cluster.name;
    named.opps = cluster.opps;
    info.platform.clusters.push_back(std::move(named));
  }
  info.scenario = scenario.name;
  info.policy = policy;
  info.seed = seed;
  info.weights = weights;
  info.hashes.platform = hash_of(platform);
  info.hashes.scenario = scenario_hash(scenario);
  Fnv1a believed;
  believed.add(hash_of(belief.mean));
  believed.add(belief.mean.time_spread.value_or(0));
  believed.add(belief.mean.power_spread.value_or(0));
  info.hashes.belief = believed.value();
  for (const AppSpec& app : scenario.apps)
    info.workload.queue_limits.emplace_back(app.name, app.queue_limit);
  info.workload.battery_mj = scenario.battery_mj;
  info.workload.battery_pct = scenario.battery_pct;
  info.workload.battery_until_ns = scenario.battery_until_ns;
  info.measured = measured;
  MonitorTable table(platform, weights, measured);
  info.monitors = table.rows();
  table.bind(0, {}, {});
  info.app_monitors.assign(table.rows().begin() + static_cast<std::ptrdiff_t>(info.monitors.size()),
                           table.rows().end());
  return info;
}

std::string encode_header(const RecordingInfo& info) {
  const RewardWeights& weights = info.weights;
  Json json{{"platform", info.platform.name},
            {"scenario", info.scenario},
            {"policy", info.policy},
            {"seed", info.seed}};
  json["hashes"] = {{"platform", hex(info.hashes.platform)},
                    {"belief", hex(info.hashes.belief)},
                    {"scenario", hex(info.hashes.scenario)},
                    {"profile", hex(info.hashes.profile)},
                    {"policy", hex(info.hashes.policy)}};
  json["weights"] = {{"miss", weights.miss},
                     {"accuracy_per_pct", weights.accuracy_per_pct},
                     {"budget", weights.budget},
                     {"heat_per_c_s", weights.heat_per_c_s},
                     {"temp_limit_c", weights.temp_limit_c},
                     {"ref_energy_mj", weights.ref_energy_mj}};
  json["clusters"] = Json::array();
  for (const ClusterSpec& cluster : info.platform.clusters) {
    Json freqs = Json::array(), volts = Json::array();
    for (const OperatingPoint& opp : cluster.opps) {
      freqs.push_back(opp.freq_khz);
      volts.push_back(opp.voltage_mv);
    }
    json["clusters"].push_back(
        {{"name", cluster.name}, {"freq_khz", std::move(freqs)}, {"voltage_mv", std::move(volts)}});
  }
  json["mappings"] = Json::array();
  for (const Mapping& mapping : info.platform.mappings) {
    Json cores = Json::array();
    for (std::size_t c = 0; c < info.platform.clusters.size(); ++c)
      cores.push_back(mapping.cores[c]);
    json["mappings"].push_back({{"name", mapping.name}, {"cores", std::move(cores)}});
  }
  json["workload"] = workload_json(info.workload);
  json["measured"] = info.measured;
  json["monitors"] = rows_json(info.monitors);
  json["app_monitors"] = rows_json(info.app_monitors);
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
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
  info.platform.name = name_of(json.at("platform"));
  info.scenario = name_of(json.at("scenario"));
  info.policy = name_of(json.at("policy"));
  if (!json.at("seed").is_number_unsigned())
    throw Json::other_error::create(502, "no seed: " + json.at("seed").dump(), nullptr);
  info.seed = json.at("seed");
  const Json& hashes = json.at("hashes");
  info.hashes = {from_hex(hashes.at("platform")), from_hex(hashes.at("belief")),
                 from_hex(hashes.at("scenario")), from_hex(hashes.at("profile")),
                 from_hex(hashes.at("policy"))};
  const Json& weights = json.at("weights");
  info.weights = {weights.at("miss"),         weights.at("accuracy_per_pct"),
                  weights.at("budget"),       weights.at("heat_per_c_s"),
                  weights.at("temp_limit_c"), weights.at("ref_energy_mj")};
  for (const Json& one : counted(json.at("clusters"), 1, kMaxClusters)) {
    ClusterSpec cluster;
    cluster.name = name_of(one.at("name"));
    const Json& freqs = counted(one.at("freq_khz"), 1, kMaxOpps);
    const Json& volts = counted(one.at("voltage_mv"), freqs.size(), freqs.size());
    for (std::size_t i = 0; i < freqs.size(); ++i)
      cluster.opps.push_back({whole(freqs.at(i), 0, kMaxKhz), volts.at(i).get<double>()});
    info.platform.clusters.push_back(std::move(cluster));
  }
  for (const Json& one : counted(json.at("mappings"), 0, kMaxMappings)) {
    Mapping mapping;
    mapping.name = name_of(one.at("name"));
    const std::size_t clusters = info.platform.clusters.size();
    const Json& cores = counted(one.at("cores"), clusters, clusters);
    for (std::size_t c = 0; c < clusters; ++c)
      mapping.cores[c] = static_cast<std::uint8_t>(whole(cores.at(c), 0, 255));
    info.platform.mappings.push_back(std::move(mapping));
  }
  if (json.contains("workload")) info.workload = workload_of(json.at("workload"));
  for (const Json& one : json.at("measured")) info.measured.push_back(name_of(one));
  info.monitors = rows_of(json.at("monitors"));
  info.app_monitors = rows_of(json.at("app_monitors"));
  return info;
}

}  // namespace flyball
