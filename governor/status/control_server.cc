#include "governor/status/control_server.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {
namespace {

constexpr std::int64_t kControlSecondNs = 1'000'000'000;

constexpr const char* kRemedy = "free it, or give another folder with --state-dir";

}  // namespace

ControlServer::ControlServer(const StateDir& dir, int page, const Options& options, Answer answer)
    : page_(page),
      options_(options),
      answer_(std::move(answer)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(dir, kControlSocket, {.backlog = kMaxClients, .take_over = options.take_over},
                kRemedy) {
  if (!stop_) failure(dir.path_of(kControlSocket), error_text(errno), kRemedy);
  clients_.reserve(kMaxClients);
  try {
    thread_ = quiet_thread([this] { body(); });
  } catch (const std::system_error& error) {
    failure(dir.path_of(kControlSocket), std::string("no thread to serve it: ") + error.what(),
            kRemedy);
  }
}

ControlServer::~ControlServer() {
  const std::uint64_t one = 1;
  while (write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

void ControlServer::body() noexcept {
  for (;;) {
    std::array<pollfd, kMaxClients + 2> wait{};
    std::size_t count = 0;
    const std::int64_t now_ns = monotonic_ns();
    wait[count++] = {stop_.get(), POLLIN, 0};
    wait[count++] = {now_ns < deaf_until_ns_ ? -1 : listener_.get(), POLLIN, 0};
    for (const Client& client : clients_) wait[count++] = {client.socket.get(), POLLIN, 0};
    // With nobody there, nothing wakes this thread.
    const int patience_ms = clients_.empty() && wait[1].fd >= 0 ? -1 : 1000;
    poll(wait.data(), count, patience_ms);
    if (wait[0].revents != 0) return;
    try {
      serve(monotonic_ns());
    } catch (const std::exception&) {  // no memory: whoever asked asks again
      clients_.clear();
    }
  }
}

/// A request of each, so that nobody waits for one who asks much.
void ControlServer::serve(std::int64_t now_ns) {
  for (std::size_t i = clients_.size(); i-- > 0;) {
    if (serve_client(clients_[i], now_ns)) continue;
    clients_[i] = std::move(clients_.back());
    clients_.pop_back();
  }
  if (now_ns >= deaf_until_ns_) accept_client(now_ns);
}

void ControlServer::accept_client(std::int64_t now_ns) {
  Client client;
  client.socket =
      FileDescriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client.socket) {
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      deaf_until_ns_ = now_ns + kControlSecondNs;
    return;
  }
  // One who comes again and again would keep this thread busy.
  if (accept_second_ != now_ns / kControlSecondNs) accepted_ = 0;
  accept_second_ = now_ns / kControlSecondNs;
  if (++accepted_ >= kMaxPerSecond) deaf_until_ns_ = (accept_second_ + 1) * kControlSecondNs;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(client.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  client.user = peer.uid;
  client.may_control =
      peer.uid == 0 || peer.uid == geteuid() || in_group(client.socket.get(), peer.gid);
  client.heard_ns = now_ns;
  const auto of_user = std::count_if(clients_.begin(), clients_.end(), [&](const Client& other) {
    return !other.may_control && other.user == client.user;
  });
  // The last places are for those who may control.
  const std::size_t room = client.may_control ? kMaxClients : kMaxClients - kMaxOfUser;
  if (clients_.size() >= room || (!client.may_control && of_user >= kMaxOfUser)) {
    reply(client, "denied too many connections");
    return;
  }
  clients_.push_back(std::move(client));
}

bool ControlServer::in_group(int socket, gid_t group_of_peer) const {
  if (!options_.group) return false;
  if (group_of_peer == *options_.group) return true;
#ifdef SO_PEERGROUPS
  std::array<gid_t, 256> groups{};
  socklen_t size = sizeof groups;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  const gid_t* const end = groups.data() + size / sizeof(gid_t);
  return std::find<const gid_t*>(groups.data(), end, *options_.group) != end;
#else
  (void)socket;
  return false;
#endif
}

/// False when it is to be hung up on.
bool ControlServer::serve_client(Client& client, std::int64_t now_ns) {
  std::array<char, kMaxRequestBytes> buffer;
  const ssize_t got =
      recv(client.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return now_ns - client.heard_ns < kSilentNs;
  if (got <= 0) return false;
  client.heard_ns = now_ns;
  if (client.second != now_ns / kControlSecondNs) client.in_second = 0;
  client.second = now_ns / kControlSecondNs;
  if (++client.in_second > kMaxPerSecond) return false;
  if (static_cast<std::size_t>(got) > buffer.size())
    return reply(client, "refused request: is too long; this is not how flyball asks");
  const std::string_view request(buffer.data(), static_cast<std::size_t>(got));
  const std::string version = std::string(kControlVersion) + " ";
  if (!request.starts_with(version))
    return reply(client, "refused request: is of another version; use the 'flyball' that governs");
  const std::string_view rest = request.substr(version.size());
  if (rest == "page") return reply(client, kReplyOk, page_);
  std::string answer = answer_(rest, client.may_control);
  if (answer.size() > kMaxReplyBytes) answer.resize(kMaxReplyBytes);
  return reply(client, answer);
}

bool ControlServer::reply(const Client& client, std::string_view text, int descriptor) const {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(client.socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

std::optional<gid_t> control_group() {
  std::array<char, 4096> buffer;
  group entry{};
  group* found = nullptr;
  if (getgrnam_r("flyball", &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return std::nullopt;
  return found->gr_gid;
}

}  // namespace flyball
