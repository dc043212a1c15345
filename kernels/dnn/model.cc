#include "kernels/dnn/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/dnn/calibration.h"

namespace flyball {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the whole state is one counter, and integers only.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}
  /// Uniform in [-1, 1): 24 random bits, exact in a float.
  float uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return static_cast<float>(static_cast<std::int64_t>(z >> 40) - (1 << 23)) / (1 << 23);
  }

 private:
  std::uint64_t state_;
};

/// Variance 2 / fan_in (He et al. 2015). Square root and division are exact under IEEE 754, hence
/// the same everywhere.
void he_uniform(std::span<float> weights, std::size_t fan_in, Generator& generator) {
  const float limit = std::sqrt(6.0f / static_cast<float>(fan_in));
  for (float& weight : weights) weight = limit * generator.uniform();
}

constexpr std::size_t kMaxTextBytes = 4096;
constexpr float kLeastRange = 1e-30f;  // 127 steps over a still smaller one are infinite

/// Why a network of this shape cannot run in int8.
std::string int8_problem(const NetworkSpec& spec) {
  const NetworkLayout layout(spec);
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    if (l + 1 < spec.layers.size() && spec.layers[l].pool == LayerSpec::Pool::kAverage)
      return fmt::format("layer {}: only the last layer's pooling can be an average in int8", l);
    // 127 * 127 * 65,536 is half of what 32 bits hold.
    const std::size_t products =
        std::size_t(spec.layers[l].window) * spec.layers[l].window * layout.layers[l].in_channels;
    if (products > 65'536)
      return fmt::format("layer {}: {} products per output, int8 sums up to 65536", l, products);
  }
  return {};
}

std::string problem_of(const std::vector<float>& accuracies, const char* name, int widths) {
  if (!accuracies.empty() && accuracies.size() != std::size_t(widths))
    return fmt::format("{} accuracies of {} of {} widths; measure all or none", name,
                       accuracies.size(), widths);
  for (std::size_t w = 0; w < accuracies.size(); ++w)
    if (!(accuracies[w] >= 0 && accuracies[w] <= 100))
      return fmt::format("the {} accuracy of width {} is not in 0..100 %", name, w);
  return {};
}

}  // namespace

std::string Model::problem() const {
  if (std::string why = spec.problem(); !why.empty()) return why;
  if (parameters.size() != NetworkLayout(spec).parameters)
    return "its number of parameters does not fit its shape";
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!std::isfinite(parameters[i])) return fmt::format("parameter {} is NaN or infinite", i);
  if (!activation_max.empty()) {
    if (activation_max.size() != activation_count())
      return "its number of activation ranges does not fit its shape";
    for (std::size_t i = 0; i < activation_max.size(); ++i)
      if (!(activation_max[i] >= kLeastRange && std::isfinite(activation_max[i])))
        return fmt::format("activation range {} is not above 1e-30 and finite", i);
    if (std::string why = int8_problem(spec); !why.empty()) return why;
  }
  if (std::string why = problem_of(accuracy.top1_pct, "fp32", spec.widths); !why.empty())
    return why;
  if (accuracy.source.size() > kMaxTextBytes || provenance.size() > kMaxTextBytes)
    return "its texts are longer than 4 kB";
  return problem_of(accuracy.int8_top1_pct, "int8", spec.widths);
}

const char* name_of(Precision precision) { return precision == Precision::kInt8 ? "int8" : "fp32"; }

Model seeded_model(const NetworkSpec& spec, std::uint64_t seed) {
  const NetworkLayout layout(spec);
  Model model;
  model.spec = spec;
  model.parameters.assign(layout.parameters, 0.0f);
  Generator generator(seed);
  for (int t = 0; t < spec.towers(); ++t) {
    const std::span<float> tower =
        std::span(model.parameters).subspan(t * layout.tower_parameters, layout.tower_parameters);
    for (std::size_t l = 0; l < layout.layers.size(); ++l) {
      const NetworkLayout::Layer& at = layout.layers[l];
      const int window = spec.layers[l].window;
      he_uniform(tower.subspan(at.weights, at.scale - at.weights),
                 std::size_t(window) * window * at.in_channels, generator);
      std::ranges::fill(tower.subspan(at.scale, at.bias - at.scale), 1.0f);
    }
    he_uniform(tower.subspan(layout.classifier), layout.features, generator);
  }

  if (!int8_problem(spec).empty()) return model;
  std::vector<float> noise(std::size_t(spec.image_size) * spec.image_size * spec.image_channels);
  for (float& value : noise) value = generator.uniform();
  // The reference never fuses a multiplication with an addition: the same bits everywhere.
  model.activation_max = activation_ranges(model, noise, 1, &reference_operators());
  return model;
}

}  // namespace flyball
