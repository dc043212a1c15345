"""Flyball's simulated boards as reinforcement-learning environments.

    import flyball_gym
    env = flyball_gym.FlyballVectorEnv("odroid_xu3", "single_periodic", num_envs=64)
    observations, infos = env.reset(seed=1)
    observations, rewards, terminations, truncations, infos = env.step(env.action_space.sample())

FlyballEnv is one board with the methods of gymnasium.Env, FlyballVectorEnv a batch with those of
gymnasium.vector.VectorEnv; where Gymnasium is installed they are subclasses of these and their spaces are
Gymnasium's. Nothing but Python is needed: with NumPy installed arrays are NumPy's, else memoryviews with
the same indices ("observations[board, index]"). Arrays are written by the next step: copy what is to be kept.

`observation_names` and `observation_units` say what the numbers are, `action_names` and `action_values` what
the actions do. Buffers, episodes and rewards are described in flyball_gym.h.
"""

import array
import ctypes
import ctypes.util
import glob
import os
import random

try:
    import numpy
except ImportError:
    numpy = None
try:
    import gymnasium
    from gymnasium.vector import AutoresetMode
except ImportError:
    gymnasium = None
    import enum

    class AutoresetMode(enum.Enum):
        """Of gymnasium.vector."""
        NEXT_STEP = "NextStep"
        SAME_STEP = "SameStep"
        DISABLED = "Disabled"

__all__ = ["AutoresetMode", "FlyballEnv", "FlyballError", "FlyballVectorEnv"]

_MODES = {AutoresetMode.DISABLED: 0, AutoresetMode.NEXT_STEP: 1, AutoresetMode.SAME_STEP: 2}


