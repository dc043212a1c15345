#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/file_descriptor.h"

namespace flyball::cli {

/// Where the results of `infer` go: standard output, or a file that takes an older one's place at once
/// and grows. Lines are kept together for up to kKeptNs, since a system call a job is dear at 10,000 jobs a
/// second.
class InferOutput {
 public:
  static constexpr std::int64_t kKeptNs = 50'000'000;

  /// Before any work: throws Error (kInput) where `path` cannot be written or has something else.
  static void check(const std::string& path, bool json);

  /// `path` empty: standard output. Throws Error (kFailure).
  InferOutput(const std::string& path, const std::string& first);
  void write(const std::string& line);
  void flush();
  /// False when nobody reads any more, or there is no room.
  bool wanted() const;
  /// Throws Error (kFailure) when something could not be written to the file.
  void finish();

 private:
  const std::string path_;
  FileDescriptor file_;
  std::string kept_;
  std::int64_t flushed_ns_ = 0;
  int error_ = 0;
};

}  // namespace flyball::cli
