#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "governor/status/control_client.h"
#include "tests/env/linux_tree.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {

/// Plays a load on CPUs 0 and 4 of a tree of files: their time in /proc/stat goes on as the machine's
/// does, and they are busy for a share of it.
class PlayedLoad {
 public:
  PlayedLoad(const LinuxTree& tree, double share)
      : tree_(tree), share_(share), thread_([this] { play(); }) {}
  ~PlayedLoad() {
    stop_ = true;
    thread_.join();
  }

 private:
  void play() {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::int64_t> busy(8, 0);
    while (!stop_) {
      const double ticks =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() * 100;
      busy[0] = busy[4] = static_cast<std::int64_t>(ticks * share_);
      tree_.write_stat(busy, static_cast<std::int64_t>(ticks));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  const LinuxTree& tree_;
  const double share_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// An XU3 made of files with a `flyball run` that governs it.
class Governed {
 public:
  /// `prepare` may add to the machine before it is governed.
  explicit Governed(std::vector<std::string> more = {},
                    const std::function<void(const LinuxTree&)>& prepare = {}) {
    tree_.make_xu3();
    if (prepare) prepare(tree_);
    std::filesystem::create_directories(tree_.path("/run"));
    load_.emplace(tree_, 0.5);
    std::vector<std::string> words = {"run",        "--platform",  "linux",     "--sysfs-root",
                                      tree_.root(), "--state-dir", state_dir(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    governor_.emplace(words);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!ControlClient::connect(state_dir())) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("the governor takes no connection");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  std::string state_dir() const { return tree_.path("/run/flyball"); }
  const LinuxTree& tree() const { return tree_; }
  Flyball& governor() { return *governor_; }

  /// A verb that asks it.
  Finished ask(std::vector<std::string> words) const {
    words.insert(words.end(), {"--state-dir", state_dir()});
    return flyball_run(words);
  }
  nlohmann::json status() const {
    const Finished told = ask({"status", "--json"});
    EXPECT_EQ(told.exit_code, 0) << told.err;
    return nlohmann::json::parse(told.out);
  }
  /// Once its first second is over.
  nlohmann::json first_status() const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      nlohmann::json now = status();
      if (now.contains("clusters")) return now;
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("the governor never tells of a first second");
    }
  }

 private:
  static constexpr std::chrono::seconds kPatience{120};  // for emulated machines that are busy

  LinuxTree tree_;
  std::optional<PlayedLoad> load_;
  std::optional<Flyball> governor_;  // ends before its load does
};

}  // namespace flyball::testing
