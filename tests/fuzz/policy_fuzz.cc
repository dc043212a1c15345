// A policy file: its envelope, and the tables of each learner behind it.

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "tests/fuzz/checksum.h"
#include "tests/fuzz/input_file.h"

namespace flyball::fuzz {
namespace {

/// The world that policies are for; the seeds come from the same.
struct World {
  PlatformSpec platform = load_platform("odroid_xu3");
  Scenario scenario = load_scenario("single_periodic", platform);
  Spaces spaces = Spaces::of(platform, scenario);
  RewardWeights weights;
};

void read(const std::string& path) {
  static const World world;
  const PolicyFile policy = read_policy(path);
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.learns) continue;
    read_or_refuse([&] { check_policy(policy, path, std::string(info.name), world.spaces.hash); });
    // Whoever learned it: the payload of another agent is as good as any other damage.
    read_or_refuse([&] {
      const AgentContext context{world.platform, world.scenario, world.spaces, world.weights, 1,
                                 nullptr};
      const std::unique_ptr<Agent> agent = make_agent(std::string(info.name), context);
      agent->load(policy.payload);
      if (agent->save().empty()) broken("what was loaded can be saved", std::string(info.name));
    });
  }
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static flyball::fuzz::InputFile file;
  file.set({data, size});
  flyball::fuzz::read_or_refuse([] { flyball::fuzz::read(file.path()); });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return flyball::fuzz::mutate_sealed(data, size, max_size, seed);
}
