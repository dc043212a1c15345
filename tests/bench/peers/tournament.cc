#include "tests/bench/peers/tournament.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>

#include "kernels/base/clock.h"
#include "tests/bench/peers/flat_network.h"
#include "tests/bench/peers/flyball.h"
#include "tests/bench/peers/onednn.h"
#include "tests/bench/peers/torch.h"
#include "tests/bench/peers/xnnpack.h"

namespace flyball::bench {
namespace {

constexpr int kTimedPerRound = 5;
constexpr int kLeastRounds = 20;

/// Values in [-1, 1), the same on every machine.
std::vector<float> noise(std::size_t count, std::uint64_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<double>(seed >> 40) * 0x1p-23 - 1.0);
  }
  return values;
}

/// Weights of a size that keeps the activations near 1 through all layers, positive scales.
std::vector<float> some_parameters(const NetworkSpec& spec) {
  const NetworkLayout layout(spec);
  std::vector<float> parameters = noise(layout.parameters, 5);
  for (int t = 0; t < spec.towers(); ++t) {
    float* const tower = parameters.data() + t * layout.tower_parameters;
    for (std::size_t l = 0; l < spec.layers.size(); ++l) {
      const NetworkLayout::Layer& at = layout.layers[l];
      const int taps = spec.layers[l].window * spec.layers[l].window * at.in_channels;
      for (std::size_t i = at.weights; i < at.scale; ++i)
        tower[i] *= std::sqrt(6.0f / static_cast<float>(taps));
      for (std::size_t i = at.scale; i < at.bias; ++i) tower[i] = 1 + tower[i] / 4;
    }
  }
  return parameters;
}

/// One network per group, their logits added up.
class SplitContender : public Contender {
 public:
  SplitContender(const std::vector<FlatNetwork>& networks, const Variant& variant) {
    for (const FlatNetwork& network : networks) parts_.push_back(variant.make(network));
    sum_.resize(networks.front().classes);
  }
  void load(std::span<const float> image) override {
    for (const auto& part : parts_) part->load(image);
  }
  void infer(std::span<float> logits) override {
    std::fill(logits.begin(), logits.end(), 0.0f);
    for (const auto& part : parts_) {
      part->infer(sum_);
      for (std::size_t k = 0; k < sum_.size(); ++k) logits[k] += sum_[k];
    }
  }

 private:
  std::vector<std::unique_ptr<Contender>> parts_;
  std::vector<float> sum_;
};

std::vector<Variant> peer_variants() {
  std::vector<Variant> all;
  for (const auto& variants : {xnnpack_variants(), onednn_variants(), torch_variants()})
    all.insert(all.end(), variants.begin(), variants.end());
  return all;
}

std::unique_ptr<Contender> make(const std::string& name, const NetworkSpec& spec,
                                std::span<const float> parameters, int width) {
  if (name == "flyball") return make_flyball(spec, parameters, width);
  for (const Variant& variant : peer_variants()) {
    if (name == variant.name) return variant.make(flatten(spec, parameters, width));
    if (name == variant.name + "/split")
      return std::make_unique<SplitContender>(split(spec, parameters, width), variant);
  }
  return nullptr;
}

std::string disagreement(std::span<const float> expected, std::span<const float> got) {
  float largest = 0, worst = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    largest = std::max(largest, std::abs(expected[k]));
    // Written so that a NaN is the worst.
    const float error = std::abs(expected[k] - got[k]);
    if (!(error <= worst)) worst = error;
  }
  if (worst <= 1e-3f * largest) return {};
  return "its logits are off by " + std::to_string(worst) + " where the largest is " +
         std::to_string(largest);
}

}  // namespace

std::vector<std::string> contender_names(const NetworkSpec& spec, int width) {
  std::vector<std::string> names{"flyball"};
  for (const Variant& variant : peer_variants()) {
    names.push_back(variant.name);
    if (spec.active_towers(width) > 1) names.push_back(variant.name + "/split");
  }
  return names;
}

std::vector<Standing> tournament(const NetworkSpec& spec, int width, double seconds) {
  const std::vector<float> parameters = some_parameters(spec);
  const std::vector<float> image =
      noise(std::size_t(spec.image_size) * spec.image_size * spec.image_channels, 6);
  const std::vector<float> expected = infer_plainly(flatten(spec, parameters, width), image);
  std::vector<float> logits(expected.size());

  std::vector<Standing> standings;
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const std::string& name : contender_names(spec, width)) {
    Standing& standing = standings.emplace_back(Standing{name});
    contenders.emplace_back();
    try {
      contenders.back() = make(name, spec, parameters, width);
      contenders.back()->load(image);
      contenders.back()->infer(logits);
      standing.error = disagreement(expected, logits);
    } catch (const Unavailable& none) {
      standing.error = none.what();
      standing.unavailable = true;
    } catch (const std::exception& failure) {
      standing.error = failure.what();
    }
  }

  std::vector<std::vector<double>> rounds(standings.size());
  const std::int64_t end_ns = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
  for (int round = 0; round < kLeastRounds || monotonic_ns() < end_ns; ++round)
    for (std::size_t i = 0; i < standings.size(); ++i) {
      if (!standings[i].error.empty()) continue;
      contenders[i]->infer(logits);
      std::int64_t least_ns = INT64_MAX;
      for (int run = 0; run < kTimedPerRound; ++run) {
        const std::int64_t from = monotonic_ns();
        contenders[i]->infer(logits);
        least_ns = std::min(least_ns, monotonic_ns() - from);
      }
      rounds[i].push_back(static_cast<double>(least_ns) * 1e-3);
    }
  for (std::size_t i = 0; i < standings.size(); ++i) {
    if (rounds[i].empty()) continue;
    std::sort(rounds[i].begin(), rounds[i].end());
    standings[i].least_us = rounds[i].front();
    standings[i].median_us = rounds[i][rounds[i].size() / 2];
  }
  return standings;
}

}  // namespace flyball::bench
