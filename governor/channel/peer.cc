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

/// The number of a thread in its own, innermost namespace: the last of its NSpid line.
std::int32_t own_number(pid_t pid, const char* thread) {
  char path[80];
  std::snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", pid, thread);
  std::array<char, 4096> text{};
  const ssize_t got = read_small_file(path, text.data(), text.size() - 1);
  if (got <= 0) return -1;
  const char* line = std::strstr(text.data(), "\nNSpid:");
  if (line == nullptr) return std::atoi(thread);
  const char* end = std::strchr(line + 1, '\n');
  const char* last = end != nullptr ? end : line + std::strlen(line);
  while (last > line && last[-1] != '\t') --last;
  return std::atoi(last);
}

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
  if (threads.empty()) return true;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  // At once where the numbers are ours; a container's are looked for.
  if (std::all_of(threads.begin(), threads.end(), [&](std::int32_t id) {
        return id > 0 && access((folder + "/" + std::to_string(id)).c_str(), F_OK) == 0;
      }))
    return true;
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) return false;
  std::vector<std::int32_t> own;
  constexpr std::size_t kMost = 256;  // one who starts threads without end is not looked through
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    if (own.size() == kMost) break;
    own.push_back(own_number(pid, task->d_name));
  }
  closedir(tasks);
  return std::all_of(threads.begin(), threads.end(), [&](std::int32_t id) {
    return id > 0 && std::find(own.begin(), own.end(), id) != own.end();
  });
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
