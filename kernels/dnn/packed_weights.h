#pragma once

#include <cstdint>
#include <vector>

#include "kernels/dnn/aligned_buffer.h"
#include "kernels/dnn/model.h"

namespace flyball {

/// The parameters of a model as the float operators read them: the one copy that serves every
/// width. A width bounds the loops over towers (kGrouped) or channels (kSlimmable).
class PackedWeights {
 public:
  explicit PackedWeights(const Model& model);

  const float* weights(int layer, int tower) const { return at(layer, tower).weights; }
  const float* scale(int layer, int tower, int width) const;  ///< per output channel
  const float* bias(int layer, int tower, int width) const;
  const float* classifier(int tower) const { return classifiers_[tower]; }
  const float* class_bias(int width) const { return class_bias_ + width * classes_; }
  std::size_t bytes() const { return floats_ * sizeof(float); }

 private:
  struct Layer {
    const float* weights;
    const float* scale;
    const float* bias;
  };
  const Layer& at(int layer, int tower) const { return layers_[tower * layers_per_tower_ + layer]; }

  std::size_t floats_ = 0;
  AlignedBuffer<float> buffer_;
  std::vector<Layer> layers_;
  std::vector<std::size_t> set_stride_;  // per layer: scales from one width to the next
  std::vector<const float*> classifiers_;
  const float* class_bias_ = nullptr;
  int layers_per_tower_;
  int classes_;
};

/// The convolutions in symmetric int8: each output channel's weights divided by a scale of its own
/// (its largest magnitude over 127), each layer's input and output by one for all channels
/// (Model::activation_max over 127). The scales that undo this are merged with the layer's own, so
/// that a layer's float value is scale * sum + bias, and for all but the last layer this divided by
/// the output's step.
class QuantizedWeights {
 public:
  explicit QuantizedWeights(const Model& model);  ///< activation_max is not empty

  /// One of the two is nullptr: layers that run by minimal filtering are transformed.
  const std::int8_t* weights(int layer, int tower) const { return at(layer, tower).weights; }
  const std::int16_t* transformed(int layer, int tower) const {
    return at(layer, tower).transformed;
  }
  const float* scale(int layer, int tower, int width) const;
  const float* bias(int layer, int tower, int width) const;
  float image_scale() const { return image_scale_; }  ///< from a float to steps
  std::size_t bytes() const { return bytes_; }

 private:
  struct Layer {
    const std::int8_t* weights;
    const std::int16_t* transformed;
    const float* scale;
    const float* bias;
  };
  const Layer& at(int layer, int tower) const { return layers_[tower * layers_per_tower_ + layer]; }

  std::size_t bytes_ = 0;
  AlignedBuffer<std::int8_t> weights_;
  AlignedBuffer<std::int16_t> transformed_;
  AlignedBuffer<float> scales_;
  std::vector<Layer> layers_;
  std::vector<std::size_t> set_stride_;
  float image_scale_;
  int layers_per_tower_;
};

}  // namespace flyball
