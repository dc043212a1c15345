#pragma once

#include <cstddef>

namespace flyball {

/// Requests and replies on the control socket are a message of text each, over a Unix socket that
/// keeps messages apart. A request is "1 VERB WORDS...", 1 being the version; a reply begins with
/// one of the words below. "page" is answered with the status page's descriptor.
inline constexpr const char* kControlSocket = "control.sock";
inline constexpr const char* kControlVersion = "1";
inline constexpr std::size_t kMaxRequestBytes = 256;
inline constexpr std::size_t kMaxReplyBytes = 4096;

inline constexpr const char* kReplyOk = "ok";
inline constexpr const char* kReplyRefused = "refused";  ///< the request is wrong
inline constexpr const char* kReplyDenied = "denied";    ///< not yours to ask for

}  // namespace flyball
