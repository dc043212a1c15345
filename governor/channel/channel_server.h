#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "governor/channel/arrival_limit.h"
#include "governor/channel/guest.h"
#include "governor/supervisor/process_identity.h"
#include "governor/supervisor/served_socket.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// Serves app.sock of a state folder, from a thread of its own: applications register, change what they
/// ask for, and go. Jobs and settings do not pass here but through shared memory. Whatever clients do,
/// the governor's loop does not notice:
///  - a message is read whole or not at all, at most FLY_MAX_MESSAGE bytes, and checked by read_offer();
///  - nobody has more than FLYBALL_SESSIONS_OF_USER sessions, or a connection that says nothing for a
///    second; who sends more than kMaxPerSecond messages is hung up on;
///  - of a user kMaxNewPerSecond new connections are taken, whoever has more is turned away at the door;
///    none are while there are no descriptors left;
///  - a session ends with the process that opened it, also where a child still has the socket.
class ChannelServer {
 public:
  static constexpr int kMaxPending = 16;  ///< connections that have not said who they are
  static constexpr int kMaxPerSecond = 4 * FLYBALL_VOTES_PER_SECOND;  ///< messages of a client
  static constexpr int kMaxNewPerSecond = 200;                        ///< connections of a user
  static constexpr std::int64_t kPatienceNs = 1'000'000'000;

  struct Options {
    bool take_over = false;  ///< the socket, though somebody serves it: the governor's lock is ours
    int places = FLYBALL_SESSIONS;
    std::vector<std::string> taken_names;
    std::uint32_t features = 0;  ///< bit per enum flyball_feature
    Elements elements;           ///< what applications can run on
  };

  /// Folder and table outlive the server. Throws Error (kFailure) when the socket cannot be had.
  ChannelServer(const StateDir& dir, GuestTable& table, const Options& options);
  ~ChannelServer();
  ChannelServer(const ChannelServer&) = delete;
  ChannelServer& operator=(const ChannelServer&) = delete;

 private:
  friend class ChannelServerFuzz;  // asks it without a socket, thousands of times a second
  struct Client {
    FileDescriptor socket, process;
    ProcessIdentity identity;  ///< where Linux has no descriptors of processes
    uid_t user = 0;
    pid_t pid = 0;
    int place = -1;  ///< -1: has not said who it is
    std::int64_t since_ns = 0, second = 0;
    int in_second = 0;
  };

  void body() noexcept;
  void serve(std::int64_t now_ns);
  void accept_clients(std::int64_t now_ns);
  void make_room();
  /// False when it is to be hung up on.
  bool serve_client(Client& client, std::int64_t now_ns);
  bool welcome(Client& client, std::span<const char> hello);
  bool change(Client& client, std::span<const char> message, std::int64_t now_ns);
  void leave(Client& client);
  void reap();
  int place_for(const Client& client, std::string& why) const;
  std::string free_name(const std::string& wanted) const;
  std::string list(const Client& client) const;

  GuestTable& table_;
  const Options options_;
  FileDescriptor stop_;
  ServedSocket listener_;
  std::int64_t deaf_until_ns_ = 0;
  ArrivalLimit arrivals_{kMaxNewPerSecond};
  std::vector<Client> clients_;
  static constexpr std::size_t kMostProfiles = 64;  ///< of a user
  std::map<uid_t, std::set<std::string>> profiles_;
  std::vector<char> buffer_;
  std::thread thread_;
};

/// What is learned of an application belongs to its name, its user and its program.
std::string guest_profile(const std::string& name, uid_t user, pid_t pid);

/// Of a governor that serves `dir`: its applications as JSON text; empty where nobody serves. Throws
/// Error (kFailure).
std::string ask_for_applications(const std::string& dir);

}  // namespace flyball
