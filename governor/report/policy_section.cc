#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "agents/q_learning.h"
#include "governor/report/sections.h"
#include "kernels/base/control_character.h"
#include "kernels/base/counted.h"
#include "kernels/base/error.h"

namespace flyball::report {
namespace {

constexpr std::array<const char*, 8> kPressure{"below 1x", "1-1.3x", "1.3-1.7x", "1.7-2.3x",
                                               "2.3-3.3x", "3.3-5x", "5-10x",    "above 10x"};
constexpr std::array<const char*, 3> kLoad{"", ", some load", ", much load"},
    kHeat{"", ", warm", ", hot"}, kVaries{"", ", varies", ", erratic"},
    kPreference{", for speed", "", ", for battery"};
static_assert(kPressure.size() == QLearning::kPressureBins);

std::string at(std::span<const char* const> names, int index) {
  return names[static_cast<std::size_t>(index)];
}

/// As QLearning::assess() numbers them.
std::string slow_state(int state) {
  return at(kPressure, state / 18) + at(kLoad, state / 6 % 3) + at(kHeat, state / 2 % 3) +
         (state % 2 != 0 ? ", queue" : "");
}
std::string fast_state(int state) {
  return at(kPressure, state / 54) + at(kVaries, state / 18 % 3) + at(kHeat, state / 6 % 3) +
         at(kPreference, state / 2 % 3) + (state % 2 != 0 ? ", queue" : "");
}

/// What an action was found to cost beyond what is believed of it, % of a reference job.
struct Band {
  const char* name;
  double below;
};
constexpr std::array<Band, 7> kBands{{{"cheaper by 10 % and more", -10},
                                      {"cheaper by 3 to 10 %", -3},
                                      {"cheaper by 1 to 3 %", -1},
                                      {"as believed, within 1 %", 1},
                                      {"dearer by 1 to 3 %", 3},
                                      {"dearer by 3 to 10 %", 10},
                                      {"dearer by 10 % and more", INFINITY}}};

Figure heat_map(const DoubleQ& table, int states, Figure figure, std::string (*state_name)(int)) {
  for (std::size_t b = 0; b < kBands.size(); ++b) {
    Series band{kBands[b].name};
    band.colour = kFirstCellColour + static_cast<int>(b);
    band.cell = true;
    figure.series.push_back(std::move(band));
  }
  for (int state = 0; state < states; ++state) {
    bool seen = false;
    for (int action = 0; action < table.actions(); ++action) {
      const std::uint32_t visits = table.visits(state, action);
      if (visits == 0) continue;
      if (!seen) figure.y.categories.push_back(state_name(state));
      seen = true;
      const QValue value = table.value(state, action, {});
      const double dearer_pct = -100 * value.weighed(1);
      const auto band =
          std::ranges::find_if(kBands, [&](const Band& one) { return dearer_pct < one.below; });
      Series& one = figure.series[static_cast<std::size_t>(
          std::min<std::ptrdiff_t>(band - kBands.begin(), kBands.size() - 1))];
      one.x.push_back(action);
      one.y.push_back(static_cast<double>(figure.y.categories.size()) - 1);
      one.text.push_back(fmt::format("{:+.2f} %, {}", dearer_pct, counted(visits, "job")));
    }
  }
  std::erase_if(figure.series, [](const Series& one) { return one.y.empty(); });
  return figure;
}

/// By the platform's file where it is at hand.
std::vector<std::string> mapping_names(const std::string& platform, std::size_t count) {
  std::vector<std::string> names;
  try {
    for (const Mapping& mapping : load_platform(platform).mappings) names.push_back(mapping.name);
  } catch (const Error&) {
  }
  if (names.size() == count) return names;
  names.clear();
  for (std::size_t m = 0; m < count; ++m) names.push_back(fmt::format("mapping {}", m));
  return names;
}

}  // namespace

Section policy_section(const std::string& path) {
  const PolicyFile policy = read_policy(path);
  Section section;
  section.title =
      fmt::format("What {} learned on {}", policy.identity.agent, policy.identity.platform);
  const AgentInfo* const learner = find_agent(policy.identity.agent);
  if (learner == nullptr || !learner->keeps_tables) {
    section.notes.push_back(fmt::format("{} keeps no table of states and actions: nothing to draw.",
                                        policy.identity.agent));
    return section;
  }
  ByteReader in(policy.payload, path);
  in.expect(QLearning::kPayload, "payload version");
  const std::uint32_t mappings = in.u32(), profiles = in.u32();
  if (mappings < 1 || mappings > kMaxMappings || profiles > QLearning::kMaxProfiles)
    in.reject("its tables are of no size");
  const std::vector<std::string> names = mapping_names(policy.identity.platform, mappings);
  std::vector<std::string> margins;
  for (const double margin : QLearning::kMargins) margins.push_back(fmt::format("{:g}", margin));
  for (std::uint32_t i = 0; i < profiles; ++i) {
    const std::string app = printable(in.text(QLearning::kMaxNameBytes));
    in.u64();
    const std::uint64_t jobs = in.u64();
    DoubleQ slow(QLearning::kSlowStates, static_cast<int>(mappings), QLearning::kSlowTable);
    DoubleQ fast(QLearning::kFastStates, static_cast<int>(margins.size()), QLearning::kTable);
    slow.load(in);
    fast.load(in);
    section.notes.push_back(fmt::format("{}: {} jobs.", app, jobs));
    constexpr const char* kRead =
        "A row is a state that was met, named by how many times the least time a job takes there "
        "is until its deadline, and by what else is out of the ordinary; a cell is what an action "
        "was found to cost there beyond what the model believes of it, in % of the energy of a "
        "reference job.";
    for (Figure figure :
         {heat_map(slow, QLearning::kSlowStates,
                   {"q_mappings",
                    fmt::format("{}: mappings, by state", app),
                    kRead,
                    {"mapping of the next job", "", false, names},
                    {"state", ""}},
                   slow_state),
          heat_map(fast, QLearning::kFastStates,
                   {"q_margins",
                    fmt::format("{}: margins of the running job, by state", app),
                    kRead,
                    {"margin, mean deviations of the jobs' work", "", false, margins},
                    {"state", ""}},
                   fast_state)})
      if (figure.points() > 0) section.figures.push_back(std::move(figure));
  }
  if (section.figures.empty())
    section.notes.push_back("No action has been tried in any state yet: nothing to draw.");
  return section;
}

}  // namespace flyball::report
