#include "kernels/ops/packing.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

int panels(int outputs) {
  const int panel = panel_channels(outputs);
  return (outputs + panel - 1) / panel;
}

/// `depth` inputs lie together for each output: 1 for floats, 2 for int8.
std::size_t size_of(int window, int inputs, int outputs, int depth) {
  const std::size_t steps = (inputs + depth - 1) / depth;
  return std::size_t(window) * window * steps * depth * panels(outputs) * panel_channels(outputs);
}

template <class T>
void pack(const T* plain, int window, int inputs, int outputs, int depth, T* packed) {
  const int panel = panel_channels(outputs);
  std::memset(packed, 0, size_of(window, inputs, outputs, depth) * sizeof(T));
  for (int first = 0; first < outputs; first += panel)
    for (int position = 0; position < window * window; ++position) {
      for (int i = 0; i < inputs; ++i)
        for (int o = first; o < first + panel && o < outputs; ++o)
          packed[(std::ptrdiff_t{i / depth} * panel + o - first) * depth + i % depth] =
              plain[(std::ptrdiff_t{position} * inputs + i) * outputs + o];
      packed += std::ptrdiff_t{(inputs + depth - 1) / depth} * depth * panel;
    }
}

}  // namespace

int panel_channels(int outputs) {
  for (int panel : {24, 16})
    if (outputs % panel == 0) return panel;
  return 8;
}

std::size_t packed_size(int window, int inputs, int outputs) {
  return size_of(window, inputs, outputs, 1);
}

void pack_weights(const float* plain, int window, int inputs, int outputs, float* packed) {
  pack(plain, window, inputs, outputs, 1, packed);
}

std::size_t packed_size_int8(int window, int inputs, int outputs) {
  return size_of(window, inputs, outputs, 2);
}

void pack_weights_int8(const std::int8_t* plain, int window, int inputs, int outputs,
                       std::int8_t* packed) {
  pack(plain, window, inputs, outputs, 2, packed);
}

void pack_pairs(const std::int16_t* plain, int window, int inputs, int outputs,
                std::int16_t* packed) {
  pack(plain, window, inputs, outputs, 2, packed);
}

}  // namespace flyball
