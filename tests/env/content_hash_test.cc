#include "env/model/content_hash.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "env/model/network_levels.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

PlatformSpec full_board() {
  PlatformSpec spec = round_board();
  TripPoint trip{TripPoint::Kind::kCap, 80, 5, kBig};
  trip.cap_khz = 1'000'000;
  spec.trips = {trip};
  return spec;
}

using Change = std::function<void(PlatformSpec&)>;

std::vector<Change> changes_of_platform() {
  std::vector<Change> all = {
      [](auto& s) { s.name += "2"; },
      [](auto& s) { s.trip_poll_ms += 1; },
      [](auto& s) { s.board_mw += 1; },
      [](auto& s) { s.migration_us += 1; },
      [](auto& s) { s.cold_cache_ms += 1; },
      [](auto& s) { s.level_switch_us += 1; },
      [](auto& s) { s.decision_latency_us += 1; },
      [](auto& s) { s.mappings.pop_back(); },
      [](auto& s) { std::swap(s.mappings[0], s.mappings[1]); },
      [](auto& s) { std::swap(s.clusters[0], s.clusters[1]); },
      [](auto& s) { s.thermal[0].cluster = kLittle; },
      [](auto& s) { s.thermal[0].offset_c += 1; },
      [](auto& s) { s.thermal[0].terms[1].r_k_per_w += 1; },
      [](auto& s) { s.thermal[0].terms[1].tau_s += 1; },
      [](auto& s) { s.thermal[0].terms.pop_back(); },
      [](auto& s) { s.trips[0].kind = TripPoint::Kind::kCritical; },
      [](auto& s) { s.trips[0].temp_c += 1; },
      [](auto& s) { s.trips[0].hysteresis_c += 1; },
      [](auto& s) { s.trips[0].cluster = kLittle; },
      [](auto& s) { s.trips[0].node = 1; },
      [](auto& s) { s.trips[0].steps = 1; },
      [](auto& s) { s.trips[0].cap_khz += 1; },
      [](auto& s) { s.trips.clear(); },
      [](auto& s) { s.time_spread = 0.1; },
      [](auto& s) { s.time_spread = 0.2; },
      [](auto& s) { s.power_spread = 0.1; },
      [](auto& s) { s.power_spread = 0.2; },
  };
  for (const std::size_t c : {std::size_t{0}, std::size_t{1}}) {
    const auto of_cluster = [&](std::function<void(ClusterSpec&)> change) {
      all.push_back([c, change](PlatformSpec& s) { change(s.clusters[c]); });
    };
    of_cluster([](auto& x) { x.name += "2"; });
    of_cluster([](auto& x) { x.kind = ClusterSpec::Kind::kGpu; });
    of_cluster([](auto& x) { x.cores += 1; });
    of_cluster([](auto& x) { x.opps[0].freq_khz += 1; });
    of_cluster([](auto& x) { x.opps[1].voltage_mv += 1; });
    of_cluster([](auto& x) { x.opps.pop_back(); });
    of_cluster([](auto& x) { x.capacity_per_mhz += 1; });
    of_cluster([](auto& x) { x.uncore_nf += 1; });
    of_cluster([](auto& x) { x.idle_core_nf += 1; });
    of_cluster([](auto& x) { x.gate_idle_cores = true; });
    of_cluster([](auto& x) { x.leak_a += 1; });
    of_cluster([](auto& x) { x.leak_b_k += 1; });
    of_cluster([](auto& x) { x.leak_c_a += 1; });
    of_cluster([](auto& x) { x.leak_core_share += 0.1; });
    of_cluster([](auto& x) { x.transition_latency_us += 1; });
    of_cluster([](auto& x) { x.dynamic_power_coefficient += 1; });
  }
  return all;
}

using AppChange = std::function<void(AppProfile&)>;

std::vector<AppChange> changes_of_app() {
  std::vector<AppChange> all = {
      [](auto& a) { a.name += "2"; },
      [](auto& a) { a.plain_load = true; },
      [](auto& a) { a.parallel_fraction -= 0.1; },
      [](auto& a) { a.levels.pop_back(); },
      [](auto& a) { a.knobs[0].name += "2"; },
      [](auto& a) { a.knobs[0].unit = "px"; },
      [](auto& a) { a.knobs[0].values[0] = "51"; },
      [](auto& a) {
        a.knobs.push_back({"more", "", {"a"}});
      },
      [](auto& a) { a.levels[0].time_factor += 0.1; },
      [](auto& a) { a.levels[1].activity_factor += 0.1; },
      [](auto& a) { a.levels[1].accuracy_pct += 1; },
      [](auto& a) {
        set_network_knobs(a, {{.width_pct = 50, .int8 = true}, {}});
      },
      [](auto& a) { a.model = "net.model"; },
  };
  for (const std::size_t c : {std::size_t{0}, std::size_t{1}}) {
    const auto of_unit = [&](std::function<void(UnitProfile&)> change) {
      all.push_back([c, change](AppProfile& a) { change(a.unit[c]); });
    };
    of_unit([](auto& u) { u.supported = false; });
    of_unit([](auto& u) { u.mcycles += 1; });
    of_unit([](auto& u) { u.memory_ms += 1; });
    of_unit([](auto& u) { u.core_nf += 0.1; });
    of_unit([](auto& u) { u.static_ma += 1; });
    of_unit([](auto& u) { u.gate_idle_cores = true; });
    of_unit([](auto& u) { u.ipc += 0.1; });
    of_unit([](auto& u) { u.miss_ns += 1; });
    of_unit([](auto& u) { u.references_per_miss += 1; });
  }
  return all;
}

