#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/dnn/network_spec.h"
#include "kernels/dnn/workspace.h"
#include "kernels/ops/operators.h"
#include "kernels/pool/pool.h"

namespace flyball {

/// Why an inference was refused. Nothing was computed then.
struct InferStatus {
  enum class Error : std::uint8_t {
    kNone,
    kWidth,      ///< not in [0, widths)
    kImageSize,  ///< not image_size * image_size * image_channels values
    kNotFinite,  ///< NaN or infinity in the image
    kLogitsSize,
    kWorkspace,  ///< made for a network of another shape
  };
  Error error = Error::kNone;
  std::int64_t value = 0;     ///< the offending width, size, or index of the value
  std::int64_t expected = 0;  ///< the right size, or the number of widths
  explicit operator bool() const { return error == Error::kNone; }
  std::string message() const;  ///< one line; allocates
};

/// How good a network is at each width, and who says so.
struct NetworkAccuracy {
  std::vector<float> top1_pct;  ///< per width; empty when nobody has measured it
  std::string source = "not measured: the weights are seeded, not trained";
};

/// The weights of a dynamic-width network, never changed once made: one copy for all widths. A
/// width is a bound on the loop over groups, so dropping groups and restoring them costs nothing,
/// and since a group sees the image and itself only, the groups that stay compute the same bits as
/// before. Each width has its own bias in the classifier, the sum of one group's evidence being of
/// another size than that of four.
class Network {
 public:
  /// He-uniform weights, scale 1, bias 0. The same seed gives the same bits on every machine.
  static Network seeded(const NetworkSpec& spec, std::uint64_t seed);
  /// `parameters` as NetworkLayout orders them. The spec must be sound and the number right
  /// (asserted): files are checked by load_network.
  Network(NetworkSpec spec, std::span<const float> parameters, NetworkAccuracy accuracy);

  /// One inference at `width` on all active workers of the pool. `image` is [row][column][channel],
  /// `logits` one per class. Does not allocate. The result has the same bits for every number of
  /// workers.
  InferStatus infer(Pool& pool, Workspace& workspace, int width, std::span<const float> image,
                    std::span<float> logits) const;
  /// The same on the calling thread alone.
  InferStatus infer(Workspace& workspace, int width, std::span<const float> image,
                    std::span<float> logits) const;

  /// The implementation of the operators; the fastest one unless changed. nullptr is ignored.
  void set_operators(const Operators* operators) {
    if (operators) operators_ = operators;
  }
  const Operators& operators() const { return *operators_; }

  const NetworkSpec& spec() const { return spec_; }
  const NetworkLayout& layout() const { return layout_; }
  int widths() const { return spec_.groups; }
  int width_pct(int width) const { return 100 * (width + 1) / spec_.groups; }
  std::size_t image_values() const {
    return std::size_t(spec_.image_size) * spec_.image_size * spec_.image_channels;
  }
  std::span<const float> parameters() const { return parameters_; }
  const NetworkAccuracy& accuracy() const { return accuracy_; }
  std::optional<float> accuracy_pct(int width) const;
  const std::string& accuracy_source() const { return accuracy_.source; }

 private:
  template <class ForEach>
  InferStatus infer_on(ForEach&& for_each, Workspace& workspace, int width,
                       std::span<const float> image, std::span<float> logits) const;
  InferStatus check(const Workspace& workspace, int width, std::span<const float> image,
                    std::span<float> logits) const;
  Convolution convolution(const Workspace& workspace, int layer, int group) const;
  Pooling pooling(const Workspace& workspace, int layer, int group) const;

  NetworkSpec spec_;
  NetworkLayout layout_;
  std::vector<float> parameters_;
  NetworkAccuracy accuracy_;
  const Operators* operators_;
};

}  // namespace flyball
