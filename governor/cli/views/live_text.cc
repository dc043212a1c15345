#include "governor/cli/views/live_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/cli/progress.h"
#include "governor/record/recording.h"

namespace flyball::cli {
namespace {

constexpr int kLabel = 10;  // columns of the names on the left
constexpr int kWidestBar = 36;
constexpr double kBarDeadlines = 1.5;  // a job's bar ends at this many deadlines

/// Colours only where they say something: green in time, red late, yellow held down.
struct Paint {
  bool on;
  std::string operator()(const char* code, const std::string& text) const {
    return on ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
  }
};
constexpr const char* kBold = "1";
constexpr const char* kDim = "2";
constexpr const char* kRed = "31";
constexpr const char* kGreen = "32";
constexpr const char* kYellow = "33";
constexpr const char* kCyan = "36";

double pct(std::uint64_t part, std::uint64_t whole) { return whole ? 100.0 * part / whole : 0.0; }

std::string energy_text(double energy_mj) {
  return energy_mj < 10'000 ? fmt::format("{:.0f} mJ", energy_mj)
                            : fmt::format("{:.1f} J", energy_mj / 1000);
}

std::string label(const std::string& text) {
  return fmt::format("  {:<{}} ", text.substr(0, kLabel), kLabel);
}

std::string setting_text(const PlatformSpec& platform, const AppSpec& app,
                         const AppSetting& setting) {
  const std::vector<LevelProfile>& widths = platform.apps[app.profile].levels;
  return fmt::format("{}, width {:3} %{}", platform.mappings[setting.mapping].name,
                     widths[setting.level].width_pct, widths[setting.level].suffix());
}

std::string missed_text(const LiveState::App& app) {
  return fmt::format("{} of {} missed ({:.1f} %)", app.missed, app.released,
                     pct(app.missed, app.released));
}

/// Whose decision is in force.
std::string decider_text(const std::string& policy, const LiveState& state) {
  switch (state.verdict) {
    case Shield::Verdict::kPassed:
      return state.explored ? policy + ", exploring" : policy;
    case Shield::Verdict::kClamped:
      return policy + ", clamped by the shield";
    case Shield::Verdict::kReplaced:
      return "the shield, since " + policy + "'s would have missed";
    case Shield::Verdict::kTakenOver:
      return "the shield has taken over from " + policy;
  }
  return policy;
}

}  // namespace

std::vector<std::string> live_block(const PlatformSpec& platform, const Scenario& scenario,
                                    const LiveTitle& title, const LiveState& state,
                                    const Terminal& terminal) {
  const Paint paint{terminal.colour};
  const int room = terminal.columns - 1;
  const int width = std::clamp(room - kLabel - 50, 8, kWidestBar);
  const auto draw = [&](double share, double mark = -1) {
    return bar(share, width, terminal.unicode, mark);
  };
  std::vector<std::string> lines;

  const double now_s = static_cast<double>(state.now_ns) * 1e-9;
  const double left_s = std::max(0.0, title.duration_s - now_s);
  std::string head =
      fmt::format("{} on {}, scenario {}", title.policy, platform.name, scenario.name);
  if (title.of > 1) head += fmt::format("  (policy {} of {})", title.number, title.of);
  lines.push_back(paint(kBold, head));
  std::string time = fmt::format("{:.1f} of {:g} s", now_s, title.duration_s);
  if (title.after_s > 0)
    time += fmt::format(", {} left in all", duration_text(left_s + title.after_s));
  lines.push_back(label("time") + paint(kDim, draw(now_s / title.duration_s)) + "  " + time);

  for (int c = 0; c < state.clusters; ++c) {
    const LiveState::Cluster& cluster = state.cluster[c];
    const ClusterSpec& spec = platform.clusters[c];
    const double max_khz = static_cast<double>(spec.opps.back().freq_khz);
    const auto freq_khz = static_cast<double>(cluster.freq_khz);
    lines.push_back(label(spec.name) +
                    paint(cluster.capped ? kYellow : kCyan, draw(freq_khz / max_khz)) +
                    fmt::format("  {:4.0f} of {:.0f} MHz, {:3.0f} % busy, {:.1f} C{}",
                                freq_khz / 1000, max_khz / 1000, 100 * cluster.util_mean,
                                cluster.temp_c, cluster.capped ? ", throttled" : ""));
  }
  for (int a = 0; a < state.apps; ++a) {
    const LiveState::App& app = state.app[a];
    const AppSpec& spec = scenario.apps[a];
    const auto latency = static_cast<double>(app.latency_ns),
               deadline = static_cast<double>(app.deadline_ns);
    const bool late = app.latency_ns > app.deadline_ns;
    const double share = deadline > 0 ? latency / (kBarDeadlines * deadline) : 0;
    lines.push_back(label(spec.name) + paint(late ? kRed : kGreen, draw(share, 1 / kBarDeadlines)) +
                    fmt::format("  {:5.1f} ms, due in {:.1f} ms", latency * 1e-6, deadline * 1e-6));
    std::string missed = missed_text(app);
    if (app.missed > 0) missed = paint(kRed, missed);
    if (app.infeasible > 0) missed += fmt::format(", {} infeasible", app.infeasible);
    lines.push_back(label("") +
                    fmt::format("{}, {}", setting_text(platform, spec, app.setting), missed));
  }
  std::string power =
      fmt::format("{:.0f} mW modelled, {} so far", state.power_mw, energy_text(state.energy_mj));
  if (state.finished > 0)
    power +=
        fmt::format(", {:.1f} mJ per job", state.energy_mj / static_cast<double>(state.finished));
  lines.push_back(label("power") + power);
  lines.push_back(label("decision") + decider_text(title.policy, state));
  lines.push_back(label("because") + state.why);
  for (std::string& line : lines) line = cut_to(line, room);
  return lines;
}

std::string live_line(const PlatformSpec& platform, const Scenario& scenario,
                      const LiveTitle& title, const LiveState& state) {
  std::string line = fmt::format("{:5.1f} s", static_cast<double>(state.now_ns) * 1e-9);
  for (int c = 0; c < state.clusters; ++c) {
    line += fmt::format("  {} {} MHz {:.1f} C", platform.clusters[c].name,
                        state.cluster[c].freq_khz / 1000, state.cluster[c].temp_c);
  }
  for (int a = 0; a < state.apps; ++a) {
    const LiveState::App& app = state.app[a];
    line += fmt::format("  {} {}, {:.1f}/{:.1f} ms, {}", scenario.apps[a].name,
                        setting_text(platform, scenario.apps[a], app.setting),
                        app.latency_ns * 1e-6, app.deadline_ns * 1e-6, missed_text(app));
  }
  line += fmt::format("  {:.0f} mW  {}  {}: {}", state.power_mw, energy_text(state.energy_mj),
                      decider_text(title.policy, state), state.why);
  return line;
}

}  // namespace flyball::cli
