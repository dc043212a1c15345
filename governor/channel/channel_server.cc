#include "governor/channel/channel_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>

#include "governor/channel/peer.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kBreathNs = 10'000'000;
constexpr int kBacklog = FLYBALL_SESSIONS;

constexpr const char* kRemedy = "free it, or give another folder with --state-dir";

bool send_welcome(int socket, const fly_welcome& welcome, int memory) {
  iovec part{const_cast<fly_welcome*>(&welcome), sizeof welcome};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (memory >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &memory, sizeof memory);
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/// Always false: it is hung up on.
bool refuse(int socket, int error, const std::string& why) {
  fly_welcome answer{};
  answer.magic = FLY_MAGIC;
  answer.kind = FLY_WELCOME;
  answer.version = FLYBALL_INTERFACE;
  answer.error = error;
  std::memcpy(answer.why, why.data(), std::min(why.size(), sizeof answer.why - 1));
  send_welcome(socket, answer, -1);
  return false;
}

}  // namespace

ChannelServer::ChannelServer(const StateDir& dir, GuestTable& table, const Options& options)
    : table_(table),
      options_(options),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(dir, FLY_SOCKET_NAME, {.backlog = kBacklog, .take_over = options.take_over},
                kRemedy),
      buffer_(FLY_MAX_MESSAGE) {
  if (!stop_) failure(dir.path_of(FLY_SOCKET_NAME), error_text(errno), kRemedy);
  clients_.reserve(FLYBALL_SESSIONS + kMaxPending);
  try {
    thread_ = quiet_thread([this] { body(); });
  } catch (const std::system_error& error) {
    failure(dir.path_of(FLY_SOCKET_NAME), std::string("no thread to serve it: ") + error.what(),
            kRemedy);
  }
}

ChannelServer::~ChannelServer() {
  const std::uint64_t one = 1;
  while (write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  for (Client& client : clients_) leave(client);
}

void ChannelServer::body() noexcept {
  constexpr std::size_t kMost = 2 * (FLYBALL_SESSIONS + kMaxPending) + 2;
  std::array<pollfd, kMost> wait{};
  for (;;) {
    std::size_t count = 0;
    const std::int64_t now_ns = monotonic_ns();
    wait[count++] = {stop_.get(), POLLIN, 0};
    wait[count++] = {now_ns < deaf_until_ns_ ? -1 : listener_.get(), POLLIN, 0};
    bool waits = false;
    for (const Client& client : clients_) {
      wait[count++] = {client.socket.get(), POLLIN, 0};
      wait[count++] = {client.process.get(), POLLIN, 0};
      waits = waits || client.place < 0 || !client.process;
    }
    for (const Guest& guest : table_.guest)
      waits = waits || guest.leaving.load(std::memory_order_relaxed);
    // With nobody coming or going, nothing wakes this thread.
    int timeout_ms = waits ? 100 : -1;
    if (now_ns < deaf_until_ns_)
      timeout_ms =
          static_cast<int>(std::min<std::int64_t>(100, (deaf_until_ns_ - now_ns) / 1'000'000 + 1));
    poll(wait.data(), count, timeout_ms);
    if (wait[0].revents != 0) return;
    try {
      serve(monotonic_ns());
    } catch (const std::exception&) {  // no memory: whoever came comes again
      for (Client& client : clients_) leave(client);
      clients_.clear();
    }
  }
}

/// A message of each, so that nobody waits for one who says much.
void ChannelServer::serve(std::int64_t now_ns) {
  reap();
  for (std::size_t i = clients_.size(); i-- > 0;) {
    if (serve_client(clients_[i], now_ns)) continue;
    leave(clients_[i]);
    clients_[i] = std::move(clients_.back());
    clients_.pop_back();
  }
  if (now_ns >= deaf_until_ns_) accept_clients(now_ns);
}

void ChannelServer::accept_clients(std::int64_t now_ns) {
  // No more than wait in line at once: those who are here already are served in between.
  bool turned_away = false;
  int came = 0;
  for (; came < kBacklog; ++came) {
    Client client;
    client.socket =
        FileDescriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.socket) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        deaf_until_ns_ = now_ns + kSecondNs;
      break;
    }
    const std::optional<Peer> peer = peer_of(client.socket.get());
    if (!peer) {
      refuse(client.socket.get(), EPERM, "process: is of a namespace that the governor cannot see");
      turned_away = true;
      continue;
    }
    if (!arrivals_.admits(peer->user, now_ns)) {
      refuse(client.socket.get(), EBUSY, "connections: this user makes too many; try again later");
      turned_away = true;
      continue;
    }
    client.user = peer->user;
    client.pid = peer->pid;
    client.identity = identify(peer->pid).value_or(ProcessIdentity());
    client.process = FileDescriptor(open_process(client.socket.get(), peer->pid));
    const bool has_none = errno == ENOSYS;  // before Linux 5.3
    client.since_ns = now_ns;
    if (!client.process && (!has_none || client.identity.pid == 0)) {
      refuse(client.socket.get(), EPERM, "process: cannot be watched; try again later");
      continue;
    }
    make_room();
    clients_.push_back(std::move(client));
  }
  // One who comes again and again would keep this thread busy: the line moves on, but not at once.
  if (turned_away || came == kBacklog)
    deaf_until_ns_ = std::max(deaf_until_ns_, now_ns + kBreathNs);
}

