#include "governor/machine/model_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "governor/machine/monitor_images.h"
#include "kernels/base/error.h"
#include "kernels/data/random.h"
#include "kernels/dnn/network.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

constexpr std::size_t kImages = 4;

/// Noise between -2 and 2, as bright as what networks are fed with.
std::vector<float> noise(const NetworkSpec& spec) {
  DataRandom random(1);
  std::vector<float> images(kImages * static_cast<std::size_t>(spec.image_size) *
                            static_cast<std::size_t>(spec.image_size) *
                            static_cast<std::size_t>(spec.image_channels));
  for (float& value : images) value = random.uniform(-2, 2);
  return images;
}

/// The logits of all images, one after the other; of the calling thread alone without a pool.
std::vector<float> logits_of(const Network& network, Workspace& workspace, Pool* pool, int width,
                             Precision precision, const std::vector<float>& images) {
  const auto classes = static_cast<std::size_t>(network.spec().classes);
  std::vector<float> logits(kImages * classes);
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::span<const float> image(images.data() + i * network.image_values(),
                                       network.image_values());
    const std::span<float> out(logits.data() + i * classes, classes);
    const InferStatus status = pool != nullptr
                                   ? network.infer(*pool, workspace, width, precision, image, out)
                                   : network.infer(workspace, width, precision, image, out);
    if (!status) std::fill(out.begin(), out.end(), std::nanf(""));
  }
  return logits;
}

bool all_finite(const std::vector<float>& logits) {
  return std::all_of(logits.begin(), logits.end(),
                     [](float logit) { return std::isfinite(logit); });
}

double deviation(const std::vector<float>& found, const std::vector<float>& reference) {
  double largest = 0, scale = 1;
  for (const float value : reference) scale = std::max(scale, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(static_cast<double>(found[i]) - static_cast<double>(reference[i]));
    if (std::isnan(off)) return off;
    largest = std::max(largest, off);
  }
  return largest / scale;
}

std::vector<Precision> precisions_of(const Model& model) {
  if (model.activation_max.empty()) return {Precision::kFloat32};
  return {Precision::kFloat32, Precision::kInt8};
}

}  // namespace

void check_answers(const Model& model, const std::string& name) {
  Network network(model);
  Workspace workspace(model.spec);
  // Not one: a unit that overflowed to NaN may be cut to zero, and leave some answers finite.
  const std::optional<LabelledImages> own = monitor_images(model, kImages);
  const std::vector<float> images = own ? own->images : noise(model.spec);
  for (const Precision precision : precisions_of(model)) {
    for (int width = 0; width < model.spec.widths; ++width) {
      if (all_finite(logits_of(network, workspace, nullptr, width, precision, images))) continue;
      failure(
          fmt::format("{}, width {} % in {}", name, network.width_pct(width), name_of(precision)),
          "its answers are not finite numbers", "take another model file, or train it again");
    }
  }
}

bool LevelCheck::good() const {
  return same_bits && finite &&
         std::all_of(deviations.begin(), deviations.end(),
                     [](const Deviation& d) { return d.largest <= kTolerance; });
}

std::vector<LevelCheck> check_levels(const Model& model) {
  Network network(model);
  const Operators* usual = &network.operators();
  Workspace workspace(model.spec);
  Pool pool(2);
  PoolConfig both;
  both.active = 2;
  pool.configure(both);
  const std::vector<float> images = noise(model.spec);

  std::vector<LevelCheck> checks;
  for (const Precision precision : precisions_of(model)) {
    for (int width = 0; width < model.spec.widths; ++width) {
      LevelCheck check{width, precision, false, {}};
      const auto alone = logits_of(network, workspace, nullptr, width, precision, images);
      const auto shared = logits_of(network, workspace, &pool, width, precision, images);
      check.same_bits = std::memcmp(alone.data(), shared.data(), alone.size() * sizeof(float)) == 0;
      check.finite = all_finite(alone);
      network.set_operators(&reference_operators());
      const auto reference = logits_of(network, workspace, nullptr, width, precision, images);
      for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
        const Operators* operators = find_operators(name);
        if (operators == nullptr) continue;
        network.set_operators(operators);
        const auto found = logits_of(network, workspace, nullptr, width, precision, images);
        check.deviations.push_back({name, deviation(found, reference)});
        check.finite = check.finite && all_finite(found);
      }
      network.set_operators(usual);
      checks.push_back(std::move(check));
    }
  }
  pool.release_caller();
  return checks;
}

}  // namespace flyball
