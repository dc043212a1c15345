#include "agents/agent.h"
#include "env/model/declared.h"
#include "governor/compare/compare.h"
#include "governor/metrics/session.h"

namespace flyball {

std::vector<std::uint8_t> train(const PlatformSpec& platform, const Belief& belief,
                                const Scenario& scenario, const std::string& agent, int episodes,
                                std::uint64_t first_seed,
                                const std::function<void(int, const Metrics&)>& on_episode,
                                const std::atomic<bool>* stop,
                                const std::vector<std::uint8_t>& start, bool start_as_prior,
                                const PlatformFactory& make_platform) {
  const RewardWeights weights = reward_weights(belief);
  const AgentContext context{belief, weights, first_seed, nullptr};
  const auto learner = make_agent(agent, context);
  if (!start.empty()) learner->load(start, start_as_prior);
  learner->set_learning(true);
  const PlatformSpec declared = as_declared(platform, belief);
  SessionOptions session;
  session.truth = &platform;
  session.stop = stop;
  for (int episode = 0; episode < episodes; ++episode) {
    if (stop != nullptr && stop->load()) break;
    const Stage stage =
        make_platform(declared, scenario, first_seed + static_cast<std::uint64_t>(episode));
    const SessionResult result = run_session(*stage.platform, belief, *learner, weights, session);
    if (result.status == Status::kInterrupted) break;  // half an episode is no figure
    if (on_episode) on_episode(episode, result.metrics);
  }
  ByteWriter payload;
  learner->save(payload);
  return payload.take();
}

}  // namespace flyball
