#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <string_view>

#include "env/config/yaml.h"
#include "governor/machine/machine_profile.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"
#include "kernels/base/output_file.h"
#include "kernels/base/whole_file.h"

// The profile as a file.

namespace flyball {
namespace {

constexpr int kSchema = 1;
constexpr std::string_view kTitle =
    "# Made by 'flyball profile': the time of one inference on this machine.\n";
constexpr double kMinUs = 1e-3, kMaxUs = 1e9;

/// As a YAML double-quoted scalar. What is no plain character is left out: it says nothing.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (std::isprint(static_cast<unsigned char>(c)) == 0) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::uint32_t read_checksum(const YamlMap& model) {
  const std::string text = model.text("checksum");
  std::uint32_t value = 0;
  const char* const stop = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), stop, value, 16);
  if (text.size() != 8 || error != std::errc() || end != stop) {
    model.reject("checksum", "is not eight hexadecimal digits", "measure again: flyball profile");
  }
  return value;
}

}  // namespace

void check_profile_output(const std::string& what, const std::string& path) {
  check_output(what, path, {"a profile", kTitle});
}

std::string profile_text(const MachineProfile& profile) {
  std::string text(kTitle);
  text += fmt::format("schema: {}\n", kSchema);
  text += fmt::format(
      "machine: {{cpu: {}, cpus: {}, operators: {}{}}}\n", quoted(profile.machine.cpu),
      profile.machine.cpus, quoted(profile.machine.operators),
      profile.machine.cpu_quota > 0 ? fmt::format(", cpu_quota: {:.2f}", profile.machine.cpu_quota)
                                    : "");
  text += fmt::format("model: {{name: {}, checksum: \"{:08x}\"}}\n", quoted(profile.model),
                      profile.checksum);
  if (profile.decision_latency_us > 0)
    text += fmt::format("decision_latency_us: {:.3f}\n", profile.decision_latency_us);
  text += "rows:\n";
  for (const MachineProfile::Row& row : profile.rows) {
    text += fmt::format(
        "  - {{width_pct: {}, precision: {}, cpus: \"{}\", time_us: {:.3f}, median_us: {:.3f}, "
        "high_us: {:.3f}, batches: {}}}\n",
        row.width_pct, row.int8 ? "int8" : "fp32", row.cpus.to_string(), row.time_us, row.median_us,
        row.high_us, row.batches);
  }
  return text;
}

std::uint64_t content_hash(const MachineProfile& profile) {
  Fnv1a hash;
  hash.add(profile_text(profile));
  return hash.value();
}

void write_profile(const std::string& path, const MachineProfile& profile) {
  write_file_atomically(path, profile_text(profile));
}

MachineProfile read_profile(const std::string& path) {
  const YamlMap root =
      YamlMap::file(path, kSchema, {"machine", "model", "decision_latency_us", "rows"});
  MachineProfile profile;
  const YamlMap machine = root.map("machine", {"cpu", "cpus", "operators", "cpu_quota"});
  profile.machine.cpu = machine.text("cpu");
  profile.machine.cpus = static_cast<int>(machine.integer("cpus", 1, kMaxCpus));
  profile.machine.operators = machine.text("operators");
  profile.machine.cpu_quota = machine.number_or("cpu_quota", 0, 0.01, kMaxCpus);
  profile.decision_latency_us = root.number_or("decision_latency_us", 0, kMinUs, kMaxUs);
  const YamlMap model = root.map("model", {"name", "checksum"});
  profile.model = model.text("name");
  profile.checksum = read_checksum(model);
  for (const YamlMap& entry : root.list("rows", {"width_pct", "precision", "cpus", "time_us",
                                                 "median_us", "high_us", "batches"})) {
    MachineProfile::Row row;
    row.width_pct = static_cast<int>(entry.integer("width_pct", 1, 100));
    row.int8 = entry.choice("precision", {"fp32", "int8"}) == 1;
    const std::optional<CpuSet> cpus = parse_cpu_list(entry.text("cpus"));
    if (!cpus || cpus->empty()) {
      entry.reject("cpus", "is no list of CPUs", "write it as \"0-1\"");
    }
    row.cpus = *cpus;
    row.time_us = entry.number("time_us", kMinUs, kMaxUs);
    row.median_us = entry.number("median_us", kMinUs, kMaxUs);
    row.high_us = entry.number("high_us", kMinUs, kMaxUs);
    row.batches = static_cast<int>(entry.integer("batches", 1, 1'000'000'000));
    profile.rows.push_back(row);
  }
  return profile;
}

}  // namespace flyball
