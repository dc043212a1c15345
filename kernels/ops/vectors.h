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

// Where the instruction set's file has no better ones.
template <class Vector>
FLYBALL_INLINE Vector maximum(Vector a, Vector b) {
  return a > b ? a : b;
}
template <class Vector>
FLYBALL_INLINE Vector minimum(Vector a, Vector b) {
  return a < b ? a : b;
}

/// The same value, kept from the compiler: what comes before it is rounded, not fused with what
/// follows.
template <class Vector>
FLYBALL_INLINE Vector rounded(Vector value) {
  if constexpr (sizeof(value) < 16)
    asm("" : "+m"(value));  // a single float that the compiler need not keep in a vector register
  else
#if defined(__x86_64__)
    asm("" : "+x"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#else
    asm("" : "+m"(value));
#endif
  return value;
}

/// To the nearest integer, ties to even, of magnitudes below 2^22.
template <int kCount>
struct Nearest {
  FLYBALL_INLINE static Shorts<kCount> of(Floats<kCount> value) {
    // 1.5 * 2^23: a float that large has no fraction left, so the addition rounds.
    const Floats<kCount> shift = Floats<kCount>{} + 12582912.0f;
    return __builtin_convertvector(
        __builtin_convertvector(rounded(value + shift) - shift, Ints<kCount>), Shorts<kCount>);
  }
};
