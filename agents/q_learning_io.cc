// What the Q-learner keeps in a policy file.

#include <fmt/core.h>

#include <algorithm>

#include "agents/q_learning.h"
#include "kernels/base/control_character.h"

namespace flyball {

void QLearning::save(ByteWriter& out) const {
  out.u32(kPayload);
  out.u32(static_cast<std::uint32_t>(platform_.mappings.size()));
  out.u32(static_cast<std::uint32_t>(std::count_if(
      learned_.begin(), learned_.end(), [](const auto& each) { return !each.second->fresh; })));
  for (const auto& [profile, learned] : learned_) {
    if (learned->fresh) continue;
    out.text(profile);
    out.u64(learned->profile_hash);
    out.u64(learned->jobs);
    learned->slow.save(out);
    learned->fast.save(out);
  }
  board_.save(out);
}

void QLearning::ablate(Ablation how, Random& random) {
  for (auto& [profile, learned] : learned_) {
    learned->slow.ablate(how, random);
    learned->fast.ablate(how, random);
  }
  board_.ablate(how, random);
}

/// Of all that is believed in, too: what binds later is mostly of that.
std::size_t QLearning::saved_bytes() const {
  const std::size_t each = 3 * 8 + DoubleQ::saved_bytes(kSlowStates, platform_.mappings.size()) +
                           DoubleQ::saved_bytes(kFastStates, kMargins.size());
  std::size_t bytes = 3 * 4 + board_.saved_bytes();
  for (const auto& [profile, learned] : learned_) bytes += each + profile.size();
  for (const AppProfile& app : platform_.apps) {
    if (!app.plain_load && learned_.count(app.name) == 0) bytes += each + app.name.size();
  }
  return bytes;
}

void QLearning::meet_profile(const ByteReader& in, const std::string& profile, bool as_prior,
                             Learned& learned, std::vector<std::string>& notes) const {
  const int known = platform_.find_app(profile);
  if (known >= 0) {
    const std::uint64_t own = platform_.apps[static_cast<std::size_t>(known)].content_hash;
    if (!as_prior && learned.profile_hash != 0 && learned.profile_hash != own) {
      in.reject(fmt::format("'{}' had other costs or levels when it was learned", profile));
    }
    learned.profile_hash = own;
  } else if (!as_prior) {
    notes.push_back(
        fmt::format("what was learned of '{}' is kept and not used: nobody here knows it", profile));
  }
}

std::vector<std::string> QLearning::load(const std::vector<std::uint8_t>& payload, bool as_prior) {
  ByteReader in(payload, "policy of 'q_learning'");
  in.expect(kPayload, "payload version");
  const auto mappings = static_cast<int>(in.u32());
  const auto own_mappings = static_cast<int>(platform_.mappings.size());
  if (mappings < 1 || mappings > kMaxMappings) in.reject("its number of mappings is out of range");
  if (!as_prior && mappings != own_mappings) {
    in.reject(fmt::format("it has {} mappings where this platform has {}", mappings, own_mappings));
  }
  const std::uint32_t profiles = in.u32();
  if (profiles > kMaxProfiles) in.reject("its number of applications is out of range");
  std::vector<std::string> notes;
  std::map<std::string, std::unique_ptr<Learned>> read;
  for (std::uint32_t i = 0; i < profiles; ++i) {
    const std::string profile = printable(in.text(kMaxNameBytes));
    const std::uint64_t hash = in.u64();
    auto learned = std::make_unique<Learned>(mappings, hash);
    learned->jobs = in.u64();
    learned->fresh = false;
    learned->slow.load(in);
    learned->fast.load(in);
    meet_profile(in, profile, as_prior, *learned, notes);
    read[profile] = std::move(learned);
  }
  // Margins mean the same on every platform, mappings do not.
  if (as_prior && !board_.same_mappings(in)) {
    for (auto& [profile, learned] : read) {
      learned->slow = DoubleQ(kSlowStates, own_mappings, kSlowTable);
      notes.push_back(fmt::format(
          "of '{}' only the margins are taken, not which mapping is best: mappings differ",
          profile));
    }
  }
  // What is learned of the board is changed last, and only if all fits.
  if (as_prior) {
    for (std::string& note : board_.load_as_prior(in)) notes.push_back(std::move(note));
  } else {
    board_.load(in);
  }
  apps_.clear();
  learned_ = std::move(read);
  return notes;
}

}  // namespace flyball
