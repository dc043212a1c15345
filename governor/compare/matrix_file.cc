#include "governor/compare/matrix_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

using LineJson = nlohmann::ordered_json;
constexpr std::size_t kMaxMatrixBytes = std::size_t{1} << 30;
constexpr const char* kKind = "runs of compare";
constexpr const char* kMatrixRemedy =
    "name what 'compare --resume' or '--shard' wrote, or another file";

LineJson value_or_null(double value) {
  return std::isfinite(value) ? LineJson(value) : LineJson(nullptr);
}
double or_nan(const LineJson& value) {
  return value.is_null() ? Metrics::kAbsent : value.get<double>();
}

std::string dumped(const LineJson& json) {
  return json.dump(-1, ' ', false, LineJson::error_handler_t::replace);
}
std::string line_of(LineJson json) {
  json["crc32c"] = fmt::format("{:08x}", crc32c(dumped(json)));
  return dumped(json);
}

/// Rows have their figures in this order.
LineJson metric_keys() {
  LineJson keys = LineJson::array();
  for (const MetricField& field : metric_fields()) keys.push_back(field.key);
  return keys;
}

LineJson head_json(const MatrixResults& m) {
  LineJson json{{"flyball", kKind},           {"schema", 1},
                {"build", m.build},           {"policies", m.policies},
                {"against", m.against},       {"seeds", m.seeds},
                {"first_seed", m.first_seed}, {"bounds", m.search},
                {"times", m.times},           {"shard", {m.shard.index, m.shard.count}}};
  json["metrics"] = metric_keys();
  LineJson& cells = json["cells"] = LineJson::array();
  for (const CellContext& c : m.cells) {
    LineJson files = LineJson::array();
    for (const auto& [policy, file] : c.policy_files) files.push_back({policy, file});
    cells.push_back({{"platform", c.platform},
                     {"scenario", c.scenario},
                     {"inputs", c.inputs},
                     {"profile", c.profile},
                     {"belief", c.belief},
                     {"plain_load", c.plain_load},
                     {"energy_wanted", c.energy_wanted},
                     {"policy_files", std::move(files)},
                     {"notes", c.notes},
                     {"footnotes", c.footnotes},
                     {"warnings", c.warnings}});
  }
  return json;
}

LineJson cell_json(const MatrixResults& m, std::size_t cell) {
  const CellContext& c = m.cells[cell];
  return {{"cell", cell},
          {"agents", c.agents},
          {"static_best", c.static_best},
          {"no_bound_reason", c.no_bound_reason}};
}

LineJson seed_json(std::size_t cell, std::size_t seed, const SeedFigures& figures) {
  LineJson json{{"cell", cell}, {"seed", seed}};
  LineJson& policies = json["policies"] = LineJson::array();
  for (const Metrics& metrics : figures.policies) {
    LineJson row = LineJson::array();
    for (const MetricField& field : metric_fields())
      row.push_back(value_or_null(metrics.*field.value));
    policies.push_back(std::move(row));
  }
  if (!figures.bounds) return json;
  const Bounds& b = *figures.bounds;
  json["bounds"] = {value_or_null(b.lower_mj),
                    value_or_null(b.best_found_mj),
                    value_or_null(b.informed_mj),
                    value_or_null(b.jobs_met),
                    b.best_found,
                    b.informed};
  return json;
}

