#include "governor/supervisor/served_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "kernels/base/error.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // since Linux 6.16
#endif

namespace flyball {

FolderAddress::FolderAddress(int folder, const char* name) {
  address_.sun_family = AF_UNIX;
  std::snprintf(address_.sun_path, sizeof address_.sun_path, "/proc/self/fd/%d/%s", folder, name);
}

ServedSocket::ServedSocket(const StateDir& dir, const char* name, const Options& options,
                           const char* remedy)
    : dir_(dir),
      name_(name),
      listener_(socket(AF_UNIX, options.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  const auto fail = [&](const std::string& why) { failure(dir.path_of(name), why, remedy); };
  if (!listener_) fail("cannot be made: " + error_text(errno));
  const int no = 0;
  setsockopt(listener_.get(), SOL_SOCKET, SO_PASSRIGHTS, &no,
             sizeof no);  // accepted ones inherit it
  const FolderAddress address(dir.descriptor(), name);
  if (!options.take_over) {
    const FileDescriptor probe(socket(AF_UNIX, options.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (probe && (connect(probe.get(), address.get(), address.size()) == 0 || errno == EAGAIN))
      fail("another flyball serves it");
  }
  struct stat info {};
  if (fstatat(dir.descriptor(), name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISSOCK(info.st_mode)) fail("is no socket");
    unlinkat(dir.descriptor(), name, 0);
  }
  if (bind(listener_.get(), address.get(), address.size()) != 0)
    fail("cannot be made: " + error_text(errno));
  // Connecting is writing.
  fchmodat(dir.descriptor(), name, 0666, 0);
  if (fstatat(dir.descriptor(), name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  if (listen(listener_.get(), options.backlog) == 0) return;
  const int error = errno;
  unlinkat(dir.descriptor(), name, 0);
  fail("cannot be listened to: " + error_text(error));
}

ServedSocket::~ServedSocket() {
  struct stat info {};
  if (fstatat(dir_.descriptor(), name_, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      info.st_dev == device_ && info.st_ino == inode_)
    unlinkat(dir_.descriptor(), name_, 0);
}

}  // namespace flyball
