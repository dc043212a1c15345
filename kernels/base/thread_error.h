#pragma once

#include <string>
#include <system_error>

namespace flyball {

/// Throws Error (kFailure): `what` could not have the thread that it needs, and why. The system has
/// one number (EAGAIN) for a limit of threads and for no room for a thread's stack: they are told
/// apart by asking for the room.
[[noreturn]] void no_thread(const std::string& what, const std::system_error& error);

}  // namespace flyball
