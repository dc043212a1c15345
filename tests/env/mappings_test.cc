#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "env/model/platform_mappings.h"

namespace flyball {
namespace {

std::vector<ClusterSpec> clusters_of(std::initializer_list<int> cores) {
  std::vector<ClusterSpec> clusters;
  for (const int count : cores) {
    ClusterSpec cluster;
    cluster.name = std::string(1, static_cast<char>('a' + clusters.size()));
    cluster.cores = count;
    clusters.push_back(cluster);
  }
  return clusters;
}

std::set<std::string> names(const std::vector<Mapping>& mappings) {
  std::set<std::string> names;
  for (const Mapping& mapping : mappings) names.insert(mapping.name);
  EXPECT_EQ(names.size(), mappings.size()) << "one twice";
  return names;
}

bool holds(const std::vector<Mapping>& mappings, const std::string& name) {
  return names(mappings).contains(name);
}

TEST(Mappings, AreAllOfThemWhereThatIsFew) {
  const auto mixed = make_mappings(clusters_of({4, 4}), true);
  EXPECT_EQ(mixed.size(), 24u);
  EXPECT_TRUE(holds(mixed, "ax3+bx1"));
  const auto single = make_mappings(clusters_of({4, 2}), false);
  EXPECT_EQ(names(single), (std::set<std::string>{"ax1", "ax2", "ax3", "ax4", "bx1", "bx2"}));
}

TEST(Mappings, AGpuIsTakenAsAWhole) {
  auto clusters = clusters_of({2, 1});
  clusters[1].kind = ClusterSpec::Kind::kGpu;
  EXPECT_EQ(names(make_mappings(clusters, true)), (std::set<std::string>{"ax1", "ax2", "bx1"}));
}

TEST(Mappings, OfManyCoresSomeAreOfferedOneAndAllAmongThem) {
  const std::vector<std::vector<ClusterSpec>> boards = {
      clusters_of({64, 64, 64}), clusters_of({200}), clusters_of({128, 8}),
      clusters_of({8, 8, 8, 8}), clusters_of({255, 255})};
  for (const auto& clusters : boards) {
    for (const bool mix : {false, true}) {
      const auto mappings = make_mappings(clusters, mix);
      ASSERT_LE(mappings.size(), static_cast<std::size_t>(kMaxMappings));
      ASSERT_GE(mappings.size(), clusters.size());
      std::string everything;
      for (const ClusterSpec& cluster : clusters) {
        const std::string all = cluster.name + "x" + std::to_string(cluster.cores);
        EXPECT_TRUE(holds(mappings, cluster.name + "x1")) << all;
        EXPECT_TRUE(holds(mappings, all)) << all;
        everything += (everything.empty() ? "" : "+") + all;
      }
      if (mix) {
        EXPECT_TRUE(holds(mappings, everything)) << everything;
      }
      for (const Mapping& mapping : mappings) {
        int used = 0;
        for (std::size_t c = 0; c < kMaxClusters; ++c) {
          used += mapping.cores[c] > 0;
          ASSERT_LE(mapping.cores[c], c < clusters.size() ? clusters[c].cores : 0);
        }
        ASSERT_TRUE(mix ? used >= 1 : used == 1);
      }
    }
  }
}

// Of eight clusters even one core or none of each makes 255: whole clusters can be had, too.
// 33^8 combinations of which only those within one cluster are wanted.
TEST(Mappings, EightClustersOfManyCoresAreMadeWithoutGoingThroughAllCombinations) {
  const auto clusters = clusters_of({32, 32, 32, 32, 32, 32, 32, 32});
  for (const bool mix : {false, true}) {
    const auto mappings = make_mappings(clusters, mix);
    EXPECT_LE(mappings.size(), static_cast<std::size_t>(kMaxMappings));
    for (const ClusterSpec& cluster : clusters) {
      EXPECT_TRUE(holds(mappings, cluster.name + "x32")) << mix;
      EXPECT_TRUE(holds(mappings, cluster.name + "x1")) << mix;
    }
  }
}

TEST(Mappings, EightClustersFitWithWholeClustersAmongThem) {
  const auto clusters = clusters_of({4, 4, 4, 4, 4, 4, 4, 4});
  for (const bool mix : {false, true}) {
    const auto mappings = make_mappings(clusters, mix);
    EXPECT_LE(mappings.size(), static_cast<std::size_t>(kMaxMappings));
    for (const ClusterSpec& cluster : clusters) {
      EXPECT_TRUE(holds(mappings, cluster.name + "x4")) << mix;
      EXPECT_TRUE(holds(mappings, cluster.name + "x1")) << mix;
    }
  }
}

}  // namespace
}  // namespace flyball
