#include "env/sim/faulty_sensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/env/round_board.h"

namespace flyball {
namespace {

/// A stream on a big core whose clock changes every 100 ms, looked at every 10 ms: with a good sensor,
/// and with a faulty one.
struct Readings {
  std::vector<Observation> good, faulty;
};

Readings readings(const SensorFaults& faults, const PlatformSpec& truth = round_board(),
                  const PlatformSpec& believed = round_board(), double duration_ms = 2'000) {
  const Scenario scenario = of_apps({stream("camera", 130, 120)}, duration_ms);
  const Belief belief = Belief::of(believed);
  Simulator plain(truth, scenario), hidden(truth, scenario);
  FaultySensors seen(hidden, belief, faults, 7);
  Readings all;
  all.good.reserve(200);
  all.faulty.reserve(200);
  Observation good, faulty;
  for (int i = 0; good.now_ns < scenario.duration_ns; ++i) {
    const Action action = big_core(truth, i / 10 % 2);
    plain.apply(action);
    seen.apply(action);
    plain.advance(ms(10), good);
    seen.advance(ms(10), faulty);
    all.good.push_back(good);
    all.faulty.push_back(faulty);
  }
  return all;
}

TEST(FaultySensors, WithoutAFaultEverythingIsShownAsItIs) {
  const Readings all = readings({});
  for (std::size_t i = 0; i < all.good.size(); ++i) {
    EXPECT_DOUBLE_EQ(all.faulty[i].energy_mj, all.good[i].energy_mj);
    EXPECT_DOUBLE_EQ(all.faulty[i].cluster[0].power_mw, all.good[i].cluster[0].power_mw);
    EXPECT_EQ(all.faulty[i].cluster[0].freq_khz, all.good[i].cluster[0].freq_khz);
  }
}

TEST(FaultySensors, NoiseIsOfTheReadingsAndOfNothingElse) {
  const Readings all = readings({.noise = 0.2});
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < all.good.size(); ++i) {
    const Observation &good = all.good[i], &faulty = all.faulty[i];
    const double ratio = faulty.energy_mj / good.energy_mj;
    sum += ratio;
    squares += (ratio - 1) * (ratio - 1);
    // Whatever is made of the same reading is off by the same share.
    EXPECT_NEAR(faulty.app[0].energy_mj, good.app[0].energy_mj * ratio, 1e-9);
    EXPECT_NEAR(faulty.cluster[1].power_mw, good.cluster[1].power_mw * ratio, 1e-9);
    ASSERT_EQ(faulty.job_count, good.job_count);
    for (std::size_t j = 0; j < good.job_count; ++j) {
      EXPECT_EQ(faulty.jobs()[j].finish_ns, good.jobs()[j].finish_ns);
    }
  }
  const double n = static_cast<double>(all.good.size());  // 200: the deviation is known to 5 %
  EXPECT_NEAR(sum / n, 1, 4 * 0.2 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n), 0.2, 0.04);
}

TEST(FaultySensors, ALateOneShowsWhatThereWas) {
  const Readings all = readings({.delay_ns = 40 * kMs});
  for (std::size_t i = 10; i < all.good.size(); ++i) {
    EXPECT_NEAR(all.faulty[i].energy_mj, all.good[i - 4].energy_mj, 1e-9) << i;
  }
}

