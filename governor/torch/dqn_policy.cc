#include "agents/dqn.h"
#include "agents/job_bandit.h"
#include "env/model/belief.h"
#include "governor/metrics/session.h"
#include "governor/torch/dqn_verb.h"

namespace flyball {
namespace {

/// The agent as it is made, but that its learners start from what was trained.
class TrainedDqn final : public JobBanditOf<Dqn> {
 public:
  using JobBanditOf<Dqn>::JobBanditOf;
  void start_from(const DqnBody& body, std::span<const double> mean,
                  std::span<const double> spread) {
    for (const AppProfile& app : platform_.apps) {
      if (app.plain_load) continue;
      auto learner = std::make_unique<Dqn>(LinearPrior::of_board(clusters()), mappings());
      learner->start_from(body, mean, spread);
      Learned& learned = learned_of(app.name, app.content_hash);
      learned.arms = std::move(learner);
      learned.fresh = false;
    }
  }
};

}  // namespace

PolicyFile dqn_policy(const PlatformSpec& platform, const DqnBody& body,
                      std::span<const double> mean, std::span<const double> spread) {
  const Belief belief = Belief::of(platform);
  TrainedDqn agent({belief, reward_weights(belief), 1, nullptr});
  agent.start_from(body, mean, spread);
  ByteWriter payload;
  agent.save(payload);
  return {{.agent = std::string(agent.name()),
           .features = agent.feature_version(),
           .platform = platform.name,
           .platform_hash = platform.content_hash,
           .apps = learned_apps(platform)},
          payload.take()};
}

}  // namespace flyball
