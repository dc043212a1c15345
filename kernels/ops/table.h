// The table of an implementation: included inside its unnamed namespace, where its functions are.
#pragma once

constexpr Operators table_of(const char* name) {
  return {
      .name = name,
      .convolution = convolution,
      .winograd = winograd,
      .depthwise = depthwise,
      .quantized_convolution = quantized_convolution,
      .quantized_winograd = quantized_winograd,
      .quantized_max_pooling = quantized_max_pooling,
      .quantize = quantize,
      .max_pooling = max_pooling,
      .average_pooling = average_pooling,
      .fully_connected = fully_connected,
      .relu = relu,
      .scale_bias = scale_bias,
      .softmax = softmax,
  };
}
