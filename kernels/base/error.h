#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/base/control_character.h"

namespace flyball {

/// A failure that ends in one line for the user: `what: why; remedy`. Thrown while loading and
/// parsing only, never within an epoch. `kInput` is the user's to mend (exit 2), `kFailure` the
/// machine's (exit 1). Names and texts of files may be quoted as they are: the line is printable().
class Error : public std::runtime_error {
 public:
  enum class Kind { kInput, kFailure };
  Error(Kind kind, const std::string& what, const std::string& why, const std::string& remedy)
      : std::runtime_error(printable(what + ": " + why + "; " + remedy)), kind_(kind) {}
  /// `line` has that form already.
  Error(Kind kind, const std::string& line) : std::runtime_error(printable(line)), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// `what` says which thing and where ("configs/x.yaml:12: key 'perod_ms'").
[[noreturn]] inline void input_error(const std::string& what, const std::string& why,
                                     const std::string& remedy) {
  throw Error(Error::Kind::kInput, what, why, remedy);
}
[[noreturn]] inline void failure(const std::string& what, const std::string& why,
                                 const std::string& remedy) {
  throw Error(Error::Kind::kFailure, what, why, remedy);
}

}  // namespace flyball