TEST(FaultySensors, AStuckOneShowsOneValue) {
  const Readings all = readings({.stuck_from_ns = 1'000 * kMs});
  for (std::size_t i = 0; i < all.good.size(); ++i) {
    if (all.good[i].now_ns < 1'000 * kMs) {
      EXPECT_DOUBLE_EQ(all.faulty[i].power_mw, all.good[i].power_mw);
    } else {
      EXPECT_EQ(all.faulty[i].power_mw, all.faulty.back().power_mw);
    }
  }
  EXPECT_NE(all.good.back().power_mw, all.faulty.back().power_mw);
}

TEST(FaultySensors, ALostOneIsHeldOverThenAbsentUntilItIsBack) {
  const Readings all = readings({.lost_from_ns = 500 * kMs,
                                 .back_ns = 900 * kMs,
                                 .temp_lost_from_ns = 700 * kMs,
                                 .temp_back_ns = 800 * kMs});
  for (std::size_t i = 0; i < all.good.size(); ++i) {
    const Observation &good = all.good[i], &faulty = all.faulty[i];
    const std::int64_t power_lost = (good.now_ns - 490 * kMs) / (10 * kMs);  // epochs
    const bool of_power = power_lost >= 1 && good.now_ns < 900 * kMs;
    const bool power_held = of_power && power_lost <= kMaxHeldReadings;
    EXPECT_EQ(faulty.sensed.held, power_held ? Sensed::kPower : 0) << good.now_ns;
    EXPECT_EQ(faulty.sensed.absent, of_power && !power_held ? Sensed::kPower : 0) << good.now_ns;
    if (!of_power) {
      EXPECT_DOUBLE_EQ(faulty.power_mw, good.power_mw);
    } else if (power_held) {
      EXPECT_DOUBLE_EQ(faulty.power_mw, all.good[48].power_mw);
    }
    const std::int64_t temp_lost = (good.now_ns - 690 * kMs) / (10 * kMs);
    const bool of_temp = temp_lost >= 1 && good.now_ns < 800 * kMs;
    const bool temp_held = of_temp && temp_lost <= kMaxHeldReadings;
    for (int c = 0; c < 2; ++c) {
      EXPECT_EQ(faulty.cluster[c].sensed.fresh(Sensed::kTemp), !of_temp) << good.now_ns;
      EXPECT_EQ((faulty.cluster[c].sensed.held & Sensed::kTemp) != 0, temp_held) << good.now_ns;
      EXPECT_EQ(faulty.cluster[c].temp_c, all.good[of_temp ? 68 : i].cluster[c].temp_c);
    }
    EXPECT_EQ(faulty.held, 3u * power_held + 2u * temp_held);
    EXPECT_EQ(good.held, 0u);
  }
}

TEST(FaultySensors, WithoutASensorTheBeliefIsShown) {
  PlatformSpec hungry = round_board();
  for (ClusterSpec& cluster : hungry.clusters) cluster.uncore_nf *= 3;
  hungry.apps[0].unit[kBig].core_nf *= 3;
  const Readings truth = readings({.present = false}, hungry), as_believed = readings({});
  double shown = 0, believed = 0, spent = 0;
  for (std::size_t i = 0; i < truth.good.size(); ++i) {
    shown += truth.faulty[i].energy_mj;
    spent += truth.good[i].energy_mj;
    believed += as_believed.good[i].energy_mj;
  }
  EXPECT_GT(spent, 1.5 * believed);
  EXPECT_NEAR(shown, believed, 0.05 * believed);
}

TEST(FaultySensors, ALateOneShowsAllOfWhatABoardTookThatTakesNothingIdle) {
  PlatformSpec frugal = round_board();
  frugal.board_mw = 0;
  for (ClusterSpec& cluster : frugal.clusters) {
    cluster.gate_idle_cores = true;
    cluster.leak_core_share = 1;
  }
  const Readings all = readings({.delay_ns = 40 * kMs}, frugal, frugal);
  double took = 0, shown = 0, after = 0;
  for (std::size_t i = 0; i < all.good.size(); ++i) {
    // It shows the second epoch in the sixth, and until then what there is.
    took += i >= 1 && i + 4 < all.good.size() ? all.good[i].energy_mj : 0;
    shown += i >= 5 ? all.faulty[i].energy_mj : 0;
    if (all.good[i].energy_mj == 0) after += all.faulty[i].energy_mj;
  }
  ASSERT_GT(took, 0);
  EXPECT_GT(after, 0.2 * took) << "a board that rests is not shown to";
  EXPECT_NEAR(shown, took, 1e-6 * took);
}

}  // namespace
}  // namespace flyball
