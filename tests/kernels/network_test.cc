#include "kernels/dnn/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <boost/crc.hpp>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace flyball {
namespace {

using testing::HasSubstr;
using Error = InferStatus::Error;

std::vector<float> some_image(const Network& network, int seed) {
  std::vector<float> image(network.image_values());
  for (std::size_t i = 0; i < image.size(); ++i)
    image[i] = static_cast<float>((i * 37 + i / 96 * 11 + 101 * seed) % 256) / 128.0f - 1.0f;
  return image;
}

constexpr Precision kFp32 = Precision::kFloat32;
constexpr Precision kInt8 = Precision::kInt8;

std::vector<float> logits_of(const Network& network, Workspace& workspace, int width,
                             const std::vector<float>& image, Precision precision = kFp32) {
  std::vector<float> logits(network.spec().classes);
  const InferStatus status = network.infer(workspace, width, precision, image, logits);
  EXPECT_TRUE(status) << status.message();
  return logits;
}

std::vector<float> evidence_of(const Workspace& workspace, int tower) {
  return {workspace.evidence(tower), workspace.evidence(tower) + workspace.spec().classes};
}

class NetworkTest : public testing::Test {
 protected:
  NetworkTest()
      : model_(seeded_model(modified_alexnet(), 3)),
        network_(model_),
        workspace_(network_.spec()) {}
  Model model_;
  Network network_;
  Workspace workspace_;
};

TEST_F(NetworkTest, HasTheShapeOfThePublishedOne) {
  EXPECT_EQ(model_.parameters.size(), 80'552u);  // "about 80,000", 322 kB
  EXPECT_EQ(network_.widths(), 4);
  EXPECT_EQ(network_.width_pct(0), 25);
  EXPECT_EQ(network_.width_pct(3), 100);
  // By hand, per group: 25*3*16*32*32 + 9*16*24*16*16 + 9*24*24*8*8 (twice) + 9*24*16*8*8.
  std::size_t multiplications = 0;
  for (const auto& layer : network_.layout().layers) multiplications += layer.multiplications;
  EXPECT_EQ(multiplications, 1'228'800u + 884'736u + 331'776u + 331'776u + 221'184u);
  EXPECT_EQ(network_.layout().features, 3 * 3 * 16);
}

TEST_F(NetworkTest, TheSameSeedGivesTheSameBytesEverywhere) {
  boost::crc_32_type crc;
  for (float parameter : model_.parameters) {
    const auto bits = std::bit_cast<std::uint32_t>(parameter);
    for (int shift : {0, 8, 16, 24}) crc.process_byte(static_cast<unsigned char>(bits >> shift));
  }
  EXPECT_EQ(crc.checksum(), 203334529u);
  EXPECT_NE(model_.parameters, seeded_model(modified_alexnet(), 4).parameters);
  EXPECT_EQ(model_.activation_max, seeded_model(modified_alexnet(), 3).activation_max);
}

TEST_F(NetworkTest, SeededWeightsHaveHeVariance) {
  const auto weights =
      std::span(model_.parameters).subspan(network_.layout().layers[2].weights, 5184);
  double square = 0;
  for (float w : weights) square += double{w} * w;
  EXPECT_NEAR(square / 5184, 2.0 / (9 * 24), 0.05 * 2.0 / (9 * 24));
}

TEST_F(NetworkTest, SaysThatNobodyMeasuredSeededWeights) {
  EXPECT_FALSE(network_.accuracy_pct(3, kFp32).has_value());
  EXPECT_THAT(network_.accuracy().source, HasSubstr("not measured"));
  model_.accuracy = {{56, 62.7f, 68.8f, 71.2f}, {55, 61, 67, 70}, "made up for this test"};
  const Network measured(model_);
  EXPECT_EQ(measured.accuracy_pct(0, kFp32), 56.0f);
  EXPECT_EQ(measured.accuracy_pct(3, kInt8), 70.0f);
  EXPECT_FALSE(measured.accuracy_pct(4, kFp32).has_value());
}

TEST_F(NetworkTest, DroppingGroupsLeavesTheBitsOfTheOthers) {
  const std::vector<float> image = some_image(network_, 1);
  logits_of(network_, workspace_, 3, image);
  std::vector<std::vector<float>> full;
  for (int g = 0; g < 4; ++g) full.push_back(evidence_of(workspace_, g));
  for (int width = 0; width < 4; ++width) {
    Workspace fresh(network_.spec());
    std::vector<float> expected(10, 0.0f);  // the bias of seeded weights
    const std::vector<float> logits = logits_of(network_, fresh, width, image);
    for (int g = 0; g <= width; ++g) {
      EXPECT_EQ(evidence_of(fresh, g), full[g]) << "group " << g << " at width " << width;
      for (int c = 0; c < 10; ++c) expected[c] += full[g][c];
    }
    EXPECT_EQ(logits, expected) << "the classifier adds up its groups, in order";
    EXPECT_NE(full[width], std::vector<float>(10, 0.0f));
  }
}

TEST_F(NetworkTest, LaterGroupsWeightsDoNotTouchANarrowerWidth) {
  const std::vector<float> image = some_image(network_, 1);
  Model changed = model_;
  const NetworkLayout& layout = network_.layout();
  for (std::size_t i = 2 * layout.tower_parameters; i < layout.class_bias; ++i)
    changed.parameters[i] += 1;
  const Network other(changed);
  EXPECT_EQ(logits_of(network_, workspace_, 1, image), logits_of(other, workspace_, 1, image));
  EXPECT_NE(logits_of(network_, workspace_, 2, image), logits_of(other, workspace_, 2, image));
}

TEST_F(NetworkTest, EachWidthHasItsOwnBias) {
  const std::vector<float> image = some_image(network_, 1);
  Model changed = model_;
  for (int width = 0; width < 4; ++width)
    changed.parameters[network_.layout().class_bias + width * 10 + 7] = 8.0f * (width + 1);
  const Network other(changed);
  for (int width = 0; width < 4; ++width) {
    const std::vector<float> before = logits_of(network_, workspace_, width, image);
    const std::vector<float> after = logits_of(other, workspace_, width, image);
    for (int c = 0; c < 10; ++c)
      EXPECT_NEAR(after[c] - before[c], c == 7 ? 8.0f * (width + 1) : 0.0f, 1e-4);
  }
}

TEST_F(NetworkTest, WidthsComeAndGoWithoutLeavingATrace) {
  const std::vector<float> a = some_image(network_, 1), b = some_image(network_, 2);
  Workspace fresh(network_.spec());
  const std::vector<float> expected = logits_of(network_, fresh, 3, a);
  logits_of(network_, workspace_, 3, b);
  logits_of(network_, workspace_, 0, a);
  logits_of(network_, workspace_, 2, b);
  EXPECT_EQ(logits_of(network_, workspace_, 3, a), expected);
}

TEST_F(NetworkTest, TheNumberOfWorkersDoesNotChangeABit) {
  const std::vector<float> image = some_image(network_, 1);
  Pool pool(3);
  for (const NetworkSpec& spec : {modified_alexnet(), slimmable_alexnet(), plain_cifar_network()}) {
    const Network network(seeded_model(spec, 3));
    Workspace workspace(spec);
    for (int width = 0; width < spec.widths; ++width)
      for (Precision precision : {kFp32, kInt8}) {
        const auto expected = logits_of(network, workspace, width, image, precision);
        for (int active : {1, 2, 3}) {
          PoolConfig config;
          config.active = active;
          ASSERT_TRUE(pool.configure(config));
          std::vector<float> logits(10);
          for (int time = 0; time < 2; ++time) {  // work is divided by the last job's workers
            ASSERT_TRUE(network.infer(pool, workspace, width, precision, image, logits));
            EXPECT_EQ(logits, expected)
                << active << " workers, width " << width << ", " << name_of(precision);
          }
        }
      }
  }
}

TEST_F(NetworkTest, TheOperatorSetsAgree) {
  const std::vector<float> image = some_image(network_, 1);
  network_.set_operators(&reference_operators());
  const std::vector<float> expected = logits_of(network_, workspace_, 3, image);
  const std::vector<float> expected_int8 = logits_of(network_, workspace_, 3, image, kInt8);
  for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
    const Operators* const found = find_operators(name);
    if (!found) continue;
    network_.set_operators(found);
    const std::vector<float> actual = logits_of(network_, workspace_, 3, image);
    const std::vector<float> actual_int8 = logits_of(network_, workspace_, 3, image, kInt8);
    for (int c = 0; c < 10; ++c) {
      EXPECT_NEAR(actual[c], expected[c], 1e-4) << name;
      EXPECT_NEAR(actual_int8[c], expected_int8[c], 1e-4) << name << ", int8";
    }
  }
}

std::size_t counted_rows = 0;

TEST_F(NetworkTest, WorkGrowsLinearlyWithWidth) {
  Operators counting = reference_operators();
  counting.convolution = counting.winograd = [](const Convolution&, int begin, int end) {
    counted_rows += static_cast<std::size_t>(end - begin);
  };
  network_.set_operators(&counting);
  const std::vector<float> image = some_image(network_, 1);
  for (int width = 0; width < 4; ++width) {
    counted_rows = 0;
    logits_of(network_, workspace_, width, image);
    EXPECT_EQ(counted_rows, std::size_t(width + 1) * (32 + 16 + 8 + 8 + 8));
  }
}

TEST(Cost, OfASlimmableNetworkGrowsWithTheSquareOfItsWidth) {
  const NetworkSpec spec = slimmable_alexnet();
  const NetworkLayout layout(spec);
  // By hand for half the width: 16, 32, 32, 32 and 16 channels, 9 x 16 features.
  EXPECT_EQ(layout.multiplications(spec, 1), 25u * 3 * 16 * 1024 + 9 * 16 * 32 * 256 +
                                                 2 * 9 * 32 * 32 * 64 + 9 * 32 * 16 * 64 +
                                                 9 * 16 * 10);
  EXPECT_EQ(layout.active_parameters(spec, 1), 25u * 3 * 16 + 9 * 16 * 32 + 2 * 9 * 32 * 32 +
                                                   9 * 32 * 16 + 2 * (16 + 3 * 32 + 16) +
                                                   9 * 16 * 10 + 10);
  const NetworkSpec grouped = modified_alexnet();
  const double same = static_cast<double>(layout.multiplications(spec, 3)) /
                      static_cast<double>(NetworkLayout(grouped).multiplications(grouped, 3));
  EXPECT_NEAR(same, 1, 0.1);
}

TEST(Cost, OfAGroupedNetworkGrowsLinearly) {
  const NetworkSpec spec = modified_alexnet();
  const NetworkLayout layout(spec);
  for (int width = 0; width < 4; ++width) {
    EXPECT_EQ(layout.multiplications(spec, width), (width + 1) * layout.multiplications(spec, 0));
    EXPECT_EQ(layout.active_parameters(spec, width),
              (width + 1) * (layout.active_parameters(spec, 0) - 10) + 10);
  }
  EXPECT_EQ(layout.active_parameters(spec, 3) + 3 * 10, layout.parameters);
}

TEST_F(NetworkTest, RefusesWhatItCannotUseAndNamesIt) {
  std::vector<float> image = some_image(network_, 1);
  std::vector<float> logits(10, -1.0f);
  InferStatus status = network_.infer(workspace_, 4, kFp32, image, logits);
  EXPECT_EQ(status.error, Error::kWidth);
  EXPECT_THAT(status.message(), HasSubstr("width 4: the network has the widths 0 to 3"));
  EXPECT_EQ(network_.infer(workspace_, -1, kFp32, image, logits).error, Error::kWidth);

  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    image[1234] = bad;
    status = network_.infer(workspace_, 3, kFp32, image, logits);
    EXPECT_EQ(status.error, Error::kNotFinite);
    EXPECT_THAT(status.message(), HasSubstr("image value 1234"));
  }
  image[1234] = std::numeric_limits<float>::max();  // large, but a number
  image.pop_back();
  status = network_.infer(workspace_, 3, kFp32, image, logits);
  EXPECT_EQ(status.error, Error::kImageSize);
  EXPECT_THAT(status.message(), HasSubstr("image of 3071 values: the network takes 3072"));
  image.push_back(0);

