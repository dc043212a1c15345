#!/usr/bin/env python3
"""Q-learning in plain Python on a simulated Odroid XU3: a table, a batch of boards, nothing to install.

    PYTHONPATH=governor/gym python3 governor/gym/examples/tabular_q.py

A step is one camera period, and a choice holds for two of them: mapping and width take effect with the next job,
so the second is what a choice is paid for. The state is how late the work is, the actions are a few settings of
all knobs together, and the table is learned from the rewards that Flyball's own learners get. Prints the reward per
step of a random policy, of the highest clocks, and of what was learned, on seeds that were not trained on.
"""

import random
import sys

from flyball_gym import AutoresetMode, FlyballVectorEnv

BOARD, SCENARIO, PERIOD_MS = "odroid_xu3", "single_periodic", 209.8
BOARDS, STEPS, HELD = 16, 2500, 2
STEP_SIZE, DISCOUNT = 0.1, 0.5


def settings(env):
    """A few of the joint settings: big or LITTLE cores, how many, how fast, and the network's width."""
    names, values = env.action_names, env.action_values
    of = {name.split(".", 1)[-1] if name.startswith("camera") else name: index for index, name in enumerate(names)}
    chosen = []
    for mapping in ("A15x1", "A15x4", "A7x1", "A7x4"):
        for part in (0.3, 0.6, 1.0):
            for level in range(len(values[of["level"]])):
                action = [0] * len(names)
                cluster = mapping.split("x")[0] + ".freq"
                action[of[cluster]] = round(part * (len(values[of[cluster]]) - 1))
                action[of["mapping"]] = values[of["mapping"]].index(mapping)
                action[of["level"]] = level
                chosen.append(action)
    return chosen


class States:
    """What the table tells apart: whether jobs wait, and whether the last one was late."""

    COUNT = 6

    def __init__(self, env):
        self.backlog, self.misses = (env.observation_names.index("camera." + name) for name in ("backlog", "misses"))

    def __call__(self, observations, board):
        return min(2, int(observations[board, self.backlog])) + 3 * (observations[board, self.misses] > 0)


def play(env, states, choose, steps, seed, learn=None):
    """The mean reward of a step."""
    observations, _ = env.reset(seed=seed)
    total = 0.0
    for _ in range(steps):
        before = [states(observations, board) for board in range(BOARDS)]
        picked = [choose(state) for state in before]
        for _ in range(HELD):
            observations, rewards, _, ended, _ = env.step([ACTIONS[action] for action in picked])
            total += sum(rewards)
        if learn:
            for board in range(BOARDS):
                learn(before[board], picked[board], rewards[board], states(observations, board), ended[board])
    return total / (HELD * steps * BOARDS)


def main():
    global ACTIONS
    env = FlyballVectorEnv(BOARD, SCENARIO, num_envs=BOARDS, epoch_ms=PERIOD_MS,
                           autoreset_mode=AutoresetMode.SAME_STEP)
    ACTIONS = settings(env)
    states, dice = States(env), random.Random(1)
    table = [[0.0] * len(ACTIONS) for _ in range(States.COUNT)]

    def greedy(state):
        return max(range(len(ACTIONS)), key=table[state].__getitem__)

    explored = [1.0]

    def curious(state):
        explored[0] = max(0.05, explored[0] * 0.9998)
        return dice.randrange(len(ACTIONS)) if dice.random() < explored[0] else greedy(state)

    def learn(state, action, reward, after, ended):
        target = reward + (0.0 if ended else DISCOUNT * max(table[after]))
        table[state][action] += STEP_SIZE * (target - table[state][action])

    play(env, states, curious, STEPS, seed=1000, learn=learn)
    figures = {
        "random": play(env, states, lambda _: dice.randrange(len(ACTIONS)), 250, seed=1),
        "highest clocks, full width": play(env, states, lambda _: ACTIONS.index(highest(env)), 250, seed=1),
        "learned": play(env, states, greedy, 250, seed=1),
    }
    for name, figure in figures.items():
        print(f"{name:28} {figure:8.3f} a step")
    if "--check" in sys.argv and figures["learned"] < 0.8 * max(figures["random"], figures["highest clocks, full width"]):
        sys.exit("it should have learned more")


def highest(env):
    return max(ACTIONS, key=lambda action: (env.action_values[2][action[2]] == "A15x4", action[0], action[3]))


if __name__ == "__main__":
    main()
