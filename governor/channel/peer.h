#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace flyball {

/// Who has connected, as Linux says.
struct Peer {
  uid_t user = 0;
  pid_t pid = 0;  ///< in our pid namespace; a process of a namespace that we do not see has none
};
/// Nothing when Linux does not say, or its process is beyond our sight.
std::optional<Peer> peer_of(int socket);

/// A descriptor of that very process, which becomes readable when it ends; -1 with errno set when it
/// cannot be had: ENOSYS before Linux 5.3.
/// A process that has gone by now, and whose number another may have, is none.
int open_process(int socket, pid_t pid);

/// Whether none of these is a thread of another process, by the numbers that the process knows them by: in a
/// container those are of its own namespace (NSpid). One that has ended is nobody's; of a container's numbers
/// nobody outside can tell who else has them, so there all are to be found (of a process with thousands of
/// threads, its word is taken).
bool owns_threads(pid_t pid, const std::vector<std::int32_t>& threads);

}  // namespace flyball
