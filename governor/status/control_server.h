#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "governor/status/control_protocol.h"
#include "governor/supervisor/served_socket.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// Serves the control socket of a state folder, from a thread of its own: whatever clients do, the
/// loop does not notice. Everybody may ask for the status page; what controls is for root, the user
/// who runs the governor, and a group. A message is at most kMaxRequestBytes long, so is what is kept
/// of a client; one that floods, that does not take its reply, or that is silent for long is hung
/// up on, and nobody has more than a few connections.
class ControlServer {
 public:
  static constexpr int kMaxClients = 24;
  static constexpr int kMaxOfUser = 4;      ///< unless they may control
  static constexpr int kMaxPerSecond = 50;  ///< requests of one client, and new clients
  static constexpr std::int64_t kSilentNs = 10'000'000'000;
  /// A request without its version, and whether its sender may control; the whole reply. Called by
  /// the server's thread.
  using Answer = std::function<std::string(std::string_view request, bool may_control)>;
  struct Options {
    bool take_over = false;  ///< the socket, though somebody serves it: the governor's lock is ours
    std::optional<gid_t> group;
  };

  /// `page` is what "page" is answered with; it outlives the server, the folder too. Throws Error
  /// (kFailure) when the socket cannot be had.
  ControlServer(const StateDir& dir, int page, const Options& options, Answer answer);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  struct Client {
    FileDescriptor socket;
    uid_t user = 0;
    bool may_control = false;
    std::int64_t heard_ns = 0;
    std::int64_t second = 0;
    int in_second = 0;
  };

  void body() noexcept;
  void serve(std::int64_t now_ns);
  void accept_client(std::int64_t now_ns);
  bool serve_client(Client& client, std::int64_t now_ns);
  bool reply(const Client& client, std::string_view text, int descriptor = -1) const;
  bool in_group(int socket, gid_t group_of_peer) const;

  const int page_;
  const Options options_;
  const Answer answer_;
  FileDescriptor stop_;
  ServedSocket listener_;
  std::int64_t deaf_until_ns_ = 0;  ///< accepts nobody until then
  std::int64_t accept_second_ = 0;
  int accepted_ = 0;  ///< within it
  std::vector<Client> clients_;
  std::thread thread_;
};

/// The group whose members may control: "flyball", where the machine has it.
std::optional<gid_t> control_group();

}  // namespace flyball
