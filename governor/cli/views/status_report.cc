#include "governor/cli/views/status_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

double seconds_of(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }
bool dry(const StatusFacts& facts) {
  return facts.mode == static_cast<std::uint8_t>(GovernorMode::kDryRun);
}
std::string errno_text(std::int32_t error) { return std::generic_category().message(error); }

std::string clock_of(const StatusShown& shown, std::size_t c) {
  if (shown.now.napping != 0) return "Linux's";
  return fixed(static_cast<double>(shown.now.cluster[c].asked_khz) / 1e3, 0);
}

std::string temperature_of(const StatusShown& shown, std::size_t c) {
  const double trip_c = shown.facts.cluster[c].trip_c;
  const std::string temp = fixed(shown.now.cluster[c].temp_c, 1);
  return trip_c > 0 ? fmt::format("{} of {}", temp, fixed(trip_c, 0)) : temp;
}

std::string clusters_table(const StatusShown& shown, int columns) {
  Table table({{"policy", ""},
               {"CPUs", "", true},
               {"asked", "MHz"},
               {"delivered", "MHz"},
               {"busiest core", "%"},
               {"all cores", "%"},
               {"modelled", "W"},
               {"temperature", "C"},
               {"actuator", "", true}});
  for (std::size_t c = 0; c < static_cast<std::size_t>(shown.facts.clusters); ++c) {
    const StatusNow::Cluster& now = shown.now.cluster[c];
    const StatusFacts::Cluster& facts = shown.facts.cluster[c];
    const std::string cpus = facts.cpus.get();
    table.add_row({facts.name.get(), cpus.empty() ? "-" : cpus, clock_of(shown, c),
                   fixed(now.delivered_khz / 1e3, 0), fixed(100 * now.busiest, 1),
                   fixed(100 * now.busy, 1), fixed(now.modelled_mw / 1e3, 2),
                   temperature_of(shown, c), facts.actuator.get()});
  }
  return table.render(columns);
}

/// Whatever stands in the page.
std::size_t idle_states_of(const StatusFacts::Cluster& facts) {
  return static_cast<std::size_t>(std::clamp(facts.idle_states, 0, StatusFacts::kIdleStates));
}

/// What is not as it should be with a policy.
void add_troubles(const StatusShown& shown, std::vector<std::string>& sentences) {
  for (std::size_t c = 0; c < static_cast<std::size_t>(shown.facts.clusters); ++c) {
    const StatusNow::Cluster& now = shown.now.cluster[c];
    const std::string name = shown.facts.cluster[c].name.get();
    if (now.error != 0)
      sentences.push_back(
          fmt::format("{}: the last write failed: {}.", name, errno_text(now.error)));
    if (now.stood_down > 0)
      sentences.push_back(fmt::format("{} is left to another program.", name));
    if (now.ignored > 0)
      sentences.push_back(fmt::format("{}: {} writes were without effect.", name, now.ignored));
    if (now.min_khz > 0 || now.max_khz > 0) {
      sentences.push_back(fmt::format(
          "{} is held within {:.0f} and {:.0f} MHz, as it was set.", name,
          static_cast<double>(now.min_khz > 0 ? now.min_khz : shown.facts.cluster[c].lowest_khz) /
              1e3,
          static_cast<double>(now.max_khz > 0 ? now.max_khz : shown.facts.cluster[c].highest_khz) /
              1e3));
    }
  }
}

std::vector<std::string> notes_of(const StatusShown& shown) {
  std::vector<std::string> notes;
  const std::uint32_t count = shown.now.notes;
  for (std::uint32_t n = count - std::min<std::uint32_t>(count, StatusNow::kNotes); n < count;
       ++n) {
    const StatusNow::Note& note = shown.now.note[n % StatusNow::kNotes];
    notes.push_back(
        fmt::format("{} ago: {}", duration_text(shown.now_ns - note.at_ns), note.text.get()));
  }
  return notes;
}

}  // namespace

std::string duration_text(std::int64_t ns) {
  const std::int64_t s = std::max<std::int64_t>(0, ns) / 1'000'000'000;
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
}

std::string power_kind(double measured_share) {
  if (measured_share <= 0) return "modelled";
  if (measured_share > 0.995) return "measured";
  return fmt::format("measured for {:.0f} % of the time, else modelled",
                     std::max(1.0, 100 * measured_share));
}

std::string power_source_text(const StatusFacts& facts, const StatusNow& now) {
  const std::string source = facts.power_source.get();
  if (source.empty()) return "modelled, with assumed voltages";
  if (now.measured_share <= 0) return fmt::format("modelled: {} told nothing meanwhile", source);
  return fmt::format("{} ({})", power_kind(now.measured_share), source);
}

std::string idle_text(const StatusShown& shown, std::size_t cluster) {
  const StatusFacts::Cluster& facts = shown.facts.cluster[cluster];
  std::string text;
  for (std::size_t s = 0; s < idle_states_of(facts); ++s) {
    const double share = shown.now.cluster[cluster].idle_share[s];
    if (!std::isfinite(share)) continue;
    text += fmt::format("{}{} {} %", text.empty() ? "" : ", ", facts.idle_state[s].get(),
                        fixed(100 * share, 0));
  }
  return text;
}

std::string mode_text(const StatusFacts& facts) {
  return dry(facts) ? "a dry run, which writes nothing" : "flyball governs";
}

