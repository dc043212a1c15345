#include <fmt/core.h>

#include <charconv>
#include <functional>
#include <string>

#include "agents/agent.h"
#include "agents/as_told.h"
#include "agents/conservative.h"
#include "agents/dqn.h"
#include "agents/fixed_frequency.h"
#include "agents/interactive.h"
#include "agents/job_bandit.h"
#include "agents/kalman.h"
#include "agents/linucb.h"
#include "agents/mean20.h"
#include "agents/mixture.h"
#include "agents/model.h"
#include "agents/mrpi.h"
#include "agents/ondemand.h"
#include "agents/oracle.h"
#include "agents/pi.h"
#include "agents/plain_load.h"
#include "agents/planner.h"
#include "agents/poet.h"
#include "agents/prime.h"
#include "agents/q_lambda.h"
#include "agents/q_learning.h"
#include "agents/random_arms.h"
#include "agents/rule.h"
#include "agents/sarsa.h"
#include "agents/schedutil.h"
#include "agents/static_best.h"
#include "agents/thompson.h"
#include "agents/ucb.h"
#include "env/config/yaml.h"
#include "kernels/base/error.h"

namespace flyball {

namespace {

using Maker = std::unique_ptr<Agent> (*)(const AgentContext& context, const std::string& argument);

struct Entry {
  AgentInfo info;
  bool takes_argument;
  Maker make;
};

template <typename T>
std::unique_ptr<Agent> plain(const AgentContext& context, const std::string&) {
  return std::make_unique<T>(context);
}

template <FixedFrequency::Kind kind>
std::unique_ptr<Agent> fixed(const AgentContext& context, const std::string&) {
  return std::make_unique<FixedFrequency>(context, kind);
}

std::unique_ptr<Agent> userspace(const AgentContext& context, const std::string& argument) {
  std::int64_t khz = 0;
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), khz);
  if (argument.empty() || error != std::errc{} || end != argument.data() + argument.size() ||
      khz <= 0) {
    input_error(fmt::format("policy 'userspace:{}'", argument), "it needs a frequency in kHz",
                "write for example 'userspace:1400000'");
  }
  check_operating_point(context.belief.mean, khz);
  return std::make_unique<FixedFrequency>(context, FixedFrequency::Kind::kUserspace,
                                          static_cast<double>(khz));
}

std::unique_ptr<Agent> static_best(const AgentContext& context, const std::string& argument) {
  if (argument.empty()) {
    input_error("policy 'static_best'",
                "it is found by a search in hindsight, which only 'flyball compare' does",
                "use it there, or fix a configuration: 'static_best:A15=1400000;camera=A15x1@100'");
  }
  return std::make_unique<StaticBest>(context, argument);
}