MatrixResults head_of(const LineJson& json) {
  MatrixResults m;
  m.build = json.at("build").get<std::string>();
  m.policies = json.at("policies").get<std::vector<std::string>>();
  m.against = json.at("against").get<std::string>();
  m.seeds = json.at("seeds").get<int>();
  m.first_seed = json.at("first_seed").get<std::uint64_t>();
  m.search = json.at("bounds").get<bool>();
  m.times = json.at("times").get<bool>();
  m.shard = {json.at("shard").at(0).get<int>(), json.at("shard").at(1).get<int>()};
  for (const LineJson& cell : json.at("cells")) {
    CellContext& c = m.cells.emplace_back();
    c.platform = cell.at("platform").get<std::string>();
    c.scenario = cell.at("scenario").get<std::string>();
    c.inputs = cell.at("inputs").get<std::string>();
    c.profile = cell.at("profile").get<std::string>();
    c.belief = cell.at("belief").get<std::string>();
    c.plain_load = cell.at("plain_load").get<bool>();
    c.energy_wanted = cell.at("energy_wanted").get<bool>();
    for (const LineJson& file : cell.at("policy_files"))
      c.policy_files.emplace_back(file.at(0).get<std::string>(), file.at(1).get<std::string>());
    c.notes = cell.at("notes").get<std::vector<std::string>>();
    c.footnotes = cell.at("footnotes").get<std::vector<std::string>>();
    c.warnings = cell.at("warnings").get<std::vector<std::string>>();
  }
  return m;
}

SeedFigures figures_of(const LineJson& json, std::size_t policies) {
  SeedFigures figures;
  for (const LineJson& row : json.at("policies")) {
    Metrics& metrics = figures.policies.emplace_back();
    std::size_t i = 0;
    for (const MetricField& field : metric_fields()) metrics.*field.value = or_nan(row.at(i++));
  }
  if (figures.policies.size() != policies) throw std::runtime_error("has other policies");
  if (const auto found = json.find("bounds"); found != json.end()) {
    const LineJson& b = *found;
    figures.bounds = Bounds{or_nan(b.at(0)),
                            or_nan(b.at(1)),
                            or_nan(b.at(2)),
                            b.at(3).get<double>(),
                            b.at(4).get<std::string>(),
                            b.at(5).get<std::string>()};
  }
  return figures;
}

/// Into what was read by now.
void take_record(const LineJson& json, MatrixResults& m) {
  const auto cell = json.at("cell").get<std::size_t>();
  if (cell >= m.cells.size()) throw std::runtime_error("names a cell that there is not");
  if (const auto agents = json.find("agents"); agents != json.end()) {
    CellContext& c = m.cells[cell];
    c.agents = agents->get<std::vector<std::string>>();
    c.static_best = json.at("static_best").get<std::string>();
    c.no_bound_reason = json.at("no_bound_reason").get<std::string>();
    c.prepared = true;
    return;
  }
  const auto seed = json.at("seed").get<std::size_t>();
  if (seed >= static_cast<std::size_t>(m.seeds) ||
      !m.shard.has(cell * static_cast<std::size_t>(m.seeds) + seed))
    throw std::runtime_error("is of a seed that is not the file's");
  if (!m.seeds_done.emplace(std::pair{cell, seed}, figures_of(json, m.policies.size())).second)
    throw std::runtime_error("is of a seed that was there already");
}

/// Takes the checksum out.
void check_record(LineJson& json) {
  if (!json.is_object()) throw std::runtime_error("is no record");
  const auto crc = json.find("crc32c");
  if (crc == json.end()) throw std::runtime_error("has no checksum");
  const auto told = crc->get<std::string>();
  json.erase(crc);
  if (told != fmt::format("{:08x}", crc32c(dumped(json))))
    throw std::runtime_error("is damaged: its checksum is another");
}

MatrixResults read_records(const std::string& path, const std::vector<std::string>& lines) {
  MatrixResults m;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    try {
      LineJson json = LineJson::parse(lines[i]);
      check_record(json);
      if (i > 0) {
        take_record(json, m);
        continue;
      }
      if (json.value("flyball", "") != kKind)
        throw std::runtime_error("does not begin such a file");
      if (json.at("schema") != 1) throw std::runtime_error("is of another version of flyball");
      if (json.at("metrics") != metric_keys())
        throw std::runtime_error("is of a version of flyball with other metrics");
      m = head_of(json);
    } catch (const std::exception& error) {
      input_error(fmt::format("{}:{}", path, i + 1),
                  dynamic_cast<const LineJson::exception*>(&error) != nullptr
                      ? "is no record of such a file"
                      : error.what(),
                  kMatrixRemedy);
    }
  }
  return m;
}

