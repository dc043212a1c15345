#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/dnn/model.h"
#include "kernels/dnn/network_spec.h"
#include "kernels/dnn/packed_weights.h"
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
    kPrecision,  ///< the model has no activation ranges for int8
    kWorkspace,  ///< made for a network of another shape
  };
  Error error = Error::kNone;
  std::int64_t value = 0;     ///< the offending width, size, or index of the value
  std::int64_t expected = 0;  ///< the right size, or the number of widths
  explicit operator bool() const { return error == Error::kNone; }
  std::string message() const;  ///< one line; allocates
};

/// The weights of a dynamic-width network, never changed once made: one copy for all widths, and
/// one in int8 beside it. Width and precision are arguments of each inference, so changing them
/// repacks and copies nothing. In a grouped network a tower sees the image and itself only: the
/// towers that stay compute the same bits whatever is dropped. Each width has its own bias in the
/// classifier, the sum of one tower's evidence being of another size than that of four.
class Network {
 public:
  explicit Network(const Model& model);  ///< model.problem() is empty

  /// One inference on all active workers of the pool. `image` is [row][column][channel], `logits`
  /// one per class. Does not allocate. The result has the same bits for every number of workers.
  InferStatus infer(Pool& pool, Workspace& workspace, int width, Precision precision,
                    std::span<const float> image, std::span<float> logits) const;
  /// The same on the calling thread alone.
  InferStatus infer(Workspace& workspace, int width, Precision precision,
                    std::span<const float> image, std::span<float> logits) const;

  /// The implementation of the operators; the fastest one unless changed. nullptr is ignored.
  void set_operators(const Operators* operators) {
    if (operators) operators_ = operators;
  }
  const Operators& operators() const { return *operators_; }

  const NetworkSpec& spec() const { return spec_; }
  const NetworkLayout& layout() const { return layout_; }
  int widths() const { return spec_.widths; }
  int width_pct(int width) const { return 100 * (width + 1) / spec_.widths; }
  std::size_t image_values() const {
    return std::size_t(spec_.image_size) * spec_.image_size * spec_.image_channels;
  }
  bool has_int8() const { return quantized_ != nullptr; }
  const NetworkAccuracy& accuracy() const { return accuracy_; }
  std::optional<float> accuracy_pct(int width, Precision precision) const;

 private:
  template <class ForEach>
  InferStatus infer_on(ForEach&& for_each, int workers, Workspace& workspace, int width,
                       Precision precision, std::span<const float> image,
                       std::span<float> logits) const;
  template <class ForEach, class Convolve, class PoolRows>
  void run_layers(ForEach&& for_each, int workers, int width, Convolve&& convolve,
                  PoolRows&& pool_rows) const;
  template <class ForEach>
  void run_float(ForEach&& for_each, int workers, Workspace& workspace, int width,
                 std::span<const float> image) const;
  template <class ForEach>
  void run_int8(ForEach&& for_each, int workers, Workspace& workspace, int width,
                std::span<const float> image) const;
  void pool_floats(Workspace& workspace, int layer, int tower, int width, int begin, int end) const;
  void classify(Workspace& workspace, int width, std::span<float> logits) const;
  InferStatus check(const Workspace& workspace, int width, Precision precision,
                    std::span<const float> image, std::span<float> logits) const;
  Convolution convolution(const Workspace& workspace, int layer, int tower, int width) const;
  QuantizedConvolution quantized_convolution(const Workspace& workspace, int layer, int tower,
                                             int width) const;

  NetworkSpec spec_;
  NetworkLayout layout_;
  PackedWeights weights_;
  std::unique_ptr<const QuantizedWeights> quantized_;
  NetworkAccuracy accuracy_;
  const Operators* operators_;
};

}  // namespace flyball
