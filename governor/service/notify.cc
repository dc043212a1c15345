#include "governor/service/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

std::string_view environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::int64_t whole_or_zero(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size() ? value : 0;
}

}  // namespace

ServiceNotifier::ServiceNotifier() {
  const std::string_view address = environment_text("NOTIFY_SOCKET");
  // A path, or a name that is in no folder, which '@' stands for.
  const bool usable = !address.empty() && (address[0] == '/' || address[0] == '@') &&
                      address.size() < sizeof(sockaddr_un::sun_path);
  if (!usable) return;
  address_ = address;
  socket_ = FileDescriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string_view of = environment_text("WATCHDOG_PID");
  if (of.empty() || whole_or_zero(of) == getpid())
    watchdog_ns_ = whole_or_zero(environment_text("WATCHDOG_USEC")) * 1000;
}

void ServiceNotifier::ready(std::string_view status) noexcept {
  std::array<char, 256> text{};
  constexpr std::string_view kReady = "READY=1\nSTATUS=";
  const std::size_t room = std::min(status.size(), text.size() - kReady.size());
  std::memcpy(text.data(), kReady.data(), kReady.size());
  std::memcpy(text.data() + kReady.size(), status.data(), room);
  send({text.data(), kReady.size() + room}, 0);  // nothing is being decided yet
}

void ServiceNotifier::stopping() noexcept {
  send("STOPPING=1\nSTATUS=Giving everything back", MSG_DONTWAIT);
}

void ServiceNotifier::alive(std::int64_t now_ns) noexcept {
  if (watchdog_ns_ <= 0 || now_ns < next_ns_) return;
  // Again with the next epoch when the queue was full.
  if (send("WATCHDOG=1", MSG_DONTWAIT)) next_ns_ = now_ns + watchdog_ns_ / 2;
}

bool ServiceNotifier::send(std::string_view text, int flags) const noexcept {
  if (!socket_) return false;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  return sendto(socket_.get(), text.data(), text.size(), flags | MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&to), size) >= 0;
}

void NotifySink::on_epoch(const EpochEvent&) noexcept { notifier_.alive(monotonic_ns()); }

}  // namespace flyball
