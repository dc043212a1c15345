#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>

#include "governor/supervisor/state_dir.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// A socket's address within an open folder, by its descriptor: the folder that was checked is the one
/// that is used, and its path may be longer than the 107 bytes that an address holds.
class FolderAddress {
 public:
  FolderAddress(int folder, const char* name);
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

/// Listens by a name in the state folder, which anybody may connect to, for as long as it lives. Nobody
/// can pass files over it (Linux 6.16 and later): closing them can take as long as who sent them wants.
class ServedSocket {
 public:
  struct Options {
    int type = SOCK_SEQPACKET;
    int backlog = 8;
    /// What is there was left behind, since the caller holds the governor's lock; else it is asked.
    bool take_over = false;
  };
  /// `dir` outlives it. Throws Error (kFailure) that ends with `remedy`.
  ServedSocket(const StateDir& dir, const char* name, const Options& options, const char* remedy);
  ~ServedSocket();
  ServedSocket(const ServedSocket&) = delete;
  ServedSocket& operator=(const ServedSocket&) = delete;

  int get() const { return listener_.get(); }

 private:
  const StateDir& dir_;
  const char* name_;
  FileDescriptor listener_;
  std::uint64_t device_ = 0, inode_ = 0;  ///< of the name: who has taken it since keeps it
};

}  // namespace flyball
