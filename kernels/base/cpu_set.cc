#include "kernels/base/cpu_set.h"

#include <sched.h>

#include <bit>
#include <charconv>

namespace flyball {

CpuSet CpuSet::from_mask(std::uint64_t mask) {
  CpuSet set;
  set.words_[0] = mask;
  return set;
}

bool CpuSet::add(int cpu) {
  if (cpu < 0 || cpu >= kMaxCpus) return false;
  words_[cpu / 64] |= std::uint64_t{1} << (cpu % 64);
  return true;
}

bool CpuSet::contains(int cpu) const {
  return cpu >= 0 && cpu < kMaxCpus && ((words_[cpu / 64] >> (cpu % 64)) & 1) != 0;
}

int CpuSet::count() const {
  int total = 0;
  for (std::uint64_t word : words_) total += std::popcount(word);
  return total;
}

int CpuSet::nth(int index) const {
  for (int w = 0; w < kWords; ++w) {
    std::uint64_t bits = words_[w];
    const int here = std::popcount(bits);
    if (index >= here) {
      index -= here;
      continue;
    }
    for (; index > 0; --index) bits &= bits - 1;
    return w * 64 + std::countr_zero(bits);
  }
  return -1;
}

int CpuSet::first_missing_in(const CpuSet& other) const {
  for (int w = 0; w < kWords; ++w) {
    const std::uint64_t missing = words_[w] & ~other.words_[w];
    if (missing != 0) return w * 64 + std::countr_zero(missing);
  }
  return -1;
}

CpuSet CpuSet::operator&(const CpuSet& other) const {
  CpuSet both;
  for (int w = 0; w < kWords; ++w) both.words_[w] = words_[w] & other.words_[w];
  return both;
}

CpuSet CpuSet::operator|(const CpuSet& other) const {
  CpuSet either;
  for (int w = 0; w < kWords; ++w) either.words_[w] = words_[w] | other.words_[w];
  return either;
}

std::string CpuSet::to_string() const {
  std::string text;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (!contains(cpu)) continue;
    int last = cpu;
    while (contains(last + 1)) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpu);
    if (last > cpu) text += '-' + std::to_string(last);
    cpu = last;
  }
  return text;
}

std::optional<CpuSet> parse_cpu_list(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  CpuSet set;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    int first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc()) return std::nullopt;
    int last = first;
    at = parsed.ptr;
    if (at != end && *at == '-') {
      parsed = std::from_chars(at + 1, end, last);
      if (parsed.ec != std::errc()) return std::nullopt;
      at = parsed.ptr;
    }
    if (first < 0 || last < first || last >= kMaxCpus) return std::nullopt;
    for (int cpu = first; cpu <= last; ++cpu) set.add(cpu);
    if (at == end) break;
    if (*at != ',' || ++at == end) return std::nullopt;
  }
  return set;
}

CpuSet thread_affinity() {
  cpu_set_t native;
  CPU_ZERO(&native);
  CpuSet set;
  if (sched_getaffinity(0, sizeof native, &native) != 0) return set;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu)
    if (CPU_ISSET(cpu, &native)) set.add(cpu);
  return set;
}

int set_thread_affinity(pthread_t thread, const CpuSet& cpus) {
  cpu_set_t native;
  CPU_ZERO(&native);
  for (int w = 0; w < CpuSet::kWords; ++w)
    for (std::uint64_t bits = cpus.word(w); bits != 0; bits &= bits - 1)
      CPU_SET(w * 64 + std::countr_zero(bits), &native);
  return pthread_setaffinity_np(thread, sizeof native, &native);
}

}  // namespace flyball
