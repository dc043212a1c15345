// Vectors of any element type and length as the compiler makes them. Included inside an unnamed
// namespace, see blocked.h.
#pragma once

#define FLYBALL_INLINE [[gnu::always_inline]] inline

template <class T, int kCount>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kCount * sizeof(T))));
  /// Wherever it lies, whatever it was written as.
  typedef T InMemory
      __attribute__((vector_size(kCount * sizeof(T)), aligned(alignof(T)), may_alias));
};
template <int kCount>
using Floats = typename VectorOf<float, kCount>::Type;
template <int kCount>
using Ints = typename VectorOf<int, kCount>::Type;
template <int kCount>
using Shorts = typename VectorOf<Quantized, kCount>::Type;

template <int kCount, class T>
FLYBALL_INLINE typename VectorOf<T, kCount>::Type load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T, kCount>::InMemory*>(from);
}
template <int kCount, class T>
FLYBALL_INLINE void store(T* to, typename VectorOf<T, kCount>::Type value) {
  *reinterpret_cast<typename VectorOf<T, kCount>::InMemory*>(to) = value;
}

/// Where the instruction set has no better one.
template <class Vector>
FLYBALL_INLINE Vector maximum(Vector a, Vector b) {
  return a > b ? a : b;
}
