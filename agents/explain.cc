#include "agents/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

using Code = Reason::Code;

std::string setting_text(const Decision& decision, const PlatformSpec& platform,
                         const Binding& app) {
  const AppSetting& setting = decision.action.app[decision.reason.index];
  if (setting.mapping >= platform.mappings.size()) return "";
  const Mapping& mapping = platform.mappings[setting.mapping];
  std::int64_t khz = 0;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    const auto& opps = platform.clusters[c].opps;
    khz = std::max(khz,
                   opps[std::min<std::size_t>(decision.action.opp[c], opps.size() - 1)].freq_khz);
  }
  std::string text = fmt::format("{} at {} MHz", mapping.name, khz / 1000);
  if (setting.level < app.levels.size() && !app.knobs.empty()) {
    text += ", " + level_text(app.knobs, app.levels[setting.level].knob, LevelText::kShort);
  }
  return text;
}

std::string reason_text(const Decision& decision, const PlatformSpec& platform,
                        const Binding& app) {
  if (platform.clusters.empty()) return "";
  const auto& n = decision.reason.number;
  const std::string who = app.name.empty() ? "" : app.name + ": ";
  const auto chosen = [&](const char* lead) {
    return fmt::format("{}{}slack {:.0f} %, demand {:.2f} -> {} (floor {:.3g})", who, lead, n[0],
                       n[1], setting_text(decision, platform, app), n[2]);
  };
  switch (decision.reason.code) {
    case Code::kNone:
      return "";
    case Code::kIdle:
      return "no job: lowest clocks";
    case Code::kChosen:
      return chosen("");
    case Code::kExplored:
      return chosen("exploring: ");
    case Code::kRunning:
      return fmt::format("{}running: {}", who, setting_text(decision, platform, app));
    case Code::kHurry:
      return fmt::format("{}hurry, the job runs long: {}", who,
                         setting_text(decision, platform, app));
    case Code::kUtil: {
      const std::size_t c =
          std::min<std::size_t>(decision.reason.index, platform.clusters.size() - 1);
      const ClusterSpec& cluster = platform.clusters[c];
      const std::size_t opp =
          std::min<std::size_t>(decision.action.opp[c], cluster.opps.size() - 1);
      return fmt::format("{} busy {:.0f} % -> {} MHz", cluster.name, n[0],
                         cluster.opps[opp].freq_khz / 1000);
    }
    case Code::kTable:
      return fmt::format("{}table says {} in {:.1f} ms, {:.0f} steps above", who,
                         setting_text(decision, platform, app), n[0], n[1]);
    case Code::kMean:
      return fmt::format("{}mean of {:.0f} jobs {:.1f} ms, limit {:.1f} -> {}", who, n[0], n[1],
                         n[2], setting_text(decision, platform, app));
    case Code::kWorkload:
      return fmt::format("{}{:.1f} Mcycles a job -> {}, decision {:.0f}",
                         n[2] > 0 ? "exploring: " : "", n[0], setting_text(decision, platform, app),
                         n[1]);
    case Code::kFixed:
      return "fixed";
    case Code::kSearched:
      return fmt::format("{}{} of {:.0f} tried: {}, {:.1f} {}", who,
                         n[1] > 0 ? "cheapest" : "late, fastest", n[0],
                         setting_text(decision, platform, app), n[2], n[1] > 0 ? "mJ" : "ms");
    case Code::kRefused: {
      std::string why;
      const auto add = [&why](const std::string& one) { why += (why.empty() ? "" : ", ") + one; };
      if (n[0] > 0) add(fmt::format("{:.0f} % likely to miss", n[0]));
      if (n[1] > 0) add(fmt::format("{:.0f} % likely to overheat", n[1]));
      if (n[2] > 0) add(fmt::format("{:.3g} points below the floor", n[2]));
      return fmt::format("{}trial of {} refused: {}", who, setting_text(decision, platform, app),
                         why);
    }
  }
  return "";
}

}  // namespace

std::string explain(const Decision& decision, const PlatformSpec& platform, const Binding& app) {
  std::string text = reason_text(decision, platform, app);
  if (std::isnan(decision.probability)) text += "; one of too many to say how likely it was";
  return text;
}

}  // namespace flyball
