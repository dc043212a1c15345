#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "governor/status/status_page.h"
#include "governor/supervisor/served_socket.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

inline constexpr const char* kMetricsSocket = "metrics.sock";

struct MetricsOptions {
  std::string file;  ///< empty: none
  std::int64_t every_ns = 15'000'000'000;
  bool socket = false;
  bool any() const { return socket || !file.empty(); }
};

/// Offers what a status page says to Prometheus: as a file for node_exporter's textfile collector,
/// which is there whole or not at all and goes with the governor, and as a Unix socket in the state
/// folder that answers each connection with an HTTP response and closes it. By a thread of its own.
/// Nothing is read of who asks but that they ask, for at most a second, and one at a time.
class MetricsServer {
 public:
  /// Page and folder outlive it. Throws Error: kInput for a file that is not its to replace,
  /// kFailure when it cannot be served.
  MetricsServer(const StateDir& dir, const StatusPage& page, const MetricsOptions& options);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

 private:
  void body() noexcept;
  void answer_one();
  void write_file();
  std::string text() const;

  const StatusPage& page_;
  MetricsOptions options_;
  FileDescriptor stop_;
  std::optional<ServedSocket> listener_;
  bool written_ = false;
  std::thread thread_;
};

}  // namespace flyball
