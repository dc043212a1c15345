#include "kernels/dnn/workspace.h"

#include <algorithm>
#include <new>

namespace flyball {
namespace {

constexpr std::size_t kLine = 64;  // bytes; a vector that straddles two cache lines is loaded twice

std::size_t round_up(std::size_t floats) {
  constexpr std::size_t kFloats = kLine / sizeof(float);
  return (floats + kFloats - 1) / kFloats * kFloats;
}

}  // namespace

void Workspace::Free::operator()(float* data) const {
  ::operator delete[](data, std::align_val_t(kLine));
}

Workspace::Buffer Workspace::zeros(std::size_t count) {
  auto* data = static_cast<float*>(
      ::operator new[](round_up(count) * sizeof(float), std::align_val_t(kLine)));
  std::fill_n(data, round_up(count), 0.0f);
  return Buffer(data);
}

Image Workspace::Plane::whole(int group) const {
  return dense_image(data + group * group_stride, size + 2 * border, size + 2 * border, channels);
}

Image Workspace::Plane::inside(int group) const {
  Image image = whole(group);
  image.data = image.at(border, border);
  image.height = image.width = size;
  return image;
}

Workspace::Plane Workspace::make_plane(int size, int channels, int border, int groups) {
  const std::size_t side = size + 2 * border;
  const std::size_t stride = round_up(side * side * channels);
  buffers_.push_back(zeros(stride * groups));
  return {buffers_.back().get(), size, channels, border, static_cast<std::ptrdiff_t>(stride)};
}

Workspace::Workspace(const NetworkSpec& spec) : spec_(spec) {
  const NetworkLayout layout(spec);
  const std::size_t layers = spec.layers.size();
  image_ = make_plane(spec.image_size, spec.image_channels, spec.layers[0].pad, 1);
  for (std::size_t l = 0; l < layers; ++l) {
    const LayerSpec& layer = spec.layers[l];
    const bool pooled = layer.pool != LayerSpec::Pool::kNone;
    const int border = l + 1 < layers ? spec.layers[l + 1].pad : 0;
    convolved_.push_back(
        make_plane(layout.layers[l].conv_size, layer.channels, pooled ? 0 : border, spec.groups));
    output_.push_back(
        pooled ? make_plane(layout.layers[l].out_size, layer.channels, border, spec.groups)
               : Plane{});
  }
  evidence_stride_ = static_cast<std::ptrdiff_t>(round_up(spec.classes));
  evidence_ = zeros(evidence_stride_ * spec.groups);
}

Image Workspace::input(int layer, int group) const {
  if (layer == 0) return image_.whole(0);
  const Plane& pooled = output_[layer - 1];
  return (pooled.data ? pooled : convolved_[layer - 1]).whole(group);
}

Image Workspace::convolved(int layer, int group) const { return convolved_[layer].inside(group); }

Image Workspace::output(int layer, int group) const {
  return (output_[layer].data ? output_[layer] : convolved_[layer]).inside(group);
}

}  // namespace flyball
