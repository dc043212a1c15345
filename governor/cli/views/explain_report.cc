#include "governor/cli/views/explain_report.h"

#include <fmt/format.h>

#include <system_error>

#include "env/spaces/decision.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/status_report.h"
#include "governor/loop/shield.h"
#include "governor/status/plain_forecast.h"

namespace flyball::cli {
namespace {

std::string whole_mhz(std::int64_t khz) { return fixed(static_cast<double>(khz) / 1e3, 0); }
std::string whole_pct(float share) { return fixed(100 * double{share}, 0); }
std::string watts(float mw) { return fixed(double{mw} / 1e3, 2); }

/// What stands in the page is a number only.
const char* verdict_name(std::uint8_t verdict) {
  switch (static_cast<Shield::Verdict>(verdict)) {
    case Shield::Verdict::kPassed:
      return "passed";
    case Shield::Verdict::kClamped:
      return "clamped";
    case Shield::Verdict::kReplaced:
      return "replaced";
    case Shield::Verdict::kTakenOver:
      return "taken over";
  }
  return "unknown";
}

std::string reason_of_plain(const PlainDecision& one) {
  if (one.asked_khz != one.decided_khz)
    return fmt::format("{} MHz was decided, the limits say otherwise", whole_mhz(one.decided_khz));
  const double busy = one.seen_busiest;
  std::string text = fmt::format("busiest core {} % busy", whole_pct(one.seen_busiest));
  if (static_cast<Reason::Code>(one.reason) == Reason::Code::kFixed) return "fixed";
  if (one.asked_khz > one.last_asked_khz)
    text += busy >= PlainForecaster::kSaturated ? ": how much it wants is not known, up"
            : busy >= PlainForecaster::kRoomy   ? ": too little room, up"
                                                : ": a load has set in, or grows, up";
  if (one.asked_khz < one.last_asked_khz) text += ": less will do, down";
  if (one.capped != 0) text += "; heat or a limit holds its highest clock down";
  return text;
}

std::string cluster_name(const StatusFacts& facts, const PlainDecision& one) {
  return facts.cluster[one.cluster % kMaxClusters].name.get();
}

}  // namespace

std::string why_text(const StatusFacts& facts, const PlainDecision& one) {
  return fmt::format("{} {} -> {} MHz: {}", cluster_name(facts, one), whole_mhz(one.last_asked_khz),
                     whole_mhz(one.asked_khz), reason_of_plain(one));
}

std::string explain_text(const StatusFacts& facts, const std::vector<PlainDecision>& decisions,
                         std::int64_t now_ns, int columns) {
  std::string text =
      wrapped(fmt::format("{}: policy {}. Its last {} changes of a clock, newest last.",
                          mode_text(facts), facts.policy.get(), decisions.size()),
              columns);
  for (const PlainDecision& one : decisions) {
    text +=
        fmt::format("\n{} s ago  {}\n", fixed(static_cast<double>(now_ns - one.at_ns) * 1e-9, 2),
                    why_text(facts, one));
    const auto say = [&](const std::string& line) {
      text += "  " + cut_to(line, columns - 2) + '\n';
    };
    say(fmt::format("seen      {} MHz, {} % busy, {} C", whole_mhz(one.before_khz),
                    whole_pct(one.seen_busiest), fixed(double{one.seen_temp_c}, 1)));
    say(fmt::format("chosen    {} MHz: {} % busy, {} W expected", whole_mhz(one.asked_khz),
                    whole_pct(one.chosen_busiest), watts(one.chosen_mw)));
    say(fmt::format("next best {} MHz: {} % busy, {} W expected", whole_mhz(one.next_khz),
                    whole_pct(one.next_busiest), watts(one.next_mw)));
    say(fmt::format("came out  {} MHz: {} % busy, {} W, over {} ms", whole_mhz(one.delivered_khz),
                    whole_pct(one.out_busiest), watts(one.out_mw),
                    fixed(static_cast<double>(one.epoch_ns) * 1e-6, 0)));
    say(fmt::format(
        "shield    {}{}", verdict_name(one.verdict),
        one.error == 0 ? "" : "; the write failed: " + std::generic_category().message(one.error)));
  }
  if (!decisions.empty())
    text += "\nPower is of the cluster, modelled; busy is of its busiest core.\n";
  return text;
}

Json explain_json(const StatusFacts& facts, const std::vector<PlainDecision>& decisions,
                  std::int64_t now_ns) {
  Json json{{"schema", 1}, {"policy", facts.policy.get()}, {"power_source", "model"}};
  Json& rows = json["decisions"] = Json::array();
  const auto expected = [](std::int64_t khz, float busiest, float mw) {
    return Json{{"khz", khz},
                {"busiest_pct", number_or_null(100 * double{busiest})},
                {"power_mw", number_or_null(mw)}};
  };
  for (const PlainDecision& one : decisions) {
    rows.push_back({{"number", one.number},
                    {"age_s", static_cast<double>(now_ns - one.at_ns) * 1e-9},
                    {"cluster", cluster_name(facts, one)},
                    {"last_asked_khz", one.last_asked_khz},
                    {"seen",
                     {{"khz", one.before_khz},
                      {"busiest_pct", number_or_null(100 * double{one.seen_busiest})},
                      {"temp_c", number_or_null(one.seen_temp_c)}}},
                    {"decided_khz", one.decided_khz},
                    {"chosen", expected(one.asked_khz, one.chosen_busiest, one.chosen_mw)},
                    {"next_best", expected(one.next_khz, one.next_busiest, one.next_mw)},
                    {"outcome", expected(one.delivered_khz, one.out_busiest, one.out_mw)},
                    {"epoch_ms", static_cast<double>(one.epoch_ns) * 1e-6},
                    {"shield", verdict_name(one.verdict)},
                    {"errno", one.error},
                    {"reason", reason_of_plain(one)}});
  }
  return json;
}

}  // namespace flyball::cli