TEST(ContentHash, OfAPlatformChangesWithEachOfItsNumbers) {
  const PlatformSpec spec = full_board();
  std::set<std::uint64_t> hashes = {content_hash(spec)};
  EXPECT_EQ(content_hash(full_board()), content_hash(spec));
  std::size_t index = 0;
  for (const Change& change : changes_of_platform()) {
    PlatformSpec changed = spec;
    change(changed);
    EXPECT_TRUE(hashes.insert(content_hash(changed)).second) << "change " << index;
    ++index;
  }
}

TEST(ContentHash, OfAnApplicationChangesWithEachOfItsNumbers) {
  const PlatformSpec spec = full_board();
  std::set<std::uint64_t> hashes = {content_hash(spec, spec.apps[0])};
  std::size_t index = 0;
  for (const AppChange& change : changes_of_app()) {
    PlatformSpec changed = spec;
    change(changed.apps[0]);
    EXPECT_TRUE(hashes.insert(content_hash(changed, changed.apps[0])).second) << "change " << index;
    EXPECT_EQ(content_hash(changed), content_hash(spec)) << "its own hash holds it";
    ++index;
  }
}

// Another application than the dynamic network, with the order and the words of its knobs.
TEST(ContentHash, OfAnApplicationHoldsItsOwnKnobs) {
  PlatformSpec spec = full_board();
  spec.apps[0].knobs = {{"resolution", "px", {"1", "2"}}, {"model", "", {"s", "l"}}};
  spec.apps[0].levels[1].knob = {1, 1};
  std::set<std::uint64_t> hashes = {content_hash(spec, spec.apps[0])};
  const std::vector<AppChange> changes = {
      [](auto& a) { a.knobs[0].name += "2"; },
      [](auto& a) { a.knobs[0].unit = ""; },
      [](auto& a) { a.knobs[1].values[0] = "m"; },
      [](auto& a) { a.knobs[1].values.push_back("xl"); },
      [](auto& a) { a.knobs.pop_back(); },
      [](auto& a) { std::swap(a.knobs[0], a.knobs[1]); },
      [](auto& a) { a.levels[0].knob[1] = 1; },
  };
  for (const AppChange& change : changes) {
    PlatformSpec changed = spec;
    change(changed.apps[0]);
    EXPECT_TRUE(hashes.insert(content_hash(changed, changed.apps[0])).second);
  }
}

// As it was before applications had knobs of their own, so that stored policies hold.
TEST(ContentHash, OfTheDynamicNetworkIsWhatItWas) {
  const PlatformSpec xu3 = load_platform("odroid_xu3");
  EXPECT_EQ(xu3.apps[static_cast<std::size_t>(xu3.find_app("dynamic_cnn"))].content_hash,
            0x62827658cd53a89cu);
}

TEST(ContentHash, LeavesOutWhatNoPolicyDependsOn) {
  PlatformSpec spec = full_board();
  const std::uint64_t platform = content_hash(spec), app = content_hash(spec, spec.apps[0]);
  spec.description = "other words";
  spec.apps[0].levels[0].accuracy_source = "elsewhere";
  spec.apps[0].levels[1].parallel_fraction = {0.9, 0.8};  // measured on a machine
  spec.apps.push_back(spec.apps[0]);
  EXPECT_EQ(content_hash(spec), platform);
  EXPECT_EQ(content_hash(spec, spec.apps[0]), app);
  // Of a model file that is trained anew the accuracies are others, and what was learned holds.
  spec.apps[0].model = "net.model";
  const std::uint64_t with_model = content_hash(spec, spec.apps[0]);
  spec.apps[0].levels[1].accuracy_pct = 71;
  EXPECT_EQ(content_hash(spec, spec.apps[0]), with_model);
}

TEST(ContentHash, IsInEveryLoadedPlatformAndItsApplications) {
  const PlatformSpec xu3 = load_platform("odroid_xu3");
  EXPECT_EQ(xu3.content_hash, content_hash(xu3));
  for (const AppProfile& app : xu3.apps) EXPECT_EQ(app.content_hash, content_hash(xu3, app));
}

}  // namespace
}  // namespace flyball
