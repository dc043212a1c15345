// oneDNN: weights reordered beforehand to what each primitive asks for, ReLU fused.
#include "tests/bench/peers/onednn.h"

#include <omp.h>

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace flyball::bench {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using Tag = memory::format_tag;
constexpr auto kF32 = memory::data_type::f32;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

class OnednnContender : public Contender {
 public:
  /// `activations` is the layout between layers: `any` leaves the choice to oneDNN. Its kernels for
  /// an image of three channels read NHWC when all is NHWC, and else NCHW: the image comes so.
  OnednnContender(const FlatNetwork& network, algorithm convolution, Tag activations)
      : algorithm_(convolution), activations_(activations) {
    omp_set_num_threads(1);
    image_ = memory(image_desc(network.image_channels, network.image_size,
                               activations == Tag::nhwc ? Tag::nhwc : Tag::nchw),
                    engine_);
    current_ = image_;
    for (const FlatLayer& layer : network.layers) {
      switch (layer.kind) {
        case FlatLayer::Kind::kConvolution:
          add_convolution(layer);
          break;
        case FlatLayer::Kind::kMaxPooling:
        case FlatLayer::Kind::kAveragePooling:
          add_pooling(layer);
          break;
        case FlatLayer::Kind::kLinear:
          add_linear(layer);
          break;
      }
    }
  }

  void load(std::span<const float> image) override {
    memory::dims dims = image_.get_desc().dims();
    memory source(memory::desc(dims, kF32, Tag::nhwc), engine_);
    std::copy(image.begin(), image.end(), static_cast<float*>(source.get_data_handle()));
    dnnl::reorder(source, image_).execute(stream_, source, image_);
    stream_.wait();
  }
  void infer(std::span<float> logits) override {
    for (const auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
    stream_.wait();
    std::copy_n(static_cast<const float*>(current_.get_data_handle()), logits.size(),
                logits.begin());
  }

 private:
  using Arguments = std::unordered_map<int, memory>;

  static memory::desc image_desc(int channels, int size, Tag tag) {
    return {{1, channels, size, size}, kF32, tag};
  }

  memory constant(const memory::desc& desc, const std::vector<float>& values) {
    memory made(desc, engine_);
    std::copy(values.begin(), values.end(), static_cast<float*>(made.get_data_handle()));
    return made;
  }
  /// `from` in the layout `wanted`, reordered now.
  memory reordered(const memory& from, const memory::desc& wanted) {
    if (from.get_desc() == wanted) return from;
    memory to(wanted, engine_);
    dnnl::reorder(from, to).execute(stream_, const_cast<memory&>(from), to);
    stream_.wait();
    return to;
  }
  /// The current activations in the layout `wanted`, reordered in every inference where it differs.
  memory current_as(const memory::desc& wanted) {
    if (current_.get_desc() == wanted) return current_;
    memory to(wanted, engine_);
    steps_.emplace_back(dnnl::reorder(current_, to),
                        Arguments{{DNNL_ARG_FROM, current_}, {DNNL_ARG_TO, to}});
    return to;
  }

  void add_convolution(const FlatLayer& layer) {
    const int groups = layer.groups, window = layer.window;
    const int in = layer.in_channels / groups, out = layer.out_channels / groups;
    const std::int64_t taps = std::int64_t{window} * window * in;
    const memory::dims dims = groups == 1 ? memory::dims{out, in, window, window}
                                          : memory::dims{groups, out, in, window, window};
    const memory::dims strides = groups == 1 ? memory::dims{taps, 1, window * in, in}
                                             : memory::dims{taps * out, taps, 1, window * in, in};
    const bool first = steps_.empty();
    const memory::desc source =
        first ? image_.get_desc() : image_desc(layer.in_channels, layer.in_size, activations_);
    const auto describe = [&](algorithm chosen) {
      return dnnl::convolution_forward::desc(
          kInference, chosen, source, memory::desc(dims, kF32, Tag::any),
          memory::desc({layer.out_channels}, kF32, Tag::x),
          image_desc(layer.out_channels, layer.out_size, activations_),
          {layer.stride, layer.stride}, {layer.pad, layer.pad}, {layer.pad, layer.pad});
    };
    dnnl::primitive_attr attributes;
    if (layer.relu) {
      dnnl::post_ops relu;
      relu.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
      attributes.set_post_ops(relu);
    }
    dnnl::convolution_forward::primitive_desc made;
    try {
      made = {describe(algorithm_), attributes, engine_};
    } catch (const dnnl::error&) {  // Winograd's is for some shapes and machines only
      made = {describe(algorithm::convolution_direct), attributes, engine_};
    }
    const memory weights =
        reordered(constant(memory::desc(dims, kF32, strides), layer.weights), made.weights_desc());
    const memory bias = constant(made.bias_desc(), layer.bias);
    const memory from = current_as(made.src_desc());
    current_ = memory(made.dst_desc(), engine_);
    steps_.emplace_back(dnnl::convolution_forward(made), Arguments{{DNNL_ARG_SRC, from},
                                                                   {DNNL_ARG_WEIGHTS, weights},
                                                                   {DNNL_ARG_BIAS, bias},
                                                                   {DNNL_ARG_DST, current_}});
  }

  void add_pooling(const FlatLayer& layer) {
    const algorithm kind = layer.kind == FlatLayer::Kind::kMaxPooling
                               ? algorithm::pooling_max
                               : algorithm::pooling_avg_include_padding;
    const dnnl::pooling_forward::desc desc(
        kInference, kind, current_.get_desc(),
        image_desc(layer.out_channels, layer.out_size, Tag::any), {layer.stride, layer.stride},
        {layer.window, layer.window}, {layer.pad, layer.pad}, {layer.pad, layer.pad});
    const dnnl::pooling_forward::primitive_desc made(desc, engine_);
    const memory from = current_;
    current_ = memory(made.dst_desc(), engine_);
    steps_.emplace_back(dnnl::pooling_forward(made),
                        Arguments{{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, current_}});
  }

  void add_linear(const FlatLayer& layer) {
    const int size = layer.in_size, in = layer.in_channels;
    const memory::dims dims{layer.out_channels, in, size, size};
    const memory::dims strides{std::int64_t{size} * size * in, 1, size * in, in};
    const dnnl::inner_product_forward::desc desc(
        kInference, image_desc(in, size, Tag::any), memory::desc(dims, kF32, Tag::any),
        memory::desc({layer.out_channels}, kF32, Tag::x),
        memory::desc({1, layer.out_channels}, kF32, Tag::nc));
    const dnnl::inner_product_forward::primitive_desc made(desc, engine_);
    const memory weights =
        reordered(constant(memory::desc(dims, kF32, strides), layer.weights), made.weights_desc());
    const memory bias = constant(made.bias_desc(), layer.bias);
    const memory from = current_as(made.src_desc());
    current_ = memory(made.dst_desc(), engine_);
    steps_.emplace_back(dnnl::inner_product_forward(made), Arguments{{DNNL_ARG_SRC, from},
                                                                     {DNNL_ARG_WEIGHTS, weights},
                                                                     {DNNL_ARG_BIAS, bias},
                                                                     {DNNL_ARG_DST, current_}});
  }

  const algorithm algorithm_;
  const Tag activations_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  memory image_, current_;
  std::vector<std::pair<dnnl::primitive, Arguments>> steps_;
};

template <algorithm kConvolution, Tag kActivations>
std::unique_ptr<Contender> make(const FlatNetwork& network) {
  try {
    return std::make_unique<OnednnContender>(network, kConvolution, kActivations);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) throw Unavailable(error.what());
    throw;
  }
}

}  // namespace

std::vector<Variant> onednn_variants() {
  return {{"onednn/direct", make<algorithm::convolution_direct, Tag::any>},
          {"onednn/auto", make<algorithm::convolution_auto, Tag::any>},
          {"onednn/winograd", make<algorithm::convolution_winograd, Tag::any>},
          {"onednn/nhwc", make<algorithm::convolution_direct, Tag::nhwc>}};
}

}  // namespace flyball::bench
