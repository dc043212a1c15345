"""Flyball for Python: libflyball over ctypes, nothing else needed.

    import flyball
    app = flyball.open("detector", knobs={"model": ["small", "large"]}, accuracy_pct=[61, 68],
                       deadline_ms=50)
    while True:
        with app.job() as setting:            # one inference
            models[setting["model"]](image)
    print(app.effect())

A knob called "where" says what it can run on: knobs={"where": ["cpu", "gpu"]}; models run on
setting["where"]. OSError with errno.ENOTSUP where this machine has no such element.

Without a governor every call works and does nothing. flyball.h says what everything means, what it
costs and when it expires. The library is $FLYBALL_LIBRARY, else libflyball.so.1 where the loader finds it.
"""

import ctypes
import errno
import math
import numbers
import os

_KNOBS, _LEVELS, _MONITORS, _NAME, _CPUS = 4, 256, 8, 32, 1024
ENERGY, ACCURACY, LATENCY = 0, 1, 2
_LOWER_IS_BETTER, _HIGHER_IS_BETTER, _NEITHER = 0, 1, 2
FOLLOWS_CPUS, PINS_ITSELF = 1, 2
_DAY_NS = 86_400_000_000_000
_REQUIREMENTS = {"period_ms": 0, "deadline_ms": 0, "grace_ms": 0, "accuracy_floor_pct": 0, "energy_budget_mj": 0,
                 "power_budget_mw": 0, "priority": 1, "objective": ENERGY}
_DESIRES = ("at_least", "at_most", "weight")


class Error(OSError):
    """What a call was refused for: errno, and why in words."""


class _Knob(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("unit", ctypes.c_char_p),
                ("values", ctypes.POINTER(ctypes.c_char_p)), ("count", ctypes.c_size_t)]


class _Monitor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("unit", ctypes.c_char_p), ("direction", ctypes.c_int),
                ("desired_min", ctypes.c_double), ("desired_max", ctypes.c_double),
                ("weight", ctypes.c_double)]


class _Requirements(ctypes.Structure):
    _fields_ = [("period_ns", ctypes.c_int64), ("deadline_ns", ctypes.c_int64),
                ("grace_ns", ctypes.c_int64), ("accuracy_floor_pct", ctypes.c_double),
                ("energy_budget_mj", ctypes.c_double), ("power_budget_mw", ctypes.c_double),
                ("priority", ctypes.c_int), ("objective", ctypes.c_int)]


class _Application(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("knobs", ctypes.POINTER(_Knob)),
                ("knob_count", ctypes.c_size_t), ("accuracy_pct", ctypes.POINTER(ctypes.c_double)),
                ("monitors", ctypes.POINTER(_Monitor)), ("monitor_count", ctypes.c_size_t),
                ("threads", ctypes.c_int), ("flags", ctypes.c_int), ("required", _Requirements)]


