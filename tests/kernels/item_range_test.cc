#include "kernels/pool/item_range.h"

#include <gtest/gtest.h>

namespace flyball {
namespace {

TEST(ItemRange, OwnerTakesTheFrontThievesTheBack) {
  ItemRange range;
  range.fill(7, 10, 13);
  std::uint32_t item = 0;
  ASSERT_TRUE(range.claim_front(7, item));
  EXPECT_EQ(item, 10u);
  ASSERT_TRUE(range.claim_back(7, item));
  EXPECT_EQ(item, 12u);
  ASSERT_TRUE(range.claim_front(7, item));
  EXPECT_EQ(item, 11u);
  EXPECT_FALSE(range.claim_front(7, item));
  EXPECT_FALSE(range.claim_back(7, item));
}

TEST(ItemRange, WhoSleptThroughAJobClaimsNothingOfTheNext) {
  ItemRange range;
  range.fill(8, 0, 5);
  std::uint32_t item = 0;
  EXPECT_FALSE(range.claim_front(7, item));
  EXPECT_FALSE(range.claim_back(7, item));
  EXPECT_TRUE(range.claim_back(8, item));
}

TEST(ItemRange, HoldsTheLargestShareAndTag) {
  ItemRange range;
  range.fill(ItemRange::kTagMask, ItemRange::kMaxItems - 2, ItemRange::kMaxItems);
  std::uint32_t item = 0;
  ASSERT_TRUE(range.claim_back(ItemRange::kTagMask, item));
  EXPECT_EQ(item, ItemRange::kMaxItems - 1);
  ASSERT_TRUE(range.claim_front(ItemRange::kTagMask, item));
  EXPECT_EQ(item, ItemRange::kMaxItems - 2);
  EXPECT_FALSE(range.claim_front(ItemRange::kTagMask, item));
}

}  // namespace
}  // namespace flyball
