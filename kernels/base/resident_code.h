#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

namespace flyball {

/// Most of the code and constants of a program that has started are of the start (command line, files,
/// libraries' initialisation) and stay resident for nothing. This gives those pages back, the part of
/// the calling thread's stack that the start used, where that is the program's first thread, and free
/// pages of the heap; what is still used is mapped again as it is reached, from the page cache: a fault
/// of about a microsecond each, once. Nothing happens where Linux does not tell of mappings. Returns how
/// many bytes of files were offered.
std::size_t forget_code_of_the_start();

/// The same once more after a while, on a thread that ends then: what comes first in a loop is not what
/// lasts, either. Its destructor waits for nothing.
class ForgetsLater {
 public:
  explicit ForgetsLater(std::chrono::milliseconds after);
  ~ForgetsLater();
  ForgetsLater(const ForgetsLater&) = delete;
  ForgetsLater& operator=(const ForgetsLater&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable stops_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace flyball
