#include <gtest/gtest.h>

#include <cmath>

#include "kernels/base/det_math.h"
#include "kernels/base/random.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

TEST(DetMath, AgreesWithTheCLibrary) {
  for (double x = -699; x < 709; x += 0.377) {
    EXPECT_NEAR(det_exp(x) / std::exp(x), 1, 1e-12) << x;
  }
  for (double x = 1e-300; x < 1e300; x *= 1.37) {
    EXPECT_NEAR(det_log(x), std::log(x), 1e-12 * std::abs(std::log(x))) << x;
  }
  for (double x = 1 - 1e-3; x < 1 + 1e-3; x += 1.7e-6) {
    EXPECT_NEAR(det_log(x), std::log(x), 1e-12 * std::abs(std::log(x))) << x;
  }
  for (double x = 1e-9; x < 50; x *= 1.1) {
    EXPECT_NEAR(det_lag(x) / -std::expm1(-x), 1, 1e-12) << x;
  }
}

TEST(DetMath, Edges) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(det_exp(0), 1);
  EXPECT_EQ(det_exp(-infinity), 0);
  EXPECT_EQ(det_exp(infinity), infinity);
  EXPECT_TRUE(std::isnan(det_exp(std::nan(""))));
  EXPECT_EQ(det_log(1), 0);
  EXPECT_EQ(det_log(0), -infinity);
  EXPECT_EQ(det_log(infinity), infinity);
  EXPECT_TRUE(std::isnan(det_log(-1)));
  EXPECT_EQ(det_lag(0), 0);
}

// The bits that every machine must give.
TEST(DetMath, TheseBitsEverywhere) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(det_exp(-8.0625)), 0x3f34a7234b93d730ULL);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(det_log(3.7)), 0x3ff4eeee650ae54fULL);
  Random random(42, 7);
  EXPECT_EQ(random.next(), 0xb272e4dfb0f99199ULL);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(random.normal()), 0xbff515505a50bed7ULL);
}

TEST(Random, MomentsOfTheDistributions) {
  Random random(5);
  constexpr int kDraws = 200'000;
  double uniform = 0, normal = 0, squares = 0, exponential = 0;
  int below[5] = {};
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    uniform += u;
    const double n = random.normal();
    normal += n;
    squares += n * n;
    exponential += random.exponential();
    ++below[random.below(5)];
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  EXPECT_NEAR(exponential / kDraws, 1, 0.01);
  for (const int count : below) EXPECT_NEAR(count, kDraws / 5, 1000);
}

TEST(Random, StreamsAreTheirOwn) {
  Random a(1, 1), b(1, 2), c(2, 1), same(1, 1);
  const std::uint64_t first = a.next();
  EXPECT_EQ(first, same.next());
  EXPECT_NE(first, b.next());
  EXPECT_NE(first, c.next());
}

TEST(Arrivals, PeriodicWithJitterStaysNearItsSlots) {
  AppSpec app = stream("camera", 100, 100);
  app.arrival.jitter = 0.2;
  ArrivalStream arrivals(app, 1, 0);
  bool moved = false;
  for (int i = 0; i < 1000; ++i) {
    const double off_ms = static_cast<double>(arrivals.next_ns() - i * 100 * kMs) * 1e-6;
    EXPECT_LE(std::abs(off_ms), 20);
    moved = moved || std::abs(off_ms) > 10;
    arrivals.step(app);
  }
  EXPECT_TRUE(moved);
}

TEST(Arrivals, BurstsThenSilenceUntilTheStop) {
  AppSpec app = stream("camera", 1000, 100);
  app.arrival.kind = Arrival::Kind::kBursty;
  app.arrival.burst_jobs = 3;
  app.arrival.burst_gap_ns = 10 * kMs;
  app.start_ns = 50 * kMs;
  app.stop_ns = 1065 * kMs;
  ArrivalStream arrivals(app, 1, 0);
  for (const std::int64_t at_ms : {50, 60, 70, 1050, 1060}) {
    EXPECT_EQ(arrivals.next_ns(), at_ms * kMs);
    arrivals.step(app);
  }
  EXPECT_EQ(arrivals.next_ns(), kNeverNs);
}

TEST(Arrivals, PoissonHasItsMeanAndNoRegularity) {
  AppSpec app = stream("door", 100, 100);
  app.arrival.kind = Arrival::Kind::kPoisson;
  app.stop_ns = kNeverNs;
  ArrivalStream arrivals(app, 1, 0);
  double sum = 0, squares = 0;
  std::int64_t last = 0;
  constexpr int kDraws = 50'000;
  for (int i = 0; i < kDraws; ++i) {
    const double gap = static_cast<double>(arrivals.next_ns() - last) * 1e-6;
    last = arrivals.next_ns();
    sum += gap;
    squares += gap * gap;
    arrivals.step(app);
  }
  EXPECT_NEAR(sum / kDraws, 100, 2);
  // The deviation of an exponential is its mean.
  EXPECT_NEAR(std::sqrt(squares / kDraws - 1e4), 100, 5);
}

TEST(Work, LogNormalWithItsVariationAndCorrelation) {
  AppSpec app = stream("camera", 100, 100);
  app.work_cv = 0.3;
  app.work_correlation = 0.6;
  WorkStream work(app, 1, 0);
  constexpr int kDraws = 100'000;
  double sum = 0, squares = 0, products = 0, last = 1;
  for (int i = 0; i < kDraws; ++i) {
    const double w = work.next();
    ASSERT_GT(w, 0);
    sum += w;
    squares += (w - 1) * (w - 1);
    products += (w - 1) * (last - 1);
    last = w;
  }
  EXPECT_NEAR(sum / kDraws, 1, 0.01);
  EXPECT_NEAR(std::sqrt(squares / kDraws), 0.3, 0.01);
  EXPECT_NEAR(products / squares, 0.6, 0.03);
  WorkStream constant(stream("camera", 100, 100), 1, 0);
  EXPECT_EQ(constant.next(), 1);
}

}  // namespace
}  // namespace flyball