/// Of those who have said nothing, the oldest of the user who has most goes: who connects and is silent
/// keeps nobody else out.
void ChannelServer::make_room() {
  const auto is_pending = [](const Client& client) { return client.place < 0; };
  const auto of_user = [&](uid_t user) {
    return std::count_if(clients_.begin(), clients_.end(), [&](const Client& client) {
      return is_pending(client) && client.user == user;
    });
  };
  if (std::count_if(clients_.begin(), clients_.end(), is_pending) < kMaxPending) return;
  auto worst = clients_.end();
  for (auto it = clients_.begin(); it != clients_.end(); ++it) {
    if (!is_pending(*it)) continue;
    const auto more = worst == clients_.end() ? 1 : of_user(it->user) - of_user(worst->user);
    if (more > 0 || (more == 0 && it->since_ns < worst->since_ns)) worst = it;
  }
  refuse(worst->socket.get(), EUSERS, "connections: too many say nothing; try again later");
  *worst = std::move(clients_.back());
  clients_.pop_back();
}

bool ChannelServer::serve_client(Client& client, std::int64_t now_ns) {
  // A child may have the socket still.
  pollfd process{client.process.get(), POLLIN, 0};
  if (client.process ? poll(&process, 1, 0) > 0 : !runs(client.identity)) return false;
  const ssize_t got =
      recv(client.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return client.place >= 0 || now_ns - client.since_ns < kPatienceNs;
  if (got <= 0) return false;
  if (client.second != now_ns / kSecondNs) client.in_second = 0;
  client.second = now_ns / kSecondNs;
  if (++client.in_second > kMaxPerSecond) return false;
  if (static_cast<std::size_t>(got) > buffer_.size()) return false;
  const std::span<const char> message(buffer_.data(), static_cast<std::size_t>(got));
  if (client.place >= 0) return change(client, message, now_ns);
  fly_list asked{};
  if (message.size() == sizeof asked) {
    std::memcpy(&asked, message.data(), sizeof asked);
    if (asked.magic == FLY_MAGIC && asked.kind == FLY_LIST) {
      const std::string text = list(client);
      send(client.socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      return false;
    }
  }
  return welcome(client, message);
}

int ChannelServer::place_for(const Client& client, std::string& why) const {
  int of_user = 0, free_place = -1;
  for (int i = 0; i < std::min<int>(options_.places, FLYBALL_SESSIONS); ++i) {
    const Guest& guest = table_.guest[static_cast<std::size_t>(i)];
    if (guest.state.load(std::memory_order_acquire) == Guest::State::kFree) {
      if (free_place < 0) free_place = i;
    } else {
      of_user += guest.user == client.user;
    }
  }
  const bool is_any = client.user != 0 && client.user != geteuid();
  if (is_any && of_user >= FLYBALL_SESSIONS_OF_USER) {
    why = "sessions: this user has as many as one may; close some";
    return -1;
  }
  if (free_place < 0) why = "sessions: there are as many as may be; close some";
  return free_place;
}

std::string ChannelServer::free_name(const std::string& wanted) const {
  const auto taken = [&](const std::string& name) {
    const auto& taken = options_.taken_names;
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) return true;
    return std::any_of(table_.guest.begin(), table_.guest.end(), [&](const Guest& guest) {
      return guest.state.load(std::memory_order_acquire) != Guest::State::kFree &&
             guest.offer.binding.name == name;
    });
  };
  std::string name = wanted;
  for (int n = 2; taken(name); ++n) name = wanted + "#" + std::to_string(n);
  return name;
}

bool ChannelServer::welcome(Client& client, std::span<const char> hello) {
  Offer offer;
  const int socket = client.socket.get();
  if (const std::string fault = read_offer(hello, offer); !fault.empty())
    return refuse(socket, is_understood(hello) ? EINVAL : EPROTONOSUPPORT, fault);
  if (const std::string lacks = find_elements(options_.elements, offer); !lacks.empty())
    return refuse(socket, ENOTSUP, lacks);
  if (!owns_threads(client.pid, offer.threads))
    return refuse(socket, EPERM, "threads: are not of the process that asks");
  reap();
  std::string why;
  const int place = place_for(client, why);
  if (place < 0) return refuse(socket, EUSERS, why);
  Guest& guest = table_.guest[static_cast<std::size_t>(place)];
  try {
    guest.memory.emplace();
  } catch (const Error&) {
    return refuse(socket, ENOMEM, "memory: none is left for another session; close some");
  }
  offer.binding.profile = guest_profile(offer.binding.name, client.user, client.pid);
  // What is learned is kept by profile: names without end share one.
  std::set<std::string>& known = profiles_[client.user];
  if (known.size() >= kMostProfiles && !known.contains(offer.binding.profile))
    offer.binding.profile = "other~" + std::to_string(client.user);
  else
    known.insert(offer.binding.profile);
  offer.binding.name = free_name(offer.binding.name);
  guest.offer = std::move(offer);
  guest.user = client.user;
  guest.pid = client.pid;
  guest.required.put(guest.offer.required);
  guest.required_version.store(0);
  guest.increase_until_ns.store(0);
  guest.spike_until_ns.store(0);
  guest.resets.store(0);
  guest.efficient.store(false);
  guest.shown.put({});
  guest.leaving.store(false);
  fly_welcome answer{};
  answer.magic = FLY_MAGIC;
  answer.kind = FLY_WELCOME;
  answer.version = FLYBALL_INTERFACE;
  answer.shared_bytes = FLYBALL_SHARED_BYTES;
  answer.ring_jobs = FLYBALL_RING_JOBS;
  answer.features = options_.features;
  if ((guest.offer.binding.clusters & ~options_.elements.cpu_clusters()) != 0)
    answer.features |= 1u << FLYBALL_FEATURE_VOTES_GPU;
  if (!send_welcome(socket, answer, guest.memory->descriptor())) {
    guest.memory.reset();
    return false;
  }
  client.place = place;
  guest.state.store(Guest::State::kReady, std::memory_order_release);
  return true;
}

bool ChannelServer::change(Client& client, std::span<const char> bytes, std::int64_t now_ns) {
  fly_change message;
  if (bytes.size() < sizeof message) return false;
  std::memcpy(&message, bytes.data(), sizeof message);
  if (message.magic != FLY_MAGIC) return false;
  Guest& guest = table_.guest[static_cast<std::size_t>(client.place)];
  if (message.kind == FLY_REQUIRE) {
    Requirements required;
    if (!read_requirements(message.required, required)) return false;
    guest.required.put(required);
    guest.required_version.fetch_add(1, std::memory_order_release);
    return true;
  }
  if (message.kind == FLY_THREADS) {
    if (message.thread_count == 0 || message.thread_count > FLYBALL_THREADS) return false;
    return owns_threads(client.pid, {message.thread, message.thread + message.thread_count});
  }
  if (message.kind != FLY_VOTE) return false;
  switch (message.vote) {
    case FLY_VOTE_INCREASE:
      guest.increase_until_ns.store(now_ns + FLYBALL_VOTE_NS);
      return true;
    case FLY_VOTE_SPIKE:
      guest.spike_until_ns.store(now_ns + FLYBALL_VOTE_NS);
      return true;
    case FLY_VOTE_RESET:
      guest.resets.fetch_add(1);
      return true;
    case FLY_VOTE_EFFICIENCY:
      guest.efficient.store(message.on != 0);
      return true;
    default:
      return false;
  }
}

void ChannelServer::leave(Client& client) {
  if (client.place < 0) return;
  Guest& guest = table_.guest[static_cast<std::size_t>(client.place)];
  client.place = -1;
  guest.leaving.store(true, std::memory_order_release);
  reap();
}

void ChannelServer::reap() {
  for (Guest& guest : table_.guest) {
    if (!guest.leaving.load(std::memory_order_acquire)) continue;  // its socket is still open
    auto ready = Guest::State::kReady;
    if (!table_.governed.load()) guest.state.compare_exchange_strong(ready, Guest::State::kLeft);
    if (guest.state.load(std::memory_order_acquire) != Guest::State::kLeft) continue;
    guest.memory->give_back();
    guest.memory.reset();
    guest.offer = Offer();
    guest.leaving.store(false, std::memory_order_relaxed);
    guest.state.store(Guest::State::kFree, std::memory_order_release);
  }
}

}  // namespace flyball
