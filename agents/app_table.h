#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/model/belief.h"
#include "env/spaces/binding.h"
#include "env/spaces/observation.h"

namespace flyball {

/// The applications of a roster as an agent keeps them: per slot what is believed of its profile,
/// known or neutral, and a `T` of the agent's own. Slots that are free are null.
template <class T>
class AppTable {
 public:
  struct Slot {
    std::string name;
    int known = -1;  ///< index into the belief's applications; -1: the profile is unknown
    int threads = 1;
    std::unique_ptr<AppProfile> neutral;
    const AppProfile* profile = nullptr;
    std::optional<T> own;

    void clear() {
      own.reset();  // first: it may refer to the profile
      profile = nullptr;
      neutral.reset();
      name.clear();
      known = -1;
      threads = 1;
    }
  };

  explicit AppTable(const Belief& belief) : belief_(belief) {}

  /// The slot, with everything but `own` filled in.
  Slot& bind(int slot, const Binding& binding, const Observation& now) {
    Slot& to = slots_[static_cast<std::size_t>(slot)];
    to.clear();
    to.name = binding.name;
    to.threads = binding.threads;
    to.known = belief_.mean.find_app(binding.profile);
    if (to.known >= 0) {
      to.profile = &belief_.mean.apps[static_cast<std::size_t>(to.known)];
    } else {
      to.neutral = std::make_unique<AppProfile>(
          neutral_profile(belief_.mean, binding, now.app[slot].required.deadline_ns));
      to.profile = to.neutral.get();
    }
    if (slot >= count_) count_ = slot + 1;
    return to;
  }
  void unbind(int slot) {
    slots_[static_cast<std::size_t>(slot)].clear();
    while (count_ > 0 && !slots_[static_cast<std::size_t>(count_ - 1)].own) --count_;
  }
  void clear() {
    while (count_ > 0) unbind(count_ - 1);
  }

  /// All bound slots are below.
  int count() const { return count_; }
  bool bound(int slot) const { return slots_[static_cast<std::size_t>(slot)].own.has_value(); }
  T* find(int slot) {
    auto& own = slots_[static_cast<std::size_t>(slot)].own;
    return own ? &*own : nullptr;
  }
  const T* find(int slot) const {
    const auto& own = slots_[static_cast<std::size_t>(slot)].own;
    return own ? &*own : nullptr;
  }
  const Slot& at(int slot) const { return slots_[static_cast<std::size_t>(slot)]; }
  const AppProfile& profile(int slot) const { return *at(slot).profile; }

 private:
  const Belief& belief_;
  int count_ = 0;
  std::array<Slot, kMaxApps> slots_;
};

}  // namespace flyball