const std::vector<Entry>& entries() {
  using Kind = FixedFrequency::Kind;
  using Role = AgentInfo::Role;
  static const std::vector<Entry> all = {
      {{.name = "performance",
        .summary = "Linux: always the highest frequency",
        .by_clusters = true,
        .role = Role::kFastest},
       false,
       fixed<Kind::kPerformance>},
      {{.name = "powersave",
        .summary = "Linux: always the lowest frequency",
        .by_clusters = true,
        .role = Role::kSlowest},
       false,
       fixed<Kind::kPowersave>},
      {{.name = "userspace",
        .summary = "Linux: a fixed frequency, 'userspace:KHZ'",
        .by_clusters = true},
       true,
       userspace},
      {{.name = "ondemand",
        .summary = "Linux: highest frequency above 95 % load, else in proportion",
        .by_clusters = true},
       false,
       plain<Ondemand>},
      {{.name = "conservative",
        .summary = "Linux: steps of 5 % up above 80 % load, down below 20 %",
        .by_clusters = true},
       false,
       plain<Conservative>},
      {{.name = "interactive",
        .summary = "Android: highest frequency from 99 % load, else a load of 90 %",
        .by_clusters = true},
       false,
       plain<Interactive>},
      {{.name = "schedutil",
        .summary = "Linux: the scheduler's utilisation with 25 % headroom, energy-aware placement"},
       false,
       plain<Schedutil>},
      {{.name = "plain_load",
        .summary =
            "for load that says nothing of itself: lowest power at 80 % busy, by utilisation and "
            "stalls",
        .by_clusters = true},
       false,
       plain<PlainLoad>},
      {{.name = "static_best",
        .summary = "the best single configuration in hindsight, or a given one, as in "
                   "'static_best:A15=1400000,A7=200000;camera=A15x1@100' (kHz, mapping, width)",
        .searched = true,
        .role = Role::kTried},
       true,
       static_best},
      {{.name = "rule",
        .summary = "cheapest profiled configuration within 0.9 x deadline, a step up per miss",
        .role = Role::kTried},
       false,
       plain<Rule>},
      {{.name = "mean20",
        .summary = "width one down when the mean of 20 jobs is late (Dynamic-OFA)"},
       false,
       plain<Mean20>},
      {{.name = "pi",
        .summary = "proportional-integral control of the frequency on the last job's slack"},
       false,
       plain<Pi>},
      {{.name = "mrpi", .summary = "frequency by cache misses per instruction (PRiME's heuristic)"},
       false,
       plain<Mrpi>},
      {{.name = "kalman",
        .summary = "one slowdown by a Kalman filter, cheapest configuration likely on time (ALERT)",
        .role = Role::kTried},
       false,
       plain<Kalman>},
      {{.name = "poet",
        .summary =
            "speed-up by integral control, the cheapest mixture of two configurations (POET)",
        .role = Role::kTried},
       false,
       plain<Poet>},
      {{.name = "prime",
        .summary = "the PRiME project's released learner: contextual bandit over frequencies",
        .learns = true},
       false,
       plain<Prime>},
      {{.name = "model",
        .summary = "cheapest safe configuration by what is believed of the board; learns nothing",
        .role = Role::kInformed},
       false,
       plain<ModelPolicy>},
      {{.name = "planner",
        .summary = "plans with a belief of the board that every job corrects, and tries what pays",
        .learns = true,
        .corrects_belief = true,
        .role = Role::kInformed},
       false,
       plain<Planner>},
      {{.name = "q_learning",
        .summary = "double Q-learning over mapping, quality and frequency, with safe exploration",
        .learns = true,
        .corrects_belief = true,
        .keeps_tables = true,
        .role = Role::kTried},
       false,
       plain<QLearning>},
      {{.name = "ucb",
        .summary = "upper confidence bounds (UCB1) of what each mapping is off its belief",
        .learns = true},
       false,
       plain<JobBanditOf<Ucb>>},
      {{.name = "linucb",
        .summary = "a linear contextual bandit (LinUCB) over the kinds of energy that a job takes",
        .learns = true},
       false,
       plain<JobBanditOf<LinUcb>>},
      {{.name = "thompson",
        .summary = "Thompson sampling by Bayesian linear regression over the same",
        .learns = true},
       false,
       plain<JobBanditOf<Thompson>>},
      {{.name = "sarsa",
        .summary =
            "Sarsa with linear costs-to-go, which look ahead where queues or heat couple jobs",
        .learns = true},
       false,
       plain<JobBanditOf<Sarsa>>},
      {{.name = "q_lambda",
        .summary = "Watkins's Q(lambda) with the same costs-to-go and eligibility traces",
        .learns = true},
       false,
       plain<JobBanditOf<QLambda>>},
      {{.name = "mixture",
        .summary =
            "an expert per regime of other load, frozen when it has settled, thawed on change",
        .learns = true},
       false,
       plain<JobBanditOf<Mixture>>},
      {{.name = "dqn",
        .summary =
            "a small Q-network, trained by 'flyball-torch dqn', its last layer learning online",
        .learns = true},
       false,
       plain<JobBanditOf<Dqn>>},
      {{.name = "random", .summary = "a safe mapping at random for every few jobs; learns nothing"},
       false,
       plain<UnlearnedBanditOf<RandomArms>>},
      {{.name = "oracle",
        .summary = "exhaustive search per job, knowing the future; simulation only",
        .knows_future = true},
       false,
       plain<Oracle>},
  };
  return all;
}

}  // namespace

const std::vector<AgentInfo>& agent_catalogue() {
  static const std::vector<AgentInfo> infos = [] {
    std::vector<AgentInfo> list;
    for (const Entry& entry : entries()) list.push_back(entry.info);
    return list;
  }();
  return infos;
}

const AgentInfo* find_agent(std::string_view policy) {
  const std::string_view name = policy.substr(0, policy.find(':'));
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

std::unique_ptr<Agent> make_agent(const std::string& policy, const AgentContext& context) {
  const std::size_t colon = std::min(policy.find(':'), policy.size());
  const std::string name = policy.substr(0, colon);
  const std::string argument = colon < policy.size() ? policy.substr(colon + 1) : "";
  std::vector<std::string> known;
  for (const Entry& entry : entries()) {
    if (entry.info.name != name) {
      known.emplace_back(entry.info.name);
      continue;
    }
    if (colon < policy.size() && !entry.takes_argument) {
      input_error(fmt::format("policy '{}'", policy), fmt::format("'{}' takes no argument", name),
                  fmt::format("write '{}'", name));
    }
    return entry.make(as_told(entry.info, context), argument);
  }
  input_error(fmt::format("policy '{}'", policy),
              "there is no such policy" + did_you_mean(name, known),
              "'flyball list policies' shows all");
}

}  // namespace flyball
