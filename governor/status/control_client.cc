#include "governor/status/control_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "governor/status/control_protocol.h"
#include "governor/supervisor/served_socket.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr const char* kSilent = "does not answer";
constexpr const char* kMendSilent = "it may hang, or be stopped; 'flyball restore' gives back";

/// The first descriptor that came along; others are closed.
FileDescriptor take_descriptor(msghdr& message) {
  FileDescriptor first;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
      FileDescriptor one(descriptor);
      if (!first) first = std::move(one);
    }
  }
  return first;
}

}  // namespace

std::optional<ControlClient> ControlClient::connect(const std::string& state_dir) {
  const std::string where = state_dir + "/" + kControlSocket;
  const FileDescriptor folder(open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    if (errno == ENOENT) return std::nullopt;
    failure("state folder " + state_dir,
            "cannot be opened: " + std::generic_category().message(errno),
            "name another one with --state-dir");
  }
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval patience{kPatienceMs / 1000, kPatienceMs % 1000 * 1000};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(socket.get(), SOL_SOCKET, option, &patience, sizeof patience);
  const FolderAddress address(folder.get(), kControlSocket);
  if (::connect(socket.get(), address.get(), address.size()) == 0)
    return ControlClient(std::move(socket), where);
  if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
  if (errno == EAGAIN) failure(where, kSilent, kMendSilent);
  failure(where, "cannot be asked: " + std::generic_category().message(errno),
          "name another folder with --state-dir");
}

std::string ControlClient::exchange(const std::string& request, FileDescriptor& descriptor) {
  const std::string whole = std::string(kControlVersion) + " " + request;
  // Cut off, it would be another one.
  if (whole.size() > kMaxRequestBytes)
    input_error("request", "is too long", "no name or value is that long");
  std::vector<char> buffer(kMaxReplyBytes);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = send(socket_.get(), whole.data(), whole.size(), MSG_NOSIGNAL);
  if (got >= 0) got = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) failure(where_, kSilent, kMendSilent);
  if (got <= 0) failure(where_, "has hung up", "ask again; the governor may have ended");
  descriptor = take_descriptor(message);
  return {buffer.data(), static_cast<std::size_t>(got)};
}

ControlClient::Reply ControlClient::request(const std::string& request) {
  FileDescriptor none;
  const std::string reply = exchange(request, none);
  const std::size_t blank = std::min(reply.find(' '), reply.size());
  // Whoever answers may be anybody.
  return {reply.substr(0, blank), printable(reply.substr(std::min(blank + 1, reply.size())))};
}

std::string ControlClient::ask(const std::string& request) {
  const auto [word, rest] = this->request(request);
  if (word == kReplyOk) return rest;
  if (word == kReplyRefused) throw Error(Error::Kind::kInput, rest);
  if (word == kReplyDenied)
    failure(where_, rest, "ask as root (sudo), or as a member of the group 'flyball'");
  failure(where_, "answers what is not understood", "use the 'flyball' that governs");
}

FileDescriptor ControlClient::page() {
  FileDescriptor page;
  exchange("page", page);
  if (!page) failure(where_, "hands over no status page", "ask again; it may serve too many");
  return page;
}

}  // namespace flyball
