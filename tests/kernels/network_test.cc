#include "kernels/dnn/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <boost/crc.hpp>
#include <cmath>
#include <limits>
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

std::vector<float> logits_of(const Network& network, Workspace& workspace, int width,
                             const std::vector<float>& image) {
  std::vector<float> logits(network.spec().classes);
  const InferStatus status = network.infer(workspace, width, image, logits);
  EXPECT_TRUE(status) << status.message();
  return logits;
}

std::vector<float> evidence_of(const Workspace& workspace, int group) {
  return {workspace.evidence(group), workspace.evidence(group) + workspace.spec().classes};
}

class NetworkTest : public testing::Test {
 protected:
  NetworkTest() : network_(Network::seeded(modified_alexnet(), 3)), workspace_(network_.spec()) {}
  Network network_;
  Workspace workspace_;
};

TEST_F(NetworkTest, HasTheShapeOfThePublishedOne) {
  EXPECT_EQ(network_.parameters().size(), 80'552u);  // "about 80,000", 322 kB
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
  for (float parameter : network_.parameters()) {
    const auto bits = std::bit_cast<std::uint32_t>(parameter);
    for (int shift : {0, 8, 16, 24}) crc.process_byte(static_cast<unsigned char>(bits >> shift));
  }
  EXPECT_EQ(crc.checksum(), 203334529u);
  EXPECT_FALSE(std::ranges::equal(network_.parameters(),
                                  Network::seeded(modified_alexnet(), 4).parameters()));
}

TEST_F(NetworkTest, SeededWeightsHaveHeVariance) {
  const auto weights = network_.parameters().subspan(network_.layout().layers[2].weights, 5184);
  double square = 0;
  for (float w : weights) square += double{w} * w;
  EXPECT_NEAR(square / 5184, 2.0 / (9 * 24), 0.05 * 2.0 / (9 * 24));
}

TEST_F(NetworkTest, SaysThatNobodyMeasuredSeededWeights) {
  EXPECT_FALSE(network_.accuracy_pct(3).has_value());
  EXPECT_THAT(network_.accuracy_source(), HasSubstr("not measured"));
  const Network measured(network_.spec(), network_.parameters(),
                         {{56, 62.7f, 68.8f, 71.2f}, "made up for this test"});
  EXPECT_EQ(measured.accuracy_pct(0), 56.0f);
  EXPECT_FALSE(measured.accuracy_pct(4).has_value());
}

/// One group of one layer on [row][column][channel], straight from the definition.
std::vector<float> plain_layer(const std::vector<float>& in, const NetworkLayout::Layer& at,
                               const LayerSpec& spec, const float* group) {
  const auto inside = [](int i, int size) { return i >= 0 && i < size; };
  std::vector<float> conv(std::size_t(at.conv_size) * at.conv_size * spec.channels);
  for (int y = 0; y < at.conv_size; ++y)
    for (int x = 0; x < at.conv_size; ++x)
      for (int o = 0; o < spec.channels; ++o) {
        double sum = 0;
        for (int tap = 0; tap < spec.window * spec.window; ++tap) {
          const int v = y * spec.stride - spec.pad + tap / spec.window;
          const int u = x * spec.stride - spec.pad + tap % spec.window;
          if (!inside(v, at.in_size) || !inside(u, at.in_size)) continue;
          for (int i = 0; i < at.in_channels; ++i)
            sum += double{in[(v * at.in_size + u) * at.in_channels + i]} *
                   group[at.weights + (tap * at.in_channels + i) * spec.channels + o];
        }
        conv[(y * at.conv_size + x) * spec.channels + o] =
            static_cast<float>(std::max(0.0, sum * group[at.scale + o] + group[at.bias + o]));
      }
  if (spec.pool == LayerSpec::Pool::kNone) return conv;
  std::vector<float> out(std::size_t(at.out_size) * at.out_size * spec.channels);
  for (int y = 0; y < at.out_size; ++y)
    for (int x = 0; x < at.out_size; ++x)
      for (int o = 0; o < spec.channels; ++o) {
        float most = 0, sum = 0;  // nothing is negative behind a ReLU
        for (int tap = 0; tap < spec.pool_window * spec.pool_window; ++tap) {
          const int v = y * spec.pool_stride - spec.pool_pad + tap / spec.pool_window;
          const int u = x * spec.pool_stride - spec.pool_pad + tap % spec.pool_window;
          if (!inside(v, at.conv_size) || !inside(u, at.conv_size)) continue;
          const float value = conv[(v * at.conv_size + u) * spec.channels + o];
          most = std::max(most, value);
          sum += value;
        }
        out[(y * at.out_size + x) * spec.channels + o] =
            spec.pool == LayerSpec::Pool::kMax
                ? most
                : sum / static_cast<float>(spec.pool_window * spec.pool_window);
      }
  return out;
}

TEST_F(NetworkTest, ComputesWhatItsDefinitionSays) {
  const NetworkSpec& spec = network_.spec();
  const NetworkLayout& layout = network_.layout();
  std::vector<float> parameters(network_.parameters().begin(), network_.parameters().end());
  // Scales and biases that matter: a seeded network has ones and zeros.
  for (int g = 0; g < spec.groups; ++g)
    for (std::size_t l = 0; l < spec.layers.size(); ++l)
      for (int c = 0; c < spec.layers[l].channels; ++c) {
        float* const group = parameters.data() + g * layout.group_parameters;
        group[layout.layers[l].scale + c] = 0.6f + 0.04f * static_cast<float>((c + g) % 16);
        group[layout.layers[l].bias + c] = 0.03f * static_cast<float>((3 * c + g) % 16 - 8);
      }
  for (std::size_t i = layout.class_bias; i < layout.parameters; ++i)
    parameters[i] = 0.1f * static_cast<float>(i - layout.class_bias);
  const Network network(spec, parameters, {});
  const std::vector<float> image = some_image(network, 1);

  std::vector<double> sum(10, 0.0);
  for (int width = 0; width < 4; ++width) {
    const float* const group = parameters.data() + width * layout.group_parameters;
    std::vector<float> values = image;
    for (std::size_t l = 0; l < spec.layers.size(); ++l)
      values = plain_layer(values, layout.layers[l], spec.layers[l], group);
    for (std::size_t f = 0; f < values.size(); ++f)
      for (int c = 0; c < 10; ++c)
        sum[c] += double{values[f]} * group[layout.classifier + f * 10 + c];
    const std::vector<float> logits = logits_of(network, workspace_, width, image);
    for (int c = 0; c < 10; ++c)
      EXPECT_NEAR(logits[c], sum[c] + parameters[layout.class_bias + width * 10 + c], 1e-4)
          << "width " << width << ", class " << c;
  }
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
  std::vector<float> changed(network_.parameters().begin(), network_.parameters().end());
  for (std::size_t i = 2 * network_.layout().group_parameters; i < network_.layout().class_bias;
       ++i)
    changed[i] += 1;
  const Network other(network_.spec(), changed, {});
  EXPECT_EQ(logits_of(network_, workspace_, 1, image), logits_of(other, workspace_, 1, image));
  EXPECT_NE(logits_of(network_, workspace_, 2, image), logits_of(other, workspace_, 2, image));
}

TEST_F(NetworkTest, EachWidthHasItsOwnBias) {
  const std::vector<float> image = some_image(network_, 1);
  std::vector<float> changed(network_.parameters().begin(), network_.parameters().end());
  for (int width = 0; width < 4; ++width)
    changed[network_.layout().class_bias + width * 10 + 7] = 8.0f * (width + 1);
  const Network other(network_.spec(), changed, {});
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
  for (int width = 0; width < 4; ++width) {
    const std::vector<float> expected = logits_of(network_, workspace_, width, image);
    for (int active : {1, 2, 3}) {
      PoolConfig config;
      config.active = active;
      ASSERT_TRUE(pool.configure(config));
      std::vector<float> logits(10);
      ASSERT_TRUE(network_.infer(pool, workspace_, width, image, logits));
      EXPECT_EQ(logits, expected) << active << " workers, width " << width;
    }
  }
}

TEST_F(NetworkTest, TheOperatorSetsAgree) {
  const std::vector<float> image = some_image(network_, 1);
  network_.set_operators(&reference_operators());
  const std::vector<float> expected = logits_of(network_, workspace_, 3, image);
  for (const char* name : {"portable", "avx2"}) {
    const Operators* const found = find_operators(name);
    if (!found) continue;
    network_.set_operators(found);
    const std::vector<float> actual = logits_of(network_, workspace_, 3, image);
    for (int c = 0; c < 10; ++c) EXPECT_NEAR(actual[c], expected[c], 1e-4) << name;
  }
}

std::size_t counted_rows = 0;

TEST_F(NetworkTest, WorkGrowsLinearlyWithWidth) {
  Operators counting = reference_operators();
  counting.convolution = [](const Convolution&, int begin, int end) {
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

TEST_F(NetworkTest, RefusesWhatItCannotUseAndNamesIt) {
  std::vector<float> image = some_image(network_, 1);
  std::vector<float> logits(10, -1.0f);
  InferStatus status = network_.infer(workspace_, 4, image, logits);
  EXPECT_EQ(status.error, Error::kWidth);
  EXPECT_THAT(status.message(), HasSubstr("width 4: the network has the widths 0 to 3"));
  EXPECT_EQ(network_.infer(workspace_, -1, image, logits).error, Error::kWidth);

  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    image[1234] = bad;
    status = network_.infer(workspace_, 3, image, logits);
    EXPECT_EQ(status.error, Error::kNotFinite);
    EXPECT_THAT(status.message(), HasSubstr("image value 1234"));
  }
  image[1234] = std::numeric_limits<float>::max();  // large, but a number
  image.pop_back();
  status = network_.infer(workspace_, 3, image, logits);
  EXPECT_EQ(status.error, Error::kImageSize);
  EXPECT_THAT(status.message(), HasSubstr("image of 3071 values: the network takes 3072"));
  image.push_back(0);

  std::vector<float> nine(9);
  EXPECT_EQ(network_.infer(workspace_, 3, image, nine).error, Error::kLogitsSize);
  NetworkSpec narrower = network_.spec();
  narrower.layers[0].channels = 8;
  Workspace foreign(narrower);
  EXPECT_EQ(network_.infer(foreign, 3, image, logits).error, Error::kWorkspace);
  EXPECT_EQ(logits, std::vector<float>(10, -1.0f)) << "a refused inference writes nothing";
}

TEST(NetworkSpec, NamesWhatDoesNotFit) {
  EXPECT_EQ(modified_alexnet().problem(), "");
  NetworkSpec spec = modified_alexnet();
  spec.image_size = 5;
  EXPECT_THAT(spec.problem(), HasSubstr("layer 4: its pooling does not fit"));
  spec = modified_alexnet();
  spec.groups = 0;
  EXPECT_THAT(spec.problem(), HasSubstr("0 groups"));
  spec = modified_alexnet();
  spec.layers[1].pad = 3;
  EXPECT_THAT(spec.problem(), HasSubstr("layer 1"));
}

TEST(NetworkSpec, OtherShapesWork) {
  NetworkSpec spec;
  spec.image_size = 9;
  spec.image_channels = 1;
  spec.classes = 3;
  spec.groups = 2;
  spec.layers = {{.channels = 5, .window = 3, .stride = 2, .pad = 0}, {.channels = 7}};
  ASSERT_EQ(spec.problem(), "");
  Network network = Network::seeded(spec, 1);
  Workspace workspace(spec);
  const std::vector<float> image(81, 0.5f);
  network.set_operators(&reference_operators());
  const std::vector<float> expected = logits_of(network, workspace, 1, image);
  network.set_operators(&portable_operators());
  const std::vector<float> actual = logits_of(network, workspace, 1, image);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(actual[c], expected[c], 1e-5);
}

}  // namespace
}  // namespace flyball