  std::vector<float> nine(9);
  EXPECT_EQ(network_.infer(workspace_, 3, kFp32, image, nine).error, Error::kLogitsSize);
  NetworkSpec narrower = network_.spec();
  narrower.layers[0].channels = 8;
  Workspace foreign(narrower);
  EXPECT_EQ(network_.infer(foreign, 3, kFp32, image, logits).error, Error::kWorkspace);
  Model uncalibrated = model_;
  uncalibrated.activation_max.clear();
  const Network float_only(uncalibrated);
  status = float_only.infer(workspace_, 3, kInt8, image, logits);
  EXPECT_EQ(status.error, Error::kPrecision);
  EXPECT_THAT(status.message(), HasSubstr("int8"));
  EXPECT_EQ(logits, std::vector<float>(10, -1.0f)) << "a refused inference writes nothing";
}

TEST(NetworkSpec, NamesWhatDoesNotFit) {
  EXPECT_EQ(modified_alexnet().problem(), "");
  NetworkSpec spec = modified_alexnet();
  spec.image_size = 5;
  EXPECT_THAT(spec.problem(), HasSubstr("layer 4: its pooling does not fit"));
  spec = modified_alexnet();
  spec.widths = 0;
  EXPECT_THAT(spec.problem(), HasSubstr("0 widths"));
  spec = modified_alexnet();
  spec.layers[1].pad = 3;
  EXPECT_THAT(spec.problem(), HasSubstr("layer 1"));
  spec = slimmable_alexnet();
  EXPECT_EQ(spec.problem(), "");
  spec.layers[2].channels = 60;
  EXPECT_THAT(spec.problem(), HasSubstr("layer 2: 60 channels cannot be cut into 4 widths"));
  spec = modified_alexnet();
  spec.image_size = 4096;
  EXPECT_THAT(spec.problem(), HasSubstr("16 million"));
  // A few hundred kB of parameters that would take a terabyte to run.
  spec = {};
  spec.image_size = 4096;
  spec.image_channels = spec.classes = 1;
  spec.widths = 64;
  spec.layers.assign(64, {.channels = 1, .window = 1, .stride = 1, .pad = 0});
  EXPECT_THAT(spec.problem(), HasSubstr("layer 0: more than 134 million values"));
  // Hardly a value before the pooling, 17 million a tower behind it.
  spec.image_size = 1;
  spec.layers = {{.channels = 4096,
                  .window = 1,
                  .pad = 0,
                  .pool = LayerSpec::Pool::kMax,
                  .pool_window = 64,
                  .pool_stride = 1,
                  .pool_pad = 63}};
  EXPECT_THAT(spec.problem(), HasSubstr("layer 0: more than 134 million values"));
  EXPECT_EQ(plain_cifar_network().problem(), "");
}

TEST(NetworkSpec, OtherShapesWork) {
  NetworkSpec spec;
  spec.image_size = 9;
  spec.image_channels = 1;
  spec.classes = 3;
  spec.widths = 2;
  spec.layers = {{.channels = 5, .window = 3, .stride = 2, .pad = 0}, {.channels = 7}};
  ASSERT_EQ(spec.problem(), "");
  Network network(seeded_model(spec, 1));
  Workspace workspace(spec);
  const std::vector<float> image(81, 0.5f);
  network.set_operators(&reference_operators());
  const std::vector<float> expected = logits_of(network, workspace, 1, image);
  network.set_operators(&portable_operators());
  const std::vector<float> actual = logits_of(network, workspace, 1, image);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(actual[c], expected[c], 1e-5);
  EXPECT_EQ(logits_of(network, workspace, 1, image, kInt8).size(), 3u) << "odd channels, in pairs";
}

}  // namespace
}  // namespace flyball
