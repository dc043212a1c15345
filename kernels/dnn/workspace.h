#pragma once

#include <cstddef>
#include <vector>

#include "kernels/dnn/aligned_buffer.h"
#include "kernels/dnn/network_spec.h"
#include "kernels/ops/operators.h"

namespace flyball {

/// The mutable half of an inference: every activation of every tower in both precisions, allocated
/// once. One per inference that runs at a time; any number of them share a Network.
///
/// Each image that a convolution reads has a border of zeros as wide as its padding, which nobody
/// ever writes: the convolution then has no edges to look out for. Towers have images of their own,
/// one after the other. A slimmable width uses the first channels of each pixel and leaves the
/// others alone, so that the border stays where it is for all widths.
class Workspace {
 public:
  explicit Workspace(const NetworkSpec& spec);  ///< spec.problem() is empty

  const NetworkSpec& spec() const { return spec_; }
  /// The image as the first convolution reads it, without border.
  Image image() const;
  /// What the layer's convolution reads, border included. Layer 0 has the image, whichever tower.
  Image input(int layer, int tower, int width) const;
  /// What the layer's convolution writes.
  Image convolved(int layer, int tower, int width) const;
  /// What the layer passes on, without border: behind the pooling where there is one.
  Image output(int layer, int tower, int width) const;

  /// The same in int8, where a pixel has an even number of slots. The last layer passes on floats.
  QuantizedImage quantized_image() const;
  QuantizedImage quantized_input(int layer, int tower, int width) const;
  QuantizedImage quantized_convolved(int layer, int tower, int width) const;
  QuantizedImage quantized_output(int layer, int tower, int width) const;
  /// Room for the values of one image.
  Quantized* quantized_values() const { return quantized_values_.get(); }

  /// What a tower adds to each class.
  float* evidence(int tower) const { return evidence_.get() + tower * evidence_stride_; }

 private:
  template <class T>
  struct Plane {
    T* data = nullptr;  // of tower 0, border included
    int size = 0;       // without border
    int channels = 0;
    int border = 0;
    std::ptrdiff_t tower_stride = 0;
    BasicImage<T> whole(int tower) const;
    BasicImage<T> inside(int tower) const;
  };
  template <class T>
  struct Planes {
    Plane<T> image;
    std::vector<Plane<T>> convolved;
    std::vector<Plane<T>> output;  // the convolved one where the layer has no pooling
    std::vector<AlignedBuffer<T>> buffers;
    Plane<T> make(int size, int channels, int border, int towers);
    void make_all(const NetworkSpec& spec, int channel_multiple);
    const Plane<T>& input(int layer) const { return layer == 0 ? image : output[layer - 1]; }
  };
  template <class T>
  BasicImage<T> cut(BasicImage<T> image, int width) const;

  NetworkSpec spec_;
  Planes<float> floats_;
  Planes<Quantized> quantized_;
  AlignedBuffer<Quantized> quantized_values_;
  AlignedBuffer<float> evidence_;
  std::ptrdiff_t evidence_stride_ = 0;
};

}  // namespace flyball
