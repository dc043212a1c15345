#include "env/ledger/cpu_allocator.h"

#include <gtest/gtest.h>

#include <numeric>

#include "kernels/base/random.h"
#include "tests/env/emulated_fixture.h"

namespace flyball {
namespace {

CpuSet range(int from, int to) {
  CpuSet cpus;
  for (int cpu = from; cpu < to; ++cpu) cpus.add(cpu);
  return cpus;
}

PlatformSpec clusters_of(std::initializer_list<int> cores) {
  PlatformSpec spec = emulated_test::easy_spec();
  spec.clusters.resize(cores.size(), spec.clusters[0]);
  std::size_t c = 0;
  for (const int count : cores) spec.clusters[c++].cores = count;
  return spec;
}

Mapping mapping(std::initializer_list<int> cores) {
  Mapping mapping;
  std::size_t c = 0;
  for (const int count : cores) mapping.cores[c++] = static_cast<std::uint8_t>(count);
  return mapping;
}

TEST(CpuAllocator, ClustersFollowEachOtherInWhatIsAvailable) {
  const PlatformSpec spec = clusters_of({2, 2});
  const CpuAllocator cpus(spec, {2, 4, 5, 7});
  EXPECT_EQ(cpus.cluster(0), (CpuSet{2, 4}));
  EXPECT_EQ(cpus.cluster(1), (CpuSet{5, 7}));
  EXPECT_EQ(cpus.allocate(mapping({1, 2})), (CpuSet{2, 5, 7}));
  EXPECT_TRUE(cpus.allocate(mapping({0, 0})).empty());
}

TEST(CpuAllocator, FewerCpusThanCoresAreShared) {
  const PlatformSpec spec = clusters_of({2, 2});
  EXPECT_EQ(CpuAllocator(spec, {0, 1, 2}).cluster(1), CpuSet{2});
  const CpuAllocator two(spec, {0, 1});
  EXPECT_EQ(two.cluster(1), (CpuSet{0, 1})) << "it finds none left, and has what there is";
  EXPECT_EQ(two.allocate(mapping({2, 2})), (CpuSet{0, 1}));
  const CpuAllocator one(clusters_of({4}), {9});
  EXPECT_EQ(one.allocate(mapping({4})), CpuSet{9});
}

TEST(CpuAllocator, ApplicationsHaveTheirOwnWhileThereAreEnough) {
  const CpuAllocator cpus(clusters_of({4, 4}), range(0, 8));
  const CpuSet first = cpus.allocate(mapping({2, 1}));
  EXPECT_EQ(first, (CpuSet{0, 1, 4}));
  const CpuSet second = cpus.allocate(mapping({2, 0}), first);
  EXPECT_EQ(second, (CpuSet{2, 3}));
  // Three of the second cluster are free; of the first one none is: the first one again.
  EXPECT_EQ(cpus.allocate(mapping({1, 3}), first | second), (CpuSet{0, 5, 6, 7}));
  // Those that are only kept for somebody come before those that are taken.
  EXPECT_EQ(cpus.allocate(mapping({1, 0}), {0, 1}, {2, 3}), CpuSet{2});
  EXPECT_EQ(cpus.allocate(mapping({3, 0}), {0, 1}, {2}), (CpuSet{0, 2, 3}));
}

// Whatever is asked for: as many CPUs of each cluster as asked, of that cluster only, and no two
// applications share one in a cluster that has enough for all.
TEST(CpuAllocator, IsDisjointWhereverItCanBe) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    PlatformSpec spec = clusters_of({1, 1, 1, 1, 1, 1, 1, 1});
    int cores = 0;
    for (ClusterSpec& cluster : spec.clusters) {
      cluster.cores = 1 + static_cast<int>(random.below(24));
      cores += cluster.cores;
    }
    const CpuAllocator cpus(spec, range(3, 3 + cores));  // more than 64 in most rounds
    std::array<Mapping, 6> wanted;
    std::array<CpuSet, 6> out;
    CpuSet taken;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
        wanted[i].cores[c] = static_cast<std::uint8_t>(
            random.below(static_cast<std::uint32_t>(spec.clusters[c].cores) / 2 + 1));
      }
      out[i] = cpus.allocate(wanted[i], taken);
      taken = taken | out[i];
    }
    for (int c = 0; c < 8; ++c) {
      const CpuSet& cluster = cpus.cluster(c);
      ASSERT_EQ(cluster.count(), spec.clusters[static_cast<std::size_t>(c)].cores);
      int sum = 0;
      CpuSet together;
      for (std::size_t i = 0; i < out.size(); ++i) {
        ASSERT_EQ((out[i] & cluster).count(), wanted[i].cores[static_cast<std::size_t>(c)]);
        sum += wanted[i].cores[static_cast<std::size_t>(c)];
        together = together | (out[i] & cluster);
      }
      ASSERT_EQ(together.count(), std::min(sum, cluster.count()));
      for (int other = 0; other < c; ++other) {
        ASSERT_TRUE((cluster & cpus.cluster(other)).empty());
      }
    }
  }
}

TEST(CpuAllocator, KnowsMoreThan64Cpus) {
  const CpuAllocator cpus(clusters_of({64, 64, 64}), range(10, 202));
  EXPECT_EQ(cpus.cluster(2), range(138, 202));
  EXPECT_EQ(cpus.allocate(mapping({1, 0, 64})), (range(138, 202) | CpuSet{10}));
}

TEST(BusiestCore, OfApplicationsWithCoresOfTheirOwnItIsTheBusiestOnes) {
  BusiestCore apart(10, 1);
  apart.add(30, 2);
  apart.add(20, 1);
  EXPECT_DOUBLE_EQ(apart.busy_ns(4), 30);
  EXPECT_DOUBLE_EQ(apart.busy_ns(3), 60) << "four cores wanted of three: all together";
}

}  // namespace
}  // namespace flyball
