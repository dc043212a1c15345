#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "governor/loop/control_loop.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// Tells systemd by its notification socket what becomes of a service of Type=notify, as sd_notify(3)
/// does, whose library would cost the daemon more than this. Where nobody listens, nothing happens.
class ServiceNotifier {
 public:
  /// Of $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID.
  ServiceNotifier();
  /// `status` is what `systemctl status` shows.
  void ready(std::string_view status) noexcept;
  void stopping() noexcept;
  /// That the caller has not hung; sent twice within the watchdog's time, however often it is called.
  void alive(std::int64_t now_ns) noexcept;

 private:
  /// Without MSG_DONTWAIT it waits for room: a service manager that does not read must not hold a
  /// decision up.
  bool send(std::string_view text, int flags) const noexcept;

  std::string address_;  ///< as in $NOTIFY_SOCKET
  FileDescriptor socket_;
  std::int64_t watchdog_ns_ = 0;  ///< 0: none
  std::int64_t next_ns_ = 0;
};

/// The watchdog looks at the loop itself: what else of the program lives is no sign that it governs.
class NotifySink final : public EpochSink {
 public:
  explicit NotifySink(ServiceNotifier& notifier) : notifier_(notifier) {}
  void on_epoch(const EpochEvent&) noexcept override;

 private:
  ServiceNotifier& notifier_;
};

}  // namespace flyball
