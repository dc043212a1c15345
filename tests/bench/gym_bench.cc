#include <benchmark/benchmark.h>

#include <vector>

#include "governor/gym/flyball_gym.h"

namespace flyball {
namespace {

/// Steps of boards a second through the C interface; ranges: boards, ms of an epoch.
void BM_GymStep(benchmark::State& state) {
  const flyball_gym_options options{sizeof options, static_cast<std::int32_t>(state.range(0)),
                                    FLYBALL_GYM_NEXT_STEP, 1, static_cast<double>(state.range(1))};
  char error[300];
  flyball_gym* gym =
      flyball_gym_make("odroid_xu3", "single_periodic", &options, error, sizeof error);
  if (gym == nullptr) return state.SkipWithError(error);
  const auto boards = static_cast<std::size_t>(state.range(0));
  const auto size = static_cast<std::size_t>(flyball_gym_observation_size(gym));
  const auto knobs = static_cast<std::size_t>(flyball_gym_action_size(gym));
  std::vector<float> observations(boards * size);
  std::vector<double> rewards(boards);
  std::vector<std::uint8_t> terminated(boards), truncated(boards);
  std::vector<std::int32_t> actions(boards * knobs);
  for (std::size_t i = 0; i < actions.size(); ++i)
    actions[i] = flyball_gym_action_values(gym, static_cast<std::int32_t>(i % knobs)) / 2;
  for (auto _ : state) {
    flyball_gym_step(gym, actions.data(), observations.data(), rewards.data(), terminated.data(),
                     truncated.data(), nullptr);
    benchmark::DoNotOptimize(rewards.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  flyball_gym_close(gym);
}
BENCHMARK(BM_GymStep)->ArgsProduct({{1, 64, 256}, {1, 10, 50}})->ArgNames({"boards", "ms"});

}  // namespace
}  // namespace flyball
