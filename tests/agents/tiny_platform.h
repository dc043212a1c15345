#pragma once

#include <functional>
#include <string>

#include "agents/agent.h"
#include "env/scenario/scenario.h"
#include "tests/env/network_levels.h"

namespace flyball {

/// Two big cores (500, 1000, 1500, 2000 MHz) and two little ones (500, 1000 MHz) at half the
/// capacity per MHz, and one application of 10 Mcycles a job on a big core and 20 on a little one:
/// 5 ms and 20 ms on a core at full speed.
inline PlatformSpec tiny_platform() {
  PlatformSpec p;
  p.name = "tiny";
  ClusterSpec big;
  big.name = "big";
  big.cores = 2;
  big.opps = {{500'000, 800}, {1'000'000, 900}, {1'500'000, 1000}, {2'000'000, 1200}};
  big.capacity_per_mhz = 1024;
  big.uncore_nf = 0.05;
  big.leak_c_a = 0.02;
  big.gate_idle_cores = true;
  big.leak_core_share = 0.5;
  big.transition_latency_us = 100;
  ClusterSpec little = big;
  little.name = "little";
  little.opps = {{500'000, 800}, {1'000'000, 1000}};
  little.capacity_per_mhz = 512;
  little.uncore_nf = 0.02;
  little.leak_c_a = 0.005;
  p.clusters = {big, little};
  p.mappings = {{{1, 0}, "bigx1"},
                {{2, 0}, "bigx2"},
                {{0, 1}, "littlex1"},
                {{0, 2}, "littlex2"},
                {{2, 2}, "bigx2+littlex2"}};
  AppProfile cnn;
  cnn.name = "cnn";
  cnn.parallel_fraction = 1;
  give_widths(cnn, {{25, 0.25, 1, 56, ""},
                    {50, 0.5, 1, 62.7, ""},
                    {75, 0.75, 1, 68.8, ""},
                    {100, 1, 1, 71.2, ""}});
  cnn.unit[0] = {true, 10, 0, 0.6, 0, true};
  cnn.unit[1] = {true, 20, 0, 0.12, 0, true};
  p.apps = {cnn};
  p.thermal = {{"soc", 0, 5, {{5, 10}}}};
  p.board_mw = 100;
  p.migration_us = 50;
  p.cold_cache_ms = 0.5;
  return p;
}

inline Scenario tiny_scenario() {
  Scenario s;
  s.name = "stream";
  s.duration_ns = 10'000'000'000;
  AppSpec app;
  app.name = "camera";
  app.arrival.period_ns = 40'000'000;
  app.required.period_ns = 40'000'000;
  app.required.deadline_ns = 40'000'000;
  app.required.accuracy_floor_pct = 68;
  s.apps = {app};
  return s;
}

/// What an agent is made from, kept together: it believes in the platform as it is.
struct TinyWorld {
  PlatformSpec platform = tiny_platform();
  Scenario scenario = tiny_scenario();
  RewardWeights weights{.ref_energy_mj = 10};
  std::uint64_t seed = 1;
  const Simulator* truth = nullptr;
  /// The belief is that of the last call.
  AgentContext context() const {
    belief = Belief::of(platform);
    return {belief, weights, seed, truth};
  }
  std::unique_ptr<Agent> make(const std::string& policy) const {
    return make_agent(policy, context());
  }

  Binding binding(int slot) const {
    const AppSpec& app = scenario.apps[static_cast<std::size_t>(slot)];
    return binding_of(app, platform.apps[static_cast<std::size_t>(app.profile)]);
  }
  /// Tells an agent of all applications.
  void bind(Agent& agent) const {
    const Observation now = idle();
    for (int a = 0; a < now.app_count; ++a) agent.bind(a, binding(a), now);
  }
  /// One that knows them.
  std::unique_ptr<Agent> bound(const std::string& policy) const {
    auto agent = make(policy);
    bind(*agent);
    return agent;
  }

  /// An idle platform at its lowest frequencies.
  Observation idle(std::int64_t now_ns = 0, std::int64_t epoch_ns = 0) const {
    Observation o;
    o.now_ns = now_ns;
    o.epoch_ns = epoch_ns;
    o.cluster_count = static_cast<int>(platform.clusters.size());
    o.app_count = static_cast<int>(scenario.apps.size());
    for (int c = 0; c < o.cluster_count; ++c) {
      o.cluster[c].freq_khz = o.cluster[c].asked_khz = platform.clusters[c].opps[0].freq_khz;
      o.cluster[c].opp_cap = static_cast<std::uint8_t>(platform.clusters[c].max_opp());
      o.cluster[c].temp_c = 40;
    }
    for (int a = 0; a < o.app_count; ++a) {
      o.app[a].generation = 1;
      o.app[a].active = true;
      o.app[a].required = scenario.apps[a].required;
    }
    return o;
  }
  void set_opp(Observation& o, int c, int opp) const {
    o.cluster[c].opp = static_cast<std::uint8_t>(opp);
    o.cluster[c].freq_khz = platform.clusters[c].opps[opp].freq_khz;
  }
  /// The same, with a job of application 0 released and started just now.
  Observation release(std::int64_t now_ns, std::int64_t epoch_ns = 0) const {
    Observation o = idle(now_ns, epoch_ns);
    AppObservation& app = o.app[0];
    app.released = app.backlog = 1;
    app.running.busy = true;
    app.running.release_ns = app.running.start_ns = now_ns;
    app.running.deadline_ns = now_ns + app.required.deadline_ns;
    app.running.setting = app.setting;
    return o;
  }

 private:
  mutable Belief belief;
};

}  // namespace flyball