std::string status_text(const StatusShown& shown, int columns) {
  const StatusNow& now = shown.now;
  std::vector<std::string> sentences = {fmt::format(
      "{}: policy {}, process {}, for {}.", mode_text(shown.facts), shown.facts.policy.get(),
      shown.facts.pid, duration_text(shown.now_ns - shown.facts.start_ns))};
  if (shown.stalled()) {
    sentences.push_back(fmt::format("It has not come round for {}: it hangs, or is stopped.",
                                    duration_text(shown.now_ns - now.at_ns)));
  }
  std::string text;
  const auto flush = [&] {
    for (const std::string& sentence : sentences) text += wrapped(sentence, columns, 2);
    sentences.clear();
  };
  flush();
  if (now.window_ns <= 0) return text + "Its first second is not over.\n";
  text += clusters_table(shown, columns);
  sentences.push_back(fmt::format("Power {} W, {}; means of {:.1f} s.",
                                  fixed(now.power_mw / 1e3, 2), power_source_text(shown.facts, now),
                                  seconds_of(now.window_ns)));
  for (std::size_t c = 0; c < static_cast<std::size_t>(shown.facts.clusters); ++c) {
    if (const std::string idle = idle_text(shown, c); !idle.empty())
      sentences.push_back(fmt::format("{} idle: {} of the time of its CPUs.",
                                      shown.facts.cluster[c].name.get(), idle));
  }
  if (now.napping != 0) sentences.push_back("Nothing runs: Linux governs, as it was found.");
  if (now.scored > 0) {
    sentences.push_back(
        fmt::format("Predictions were off by {} points of busy share and {} % of the modelled "
                    "power, in the mean of "
                    "{} busy seconds.",
                    fixed(100 * now.busy_error, 1), fixed(100 * now.power_error, 0), now.scored));
  }
  if (now.epoch_ns > 0)
    sentences.push_back(
        fmt::format("Epoch {} ms, as it was set.", fixed(seconds_of(now.epoch_ns) * 1e3, 1)));
  if (now.preference != 0.5)
    sentences.push_back(fmt::format("Preference {}, as {}.", fixed(now.preference, 2),
                                    now.preference_set != 0
                                        ? "it was set"
                                        : "the scenario has it, or since it runs on its battery"));
  add_troubles(shown, sentences);
  for (const std::string& note : notes_of(shown)) sentences.push_back(note);
  flush();
  return text;
}

Json status_json(const StatusShown& shown) {
  const StatusNow& now = shown.now;
  const bool known = now.window_ns > 0;
  const std::string source = shown.facts.power_source.get();
  Json json{{"schema", 1},
            {"running", true},
            {"pid", shown.facts.pid},
            {"mode", dry(shown.facts) ? "dry_run" : "governs"},
            {"policy", shown.facts.policy.get()},
            {"up_s", seconds_of(shown.now_ns - shown.facts.start_ns)},
            {"age_s", seconds_of(shown.now_ns - now.at_ns)},
            {"stalled", shown.stalled()}};
  if (!known) return json;
  json["window_s"] = seconds_of(now.window_ns);
  json["epochs"] = now.epochs;
  json["epoch_ms"] = seconds_of(now.epoch_ns > 0 ? now.epoch_ns : shown.facts.epoch_ns) * 1e3;
  json["preference"] = number_or_null(now.preference);
  json["idle"] = now.napping != 0;
  json["power_mw"] = number_or_null(now.power_mw);
  json["power_source"] = source.empty() || now.measured_share <= 0 ? "model" : source;
  json["power_measured_pct"] = 100 * now.measured_share;
  json["energy_mj"] = number_or_null(now.energy_mj);
  json["energy_measured_mj"] = number_or_null(now.energy_measured_mj);
  json["predictions"] = {{"scored", now.scored}};
  if (now.scored > 0) {
    json["predictions"]["busy_error_pct"] = number_or_null(100 * now.busy_error);
    json["predictions"]["power_error_pct"] = number_or_null(100 * now.power_error);
  }
  Json& rows = json["clusters"] = Json::array();
  for (std::size_t c = 0; c < static_cast<std::size_t>(shown.facts.clusters); ++c) {
    const StatusFacts::Cluster& facts = shown.facts.cluster[c];
    const StatusNow::Cluster& one = now.cluster[c];
    Json& row = rows.emplace_back(Json{{"name", facts.name.get()},
                                       {"policies", facts.policies.get()},
                                       {"cpus", facts.cpus.get()},
                                       {"actuator", facts.actuator.get()},
                                       {"actuator_reason", facts.why.get()},
                                       {"asked_khz", one.asked_khz},
                                       {"delivered_khz", number_or_null(one.delivered_khz)},
                                       {"busiest_pct", number_or_null(100 * one.busiest)},
                                       {"busy_pct", number_or_null(100 * one.busy)},
                                       {"modelled_power_mw", number_or_null(one.modelled_mw)},
                                       {"temp_c", number_or_null(one.temp_c)},
                                       {"decisions", one.decisions},
                                       {"writes", one.writes},
                                       {"refused", one.refused},
                                       {"rounded", one.rounded},
                                       {"ignored", one.ignored},
                                       {"stood_down", one.stood_down},
                                       {"errno", one.error}});
    if (idle_states_of(facts) > 0) {
      Json& states = row["idle_states"] = Json::array();
      for (std::size_t s = 0; s < idle_states_of(facts); ++s)
        states.push_back({{"name", facts.idle_state[s].get()},
                          {"share_pct", number_or_null(100 * one.idle_share[s])}});
    }
    if (facts.trip_c > 0) row["trip_c"] = number_or_null(facts.trip_c);
    if (one.min_khz > 0) row["min_khz"] = one.min_khz;
    if (one.max_khz > 0) row["max_khz"] = one.max_khz;
  }
  json["notes"] = notes_of(shown);
  return json;
}

}  // namespace flyball::cli
