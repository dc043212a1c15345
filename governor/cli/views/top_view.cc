#include "governor/cli/views/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "governor/cli/table.h"
#include "governor/cli/views/explain_report.h"
#include "governor/cli/views/sparkline.h"

namespace flyball::cli {
namespace {

constexpr int kNameColumns = 10;

std::string mhz_of(double khz) { return fixed(khz / 1e3, 0); }

std::string heading(const TopPicture& picture) {
  const StatusFacts& facts = picture.shown.facts;
  std::string text =
      fmt::format("{}, policy {}, process {}, for {}", mode_text(facts), facts.policy.get(),
                  facts.pid, duration_text(picture.shown.now_ns - facts.start_ns));
  if (picture.keys) text += "   [q] quit  [?] words";
  return text;
}

std::string cluster_line(const TopPicture& picture, std::size_t c) {
  const StatusFacts::Cluster& facts = picture.shown.facts.cluster[c];
  const StatusNow& now = picture.shown.now;
  const StatusNow::Cluster& one = now.cluster[c];
  const TopCounters& counted = picture.counters[c];
  std::string text =
      fmt::format("  {:<{}} asked {:>4}, delivered {:>4} MHz  {:>5} % busy", facts.name.get(),
                  kNameColumns, now.napping != 0 ? "-" : mhz_of(static_cast<double>(one.asked_khz)),
                  mhz_of(one.delivered_khz), fixed(100 * one.busiest, 1));
  text += fmt::format("  {} W  {} C", fixed(one.modelled_mw / 1e3, 2), fixed(one.temp_c, 1));
  if (facts.trip_c > 0) text += fmt::format(" of {}", fixed(facts.trip_c, 0));
  if (counted.ipc > 0)
    text += fmt::format("  IPC {}, {} misses/1000", fixed(counted.ipc, 2),
                        fixed(counted.misses_per_1000, 1));
  if (one.stood_down > 0) text += "  left to another program";
  if (one.error != 0) text += fmt::format("  write failed (errno {})", one.error);
  return text;
}

/// Of the last minute, as much as fits, newest on the right.
template <typename Value>
std::string history(const TopPicture& picture, const Terminal& terminal, double top, Value value) {
  const auto room = static_cast<std::size_t>(std::clamp(terminal.columns - 44, 10, 60));
  std::vector<double> values;
  const std::size_t from = picture.seconds.size() - std::min(picture.seconds.size(), room);
  for (std::size_t i = from; i < picture.seconds.size(); ++i)
    values.push_back(value(picture.seconds[i]));
  return sparkline(values, top, terminal.unicode);
}

const char* const kWords[] = {
    "asked: the clock that flyball wants; '-' while nothing runs, for then Linux governs.",
    "delivered: what the machine gave, in the mean of the busy time (by cycles, where counted).",
    "busy: of the busiest core of the policy. W beside it: modelled, of the policy's cores.",
    "of 95: the temperature at which Linux would hold the clock down.",
    "idle: which share of the time of its CPUs each idle state took, by the Linux kernel's count.",
    "IPC, misses/1000: instructions per cycle, cache misses per 1000 instructions.",
    "sparklines: the last minute, a character per second, newest on the right."};

void add_lines(std::vector<std::string>& lines, const std::string& text) {
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
}

}  // namespace

std::vector<std::string> top_block(const TopPicture& picture, const Terminal& terminal) {
  const StatusNow& now = picture.shown.now;
  const StatusFacts& facts = picture.shown.facts;
  std::vector<std::string> lines = {heading(picture)};
  const auto say = [&](const std::string& sentence) {
    add_lines(lines, "  " + wrapped(sentence, terminal.columns - 2, 2));
  };
  if (picture.shown.stalled())
    say(fmt::format("It has not come round for {}.",
                    duration_text(picture.shown.now_ns - now.at_ns)));
  if (now.window_ns <= 0) {
    say("Its first second is not over.");
    return lines;
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(facts.clusters); ++c) {
    const auto top_khz = static_cast<double>(facts.cluster[c].highest_khz);
    lines.push_back(cluster_line(picture, c));
    lines.push_back(fmt::format("  {:<{}} busy, of 100 %          |{}|", "", kNameColumns,
                                history(picture, terminal, 1, [c](const StatusSecond& s) {
                                  return double{s.busiest[c]};
                                })));
    lines.push_back(fmt::format("  {:<{}} clock, of {:>4} MHz      |{}|", "", kNameColumns,
                                mhz_of(top_khz),
                                history(picture, terminal, top_khz,
                                        [c](const StatusSecond& s) { return double{s.khz[c]}; })));
    if (const std::string idle = idle_text(picture.shown, c); !idle.empty())
      lines.push_back(fmt::format("  {:<{}} idle: {}", "", kNameColumns, idle));
  }
  double most_mw = 0;
  for (const StatusSecond& second : picture.seconds)
    most_mw = std::max(most_mw, double{second.power_mw});
  lines.push_back(fmt::format("  {:<{}} {} W, {}", "power", kNameColumns,
                              fixed(now.power_mw / 1e3, 2), power_source_text(facts, now)));
  lines.push_back(fmt::format("  {:<{}} up to {:>6} W          |{}|", "", kNameColumns,
                              fixed(most_mw / 1e3, 2),
                              history(picture, terminal, most_mw,
                                      [](const StatusSecond& s) { return double{s.power_mw}; })));
  if (now.scored > 0) {
    say(fmt::format(
        "Predictions are off by {} points of busy share and {} % of the modelled power.",
        fixed(100 * now.busy_error, 1), fixed(100 * now.power_error, 0)));
  }
  if (now.napping != 0) {
    say("Nothing runs: Linux governs, as it was found.");
  } else if (picture.last) {
    say(fmt::format(
        "{} decided {} s ago: {}", facts.policy.get(),
        fixed(static_cast<double>(picture.shown.now_ns - picture.last->at_ns) * 1e-9, 1),
        why_text(facts, *picture.last)));
  }
  if (now.notes > 0) say("Note: " + now.note[(now.notes - 1) % StatusNow::kNotes].text.get());
  if (picture.legend) {
    for (const char* words : kWords) say(words);
    if (picture.counters_denied) say("Counters are for root and the group 'flyball'.");
  }
  for (std::string& line : lines) line = cut_to(line, terminal.columns);
  return lines;
}

std::string top_line(const TopPicture& picture) {
  const StatusNow& now = picture.shown.now;
  const StatusFacts& facts = picture.shown.facts;
  std::string text =
      fmt::format("{:>5} s", (picture.shown.now_ns - facts.start_ns) / 1'000'000'000);
  if (now.window_ns <= 0) return text + "  its first second is not over";
  for (std::size_t c = 0; c < static_cast<std::size_t>(facts.clusters); ++c) {
    const StatusNow::Cluster& one = now.cluster[c];
    text += fmt::format("  {} {} of {} MHz, {} %", facts.cluster[c].name.get(),
                        mhz_of(one.delivered_khz),
                        now.napping != 0 ? "-" : mhz_of(static_cast<double>(one.asked_khz)),
                        fixed(100 * one.busiest, 0));
  }
  text += fmt::format("  {} W {}", fixed(now.power_mw / 1e3, 2), power_kind(now.measured_share));
  if (now.napping != 0) text += "  idle: Linux governs";
  if (picture.shown.stalled()) text += "  STALLED";
  return text;
}

}  // namespace flyball::cli
