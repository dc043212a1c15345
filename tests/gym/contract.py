"""flyball_gym against the contract of gymnasium.vector.VectorEnv and gymnasium.Env, with and without NumPy."""

import ctypes
import sys
import unittest

import flyball_gym
from flyball_gym import AutoresetMode, FlyballEnv, FlyballError, FlyballVectorEnv

BOARD, SCENARIO = "odroid_xu3", "single_periodic"


def rows(array):
    return array.tolist()


def first(env):
    return [[0] * len(env.action_names) for _ in range(env.num_envs)]


class VectorContract(unittest.TestCase):
    def make(self, **options):
        env = FlyballVectorEnv(BOARD, SCENARIO, **{"num_envs": 3, "epoch_ms": 10_000, **options})
        self.addCleanup(env.close)
        return env

    def test_has_what_a_vector_env_has(self):
        env = self.make()
        self.assertEqual(env.num_envs, 3)
        self.assertIs(env.metadata["autoreset_mode"], AutoresetMode.NEXT_STEP)
        size, knobs = len(env.observation_names), len(env.action_names)
        self.assertEqual(tuple(env.single_observation_space.shape), (size,))
        self.assertEqual(tuple(env.observation_space.shape), (3, size))
        self.assertEqual(tuple(env.single_action_space.shape), (knobs,))
        self.assertEqual(tuple(env.action_space.shape), (3, knobs))
        self.assertEqual(len(env.observation_units), size)
        self.assertEqual([len(values) for values in env.action_values], list(env.single_action_space.nvec))
        self.assertTrue(env.action_space.contains(env.action_space.sample()))

    def test_reset_and_step_return_what_they_should(self):
        env = self.make()
        observations, infos = env.reset(seed=1)
        self.assertEqual(tuple(observations.shape), (3, len(env.observation_names)))
        self.assertEqual(infos, {})
        observations, rewards, terminations, truncations, infos = env.step(env.action_space.sample())
        for array in (rewards, terminations, truncations):
            self.assertEqual(tuple(array.shape), (3,))
        self.assertTrue(all(reward < 0 for reward in rows(rewards)))
        self.assertEqual(rows(terminations), [False] * 3)
        self.assertIsInstance(rows(truncations)[0], bool)

    def test_seeds(self):
        env, other = self.make(), self.make()
        same = [rows(env.reset(seed=7)[0])]
        again = [rows(other.reset(seed=[7, 8, 9])[0])]
        for _ in range(4):
            same.append(rows(env.step(first(env))[0]))
            again.append(rows(other.step(first(other))[0]))
        self.assertEqual(same, again)
        env.reset(seed=100)
        self.assertNotEqual([rows(env.step(first(env))[0]) for _ in range(4)], same[1:])
        with self.assertRaisesRegex(FlyballError, "2 seeds: there are 3 boards"):
            env.reset(seed=[1, 2])

    def play(self, env):
        env.reset(seed=1)
        while True:
            result = env.step(first(env))
            if any(rows(result[3])):
                return result

    def test_next_step(self):
        env = self.make()
        self.play(env)
        _, rewards, _, truncations, _ = env.step(first(env))
        self.assertEqual(rows(rewards), [0.0] * 3)
        self.assertFalse(any(rows(truncations)))

    def test_same_step(self):
        env = self.make(autoreset_mode=AutoresetMode.SAME_STEP)
        plain = self.make(autoreset_mode=AutoresetMode.DISABLED)
        observations, _, _, _, infos = self.play(env)
        self.assertEqual(rows(infos["_final_obs"]), [True] * 3)
        self.assertEqual(rows(infos["final_obs"]), rows(self.play(plain)[0]))
        self.assertNotEqual(rows(observations), rows(infos["final_obs"]))

    def test_disabled(self):
        env = self.make(autoreset_mode=AutoresetMode.DISABLED)
        self.play(env)
        with self.assertRaisesRegex(FlyballError, "episode is over"):
            env.step(first(env))
        env.reset(options={"reset_mask": [True, True, True]})
        env.step(first(env))
        with self.assertRaisesRegex(FlyballError, "reset_mask has 1 entries"):
            env.reset(options={"reset_mask": [True]})

    def test_actions_in_any_form(self):
        results = []
        for form in ("lists", "shared", "memory"):
            env = self.make()
            env.reset(seed=1)
            given = first(env)
            if form == "shared":
                given = env.actions
            if form == "memory":
                memory = (ctypes.c_int32 * (3 * len(env.action_names)))()
                given = memoryview(memory).cast("B").cast("i", (3, len(env.action_names)))
            results.append(rows(env.step(given)[0]))
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])
        with self.assertRaisesRegex(FlyballError, "it takes 3 boards of 4 knobs each"):
            env.step([[0, 0, 0, 0]])
        with self.assertRaisesRegex(FlyballError, "A15.freq has no value 99"):
            env.step([[99, 0, 0, 0]] * 3)

    def test_what_cannot_be_made(self):
        with self.assertRaisesRegex(FlyballError, "odroid_xu3"):
            FlyballVectorEnv("odroid_xu4", SCENARIO)
        with self.assertRaisesRegex(FlyballError, "4096"):
            FlyballVectorEnv(BOARD, SCENARIO, num_envs=0)
        env = self.make()
        env.close()
        env.close()
        with self.assertRaisesRegex(FlyballError, "closed"):
            env.step(first(env))


class EnvContract(unittest.TestCase):
    def test_one_board(self):
        env = FlyballEnv(BOARD, SCENARIO, epoch_ms=10_000)
        self.addCleanup(env.close)
        observation, info = env.reset(seed=3)
        self.assertEqual((len(observation), info), (len(env.observation_names), {}))
        again, _ = env.reset(seed=3)
        self.assertEqual(list(observation), list(again))
        steps = 0
        truncated = False
        while not truncated:
            observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            self.assertIsInstance(reward, float)
            self.assertFalse(terminated)
            steps += 1
        self.assertGreater(steps, 1)
        with self.assertRaisesRegex(FlyballError, "episode is over"):
            env.step(env.action_space.sample())


if __name__ == "__main__":
    if flyball_gym.numpy is not None:  # as where it is not installed, too
        kept, flyball_gym.numpy = flyball_gym.numpy, None
        if not unittest.main(exit=False).result.wasSuccessful():
            sys.exit(1)
        flyball_gym.numpy = kept
    unittest.main()
