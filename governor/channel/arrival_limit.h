#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace flyball {

/// How many connections of each user are taken within a second: who comes again and again keeps nobody
/// else out. Root and the user who governs are counted for themselves in any case, others while there is
/// room; of a second in which more users than that came, the rest count as one.
class ArrivalLimit {
 public:
  static constexpr std::size_t kMostUsers = 256;

  explicit ArrivalLimit(int most) : most_(most) { seen_ = {{{0, 0}, {geteuid(), 0}, {0, 0}}}; }

  /// False when this user has had as many as one may.
  bool admits(uid_t user, std::int64_t now_ns) noexcept {
    constexpr std::int64_t kSecondNs = 1'000'000'000;
    if (second_ != now_ns / kSecondNs) {
      second_ = now_ns / kSecondNs;
      for (One& each : seen_) each.count = 0;
      used_ = kOwn;
    }
    std::size_t at = 0;
    while (at < used_ && (at == kRest || seen_[at].user != user)) ++at;
    if (at == used_) {
      if (used_ < seen_.size())
        seen_[used_++] = {user, 0};
      else
        at = kRest;
    }
    if (seen_[at].count >= most_) return false;
    ++seen_[at].count;
    return true;
  }

 private:
  struct One {
    uid_t user = 0;
    int count = 0;
  };
  static constexpr std::size_t kRest = 2,
                               kOwn = 3;  ///< the users without room; the first of others
  const int most_;
  std::int64_t second_ = -1;
  std::size_t used_ = kOwn;
  std::array<One, kOwn + kMostUsers> seen_{};
};

}  // namespace flyball
