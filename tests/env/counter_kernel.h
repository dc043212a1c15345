#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "env/linux/perf_syscalls.h"

namespace flyball::counter_test {

/// A Linux kernel that does what a test says. Reading allocates nothing.
struct ScriptedKernel : PerfSyscalls {
  struct Event {
    perf_event_attr attr{};
    int tid = -1, cpu = -1, group = -1;
    std::uint64_t value = 0, enabled = 0, running = 0;
    bool open = true;
  };
  struct File {
    std::string path;
    bool open = true;
  };
  static constexpr int kFirstEvent = 100;
  static constexpr int kFirstFile = 10'000;

  std::function<int(const Event&)> refuse = [](const Event&) { return 0; };      ///< an errno
  std::function<int(const Event&)> read_error = [](const Event&) { return 0; };  ///< an errno
  bool short_reads = false;
  std::map<std::string, std::string> texts;  ///< of files; one that is taken away ends its thread
  std::vector<Event> events;
  std::vector<File> files;
  int event_reads = 0;

  ScriptedKernel() { events.reserve(4096); }

  int open_event(const perf_event_attr& attr, pid_t tid, int cpu, int group) noexcept override {
    Event event{attr, tid, cpu, group};
    if (const int error = refuse(event)) return -error;
    events.push_back(event);
    return kFirstEvent + static_cast<int>(events.size()) - 1;
  }
  ssize_t read_event(int fd, void* buffer, std::size_t bytes) noexcept override {
    ++event_reads;
    const Event& leader = events.at(static_cast<std::size_t>(fd - kFirstEvent));
    if (const int error = read_error(leader)) return -error;
    std::uint64_t words[16] = {0, leader.enabled, leader.running, leader.value};
    std::size_t count = 1;
    for (const Event& event : events) {
      if (event.open && event.group == fd) words[3 + count++] = event.value;
    }
    words[0] = count;
    const std::size_t size = (3 + count) * sizeof(words[0]) - (short_reads ? 8 : 0);
    if (size > bytes) return -ENOSPC;
    std::memcpy(buffer, words, size);
    return static_cast<ssize_t>(size);
  }
  int open_file(const char* path) noexcept override {
    if (!texts.contains(path)) return -ENOENT;
    files.push_back({path});
    return kFirstFile + static_cast<int>(files.size()) - 1;
  }
  ssize_t read_file(int fd, void* buffer, std::size_t bytes) noexcept override {
    const auto text = texts.find(files.at(static_cast<std::size_t>(fd - kFirstFile)).path);
    if (text == texts.end()) return -ESRCH;
    const std::size_t size = std::min(bytes, text->second.size());
    std::memcpy(buffer, text->second.data(), size);
    return static_cast<ssize_t>(size);
  }
  void close(int fd) noexcept override {
    if (fd >= kFirstFile) {
      files.at(static_cast<std::size_t>(fd - kFirstFile)).open = false;
    } else {
      events.at(static_cast<std::size_t>(fd - kFirstEvent)).open = false;
    }
  }

  int open_events() const {
    int open = 0;
    for (const Event& event : events) open += event.open;
    return open;
  }
  int open_files() const {
    int open = 0;
    for (const File& file : files) open += file.open;
    return open;
  }
  /// All open events of this type and number count on.
  void count(std::uint32_t type, std::uint64_t config, std::uint64_t value, std::uint64_t enabled,
             std::uint64_t running) {
    for (Event& event : events) {
      if (!event.open || event.attr.type != type || event.attr.config != config) continue;
      event.value += value;
      event.enabled += enabled;
      event.running += running;
    }
  }
  /// Every open hardware event counts `value` in `ns`.
  void run(std::uint64_t value, std::uint64_t ns) {
    for (Event& event : events) {
      if (!event.open || event.attr.type == PERF_TYPE_SOFTWARE) continue;
      event.value += value;
      event.enabled += ns;
      event.running += ns;
    }
  }
};

}  // namespace flyball::counter_test
