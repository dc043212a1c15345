#pragma once

#include <optional>
#include <string>

#include "kernels/base/file_descriptor.h"

namespace flyball {

/// Asks the governor of a state folder. Every wait is bounded.
class ControlClient {
 public:
  static constexpr int kPatienceMs = 3000;

  /// Nothing when none governs there. Throws Error (kFailure) when that cannot be told.
  static std::optional<ControlClient> connect(const std::string& state_dir);

  struct Reply {
    std::string word;  ///< kReplyOk, ...
    std::string rest;
  };
  /// Throws Error (kFailure) when none comes.
  Reply request(const std::string& request);
  /// The reply without its first word. Throws Error: kInput when the request is refused, kFailure
  /// when it is not ours to ask or no reply comes.
  std::string ask(const std::string& request);
  /// The status page's descriptor, for StatusView.
  FileDescriptor page();

 private:
  ControlClient(FileDescriptor socket, std::string where)
      : socket_(std::move(socket)), where_(std::move(where)) {}
  std::string exchange(const std::string& request, FileDescriptor& descriptor);

  FileDescriptor socket_;
  std::string where_;
};

}  // namespace flyball
