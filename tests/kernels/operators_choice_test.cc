// Which implementation runs, and that it is the one that was asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Sets FLYBALL_SIMD for as long as it lives.
class ForcedSimd {
 public:
  explicit ForcedSimd(const char* value) {
    if (const char* before = std::getenv("FLYBALL_SIMD")) before_ = before;
    setenv("FLYBALL_SIMD", value, 1);
  }
  ~ForcedSimd() {
    if (before_.empty())
      unsetenv("FLYBALL_SIMD");
    else
      setenv("FLYBALL_SIMD", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

/// 1 x 1 convolution of (-(1 + 2^-11), 1 + 2^-12) with (1, 1 + 2^-12). The square is 1 + 2^-11 +
/// 2^-24, whose last bit is lost when the product is rounded on its own: only a fused multiply-add
/// leaves 2^-24.
bool fuses(const Operators& operators) {
  const float x = 1 + 0x1p-12f;
  const std::vector<float> in = {-(1 + 0x1p-11f), x};
  std::vector<float> plain(16, 1.0f), out(8);
  for (int o = 0; o < 8; ++o) plain[8 + o] = x;
  const std::vector<float> weights = packed(plain, 1, 2, 8);
  Convolution op;
  op.in = dense_image(in.data(), 1, 1, 2);
  op.out = dense_image(out.data(), 1, 1, 8);
  op.weights = weights.data();
  op.weight_inputs = 2;
  op.weight_outputs = 8;
  operators.convolution(op, 0, 1);
  EXPECT_TRUE(out[0] == 0 || out[0] == 0x1p-24f) << out[0];
  return out[0] != 0;
}

/// In how many partial sums a fully connected operator adds up: inputs of 2^24, then ones. A float
/// of 2^24 swallows every one that is added to it, so what is lost tells who was added to whom.
float order_of_sums(const Operators& operators) {
  std::vector<float> in(64, 1.0f);
  in[0] = 0x1p24f;
  const std::vector<float> weights(64 * 16, 1.0f);
  std::vector<float> out(16);
  operators.fully_connected(in.data(), 64, weights.data(), nullptr, out.data(), 16);
  return out[0] - 0x1p24f;
}

TEST(Choice, EveryForcedOneRuns) {
  for (const char* name : {"reference", "portable", "avx2", "avx512", "neon"}) {
    const ForcedSimd forced(name);
    std::string why;
    const Operators* const found = choose_operators(&why);
    if (!find_operators(name)) {
      // On a machine without it, one line that says so and what to do, and nothing in its place.
      EXPECT_EQ(found, nullptr);
      EXPECT_THAT(why, StartsWith("FLYBALL_SIMD=" + std::string(name) + ": this machine has no "));
      EXPECT_THAT(why, HasSubstr("unset it"));
      EXPECT_EQ(why.find('\n'), std::string::npos);
      continue;
    }
    ASSERT_NE(found, nullptr) << why;
    EXPECT_STREQ(found->name, name);
    // What it computes shows what ran: the reference adds one after the other and rounds each
    // product, portable x86 code has no fused multiply-add, the others have.
    const bool reference = found->name == std::string("reference");
    EXPECT_EQ(order_of_sums(*found), reference ? 0.0f : 48.0f);
#if defined(__x86_64__)
    EXPECT_EQ(fuses(*found), !reference && found->name != std::string("portable"));
#else
    EXPECT_EQ(fuses(*found), !reference);
#endif
  }
}

TEST(Choice, EachHasFunctionsOfItsOwn) {
  std::set<void*> functions;
  int implementations = 0;
  for (const char* name : {"reference", "portable", "avx2", "avx512", "neon"})
    if (const Operators* const found = find_operators(name)) {
      ++implementations;
      functions.insert(reinterpret_cast<void*>(found->convolution));
      functions.insert(reinterpret_cast<void*>(found->quantized_convolution));
    }
  EXPECT_EQ(functions.size(), 2u * implementations);
}

#if defined(__aarch64__)
TEST(Choice, EveryArmMachineHasNeon) { EXPECT_NE(find_operators("neon"), nullptr); }
#endif

TEST(Choice, TheFastestUnlessForced) {
  const ForcedSimd not_forced("");
  const Operators* const chosen = choose_operators();
  ASSERT_NE(chosen, nullptr);
  const Operators* expected = &portable_operators();
  for (const auto better : {neon_operators, avx2_operators, avx512_operators})
    if (better()) expected = better();
  EXPECT_STREQ(chosen->name, expected->name);
}

TEST(Choice, AnUnknownOneIsNamed) {
  const ForcedSimd forced("avx9000");
  std::string why;
  EXPECT_EQ(choose_operators(&why), nullptr);
  EXPECT_EQ(why,
            "FLYBALL_SIMD=avx9000: it is none of reference, portable, avx2, avx512, neon; unset it "
            "or name another");
}

}  // namespace
}  // namespace flyball
