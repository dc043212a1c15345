// A policy file: its envelope, and the tables of each learner behind it.

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "tests/fuzz/checksum.h"
#include "tests/fuzz/input_file.h"

namespace flyball::fuzz {
namespace {

/// The world that policies are for; the seeds come from the same.
struct World {
  Belief belief = Belief::of(load_platform("odroid_xu3"));
  RewardWeights weights;
};

void read(const std::string& path) {
  static const World world;
  const PolicyFile policy = read_policy(path);
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.learns) continue;
    // Whoever learned it: the payload of another agent is as good as any other damage.
    read_or_refuse([&] {
      const AgentContext context{world.belief, world.weights, 1, nullptr};
      const std::unique_ptr<Agent> agent = make_agent(std::string(info.name), context);
      const PolicyIdentity here{std::string(info.name), agent->feature_version(),
                                world.belief.mean.name, world.belief.mean.content_hash, 0};
      read_or_refuse([&] { check_policy(policy, path, here); });
      for (const bool as_prior : {false, true}) {
        read_or_refuse([&] { agent->load(policy.payload, as_prior); });
        ByteWriter saved;
        agent->save(saved);
        if (saved.view().empty()) broken("what was loaded can be saved", std::string(info.name));
      }
    });
  }
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return flyball::fuzz::read_input(data, size, flyball::fuzz::read);
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return flyball::fuzz::mutate_sealed(data, size, max_size, seed);
}
