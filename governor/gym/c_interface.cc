#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include "governor/gym/board_batch.h"
#include "governor/gym/flyball_gym.h"
#include "kernels/base/error.h"

struct flyball_gym {
  flyball::BoardBatch batch;
  std::string error;
};

namespace {

using flyball::BoardBatch;

constexpr const char* kNoBuffer = "a buffer is missing; give one of the size that the header says";

BoardBatch::Options checked(const flyball_gym_options* options) {
  using flyball::input_error;
  if (options == nullptr || options->size < sizeof *options) {
    input_error("flyball_gym_options", "they are missing, or of another version",
                "set size to sizeof(struct flyball_gym_options)");
  }
  if (options->count < 1 || options->count > BoardBatch::kMostBoards) {
    input_error(fmt::format("count {}", options->count), "so many boards cannot be had",
                fmt::format("take 1 to {}", BoardBatch::kMostBoards));
  }
  if (options->autoreset < FLYBALL_GYM_DISABLED || options->autoreset > FLYBALL_GYM_SAME_STEP) {
    input_error(fmt::format("autoreset {}", options->autoreset), "there is no such mode",
                "take 0 (disabled), 1 (next step) or 2 (same step)");
  }
  if (!(options->epoch_ms >= 0.1 && options->epoch_ms <= 60'000)) {
    input_error(fmt::format("epoch_ms {}", options->epoch_ms), "a step cannot last so long",
                "take 0.1 to 60000");
  }
  return {.count = options->count,
          .autoreset = static_cast<BoardBatch::Autoreset>(options->autoreset),
          .seed = options->seed,
          .epoch_ns = std::llround(options->epoch_ms * 1e6)};
}

void tell(const char* what, char* error, std::size_t error_size) {
  if (error == nullptr || error_size == 0) return;
  const std::size_t length = std::min(std::strlen(what), error_size - 1);
  std::memcpy(error, what, length);
  error[length] = '\0';
}

/// Nothing may be thrown into C. Returns 0, or -1 with the reason kept.
template <class Body>
std::int32_t guarded(flyball_gym* gym, const Body& body) {
  if (gym == nullptr) return -1;
  try {
    gym->error = body();
  } catch (const std::exception& problem) {
    gym->error = problem.what();
  }
  return gym->error.empty() ? 0 : -1;
}

template <class Items>
auto* item(const Items& items, std::int32_t index) {
  return index >= 0 && static_cast<std::size_t>(index) < items.size()
             ? &items[static_cast<std::size_t>(index)]
             : nullptr;
}

const char* text(const std::string* of) { return of == nullptr ? nullptr : of->c_str(); }

}  // namespace

flyball_gym* flyball_gym_make(const char* platform, const char* scenario,
                              const flyball_gym_options* options, char* error,
                              std::size_t error_size) {
  tell("", error, error_size);
  try {
    if (platform == nullptr || scenario == nullptr) {
      flyball::input_error("flyball_gym_make", "platform or scenario is missing",
                           "give the name of one, or a file");
    }
    return new flyball_gym{BoardBatch(platform, scenario, checked(options)), ""};
  } catch (const std::exception& problem) {
    tell(problem.what(), error, error_size);
    return nullptr;
  }
}

void flyball_gym_close(flyball_gym* gym) { delete gym; }

std::int32_t flyball_gym_count(const flyball_gym* gym) { return gym->batch.count(); }

std::int32_t flyball_gym_observation_size(const flyball_gym* gym) {
  return static_cast<std::int32_t>(gym->batch.features().size());
}

const char* flyball_gym_observation_name(const flyball_gym* gym, std::int32_t index) {
  return text(item(gym->batch.features().names(), index));
}

const char* flyball_gym_observation_unit(const flyball_gym* gym, std::int32_t index) {
  return text(item(gym->batch.features().units(), index));
}

std::int32_t flyball_gym_action_size(const flyball_gym* gym) {
  return static_cast<std::int32_t>(gym->batch.knobs().size());
}

const char* flyball_gym_action_name(const flyball_gym* gym, std::int32_t knob) {
  const BoardBatch::Knob* of = item(gym->batch.knobs(), knob);
  return of == nullptr ? nullptr : of->spec.name.c_str();
}

std::int32_t flyball_gym_action_values(const flyball_gym* gym, std::int32_t knob) {
  const BoardBatch::Knob* of = item(gym->batch.knobs(), knob);
  return of == nullptr ? -1 : static_cast<std::int32_t>(of->setting.size());
}

const char* flyball_gym_action_value(const flyball_gym* gym, std::int32_t knob,
                                     std::int32_t value) {
  const BoardBatch::Knob* of = item(gym->batch.knobs(), knob);
  return of == nullptr ? nullptr : text(item(of->spec.values, value));
}

std::int32_t flyball_gym_reset(flyball_gym* gym, const std::uint64_t* seeds,
                               const std::uint8_t* mask, float* observations) {
  return guarded(gym, [&]() -> std::string {
    if (observations == nullptr) return kNoBuffer;
    gym->batch.reset(seeds, mask, observations);
    return "";
  });
}

std::int32_t flyball_gym_step(flyball_gym* gym, const std::int32_t* actions, float* observations,
                              double* rewards, std::uint8_t* terminated, std::uint8_t* truncated,
                              float* final_observations) {
  return guarded(gym, [&]() -> std::string {
    if (actions == nullptr || observations == nullptr || rewards == nullptr ||
        terminated == nullptr || truncated == nullptr)
      return kNoBuffer;
    std::string problem = gym->batch.problem(actions);
    if (!problem.empty()) return problem;
    std::memset(terminated, 0, static_cast<std::size_t>(gym->batch.count()));
    gym->batch.step(actions, observations, rewards, truncated, final_observations);
    return "";
  });
}

const char* flyball_gym_error(const flyball_gym* gym) {
  return gym == nullptr ? "there is no such handle" : gym->error.c_str();
}
