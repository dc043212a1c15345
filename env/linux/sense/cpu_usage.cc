#include "env/linux/sense/cpu_usage.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace flyball {
namespace {

// A line has ten numbers of at most 20 digits, but of some 60 bytes in practice; what is cut off is
// treated as offline.
constexpr std::size_t kBytesPerCpu = 120;

std::size_t highest_of(const CpuSet& cpus) {
  return cpus.empty() ? 0 : static_cast<std::size_t>(cpus.nth(cpus.count() - 1));
}

bool take_number(std::string_view& text, std::int64_t& value) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

CpuUsage::CpuUsage(const SysTree& tree, const CpuSet& cpus, SettingCalls& calls)
    : file_(calls, tree.path("/proc/stat")),
      tick_ns_(1'000'000'000 / std::max<long>(1, sysconf(_SC_CLK_TCK))),
      buffer_((highest_of(cpus) + 2) * kBytesPerCpu),
      now_(highest_of(cpus) + 1),
      before_(highest_of(cpus) + 1),
      share_(highest_of(cpus) + 1) {}

bool CpuUsage::parse(std::string_view text) noexcept {
  for (Ticks& ticks : now_) ticks.busy = -1;
  bool any = false;
  while (text.starts_with("cpu")) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) break;  // cut off
    std::string_view line = text.substr(3, end - 3);
    text.remove_prefix(end + 1);
    std::int64_t cpu = 0;
    if (line.starts_with(' ') || !take_number(line, cpu)) continue;  // the sum of all
    if (cpu < 0 || cpu >= static_cast<std::int64_t>(now_.size())) continue;
    // user nice system idle iowait irq softirq steal
    std::array<std::int64_t, 8> field{};
    bool whole = true;
    for (std::int64_t& each : field) whole = whole && take_number(line, each);
    if (!whole) continue;
    now_[static_cast<std::size_t>(cpu)] = {field[0] + field[1] + field[2] + field[5] + field[6],
                                           field[3] + field[4], field[7]};
    any = true;
  }
  return any;
}

bool CpuUsage::read(std::int64_t now_ns) noexcept {
  const ssize_t got = file_.read(buffer_.data(), buffer_.size());
  if (got <= 0 || !parse({buffer_.data(), static_cast<std::size_t>(got)})) return false;
  const auto elapsed_ns = static_cast<double>(now_ns - read_ns_);
  idle_ = {};
  for (std::size_t cpu = 0; cpu < now_.size(); ++cpu) {
    const Ticks &now = now_[cpu], &before = before_[cpu];
    const bool seen = begun_ && now.busy >= 0 && before.busy >= 0;
    // iowait may fall, and all of it starts anew with a CPU that comes back.
    const std::int64_t busy = seen ? now.busy - before.busy : 0;
    if (busy <= 0 || elapsed_ns <= 0) {
      share_[cpu] = 0;
      idle_.add(static_cast<int>(cpu));
      continue;
    }
    const std::int64_t away = std::max<std::int64_t>(0, now.idle - before.idle) +
                              std::max<std::int64_t>(0, now.stolen - before.stolen);
    const double left_ns = elapsed_ns - static_cast<double>(away * tick_ns_);
    share_[cpu] = std::clamp(left_ns / elapsed_ns, 0.0, 1.0);
  }
  std::swap(now_, before_);
  read_ns_ = now_ns;
  begun_ = true;
  return true;
}

}  // namespace flyball
