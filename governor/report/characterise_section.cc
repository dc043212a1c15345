#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "governor/report/sections.h"

namespace flyball::report {
namespace {

std::string level_of(const Json& row) {
  // What stands between "cores" and "time_ms" are the application's own knobs.
  std::string text;
  bool own = false;
  for (const auto& [key, value] : row.items()) {
    if (key == "time_ms") break;
    if (own)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key,
                          value.is_string() ? value.get<std::string>() : value.dump());
    own = own || key == "cores";
  }
  return text;
}

/// All points, a series per unit and number of cores, and the front of the two.
Figure points(const Json& json, const char* name, const char* title, const char* caption,
              const char* y_key, const Axis& y) {
  Figure figure{name, title, caption, {"time of a classification", "ms", true}, y};
  std::map<std::string, std::size_t> places;
  std::vector<std::pair<double, double>> all;
  for (const Json& row : json.at("rows")) {
    const double time_ms = number_at(row, "time_ms"), value = number_at(row, y_key);
    if (!(time_ms > 0 && value > 0)) continue;
    const std::string who =
        fmt::format("{} x{}", row.at("unit").get<std::string>(), row.at("cores").get<int>());
    const auto [place, is_new] = places.emplace(who, figure.series.size());
    if (is_new)
      figure.series.push_back({who, Series::Kind::kPoints, static_cast<int>(place->second)});
    Series& one = figure.series[place->second];
    one.x.push_back(time_ms);
    one.y.push_back(value);
    one.text.push_back(fmt::format(
        "{:g} MHz, {}: {} ms, {} mW, {} mJ, {} % top-1", row.at("mhz").get<double>(), level_of(row),
        digits(time_ms, 1), digits(number_at(row, "power_mw"), 0),
        digits(number_at(row, "energy_mj"), 1), digits(number_at(row, "accuracy_pct"), 1)));
    all.emplace_back(time_ms, value);
  }
  Series front{"Pareto front", Series::Kind::kSteps, -1, true};
  std::ranges::sort(all);
  for (const auto& [time_ms, value] : all) {
    if (!front.y.empty() && value >= front.y.back()) continue;
    front.x.push_back(time_ms);
    front.y.push_back(value);
  }
  figure.series.push_back(std::move(front));
  for (const char* key : {"best", "nearest"}) {
    const auto chosen = json.find(key);
    if (chosen == json.end() || chosen->is_null()) continue;
    Series one{std::string(key) + " for the budget", Series::Kind::kPoints, -2};
    one.x = {number_at(*chosen, "time_ms")}, one.y = {number_at(*chosen, y_key)};
    one.labelled = true;
    figure.series.push_back(std::move(one));
  }
  return figure;
}

}  // namespace

Section characterise_section(const Json& json) {
  Section section;
  section.title = fmt::format("{} on {}: every operating point", json.at("app").get<std::string>(),
                              json.at("platform").get<std::string>());
  section.notes.push_back("From the model: each point alone, settled at 25 °C ambient.");
  for (const char* key : {"times_source", "warnings"})
    if (const auto notes = json.find(key); notes != json.end() && notes->is_array())
      for (const Json& note : *notes) section.notes.push_back(note.get<std::string>());
  for (Figure figure :
       {points(json, "energy_time", "Energy against time",
               "A point is a clock at a level, of so many cores of a unit (DVFS along a series, "
               "task mapping between series). The front is what nothing undercuts in both, "
               "whatever its accuracy.",
               "energy_mj", {"energy of a classification", "mJ", true}),
        points(json, "power_time", "Power against classification time",
               "The same points by the power of the unit's rail while it runs.", "power_mw",
               {"power", "mW", true})})
    if (figure.points() > 0) section.figures.push_back(std::move(figure));
  if (section.figures.empty())
    section.notes.push_back("A plain load has no time and no energy per job: nothing to draw.");
  return section;
}

Figure characterise_figure(const Json& json, const std::string& name) {
  Report report{{characterise_section(json)}};
  return figure_of(report, name);
}

Section training_section(const Json& json) {
  Section section;
  section.title = fmt::format("Training of {} on {}", json.at("agent").get<std::string>(),
                              json.at("platform").get<std::string>());
  if (const auto tried = json.find("validation"); tried != json.end() && tried->contains("verdict"))
    section.verdict = tried->at("verdict").get<std::string>();
  const auto curve = [&](const char* name, const char* title, const char* key, const Axis& y) {
    Figure figure{name,
                  title,
                  "A point is the mean of the episodes since the one before.",
                  {"episodes", ""},
                  y};
    Series one{title, Series::Kind::kLine, 0};
    for (const Json& point : json.at("curve")) {
      one.x.push_back(number_at(point, "episodes"));
      one.y.push_back(number_at(point, key));
    }
    figure.series.push_back(std::move(one));
    section.figures.push_back(std::move(figure));
  };
  curve("learning_reward", "Reward of an episode", "reward", {"reward", ""});
  curve("learning_energy", "Energy per job", "energy_mj_per_job", {"energy per job", "mJ"});
  curve("learning_misses", "Misses", "deadline_miss_pct", {"deadlines missed", "%"});
  return section;
}

}  // namespace flyball::report
