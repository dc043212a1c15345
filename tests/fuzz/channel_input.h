#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "governor/client/channel_layout.h"
#include "tests/channel/good_hello.h"

namespace flyball::fuzz {

/// What is left of the input.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::size_t take(void* to, std::size_t most) {
    const std::size_t bytes = most < size_ ? most : size_;
    std::memcpy(to, data_, bytes);
    data_ += bytes;
    size_ -= bytes;
    return bytes;
  }
  std::size_t left() const { return size_; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

/// Most inputs are to get past the words that say what they are.
inline std::vector<char> hello_of(Bytes& input) {
  std::uint8_t how = 0;
  input.take(&how, 1);
  fly_hello hello = good_hello();
  if (how % 2 == 0) {
    input.take(reinterpret_cast<char*>(&hello) + 16, sizeof hello - 16);
    hello.text_bytes %= FLY_TEXT_BYTES;
  }
  if (how % 3 == 0) {  // says what it can run on
    std::strcpy(hello.knob[how % FLYBALL_KNOBS].name, FLYBALL_WHERE);
    hello.text_bytes = 8;
  }
  if (how % 7 == 0) input.take(&hello, 16);
  std::vector<char> message(sizeof hello + hello.text_bytes % FLY_TEXT_BYTES);
  std::memcpy(message.data(), &hello, sizeof hello);
  input.take(message.data() + sizeof hello, message.size() - sizeof hello);
  if (how % 6 == 0 && message.size() >= sizeof hello + 8)
    std::memcpy(message.data() + sizeof hello, "gpu\0cpu\0", 8);
  if (how % 11 == 0 && !message.empty()) message.resize(how % message.size());
  return message;
}

/// What a client asks for once it is welcome, and what the governor tells whoever lists.
void play_changes(Bytes& input);
/// The library, welcomed by whatever the input makes of a governor.
void play_library(Bytes& input);

}  // namespace flyball::fuzz
