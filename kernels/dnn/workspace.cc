#include "kernels/dnn/workspace.h"

namespace flyball {

template <class T>
BasicImage<T> Workspace::Plane<T>::whole(int tower) const {
  return dense_image(data + tower * tower_stride, size + 2 * border, size + 2 * border, channels);
}

template <class T>
BasicImage<T> Workspace::Plane<T>::inside(int tower) const {
  BasicImage<T> image = whole(tower);
  image.data = image.at(border, border);
  image.height = image.width = size;
  return image;
}

template <class T>
Workspace::Plane<T> Workspace::Planes<T>::make(int size, int channels, int border, int towers) {
  const std::size_t side = size + 2 * border;
  const std::size_t stride = whole_lines<T>(side * side * channels);
  buffers.push_back(aligned_zeros<T>(stride * towers));
  return {buffers.back().get(), size, channels, border, static_cast<std::ptrdiff_t>(stride)};
}

template <class T>
void Workspace::Planes<T>::make_all(const NetworkSpec& spec, int channel_multiple) {
  const NetworkLayout layout(spec);
  const auto slots = [&](int channels) {
    return (channels + channel_multiple - 1) / channel_multiple * channel_multiple;
  };
  image = make(spec.image_size, slots(spec.image_channels), spec.layers[0].pad, 1);
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const bool pooled = layer.pool != LayerSpec::Pool::kNone;
    const int border = l + 1 < spec.layers.size() ? spec.layers[l + 1].pad : 0;
    const int channels = slots(layer.channels);
    convolved.push_back(
        make(layout.layers[l].conv_size, channels, pooled ? 0 : border, spec.towers()));
    output.push_back(pooled ? make(layout.layers[l].out_size, channels, border, spec.towers())
                            : convolved.back());
  }
}

Workspace::Workspace(const NetworkSpec& spec) : spec_(spec) {
  floats_.make_all(spec, 1);
  quantized_.make_all(spec, 2);
  quantized_values_ = aligned_zeros<Quantized>(std::size_t(spec.image_size) * spec.image_size *
                                               spec.image_channels);
  evidence_stride_ = static_cast<std::ptrdiff_t>(whole_lines<float>(spec.classes));
  evidence_ = aligned_zeros<float>(evidence_stride_ * spec.towers());
}

template <class T>
BasicImage<T> Workspace::cut(BasicImage<T> image, int width) const {
  image.channels = spec_.active_channels(image.channels, width);
  return image;
}

Image Workspace::image() const { return floats_.image.inside(0); }

QuantizedImage Workspace::quantized_image() const { return quantized_.image.inside(0); }

Image Workspace::input(int layer, int tower, int width) const {
  if (layer == 0) return floats_.image.whole(0);
  return cut(floats_.input(layer).whole(tower), width);
}

Image Workspace::convolved(int layer, int tower, int width) const {
  return cut(floats_.convolved[layer].inside(tower), width);
}

Image Workspace::output(int layer, int tower, int width) const {
  return cut(floats_.output[layer].inside(tower), width);
}

QuantizedImage Workspace::quantized_input(int layer, int tower, int width) const {
  if (layer == 0) return quantized_.image.whole(0);
  return cut(quantized_.input(layer).whole(tower), width);
}

QuantizedImage Workspace::quantized_convolved(int layer, int tower, int width) const {
  QuantizedImage image = quantized_.convolved[layer].inside(tower);
  image.channels = spec_.active_channels(spec_.layers[layer].channels, width);
  return image;
}

QuantizedImage Workspace::quantized_output(int layer, int tower, int width) const {
  QuantizedImage image = quantized_.output[layer].inside(tower);
  image.channels = spec_.active_channels(spec_.layers[layer].channels, width);
  return image;
}

}  // namespace flyball
