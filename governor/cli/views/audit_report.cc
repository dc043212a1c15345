#include "governor/cli/views/audit_report.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "governor/cli/options.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

bool tells(const Estimate& off) { return std::isfinite(off.mean) && (off.lo > 0 || off.hi < 0); }

/// Of Linux's mean, %.
Estimate relative(const AuditFigure& figure) {
  const double per_pct = 100 / figure.linux_governor.mean;
  return {figure.difference.mean * per_pct, figure.difference.lo * per_pct,
          figure.difference.hi * per_pct};
}

std::string interval(const Estimate& off, int decimals) {
  if (!std::isfinite(off.mean)) return "-";
  if (!std::isfinite(off.lo)) return fmt::format("{:+.{}f}", off.mean, decimals);
  return fmt::format("{:+.{}f} [{:+.{}f}, {:+.{}f}]", off.mean, decimals, off.lo, decimals, off.hi,
                     decimals);
}

Json estimate_json(const Estimate& figure) {
  return {{"mean", number_or_null(figure.mean)},
          {"ci95", {number_or_null(figure.lo), number_or_null(figure.hi)}}};
}

const char* verdict(const AuditFigure& power) {
  if (!tells(power.difference)) return "no_difference_seen";
  return power.difference.mean < 0 ? "saves" : "costs";
}

std::string verdict_text(const AuditResult& result) {
  const AuditFigure& power = result.figures.front();
  const Estimate& off = power.difference;
  if (!std::isfinite(off.lo))
    return "Whether flyball saves anything here cannot be told: fewer than two rounds have "
           "figures.";
  if (!tells(off)) {
    return fmt::format(
        "Whether flyball saves anything here cannot be told from {} rounds: the difference is "
        "between {:+.1f} and {:+.1f} mW. More of --minutes makes that narrower.",
        result.rounds, off.lo, off.hi);
  }
  return fmt::format("Under this load flyball {} {:.1f} mW here ({:.1f} to {:.1f}; {:.1f} %).",
                     off.mean < 0 ? "saves" : "costs", std::abs(off.mean),
                     std::min(std::abs(off.lo), std::abs(off.hi)),
                     std::max(std::abs(off.lo), std::abs(off.hi)), std::abs(relative(power).mean));
}

/// The shadow's saving against the measured one, mW.
bool prediction_held(const AuditResult& result) {
  const Estimate& off = result.figures.front().difference;
  const double predicted = result.predicted_ours_mw - result.predicted_linux_mw;
  return predicted >= off.lo && predicted <= off.hi;
}

}  // namespace

Json audit_json(const AuditResult& result) {
  Json json{{"schema", 1},
            {"policy", result.policy},
            {"linux_governors", result.governors},
            {"power_source", result.power_source},
            {"block_s", result.block_s},
            {"rounds", result.rounds},
            {"verdict", verdict(result.figures.front())},
            {"saved_pct", estimate_json([&] {
               const Estimate off = relative(result.figures.front());
               return Estimate{-off.mean, -off.hi, -off.lo};
             }())}};
  for (const AuditFigure& figure : result.figures) {
    json[figure.key] = {{"linux", estimate_json(figure.linux_governor)},
                        {"flyball", estimate_json(figure.flyball)},
                        {"difference", estimate_json(figure.difference)}};
  }
  const double predicted = result.predicted_ours_mw - result.predicted_linux_mw;
  json["predicted_difference_mw"] = number_or_null(predicted);
  json["prediction_within_ci95"] =
      std::isfinite(predicted) && std::isfinite(result.figures.front().difference.lo)
          ? Json(prediction_held(result))
          : Json(nullptr);
  json["notes"] = result.notes;
  return json;
}

std::string audit_text(const AuditResult& result, int columns) {
  Table table({{"of the time measured", ""},
               {"", "", true},
               {"Linux", ""},
               {"flyball", ""},
               {"difference [95 %]", ""},
               {"of Linux's", "%"}});
  for (const AuditFigure& figure : result.figures) {
    if (!std::isfinite(figure.difference.mean)) continue;
    table.add_row({figure.heading, figure.unit, fixed(figure.linux_governor.mean, figure.decimals),
                   fixed(figure.flyball.mean, figure.decimals),
                   interval(figure.difference, figure.decimals), fixed(relative(figure).mean, 1)});
  }
  std::string text = table.render(columns);
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  say(verdict_text(result));
  const std::set<std::string> governors(result.governors.begin(), result.governors.end());
  say(fmt::format(
      "Power is measured: {}. {} rounds of three blocks of {:g} s in random order: {}, Linux's own "
      "({}), and Linux's own watched. Flyball's own work is in its power, and waking ten times a "
      "second to look in Linux's.",
      result.power_source, result.rounds, result.block_s, result.policy,
      joined({governors.begin(), governors.end()})));
  if (std::isfinite(result.predicted_ours_mw) &&
      std::isfinite(result.figures.front().difference.lo)) {
    say(fmt::format(
        "'shadow' predicts {:+.1f} mW, by the model with assumed voltages: {} what was measured.",
        result.predicted_ours_mw - result.predicted_linux_mw,
        prediction_held(result) ? "within" : "NOT within"));
  }
  for (const AuditFigure& figure : result.figures) {
    if (std::isfinite(figure.difference.mean)) continue;
    say(fmt::format("Not known here: {}.", figure.heading));
  }
  for (const std::string& note : result.notes) say(note);
  return text;
}

}  // namespace flyball::cli
