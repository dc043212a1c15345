// Affinity and scheduling of threads that are not ours, by the system calls themselves: the C
// library's sets end at 1024 CPUs, and it has no sched_setattr.

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "governor/supervisor/setting_access.h"
#include "kernels/base/sched_attributes.h"

namespace flyball {
namespace {

// As many CPUs as a mask has room for in the file; the Linux kernel fills what it has.
constexpr std::size_t kWords = 32;
using Mask = std::array<unsigned long, kWords>;
constexpr int kBitsPerWord = 8 * sizeof(unsigned long), kDigitBits = 4;

constexpr char kDigits[] = "0123456789abcdef";

constexpr std::uint32_t kDeadlinePolicy = 6;
constexpr std::uint32_t kFullScale = 1024;

unsigned digit_of(const Mask& mask, int digit) {
  const int bit = digit * kDigitBits;
  return mask[static_cast<std::size_t>(bit / kBitsPerWord)] >> (bit % kBitsPerWord) & 0xf;
}

/// The blank-separated numbers of `text`; false when there are not just so many.
bool parse_numbers(std::string_view text, std::array<std::int64_t, 5>& numbers) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ' ')) return false;
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc()) return false;
    at = next;
  }
  return at == end;
}

}  // namespace

SettingReading read_thread_affinity(const ProcessIdentity& thread) {
  SettingReading reading;
  if (!runs(thread)) {
    reading.error = ESRCH;
    return reading;
  }
  Mask mask{};
  if (syscall(SYS_sched_getaffinity, thread.pid, sizeof mask, mask.data()) < 0) {
    reading.error = errno;
    return reading;
  }
  int digit = static_cast<int>(kWords) * kBitsPerWord / kDigitBits - 1;
  while (digit > 0 && digit_of(mask, digit) == 0) --digit;
  if (digit >= static_cast<int>(sizeof reading.text)) {
    reading.error = EOVERFLOW;
    return reading;
  }
  for (; digit >= 0; --digit) reading.text[reading.size++] = kDigits[digit_of(mask, digit)];
  return reading;
}

int write_thread_affinity(const ProcessIdentity& thread, std::string_view text) {
  Mask mask{};
  if (text.empty() || text.size() > sizeof(Mask) * 8 / kDigitBits) return EINVAL;
  for (int digit = 0; !text.empty(); ++digit, text.remove_suffix(1)) {
    const char* found = std::find(kDigits, kDigits + 16, text.back());
    if (found == kDigits + 16) return EINVAL;
    const int bit = digit * kDigitBits;
    mask[static_cast<std::size_t>(bit / kBitsPerWord)] |=
        static_cast<unsigned long>(found - kDigits) << (bit % kBitsPerWord);
  }
  if (!runs(thread)) return ESRCH;
  return syscall(SYS_sched_setaffinity, thread.pid, sizeof mask, mask.data()) < 0 ? errno : 0;
}

SettingReading read_thread_scheduling(const ProcessIdentity& thread) {
  SettingReading reading;
  SchedAttributes attributes;
  if (!runs(thread)) {
    reading.error = ESRCH;
  } else if (syscall(SYS_sched_getattr, thread.pid, &attributes, sizeof attributes, 0) < 0) {
    reading.error = errno;
  } else if (attributes.policy == kDeadlinePolicy) {
    reading.error = EOPNOTSUPP;  // has a budget besides, and nobody but its owner sets that
  }
  if (reading.error != 0) return reading;
  char* at = reading.text;
  char* const end = reading.text + sizeof reading.text;
  for (const std::int64_t number :
       {std::int64_t{attributes.policy}, std::int64_t{attributes.nice},
        std::int64_t{attributes.priority}, std::int64_t{attributes.util_min},
        std::int64_t{attributes.util_max}}) {
    if (at != reading.text) *at++ = ' ';
    at = std::to_chars(at, end, number).ptr;
  }
  reading.size = static_cast<std::uint16_t>(at - reading.text);
  return reading;
}

int write_thread_scheduling(const ProcessIdentity& thread, std::string_view text) {
  std::array<std::int64_t, 5> numbers{};
  if (!parse_numbers(text, numbers)) return EINVAL;
  if (!runs(thread)) return ESRCH;
  SchedAttributes now, wanted;
  if (syscall(SYS_sched_getattr, thread.pid, &now, sizeof now, 0) < 0) return errno;
  wanted.policy = static_cast<std::uint32_t>(numbers[0]);
  wanted.nice = static_cast<std::int32_t>(numbers[1]);
  wanted.priority = static_cast<std::uint32_t>(numbers[2]);
  wanted.util_min = static_cast<std::uint32_t>(numbers[3]);
  wanted.util_max = static_cast<std::uint32_t>(numbers[4]);
  wanted.flags = now.flags & SchedAttributes::kResetOnFork;
  // A Linux kernel without clamps refuses to hear of them, and reads 0 for both.
  const bool clamps = wanted.util_max != 0 && wanted.util_max <= kFullScale;
  if (clamps && (now.util_min != wanted.util_min || now.util_max != wanted.util_max)) {
    wanted.flags |= SchedAttributes::kUtilClampMin | SchedAttributes::kUtilClampMax;
  }
  return syscall(SYS_sched_setattr, thread.pid, &wanted, 0) < 0 ? errno : 0;
}

}  // namespace flyball
