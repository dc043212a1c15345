#include "governor/cli/views/live_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "agents/explain.h"
#include "env/spaces/reward.h"
#include "governor/cli/progress.h"
#include "governor/cli/views/legend.h"
#include "governor/cli/views/sparkline.h"
#include "governor/record/recording.h"
#include "kernels/base/counted.h"

namespace flyball::cli {
namespace {

constexpr int kLabel = 10;  // columns of the names on the left
constexpr int kMargin = kLabel + 3;
constexpr int kWidestBar = 36;
constexpr int kNarrowestBar = 8;
constexpr int kBesideBar = 50;              // of the widest text that has a bar
constexpr int kBesideHistory = 26;          // of "up to 0.93 of a deadline"
constexpr double kShortestSuspend_s = 0.1;  // the two clocks are not read at the same time
constexpr double kBarDeadlines = 1.5;       // a job's bar ends at this many deadlines

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

double pct(std::uint64_t part, std::uint64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// Those that the scenario knows: other processes' come behind them, and are in the totals only.
int own_apps(const Scenario& scenario, const LiveState& state) {
  return std::min(state.apps, static_cast<int>(scenario.apps.size()));
}

struct Totals {
  std::uint64_t finished = 0, missed = 0, settled = 0;
};

/// Of all applications.
Totals totals(const LiveState& state) {
  Totals sum;
  for (int a = 0; a < state.apps; ++a) {
    const JobCount& jobs = state.app[a].jobs;
    sum.finished += jobs.finished;
    sum.missed += jobs.settled_and_missed();
    sum.settled += jobs.settled();
  }
  return sum;
}

std::string energy_text(double energy_mj) {
  return energy_mj < 10'000 ? fmt::format("{:.0f} mJ", energy_mj)
                            : fmt::format("{:.1f} J", energy_mj / 1000);
}

std::string label(const std::string& text) {
  return fmt::format("  {:<{}} ", text.substr(0, kLabel), kLabel);
}

std::string setting_text(const PlatformSpec& platform, const AppSpec& app,
                         const AppSetting& setting) {
  return platform.mappings[setting.mapping].name + ", " +
         platform.apps[app.profile].level_text(setting.level, LevelText::kAligned);
}

std::string missed_text(const LiveState::App& app) {
  const std::uint64_t missed = app.jobs.settled_and_missed(), settled = app.jobs.settled();
  if (settled == 0) return "no job finished yet";
  return fmt::format("{} of {} missed ({:.2f} %)", missed, settled, pct(missed, settled));
}

/// Whose decision is in force.
std::string decider_text(const std::string& policy, const LiveState& state) {
  switch (state.verdict) {
    case Shield::Verdict::kPassed:
      return policy;  // that it explores is among its reasons
    case Shield::Verdict::kClamped:
      return policy + ", clamped by the shield";
    case Shield::Verdict::kReplaced:
      return "the shield, since " + policy + "'s would have missed";
    case Shield::Verdict::kTakenOver:
      return "the shield has taken over from " + policy;
  }
  return policy;
}

/// The words for the last job's decision.
std::string why_text(const PlatformSpec& platform, const Scenario& scenario,
                     const LiveState& state) {
  const std::size_t slot = state.decision.reason.index;
  if (slot >= scenario.apps.size()) return explain(state.decision, platform, {});
  const AppSpec& app = scenario.apps[slot];
  return explain(state.decision, platform,
                 binding_of(app, platform.apps[static_cast<std::size_t>(app.profile)]));
}

/// The lines of the display, one part each: what is measured is always there, a bar before it where
/// there is room.
class Block {
 public:
  Block(const PlatformSpec& platform, const Scenario& scenario, const LiveState& state,
        const Terminal& terminal)
      : platform_(platform),
        scenario_(scenario),
        state_(state),
        paint_{terminal.colour},
        unicode_(terminal.unicode),
        room_(terminal.columns - 1),
        bar_(std::min(room_ - kMargin - kBesideBar, kWidestBar)) {}

  void time(const LiveTitle& title, const Look& look) {
    std::string head =
        fmt::format("{} on {}, scenario {}", title.policy, platform_.name, scenario_.name);
    if (title.of > 1) head += fmt::format("  (policy {} of {})", title.number, title.of);
    lines_.push_back(paint_(kBold, head));
    const double now_s = static_cast<double>(state_.now_ns) * 1e-9;
    std::string text = fmt::format("{:.1f} of {:g} s", now_s, title.duration_s);
    const double left_s = std::max(0.0, title.duration_s - now_s);
    if (title.after_s > 0)
      text += fmt::format(", {} left in all", duration_text(left_s + title.after_s));
    add("time", kDim, now_s / title.duration_s, text);
    if (look.suspended_s >= kShortestSuspend_s)
      add("", paint_(kYellow, fmt::format("the machine was suspended for {}",
                                          duration_text(look.suspended_s))));
  }

  void cluster(int c, bool throttled) {
    const LiveState::Cluster& cluster = state_.cluster[c];
    const ClusterSpec& spec = platform_.clusters[c];
    const double max_khz = static_cast<double>(spec.opps.back().freq_khz);
    const auto freq_khz = static_cast<double>(cluster.freq_khz);
    add(spec.name, throttled ? kYellow : kCyan, freq_khz / max_khz,
        fmt::format("{:4.0f} of {:.0f} MHz, {:3.0f} % busy, {:.0f} C{}", freq_khz / 1000,
                    max_khz / 1000, 100 * cluster.util_mean, cluster.temp_c,
                    throttled ? paint_(kYellow, ", throttled") : ""));
  }

  void app(int a) {
    const LiveState::App& app = state_.app[a];
    const AppSpec& spec = scenario_.apps[a];
    const auto latency = static_cast<double>(app.latency_ns),
               deadline = static_cast<double>(app.deadline_ns);
    const bool late = app.latency_ns > app.deadline_ns;
    add(spec.name, late ? kRed : kGreen, deadline > 0 ? latency / (kBarDeadlines * deadline) : 0,
        fmt::format("{}, due in {:.1f} ms",
                    latency > 0 ? fmt::format("{:5.1f} ms", latency * 1e-6) : "    - ms",
                    deadline * 1e-6),
        1 / kBarDeadlines);
    std::string missed = missed_text(app);
    if (app.jobs.settled_and_missed() > 0) missed = paint_(kRed, missed);
    if (app.infeasible > 0) missed += fmt::format(", {} infeasible", app.infeasible);
    const std::string setting = setting_text(platform_, spec, app.setting);
    const std::string both = missed + ", " + setting;
    if (kMargin + display_width(both) <= room_) return add("", both);
    add("", missed);
    add("", setting);
  }

  /// The last minute, or as much of it as there is room for, a character per second.
  void history() {
    if (state_.seconds == 0) return;
    const std::int64_t count = std::min<std::int64_t>(
        {state_.seconds, LiveState::kHistory, std::max(1, room_ - kMargin - kBesideHistory)});
    std::vector<double> power, share, missed;
    for (std::int64_t s = state_.seconds - count; s < state_.seconds; ++s) {
      const LiveState::Second& at =
          state_.history[static_cast<std::size_t>(s % LiveState::kHistory)];
      power.push_back(at.power_mw);
      share.push_back(at.deadline_share);
      missed.push_back(at.missed);
    }
    const auto most = [](const std::vector<double>& values) {
      return *std::max_element(values.begin(), values.end());
    };
    const auto row = [&](const char* name, const char* colour, const std::vector<double>& values,
                         double top, const std::string& text) {
      add(name, paint_(colour, sparkline(values, top, unicode_)) + "  " + text);
    };
    row(fmt::format("last {} s", count).c_str(), kCyan, power, most(power),
        fmt::format("up to {:.0f} mW", most(power)));
    row("", most(share) > 1 ? kRed : kGreen, share, kBarDeadlines,
        fmt::format("up to {:.2f} of a deadline", most(share)));
    double sum = 0;
    for (const double count_missed : missed) sum += count_missed;
    row("", kRed, missed, most(missed), fmt::format("{:.0f} missed", sum));
  }

  void power() {
    std::string text = fmt::format("{:.0f} mW modelled, {} so far", state_.power_mw,
                                   energy_text(state_.energy_mj));
    if (const std::uint64_t finished = totals(state_).finished; finished > 0)
      text += fmt::format(", {:.1f} mJ/job", state_.energy_mj / static_cast<double>(finished));
    add_wrapped("power", text);
  }

  void decision(const std::string& policy) {
    add("decision", decider_text(policy, state_));
    add_wrapped("because", why_text(platform_, scenario_, state_));
  }

  /// Every row of the table that is of interest to people, by whose it is.
  void monitors(const MonitorTable& table) {
    std::string owner = "platform", text;
    for (const Monitor& row : table.rows()) {
      const bool gone = row.scope == Monitor::Scope::kApp && !state_.now.app[row.index].bound();
      if (!row.shown || gone) continue;
      const std::size_t dot = row.scope == Monitor::Scope::kPlatform ? 0 : row.name.find('.') + 1;
      const std::string whose = dot == 0 ? "platform" : row.name.substr(0, dot - 1);
      if (whose != owner) {
        add_wrapped(owner, text);
        owner = whose;
        text.clear();
      }
      const Reading reading = read(row, state_.now);
      text += fmt::format("{}{} {}{}{}{}", text.empty() ? "" : ", ", row.name.substr(dot),
                          reading.valid ? fmt::format("{:.6g}", reading.value) : "-",
                          row.unit.empty() ? "" : " ", row.unit,
                          reading.state == Reading::State::kHeld ? " (held over)" : "");
    }
    add_wrapped(owner, text);
  }

  void add_lines(const std::vector<std::string>& lines) {
    lines_.insert(lines_.end(), lines.begin(), lines.end());
  }
  void add_hint(const std::string& text) { lines_.push_back("  " + paint_(kDim, text)); }

  std::vector<std::string> take() {
    for (std::string& line : lines_) line = cut_to(line, room_);
    return std::move(lines_);
  }

 private:
  void add(const std::string& name, const std::string& text) {
    lines_.push_back(label(name) + text);
  }
  void add(const std::string& name, const char* colour, double share, const std::string& text,
           double mark = -1) {
    const bool fits = bar_ >= kNarrowestBar;
    add(name, (fits ? paint_(colour, bar(share, bar_, unicode_, mark)) + "  " : "") + text);
  }
  void add_wrapped(const std::string& name, const std::string& text) {
    std::istringstream each(wrapped(text, room_ - kMargin));
    std::string left = name;
    for (std::string line; std::getline(each, line); left.clear()) add(left, line);
  }

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const LiveState& state_;
  const Paint paint_;
  const bool unicode_;
  const int room_, bar_;
  std::vector<std::string> lines_;
};

}  // namespace

MonitorTable live_monitors(const PlatformSpec& platform, const Scenario& scenario) {
  MonitorTable table(platform, RewardWeights());
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppSpec& app = scenario.apps[a];
    table.bind(static_cast<int>(a),
               binding_of(app, platform.apps[static_cast<std::size_t>(app.profile)]), app.required);
  }
  return table;
}

std::vector<std::string> live_block(const PlatformSpec& platform, const Scenario& scenario,
                                    const MonitorTable& monitors, const LiveTitle& title,
                                    const LiveState& state, const Look& look,
                                    const Terminal& terminal) {
  Block block(platform, scenario, state, terminal);
  block.time(title, look);
  for (int c = 0; c < state.clusters; ++c) block.cluster(c, look.throttled[c]);
  for (int a = 0; a < own_apps(scenario, state); ++a) block.app(a);
  block.power();
  block.decision(title.policy);
  switch (look.page) {
    case LivePage::kHistory:
      block.history();
      break;
    case LivePage::kLegend:
      block.add_lines(legend(platform, terminal.columns - 1));
      break;
    case LivePage::kMonitors:
      block.monitors(monitors);
      break;
  }
  const auto hint = [&](LivePage page, const char* words) {
    return look.page == page ? "the last minute again" : words;
  };
  if (look.keys) {
    block.add_hint(fmt::format("? {}, m {}", hint(LivePage::kLegend, "what the words mean"),
                               hint(LivePage::kMonitors, "every monitor")));
  }
  return block.take();
}

std::string done_line(const LiveTitle& title, const LiveState& state) {
  const Totals all = totals(state);
  std::string line =
      fmt::format("{}, {:.1f} s: {}", title.policy, static_cast<double>(state.now_ns) * 1e-9,
                  counted(static_cast<std::int64_t>(all.finished), "job"));
  if (all.finished > 0)
    line += fmt::format(", {:.1f} mJ/job", state.energy_mj / static_cast<double>(all.finished));
  if (all.settled > 0) line += fmt::format(", {:.2f} % missed", pct(all.missed, all.settled));
  if (state.ran > 0)
    line +=
        fmt::format(", {:.1f} % accuracy", state.accuracy_sum_pct / static_cast<double>(state.ran));
  return line;
}

std::string live_line(const PlatformSpec& platform, const Scenario& scenario,
                      const LiveTitle& title, const LiveState& state, const Look& look) {
  std::string line = fmt::format("{:5.1f} s", static_cast<double>(state.now_ns) * 1e-9);
  for (int c = 0; c < state.clusters; ++c) {
    line += fmt::format("  {} {} MHz {:.1f} C{}", platform.clusters[c].name,
                        state.cluster[c].freq_khz / 1000, state.cluster[c].temp_c,
                        look.throttled[c] ? " throttled" : "");
  }
  for (int a = 0; a < own_apps(scenario, state); ++a) {
    const LiveState::App& app = state.app[a];
    const std::string latency =
        app.latency_ns > 0 ? fmt::format("{:.1f}", static_cast<double>(app.latency_ns) * 1e-6)
                           : "-";
    line += fmt::format("  {} {}, {}/{:.1f} ms, {}", scenario.apps[a].name,
                        setting_text(platform, scenario.apps[a], app.setting), latency,
                        static_cast<double>(app.deadline_ns) * 1e-6, missed_text(app));
  }
  if (look.suspended_s >= kShortestSuspend_s)
    line += fmt::format("  suspended for {}", duration_text(look.suspended_s));
  line += fmt::format("  {:.0f} mW  {}  {}: {}", state.power_mw, energy_text(state.energy_mj),
                      decider_text(title.policy, state), why_text(platform, scenario, state));
  return line;
}

}  // namespace flyball::cli
