#pragma once

#include <cstring>

#include "governor/client/channel_layout.h"

namespace flyball {

/// That of an application of one level. Also for fuzzers, which have no GoogleTest.
inline fly_hello good_hello() {
  fly_hello hello{};
  hello.magic = FLY_MAGIC;
  hello.kind = FLY_HELLO;
  hello.version = FLYBALL_INTERFACE;
  hello.bytes = sizeof hello;
  std::strcpy(hello.name, "raw");
  hello.level_count = 1;
  hello.threads = 1;
  hello.accuracy_pct[0] = 50;
  hello.required.priority = 1;
  return hello;
}

}  // namespace flyball
