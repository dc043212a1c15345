#include "agents/job_bandit.h"

#include <fmt/core.h>

#include <algorithm>

#include "agents/dqn.h"
#include "agents/linucb.h"
#include "agents/mixture.h"
#include "agents/q_lambda.h"
#include "agents/random_arms.h"
#include "agents/sarsa.h"
#include "agents/thompson.h"
#include "agents/ucb.h"
#include "kernels/base/control_character.h"

namespace flyball {

namespace {
constexpr std::uint32_t kBanditPayload = 3;
constexpr std::uint32_t kMaxProfiles = 256;
constexpr std::size_t kMaxProfileNameBytes = 256;
}  // namespace

std::unique_ptr<ArmLearner> make_arm_learner(const std::string& name, const LinearPrior& prior,
                                             int arms) {
  std::unique_ptr<ArmLearner> learner;
  const auto try_one = [&]<class Learner>(Learner*) {
    if (name == Learner::kName) learner = std::make_unique<Learner>(prior, arms);
  };
  const auto try_all = [&]<class... Learner>() { (try_one(static_cast<Learner*>(nullptr)), ...); };
  try_all.template operator()<Ucb, LinUcb, Thompson, Sarsa, QLambda, Mixture, Dqn, RandomArms>();
  return learner;
}

void JobBandit::save(ByteWriter& out) const {
  out.u32(kBanditPayload);
  out.u32(static_cast<std::uint32_t>(mappings()));
  out.u32(static_cast<std::uint32_t>(clusters()));
  out.u32(static_cast<std::uint32_t>(std::count_if(
      learned_.begin(), learned_.end(), [](const auto& each) { return !each.second->fresh; })));
  for (const auto& [profile, learned] : learned_) {
    if (learned->fresh) continue;
    out.text(profile);
    out.u64(learned->profile_hash);
    out.u64(learned->jobs);
    learned->arms->save(out);
  }
  board_.save(out);
}

std::size_t JobBandit::saved_bytes() const {
  ByteWriter one;
  make_arms()->save(one);
  const std::size_t each = 3 * 8 + one.view().size();
  std::size_t bytes = 4 * 4 + board_.saved_bytes();
  for (const auto& [profile, learned] : learned_) bytes += each + profile.size();
  for (const AppProfile& app : platform_.apps) {
    if (!app.plain_load && learned_.count(app.name) == 0) bytes += each + app.name.size();
  }
  return bytes;
}

/// What is learned is of this board's clusters and mappings; another one has others.
std::vector<std::string> JobBandit::load(const std::vector<std::uint8_t>& payload, bool as_prior) {
  ByteReader in(payload, fmt::format("policy of '{}'", name()));
  in.expect(kBanditPayload, "payload version");
  const std::uint32_t own_mappings = in.u32(), own_clusters = in.u32();
  const bool as_many = own_mappings == static_cast<std::uint32_t>(mappings()) &&
                       own_clusters == static_cast<std::uint32_t>(clusters());
  if (own_mappings < 1 || own_mappings > static_cast<std::uint32_t>(kMaxMappings) ||
      own_clusters < 1 || own_clusters > static_cast<std::uint32_t>(kMaxClusters)) {
    in.reject("its number of mappings or clusters is out of range");
  }
  if (!as_many && !as_prior) {
    in.reject(fmt::format("it has {} mappings of {} clusters where this platform has {} of {}",
                          own_mappings, own_clusters, mappings(), clusters()));
  }
  const std::uint32_t profiles = in.u32();
  if (profiles > kMaxProfiles) in.reject("its number of applications is out of range");
  std::vector<std::string> notes;
  std::map<std::string, std::unique_ptr<Learned>> read;
  for (std::uint32_t i = 0; i < profiles; ++i) {
    const std::string profile = printable(in.text(kMaxProfileNameBytes));
    const std::uint64_t hash = in.u64();
    auto learned = std::make_unique<Learned>(mappings(), hash);
    learned->jobs = in.u64();
    learned->fresh = false;
    if (!as_many) {
      make_arm_learner(std::string(name()), LinearPrior::of_board(static_cast<int>(own_clusters)),
                       static_cast<int>(own_mappings))
          ->load(in);
    } else {
      learned->arms = make_arms();
      learned->arms->load(in);
    }
    meet_profile(in, profile, as_prior, *learned, notes);
    read[profile] = std::move(learned);
  }
  // Costs are by mappings and clusters, and others mean nothing here.
  if (as_prior && !(as_many && board_.same_mappings(in))) {
    for (const auto& [profile, learned] : read) {
      notes.push_back(
          fmt::format("of '{}' what mappings cost is not taken: mappings differ", profile));
    }
    read.clear();
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

void JobBandit::ablate(Ablation how, Random& random) {
  for (auto& [profile, learned] : learned_) learned->arms->ablate(how, random);
  board_.ablate(how, random);
}

}  // namespace flyball
