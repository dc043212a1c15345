/* Flyball's simulated boards as reinforcement-learning environments, for any language that can call C.
 *
 * A batch of boards is stepped at once, over buffers that the caller owns and uses again: nothing is
 * allocated in a step, except when an episode begins. All boards of a batch are of one platform and play
 * one scenario, each with random numbers of its own. An episode is the scenario from its beginning to
 * its end, which is a time limit: boards are `truncated`, never `terminated`.
 *
 *   observations  float  [count][observation_size]  monitors in their own units, see the names
 *   actions       int32  [count][action_size]       the index of a value for each knob
 *   rewards       double [count]                    the reward that flyball's own learners get: costs of
 *                                                   energy, misses, accuracy, budgets and heat, negative,
 *                                                   in energies of one reference job
 *
 * A monitor without a value (no job has finished yet) reads 0; an application that has not come, or is
 * gone, is not active.
 *
 * Functions that can fail return a negative number, or NULL, and flyball_gym_error() says why in one line.
 * A handle is for one thread at a time; different handles are independent. The same seed gives the same
 * bytes on every machine.
 */
#ifndef FLYBALL_GYM_H
#define FLYBALL_GYM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLYBALL_GYM_API __attribute__((visibility("default")))

typedef struct flyball_gym flyball_gym;

/* What a step does with a board whose episode has ended; Gymnasium's AutoresetMode. */
enum {
  /* Nothing: it has to be reset before it is stepped again. */
  FLYBALL_GYM_DISABLED = 0,
  /* The next step begins an episode: its action is ignored, its reward 0. */
  FLYBALL_GYM_NEXT_STEP = 1,
  /* The same step begins one: its observation is the new episode's first, the old one's last goes to
   * `final_observations`. */
  FLYBALL_GYM_SAME_STEP = 2
};

struct flyball_gym_options {
  size_t size;     /* sizeof(struct flyball_gym_options) */
  int32_t count;   /* boards, 1 to 4,096 */
  int32_t autoreset;
  uint64_t seed;   /* episode k of board i has seed + i + k * count */
  double epoch_ms; /* that a step lasts, 0.1 to 60,000 */
};

/* `platform` and `scenario`: names of Flyball's own, or files. NULL when it cannot be made; the reason is
 * then in `error`, cut to `error_size`. Every board stands at the beginning of its first episode. */
FLYBALL_GYM_API flyball_gym* flyball_gym_make(const char* platform, const char* scenario,
                                              const struct flyball_gym_options* options, char* error,
                                              size_t error_size);
FLYBALL_GYM_API void flyball_gym_close(flyball_gym* gym);

FLYBALL_GYM_API int32_t flyball_gym_count(const flyball_gym* gym);
FLYBALL_GYM_API int32_t flyball_gym_observation_size(const flyball_gym* gym);
/* "A15.temp", "C"; NULL when there is no such index. */
FLYBALL_GYM_API const char* flyball_gym_observation_name(const flyball_gym* gym, int32_t index);
FLYBALL_GYM_API const char* flyball_gym_observation_unit(const flyball_gym* gym, int32_t index);
FLYBALL_GYM_API int32_t flyball_gym_action_size(const flyball_gym* gym);
/* "A15.freq", how many values it has, and each of them: "1400000". */
FLYBALL_GYM_API const char* flyball_gym_action_name(const flyball_gym* gym, int32_t knob);
FLYBALL_GYM_API int32_t flyball_gym_action_values(const flyball_gym* gym, int32_t knob);
FLYBALL_GYM_API const char* flyball_gym_action_value(const flyball_gym* gym, int32_t knob, int32_t value);

/* Begins an episode on each board, or on those whose byte in `mask` is not 0. `seeds`, one for each board,
 * or NULL: each goes on with its own. Observations of other boards are left as they are. */
FLYBALL_GYM_API int32_t flyball_gym_reset(flyball_gym* gym, const uint64_t* seeds, const uint8_t* mask,
                                          float* observations);
/* Plays one epoch of every board. A knob that has no such value, or a board that has to be reset: nothing
 * is stepped. `final_observations` may be NULL; only SAME_STEP writes there. */
FLYBALL_GYM_API int32_t flyball_gym_step(flyball_gym* gym, const int32_t* actions, float* observations,
                                         double* rewards, uint8_t* terminated, uint8_t* truncated,
                                         float* final_observations);
/* Why the last call failed; "" when it did not. Valid until the next call. */
FLYBALL_GYM_API const char* flyball_gym_error(const flyball_gym* gym);

#ifdef __cplusplus
}
#endif
#endif
