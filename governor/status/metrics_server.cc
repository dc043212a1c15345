#include "governor/status/metrics_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <system_error>

#include "governor/status/metrics_text.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"
#include "kernels/base/quiet_thread.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

constexpr OutputKind kMetricsOutput = {"a file of flyball's metrics", kMetricsStart};
constexpr int kPatienceMs = 1000;
constexpr std::int64_t kFirstNs = 1'500'000'000;  // a first second is over then

constexpr const char* kMetricsRemedy = "free it, or leave the socket of metrics out";

}  // namespace

MetricsServer::MetricsServer(const StateDir& dir, const StatusPage& page,
                             const MetricsOptions& options)
    : page_(page), options_(options), stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_) failure(dir.path_of(kMetricsSocket), error_text(errno), kMetricsRemedy);
  if (!options_.file.empty()) {
    check_output("--metrics-file " + options_.file, options_.file, kMetricsOutput);
    std::error_code error;  // a link that is there now is meant; write_file() obeys no later one
    const auto real = std::filesystem::weakly_canonical(options_.file, error);
    if (!error) options_.file = real.string();
  }
  // Only who holds the governor's lock, or nobody else, gets here.
  if (options_.socket)
    listener_.emplace(dir, kMetricsSocket,
                      ServedSocket::Options{.type = SOCK_STREAM, .take_over = true}, kMetricsRemedy);
  try {
    thread_ = quiet_thread([this] { body(); });
  } catch (const std::system_error& error) {
    failure(dir.path_of(kMetricsSocket), std::string("no thread to serve it: ") + error.what(),
            kMetricsRemedy);
  }
}

MetricsServer::~MetricsServer() {
  const std::uint64_t one = 1;
  while (write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  // Figures of a governor that is no more would be taken for those of one that idles.
  if (written_) unlink(options_.file.c_str());
}

void MetricsServer::body() noexcept {
  std::int64_t write_ns = monotonic_ns() + kFirstNs;
  for (;;) {
    std::array<pollfd, 2> wait = {pollfd{stop_.get(), POLLIN, 0},
                                  {listener_ ? listener_->get() : -1, POLLIN, 0}};
    int patience_ms = -1;
    if (!options_.file.empty()) {
      const std::int64_t left_ms = (write_ns - monotonic_ns()) / 1'000'000 + 1;
      patience_ms = static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 3'600'000));
    }
    poll(wait.data(), wait.size(), patience_ms);
    if (wait[0].revents != 0) return;
    try {
      if (!options_.file.empty() && monotonic_ns() >= write_ns) {
        write_file();
        write_ns = monotonic_ns() + options_.every_ns;
      }
      if (wait[1].revents != 0) answer_one();
    } catch (const std::exception&) {  // no memory: the next time
    }
  }
}

void MetricsServer::answer_one() {
  const FileDescriptor client(accept4(listener_->get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) {
    // With no descriptors left the caller stays where it is: not asked again at once.
    pollfd stop{stop_.get(), POLLIN, 0};
    if (errno != EAGAIN) poll(&stop, 1, kPatienceMs);
    return;
  }
  const timeval patience{kPatienceMs / 1000, 0};
  setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  // Who closes with something unread gets no answer across: the request is taken off first.
  pollfd wait{client.get(), POLLIN, 0};
  std::array<char, 4096> request;
  if (poll(&wait, 1, kPatienceMs) > 0)
    recv(client.get(), request.data(), request.size(), MSG_DONTWAIT);
  const std::string body = text();
  const std::string response = fmt::format(
      "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
      body.size(), body);
  for (std::size_t sent = 0; sent < response.size();) {
    const ssize_t n =
        send(client.get(), response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

/// What cannot be written now may be the next time: the governor goes on. Not durable: the file is
/// gone with the governor, and a card would wear.
void MetricsServer::write_file() {
  std::error_code ignored;  // a link that was put there since would choose what root replaces
  if (std::filesystem::is_symlink(options_.file, ignored)) return;
  FileReplacement file;
  if (file.begin(options_.file) && file.write(text()) && file.put_in_place(false)) written_ = true;
}

std::string MetricsServer::text() const {
  StatusFacts facts;
  StatusNow now;
  if (!page_.facts.get(facts) || !page_.now.get(now)) return "";
  return metrics_text(facts, now, monotonic_ns());
}

}  // namespace flyball
