#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/dnn/network_spec.h"
#include "kernels/ops/operators.h"

namespace flyball {

/// The mutable half of an inference: every activation of every group, allocated once. One per
/// inference that runs at a time; any number of them share a Network.
///
/// Each image that a convolution reads has a border of zeros as wide as its padding, which nobody
/// ever writes: the convolution then has no edges to look out for. Groups have images of their own,
/// one after the other.
class Workspace {
 public:
  explicit Workspace(const NetworkSpec& spec);  ///< spec.problem() is empty

  const NetworkSpec& spec() const { return spec_; }
  /// The image as the first convolution reads it, border included or not.
  Image image() const { return image_.inside(0); }
  Image image_with_border() const { return image_.whole(0); }
  /// What layer's convolution reads, border included. Layer 0 has the image, whichever the group.
  Image input(int layer, int group) const;
  /// What layer's convolution writes.
  Image convolved(int layer, int group) const;
  /// What the layer passes on, without border: behind the pooling where there is one.
  Image output(int layer, int group) const;
  /// What a group adds to each class.
  float* evidence(int group) const { return evidence_.get() + group * evidence_stride_; }

 private:
  struct Plane {
    float* data = nullptr;  // of group 0, border included
    int size = 0;           // without border
    int channels = 0;
    int border = 0;
    std::ptrdiff_t group_stride = 0;
    Image whole(int group) const;
    Image inside(int group) const;
  };
  struct Free {
    void operator()(float* data) const;
  };
  using Buffer = std::unique_ptr<float[], Free>;
  static Buffer zeros(std::size_t count);
  Plane make_plane(int size, int channels, int border, int groups);

  NetworkSpec spec_;
  std::vector<Buffer> buffers_;
  Plane image_;
  std::vector<Plane> convolved_;
  std::vector<Plane>
      output_;  // data is nullptr where the layer has no pooling: it is the convolved one
  Buffer evidence_;
  std::ptrdiff_t evidence_stride_ = 0;
};

}  // namespace flyball