class FlyballError(ValueError):
    """What the library said, in one line."""


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("count", ctypes.c_int32), ("autoreset", ctypes.c_int32),
                ("seed", ctypes.c_uint64), ("epoch_ms", ctypes.c_double)]


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    up = os.path.dirname
    places = [os.environ.get("FLYBALL_GYM_LIBRARY"), os.path.join(here, "libflyball-gym.so"),
              os.path.join(up(up(here)), "build/release/lib/libflyball-gym.so")]
    if os.path.basename(here) in ("dist-packages", "site-packages"):  # installed: PREFIX/lib/python3*/dist-packages
        for folder in ("", "*-linux-*"):
            places += glob.glob(os.path.join(glob.escape(up(up(here))), folder, "libflyball-gym.so"))
    places.append(ctypes.util.find_library("flyball-gym"))
    reasons = []
    for place in places:
        if not place or (os.path.isabs(place) and not os.path.exists(place)):
            continue
        try:
            library = ctypes.CDLL(place)
            break
        except OSError as problem:
            reasons.append(str(problem))
    else:
        raise ImportError("libflyball-gym.so: " + ("; ".join(reasons) or "not found")
                          + "; build it (./dev build), or set FLYBALL_GYM_LIBRARY to it")
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    for name, result, arguments in [
            ("make", handle, [text, text, ctypes.POINTER(_Options), text, ctypes.c_size_t]),
            ("close", None, [handle]), ("observation_size", number, [handle]),
            ("observation_name", text, [handle, number]), ("observation_unit", text, [handle, number]),
            ("action_size", number, [handle]), ("action_name", text, [handle, number]),
            ("action_values", number, [handle, number]), ("action_value", text, [handle, number, number]),
            ("reset", number, [handle] + 3 * [handle]), ("step", number, [handle] + 6 * [handle]),
            ("error", text, [handle])]:
        function = getattr(library, "flyball_gym_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_library = None


class _Buffer:
    """Memory that the library writes, and the array over it that the caller sees."""

    def __init__(self, code, kind, *shape):
        size = 1
        for extent in shape:
            size *= extent
        self.memory = (kind * size)()
        self.address = ctypes.addressof(self.memory)
        if numpy is not None:
            self.array = numpy.frombuffer(self.memory, dtype=code).reshape(shape)
            if code == "?":
                self.array = self.array.view(bool)
        else:
            self.array = memoryview(self.memory).cast("B").cast(code, shape)


class _Box:
    """What is needed of gymnasium.spaces.Box where that is not installed."""

    def __init__(self, shape):
        self.shape, self.dtype = shape, "float32"

    def contains(self, value):
        return tuple(getattr(value, "shape", (len(value),))) == self.shape

    __contains__ = contains


class _MultiDiscrete:
    """And of MultiDiscrete: `nvec` values of each knob, for one board or for `boards`."""

    def __init__(self, nvec, boards=None):
        self.nvec, self.boards, self._random = tuple(nvec), boards, random.Random(0)
        self.shape = (len(nvec),) if boards is None else (boards, len(nvec))
        self.dtype = "int32"

    def seed(self, seed=None):
        self._random.seed(seed)

    def _row(self):
        return [self._random.randrange(n) for n in self.nvec]

    def sample(self):
        return self._row() if self.boards is None else [self._row() for _ in range(self.boards)]

    def contains(self, value):
        rows = [value] if self.boards is None else value
        return (self.boards is None or len(rows) == self.boards) and all(
            len(row) == len(self.nvec) and all(0 <= v < n for v, n in zip(row, self.nvec)) for row in rows)

    __contains__ = contains


def _spaces(size, nvec, boards):
    if gymnasium is None or numpy is None:
        return _Box((size,)), _Box((boards, size)), _MultiDiscrete(nvec), _MultiDiscrete(nvec, boards)
    box, discrete = gymnasium.spaces.Box, gymnasium.spaces.MultiDiscrete
    infinity = numpy.inf
    return (box(-infinity, infinity, (size,), numpy.float32),
            box(-infinity, infinity, (boards, size), numpy.float32), discrete(list(nvec), dtype=numpy.int32),
            discrete([list(nvec)] * boards, dtype=numpy.int32))


class FlyballVectorEnv(gymnasium.vector.VectorEnv if gymnasium else object):
    """A batch of boards of one platform that play one scenario, each with randomness of its own.

    A step is an epoch of `epoch_ms`. Episodes end with the scenario, by truncation. `reset(seed=S)` gives
    board i the seed S + i; a sequence gives each its own. With AutoresetMode.SAME_STEP the last observation
    of an episode is infos["final_obs"][board].
    """

    spec = None
    render_mode = None

    def __init__(self, platform, scenario, num_envs=1, epoch_ms=50.0, seed=1,
                 autoreset_mode=AutoresetMode.NEXT_STEP):
        global _library
        if _library is None:
            _library = _load()
        self._gym = None
        self.num_envs = int(num_envs)
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": mode, "render_modes": []}
        options = _Options(ctypes.sizeof(_Options), self.num_envs, _MODES[mode], seed % 2**64, epoch_ms)
        reason = ctypes.create_string_buffer(1000)
        self._gym = _library.flyball_gym_make(os.fsencode(platform), os.fsencode(scenario),
                                              ctypes.byref(options), reason, len(reason))
        if not self._gym:
            raise FlyballError(reason.value.decode(errors="replace"))
        handle = self._gym
        size, knobs = _library.flyball_gym_observation_size(handle), _library.flyball_gym_action_size(handle)
        self.observation_names = [_library.flyball_gym_observation_name(handle, i).decode() for i in range(size)]
        self.observation_units = [_library.flyball_gym_observation_unit(handle, i).decode() for i in range(size)]
        self.action_names = [_library.flyball_gym_action_name(handle, k).decode() for k in range(knobs)]
        self.action_values = [[_library.flyball_gym_action_value(handle, k, v).decode()
                               for v in range(_library.flyball_gym_action_values(handle, k))] for k in range(knobs)]
        (self.single_observation_space, self.observation_space, self.single_action_space,
         self.action_space) = _spaces(size, [len(values) for values in self.action_values], self.num_envs)
        n = self.num_envs
        self._observations = _Buffer("f", ctypes.c_float, n, size)
        self._final = _Buffer("f", ctypes.c_float, n, size)
        self._rewards = _Buffer("d", ctypes.c_double, n)
        self._terminated = _Buffer("?", ctypes.c_uint8, n)
        self._truncated = _Buffer("?", ctypes.c_uint8, n)
        self._actions = _Buffer("i", ctypes.c_int32, n, knobs)
        self.actions = self._actions.array

    def _check(self, result):
        if result < 0:
            raise FlyballError(_library.flyball_gym_error(self._gym).decode(errors="replace"))

    def _open(self):
        if not self._gym:
            raise FlyballError("the environment is closed; make another one")
        return self._gym

    def reset(self, *, seed=None, options=None):
        """`options={"reset_mask": mask}` begins episodes only on the boards that it names."""
        handle = self._open()
        seeds = mask = None
        if seed is not None:
            given = list(seed) if hasattr(seed, "__len__") else [seed + i for i in range(self.num_envs)]
            if len(given) != self.num_envs:
                raise FlyballError(f"{len(given)} seeds: there are {self.num_envs} boards; give a seed for each, or one")
            seeds = (ctypes.c_uint64 * self.num_envs)(*(int(one) % 2**64 for one in given))
        if options and options.get("reset_mask") is not None:
            chosen = [bool(one) for one in options["reset_mask"]]
            if len(chosen) != self.num_envs:
                raise FlyballError(f"reset_mask has {len(chosen)} entries; give one for each of {self.num_envs} boards")
            mask = (ctypes.c_uint8 * self.num_envs)(*chosen)
        self._check(_library.flyball_gym_reset(handle, seeds, mask, self._observations.address))
        return self._observations.array, {}

    def step(self, actions):
        """`actions[board][knob]` is the index of a value in `action_values[knob]`. `self.actions` is such an
        array, which can be written in place and given here without a copy."""
        handle = self._open()
        self._take(actions)
        self._check(_library.flyball_gym_step(
            handle, self._actions.address, self._observations.address, self._rewards.address, self._terminated.address,
            self._truncated.address, self._final.address))
        infos = {}
        if self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP and any(self._truncated.memory):
            infos = {"final_obs": self._final.array, "_final_obs": self._truncated.array}
        return (self._observations.array, self._rewards.array, self._terminated.array, self._truncated.array, infos)

    def _take(self, actions):
        if actions is self.actions:
            return
        if numpy is not None:
            actions = numpy.ascontiguousarray(actions, dtype=numpy.int32)
        elif not isinstance(actions, memoryview) or actions.format != "i":
            actions = memoryview(array.array("i", (int(value) for row in actions for value in row)))
        given = memoryview(actions).cast("B")
        if given.nbytes != ctypes.sizeof(self._actions.memory):
            raise FlyballError(f"{given.nbytes // 4} actions: it takes {self.num_envs} boards of "
                               f"{len(self.action_names)} knobs each")
        memoryview(self._actions.memory).cast("B")[:] = given

    def close(self, **_):
        if self._gym:
            _library.flyball_gym_close(self._gym)
            self._gym = None

    def __del__(self):
        self.close()


class FlyballEnv(gymnasium.Env if gymnasium else object):
    """One board, with the methods of gymnasium.Env."""

    metadata = {"render_modes": []}
    spec = None
    render_mode = None

    def __init__(self, platform, scenario, epoch_ms=50.0, seed=1):
        self._batch = FlyballVectorEnv(platform, scenario, 1, epoch_ms, seed, AutoresetMode.DISABLED)
        self.observation_space = self._batch.single_observation_space
        self.action_space = self._batch.single_action_space
        for name in ("observation_names", "observation_units", "action_names", "action_values"):
            setattr(self, name, getattr(self._batch, name))

    def _row(self, observations):
        return observations[0].copy() if numpy is not None else observations.tolist()[0]

    def reset(self, *, seed=None, options=None):
        observations, info = self._batch.reset(seed=seed)
        return self._row(observations), info

    def step(self, action):
        observations, rewards, terminated, truncated, _ = self._batch.step([action])
        return self._row(observations), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}

    def close(self):
        self._batch.close()
