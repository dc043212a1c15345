#include "governor/channel/peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "governor/channel/channel_server.h"
#include "governor/supervisor/process_identity.h"
#include "kernels/base/hash.h"

namespace flyball {
namespace {

#ifndef SO_PEERPIDFD
constexpr int kPeerPidfd = 77;  // since Linux 6.5
#else
constexpr int kPeerPidfd = SO_PEERPIDFD;
#endif

struct OwnNumber {
  std::int32_t number = -1;
  bool in_container = false;  ///< of a pid namespace within ours
};

/// The number of a thread in its own, innermost namespace: the last of its NSpid line.
OwnNumber own_number(const std::string& thread) {
  std::array<char, 4096> text{};
  const ssize_t got = read_small_file((thread + "/status").c_str(), text.data(), text.size() - 1);
  const char* line = got > 0 ? std::strstr(text.data(), "\nNSpid:\t") : nullptr;
  if (line == nullptr) return {};
  line += std::strlen("\nNSpid:\t");
  const std::string numbers(line, std::strcspn(line, "\n"));
  const std::size_t last = numbers.rfind('\t');
  return {std::atoi(numbers.c_str() + (last == std::string::npos ? 0 : last + 1)),
          last != std::string::npos};
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

std::optional<Peer> peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0)
    return std::nullopt;
  return Peer{peer.uid, peer.pid};
}

int open_process(int socket, pid_t pid) {
  int descriptor = -1;
  socklen_t size = sizeof descriptor;
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &descriptor, &size) == 0 && descriptor >= 0)
    return descriptor;
#ifdef SYS_pidfd_open
  descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
#else
  errno = ENOSYS;
#endif
  if (descriptor < 0) return -1;
  // Its end closes its socket: while that is open, and the process goes on, the number was its own.
  pollfd both[] = {{socket, 0, 0}, {descriptor, POLLIN, 0}};
  if (poll(both, 2, 0) == 0) return descriptor;
  close(descriptor);
  errno = ESRCH;
  return -1;
}

bool owns_threads(pid_t pid, const std::vector<std::int32_t>& threads) {
  const std::string process = "/proc/" + std::to_string(pid), folder = process + "/task/";
  std::vector<std::int32_t> unknown;  // by our numbers
  for (const std::int32_t id : threads) {
    if (id <= 0) return false;
    if (!exists(folder + std::to_string(id))) unknown.push_back(id);
  }
  if (unknown.empty()) return true;
  if (!own_number(process).in_container)
    return std::none_of(unknown.begin(), unknown.end(), [](std::int32_t id) {
      return exists("/proc/" + std::to_string(id));  // also of one that is no process's first
    });
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) return false;
  constexpr int kMost = 1024;  // what a user may cost: a file is read for each
  int looked = 0;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    std::erase(unknown, own_number(folder + task->d_name).number);
    if (unknown.empty() || ++looked == kMost) break;
  }
  closedir(tasks);
  return unknown.empty();
}

std::string guest_profile(const std::string& name, uid_t user, pid_t pid) {
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  struct stat program {};
  if (stat(link.c_str(), &program) != 0)
    program = {};  // nobody's but this user's: the hash has that
  Fnv1a hash;
  hash.add(static_cast<std::uint64_t>(user));
  hash.add(static_cast<std::uint64_t>(program.st_dev));
  hash.add(static_cast<std::uint64_t>(program.st_ino));
  char text[24];
  std::snprintf(text, sizeof text, "%08llx",
                static_cast<unsigned long long>((hash.value() ^ hash.value() >> 32) & 0xffffffffu));
  return name + "~" + text;
}

}  // namespace flyball