std::vector<std::string> whole_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

constexpr std::string_view kDocument =
    "{\"flyball\": \"shard of compare\", \"schema\": 1, \"records\": [";

}  // namespace

std::string shard_text(const MatrixResults& results) {
  std::string text = fmt::format("{}\n{}", kDocument, line_of(head_json(results)));
  for (std::size_t c = 0; c < results.cells.size(); ++c)
    if (results.cells[c].prepared) text += fmt::format(",\n{}", line_of(cell_json(results, c)));
  for (const auto& [unit, figures] : results.seeds_done)
    text += fmt::format(",\n{}", line_of(seed_json(unit.first, unit.second, figures)));
  return text + "\n]}\n";
}

MatrixResults read_matrix_file(const std::string& path) {
  const std::string text = read_file(path, kMaxMatrixBytes);
  std::vector<std::string> lines = whole_lines(text);
  if (lines.empty()) input_error(path, "has no record", kMatrixRemedy);
  if (lines.front() == kDocument) {
    if (lines.back() != "]}") input_error(path, "is cut short", "make it again");
    lines.erase(lines.begin());
    lines.pop_back();
    for (std::string& line : lines)
      if (line.ends_with(',')) line.pop_back();
    if (lines.empty()) input_error(path, "has no record", kMatrixRemedy);
  }
  return read_records(path, lines);
}

MatrixState::MatrixState(const std::string& path, MatrixResults& results) : path_(path) {
  const std::string what = "--resume " + path;
  file_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (!file_)
    input_error(what, fmt::format("cannot be written: {}", std::strerror(errno)),
                "name a file that can be");
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
    input_error(what, "another flyball is writing it", "wait for it, or name another file");
  const std::string text = read_file(path, kMaxMatrixBytes);
  const std::vector<std::string> lines = whole_lines(text);
  if (lines.empty()) {
    // A beginning that was not written to its end is replaced; anything else is somebody's.
    if (!text.empty() && !text.starts_with("{\"flyball\""))
      input_error(what, "is no such file", kMatrixRemedy);
    if (ftruncate(file_.get(), 0) != 0) failure(what, std::strerror(errno), "name another file");
    append(line_of(head_json(results)));
    return;
  }
  MatrixResults there = read_records(path, lines);
  if (const std::string why = other_comparison(there, results); !why.empty())
    input_error(what, "is of another comparison: " + why, "name another file");
  if (there.shard != results.shard)
    input_error(what,
                fmt::format("is of shard {}/{}, not {}/{}", there.shard.index, there.shard.count,
                            results.shard.index, results.shard.count),
                "name another file");
  results.seeds_done = std::move(there.seeds_done);
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    CellContext &here = results.cells[c], &known = there.cells[c];
    here.prepared = known.prepared;
    here.agents = known.agents;
    here.static_best = known.static_best;
    here.no_bound_reason = known.no_bound_reason;
  }
  const std::size_t whole = text.rfind('\n') + 1;
  if (whole < text.size() && ftruncate(file_.get(), static_cast<off_t>(whole)) != 0)
    failure(what, std::strerror(errno), "name another file");
  lseek(file_.get(), 0, SEEK_END);
}

void MatrixState::append(const std::string& line) {
  const std::string bytes = fmt::format("{}\n", line);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t part = write(file_.get(), bytes.data() + written, bytes.size() - written);
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0)
      failure("--resume " + path_, fmt::format("cannot be written: {}", std::strerror(errno)),
              "make room, and run it again: what is in it is kept");
    written += static_cast<std::size_t>(part);
  }
}

void MatrixState::add_cell(const MatrixResults& results, std::size_t cell) {
  append(line_of(cell_json(results, cell)));
}

void MatrixState::add_seed(std::size_t cell, std::size_t seed, const SeedFigures& figures) {
  append(line_of(seed_json(cell, seed, figures)));
}

}  // namespace flyball