class _Setting(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint64), ("value", ctypes.c_uint8 * _KNOBS),
                ("level", ctypes.c_uint16), ("threads", ctypes.c_uint16), ("speed", ctypes.c_float),
                ("where", ctypes.c_char * _NAME), ("cpus", ctypes.c_uint64 * (_CPUS // 64))]


class _Estimate(ctypes.Structure):
    _fields_ = [("mean", ctypes.c_double), ("low", ctypes.c_double), ("high", ctypes.c_double),
                ("known", ctypes.c_int)]

    def value(self):
        """(mean, low, high), or None while it is not known."""
        return (self.mean, self.low, self.high) if self.known else None


class _Effect(ctypes.Structure):
    _fields_ = [("jobs", ctypes.c_uint64), ("late", ctypes.c_uint64), ("lost", ctypes.c_uint64),
                ("latency_ns", _Estimate), ("energy_mj", _Estimate), ("before_ns", _Estimate),
                ("now_ns", _Estimate), ("before_mj", _Estimate), ("now_mj", _Estimate),
                ("before_mhz", ctypes.c_double), ("now_mhz", ctypes.c_double),
                ("energy_measured", ctypes.c_int), ("before_where", ctypes.c_char * _NAME),
                ("now_where", ctypes.c_char * _NAME)]


def _load():
    library = ctypes.CDLL(os.environ.get("FLYBALL_LIBRARY", "libflyball.so.1"))
    session = ctypes.c_void_p
    for name, result, arguments in (
            ("why", ctypes.c_char_p, []),
            ("open", ctypes.c_int, [ctypes.POINTER(_Application), ctypes.POINTER(session)]),
            ("close", None, [session]),
            ("connected", ctypes.c_int, [session]),
            ("now", ctypes.POINTER(_Setting), [session]),
            ("wait", ctypes.c_int, [session, ctypes.c_int64]),
            ("pin", ctypes.c_int, [session]),
            ("begin", ctypes.POINTER(_Setting), [session, ctypes.c_int64]),
            ("end_with", ctypes.c_int, [session, ctypes.POINTER(ctypes.c_double), ctypes.c_size_t]),
            ("require", ctypes.c_int, [session, ctypes.POINTER(_Requirements)]),
            ("session_effect", ctypes.c_int, [session, ctypes.POINTER(_Effect)])):
        function = getattr(library, "flyball_" + name)
        function.restype, function.argtypes = result, arguments
    return library


def _time_ns(name, value, unit_ns):
    """A time in whole ns. ctypes takes what is too much for 64 bits for something else, so nothing else gets there."""
    if not isinstance(value, numbers.Real) or not 0 <= value <= _DAY_NS / unit_ns:
        raise ValueError("%s: %r; a time, finite and from 0 to a day" % (name, value))
    return round(value * unit_ns)


def _whole(name, value):
    """What fits a C int."""
    if not isinstance(value, numbers.Integral) or not -2**31 <= value < 2**31:
        raise ValueError("%s: %r; a small whole number" % (name, value))
    return int(value)


def _requirements(required):
    unknown = set(required) - set(_REQUIREMENTS)
    if unknown:
        raise ValueError("requirement %r: there is none; there are %s"
                         % (min(unknown, key=str), ", ".join(_REQUIREMENTS)))
    asked = {**_REQUIREMENTS, **required}
    return _Requirements(*[_time_ns(name, asked[name], 1e6) for name in ("period_ms", "deadline_ms", "grace_ms")],
                         asked["accuracy_floor_pct"], asked["energy_budget_mj"], asked["power_budget_mw"],
                         _whole("priority", asked["priority"]), _whole("objective", asked["objective"]))


class Setting(dict):
    """Knobs by name, each its value as it was given; and where, threads, cpus, speed. What a job has measured
    goes into `measured`, by the monitors' names."""

    measured = None


class _Job:
    def __init__(self, session, release_ns):
        self._session, self._release_ns = session, release_ns

    def __enter__(self):
        self._setting = self._session._begin(self._release_ns)
        return self._setting

    def __exit__(self, kind, value, trace):
        self._session._end(self._setting.measured or {})


def _desire(row, at_least=None, at_most=None, weight=1):
    """What a monitor is to be, and what a job costs that it is not."""
    row.weight = weight if at_least is not None or at_most is not None else 0
    row.desired_min = 0 if at_least is None else at_least
    row.desired_max = 0 if at_most is None else at_most
    if at_most is None and at_least is not None:
        row.direction = _HIGHER_IS_BETTER
    elif at_least is None and at_most is not None:
        row.direction = _LOWER_IS_BETTER


class Session:
    """An application at the governor. Use flyball.open(); close() or leave it to the end."""

    def __init__(self, name, knobs=None, accuracy_pct=None, monitors=None, threads=1, flags=0, **required):
        self._handle = None
        self._library = _load()
        self._knobs = dict(knobs or {})
        self._monitors = list(monitors or [])
        desired = monitors if isinstance(monitors, dict) else {}
        keep = []  # what the library reads during the call
        rows = (_Knob * max(1, len(self._knobs)))()
        levels = 1
        for row, (knob, values) in zip(rows, self._knobs.items()):
            texts = (ctypes.c_char_p * len(values))(*[str(v).encode() for v in values])
            keep.append(texts)
            row.name, row.unit, row.values, row.count = knob.encode(), b"", texts, len(values)
            levels *= len(values)
        table = None
        if accuracy_pct is not None:
            if len(accuracy_pct) != levels:
                raise ValueError("accuracy_pct: %d; %d, one for each combination of values"
                                 % (len(accuracy_pct), levels))
            table = (ctypes.c_double * levels)(*[math.nan if a is None else a for a in accuracy_pct])
        watched = (_Monitor * max(1, len(self._monitors)))()
        for row, monitor in zip(watched, self._monitors):
            row.name, row.unit, row.direction = monitor.encode(), b"", _NEITHER
            if monitor in desired:
                if not isinstance(desired[monitor], dict):
                    raise ValueError("monitor %r: %r; a dict of some of %s"
                                     % (monitor, desired[monitor], ", ".join(_DESIRES)))
                unknown = set(desired[monitor]) - set(_DESIRES)
                if unknown:
                    raise ValueError("monitor %r: has no %r; there are %s"
                                     % (monitor, min(unknown, key=str), ", ".join(_DESIRES)))
                _desire(row, **desired[monitor])
        app = _Application(name.encode(), rows, len(self._knobs), table, watched, len(self._monitors),
                           _whole("threads", threads), _whole("flags", flags), _requirements(required))
        handle = ctypes.c_void_p()
        self._check(self._library.flyball_open(ctypes.byref(app), ctypes.byref(handle)))
        self._handle = handle

    def _check(self, error, but=0):
        if error not in (0, but):
            raise Error(error, self._library.flyball_why().decode(errors="replace"))

    def _setting(self, pointer):
        now = pointer.contents
        setting = Setting((knob, values[now.value[i]])
                          for i, (knob, values) in enumerate(self._knobs.items()))
        setting.number, setting.level, setting.threads = now.number, now.level, now.threads
        setting.speed, setting.where = now.speed, now.where.decode()
        setting.cpus = {64 * w + bit for w, word in enumerate(now.cpus) for bit in range(64)
                        if word >> bit & 1}
        return setting

    def _begin(self, release_ns=0):
        return self._setting(self._library.flyball_begin(self._handle, release_ns))

    def _end(self, measured):
        names = self._monitors if measured else []
        row = (ctypes.c_double * max(1, len(names)))(*[measured.get(name, math.nan) for name in names])
        return self._library.flyball_end_with(self._handle, row, len(names))

    def job(self, release_ns=0):
        """`with app.job() as setting:` is one job; `release_ns` by time.monotonic_ns(), 0: now."""
        if not isinstance(release_ns, numbers.Integral) or not 0 <= release_ns < 2**63:
            raise ValueError("release_ns: %r; a whole number of ns, as time.monotonic_ns() gives" % (release_ns,))
        return _Job(self, release_ns)

    def now(self):
        """The setting."""
        return self._setting(self._library.flyball_now(self._handle))

    def wait(self, timeout_s):
        """True when the setting has changed within that time."""
        return self._library.flyball_wait(self._handle, _time_ns("timeout_s", timeout_s, 1e9)) == 0

    def require(self, **required):
        """Asks for something else from now on: all of it, by the names that open() has."""
        asked = _requirements(required)
        self._check(self._library.flyball_require(self._handle, ctypes.byref(asked)), errno.EPIPE)

    def pin(self):
        """Pins the calling thread to the CPUs of the setting."""
        self._check(self._library.flyball_pin(self._handle))

    @property
    def connected(self):
        return self._library.flyball_connected(self._handle) == 1

    def effect(self):
        """What it changed: latency_ns and energy_mj are (mean, low, high) of the difference, or None."""
        effect = _Effect()
        self._library.flyball_session_effect(self._handle, ctypes.byref(effect))
        return {name: getattr(effect, name).value() if kind is _Estimate else getattr(effect, name)
                for name, kind in _Effect._fields_}

    def close(self):
        if self._handle is not None:
            self._library.flyball_close(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self.close()


def open(name, **offer):  # noqa: A001, as a module's open()
    """Opens a session; knobs={name: values, cheapest first}, accuracy_pct, monitors=[names]
    or {name: {"at_least": .., "at_most": .., "weight": ..}} (see flyball_monitor), threads, flags, and requirements: period_ms, deadline_ms, grace_ms, accuracy_floor_pct, energy_budget_mj,
    power_budget_mw, priority, objective."""
    return Session(name, **offer)
