#include "tests/fuzz/checksum.h"

#include "kernels/base/crc32c.h"

namespace flyball::fuzz {

void mend(std::uint8_t* data, std::size_t size, std::size_t from, std::size_t to) {
  if (from > to || to > size || size - to < 4) return;
  const std::uint32_t sum = crc32c(data + from, to - from);
  for (int i = 0; i < 4; ++i) data[to + i] = static_cast<std::uint8_t>(sum >> (8 * i));
}

std::size_t mutate_sealed(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0 && size >= 4) mend(data, size, 0, size - 4);
  return size;
}

std::uint32_t little_u32(const std::uint8_t* data) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | data[i];
  return value;
}

}  // namespace flyball::fuzz
