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

A job whose body raises is told as dropped. Reports that found no room are no error of the job's: `app.refused`
counts them. An explicit app.end() or app.report() raises for one.

Deadline sessions, the verbs of Android's performance hints:

    hint = flyball.create_session(target_ms=16)   # of the calling thread
    hint.report_actual(12.5)
    hint.notify_spike(name="menu")

Without a governor every call works and does nothing. A session that is closed raises ValueError. One thread
at a time uses a session. flyball.h says what everything means, what it costs and when it expires. The library
is $FLYBALL_LIBRARY, else the one that was installed with this file, else libflyball.so.1 where the loader
finds it.
"""

import ctypes
import errno
import glob
import math
import numbers
import os
import threading
import time

_KNOBS, _LEVELS, _MONITORS, _NAME, _CPUS = 4, 256, 8, 32, 1024
ENERGY, ACCURACY, LATENCY = 0, 1, 2
_LOWER_IS_BETTER, _HIGHER_IS_BETTER, _NEITHER = 0, 1, 2
FOLLOWS_CPUS, PINS_ITSELF = 1, 2
FEATURES = ("sessions", "power_efficiency", "votes_cpu", "votes_gpu", "knobs", "cpus", "effect")
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
                ("now_where", ctypes.c_char * _NAME), ("no_comparison", ctypes.c_int)]


class _ReportedJob(ctypes.Structure):
    _fields_ = [("release_ns", ctypes.c_int64), ("start_ns", ctypes.c_int64), ("finish_ns", ctypes.c_int64),
                ("deadline_ns", ctypes.c_int64), ("cpu_ns", ctypes.c_int64), ("gpu_ns", ctypes.c_int64),
                ("level", ctypes.c_int), ("dropped", ctypes.c_int)]


_Changed = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Setting), ctypes.c_void_p)
_THREAD_IDS = ctypes.POINTER(ctypes.c_int32)
_HANDLE = ctypes.c_void_p
_FUNCTIONS = {
    "why": (ctypes.c_char_p, []),
    "open": (ctypes.c_int, [ctypes.POINTER(_Application), ctypes.POINTER(_HANDLE)]),
    "close": (None, [_HANDLE]),
    "connected": (ctypes.c_int, [_HANDLE]),
    "now": (ctypes.POINTER(_Setting), [_HANDLE]),
    "wait": (ctypes.c_int, [_HANDLE, ctypes.c_int64]),
    "on_change": (ctypes.c_int, [_HANDLE, _Changed, ctypes.c_void_p]),
    "pin": (ctypes.c_int, [_HANDLE]),
    "begin": (ctypes.POINTER(_Setting), [_HANDLE, ctypes.c_int64]),
    "end": (ctypes.c_int, [_HANDLE]),
    "end_with": (ctypes.c_int, [_HANDLE, ctypes.POINTER(ctypes.c_double), ctypes.c_size_t]),
    "drop": (ctypes.c_int, [_HANDLE]),
    "report": (ctypes.c_int, [_HANDLE, ctypes.POINTER(_ReportedJob)]),
    "require": (ctypes.c_int, [_HANDLE, ctypes.POINTER(_Requirements)]),
    "session_create": (ctypes.c_int, [_THREAD_IDS, ctypes.c_size_t, ctypes.c_int64, ctypes.POINTER(_HANDLE)]),
    "session_update_target": (ctypes.c_int, [_HANDLE, ctypes.c_int64]),
    "session_report_actual": (ctypes.c_int, [_HANDLE, ctypes.c_int64]),
    "session_report_actual2": (ctypes.c_int, [_HANDLE] + 4 * [ctypes.c_int64]),
    "session_set_threads": (ctypes.c_int, [_HANDLE, _THREAD_IDS, ctypes.c_size_t]),
    "session_prefer_power_efficiency": (ctypes.c_int, [_HANDLE, ctypes.c_int]),
    "session_notify_increase": (ctypes.c_int, [_HANDLE, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]),
    "session_notify_reset": (ctypes.c_int, [_HANDLE, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]),
    "session_notify_spike": (ctypes.c_int, [_HANDLE, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]),
    "preferred_rate_ns": (ctypes.c_int64, []),
    "supports": (ctypes.c_int, [_HANDLE, ctypes.c_int]),
    "session_effect": (ctypes.c_int, [_HANDLE, ctypes.POINTER(_Effect)]),
}


def _library_path():
    """That of $FLYBALL_LIBRARY; of the prefix that this file is installed in (PREFIX/lib/python3*/dist-packages);
    or the loader's."""
    chosen = os.environ.get("FLYBALL_LIBRARY")
    if chosen:
        return chosen
    python, packages = os.path.split(os.path.dirname(os.path.abspath(__file__)))
    above, version = os.path.split(python)
    if packages in ("dist-packages", "site-packages") and version.startswith("python3"):
        # Of several architectures' libraries that which loads.
        for folder in (above, above + "64", os.path.join(glob.escape(above), "*-linux-*")):
            for path in glob.glob(os.path.join(folder, "libflyball.so.1")):
                try:
                    ctypes.CDLL(path)
                    return path
                except OSError:
                    continue
    return "libflyball.so.1"


def _load():
    library = ctypes.CDLL(_library_path())
    for name, (result, arguments) in _FUNCTIONS.items():
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
        self._setting = self._session.begin(self._release_ns)
        return self._setting

    def __exit__(self, kind, value, trace):
        if self._session.closed:  # within the job; nobody is left to tell
            return
        if kind is not None:
            self._session._told(self._session._call("drop"))
        else:
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


def _ids(threads):
    ids = [threading.get_native_id()] if threads is None else [_whole("threads", t) for t in threads]
    return (ctypes.c_int32 * max(1, len(ids)))(*ids), len(ids)


class Session:
    """An application at the governor. Use flyball.open() or flyball.create_session(); close() or leave it to the
    end. `published`, `refused` and `unheard` count its reports: those the governor has or will read, those that
    found no room since it had not read for long, and those that nobody hears since there is no governor."""

    def __init__(self, name, knobs=None, accuracy_pct=None, monitors=None, units=None, threads=1, flags=0,
                 **required):
        self._begin_life()
        self._knobs = dict(knobs or {})
        self._monitors = list(monitors or [])
        desired = monitors if isinstance(monitors, dict) else {}
        units = dict(units or {})
        unknown = set(units) - set(self._knobs) - set(self._monitors)
        if unknown:
            raise ValueError("units: %r is neither a knob nor a monitor" % min(unknown, key=str))
        keep = []  # what the library reads during the call
        rows = (_Knob * max(1, len(self._knobs)))()
        levels = 1
        for row, (knob, values) in zip(rows, self._knobs.items()):
            texts = (ctypes.c_char_p * len(values))(*[str(v).encode() for v in values])
            keep.append(texts)
            row.name, row.unit = knob.encode(), units.get(knob, "").encode()
            row.values, row.count = texts, len(values)
            levels *= len(values)
        table = None
        if accuracy_pct is not None:
            if len(accuracy_pct) != levels:
                raise ValueError("accuracy_pct: %d; %d, one for each combination of values"
                                 % (len(accuracy_pct), levels))
            table = (ctypes.c_double * levels)(*[math.nan if a is None else a for a in accuracy_pct])
        watched = (_Monitor * max(1, len(self._monitors)))()
        for row, monitor in zip(watched, self._monitors):
            row.name, row.unit, row.direction = monitor.encode(), units.get(monitor, "").encode(), _NEITHER
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

    def _begin_life(self):
        self._handle = None
        self._library = _load()
        self._knobs, self._monitors = {}, []
        self._changed = self._raised = None
        self._calls_back = 0
        self.published = self.refused = self.unheard = 0

    def _check(self, error, but=0):
        if error not in (0, but):
            raise Error(error, self._library.flyball_why().decode(errors="replace"))

    def _call(self, function, *arguments):
        """What the library returns. What the callback of on_change() raised meanwhile is raised here."""
        if self._handle is None:
            raise ValueError("session: is closed; open another")
        result = getattr(self._library, "flyball_" + function)(self._handle, *arguments)
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        return result

    def _told(self, error):
        """Counts a report and returns what became of it."""
        if error == 0:
            self.published += 1
        elif error == errno.EBUSY:
            self.refused += 1
        elif error == errno.EPIPE:
            self.unheard += 1
        return error

    def _setting(self, pointer):
        now = pointer.contents
        setting = Setting((knob, values[now.value[i]])
                          for i, (knob, values) in enumerate(self._knobs.items()))
        setting.number, setting.level, setting.threads = now.number, now.level, now.threads
        setting.speed, setting.where = now.speed, now.where.decode()
        setting.cpus = {64 * w + bit for w, word in enumerate(now.cpus) for bit in range(64)
                        if word >> bit & 1}
        return setting

    def _end(self, measured):
        unknown = set(measured) - set(self._monitors)
        try:
            if unknown:
                raise ValueError("measured: there is no monitor %r" % min(unknown, key=str))
            names = self._monitors if measured else []
            row = (ctypes.c_double * max(1, len(names)))(*[measured.get(name, math.nan) for name in names])
        except (TypeError, ValueError):
            self._told(self._call("end"))  # the job is over all the same
            raise
        return self._told(self._call("end_with", row, len(names)))

    def job(self, release_ns=0):
        """`with app.job() as setting:` is one job; `release_ns` by time.monotonic_ns(), 0: now. One whose body
        raises is told as dropped."""
        if not isinstance(release_ns, numbers.Integral) or not 0 <= release_ns < 2**63:
            raise ValueError("release_ns: %r; a whole number of ns, as time.monotonic_ns() gives" % (release_ns,))
        return _Job(self, release_ns)

    def begin(self, release_ns=0):
        """A job begins, without a `with`: its setting."""
        release_ns = self.job(release_ns)._release_ns
        try:
            return self._setting(self._call("begin", release_ns))
        except BaseException:  # of the callback: the job never runs
            if self._handle is not None:
                self._told(self._library.flyball_drop(self._handle))
            raise

    def end(self, **measured):
        """It is done, with what it measured by the monitors' names. Error with errno.EINVAL where none has begun,
        errno.EBUSY where the report found no room."""
        self._check(self._end(measured), errno.EPIPE)

    def drop(self):
        """Nothing came of it. Error as end()."""
        self._check(self._told(self._call("drop")), errno.EPIPE)

    def report(self, release_ns, start_ns, finish_ns, deadline_ns=0, cpu_ns=0, gpu_ns=0, level=-1, dropped=False):
        """A job that is over, as flyball_report() takes it: times by time.monotonic_ns(). Error as end()."""
        times = [release_ns, start_ns, finish_ns, deadline_ns, cpu_ns, gpu_ns]
        for name, value in zip((name for name, _ in _ReportedJob._fields_), times):
            if not isinstance(value, numbers.Integral) or not -2**63 <= value < 2**63:
                raise ValueError("%s: %r; a whole number of ns" % (name, value))
        job = _ReportedJob(*times, _whole("level", level), bool(dropped))
        self._check(self._told(self._call("report", ctypes.byref(job))), errno.EPIPE)

    def now(self):
        """The setting."""
        return self._setting(self._call("now"))

    def wait(self, timeout_s):
        """True when the setting has changed within that time."""
        return self._call("wait", _time_ns("timeout_s", timeout_s, 1e9)) == 0

    def on_change(self, changed):
        """`changed(setting)` is called from within a call of this session that finds another setting, in the
        caller's thread; what it raises, that call raises. None: no more."""
        def call(pointer, user):
            try:
                self._calls_back += 1
                changed(self._setting(pointer))
            except BaseException as error:  # nothing passes through C
                self._raised = error
            finally:
                self._calls_back -= 1

        callback = _Changed() if changed is None else _Changed(call)
        self._call("on_change", callback, None)
        self._changed = callback  # lives as long as the library may call it

    def require(self, **required):
        """Asks for something else from now on: all of it, by the names that open() has."""
        asked = _requirements(required)
        self._check(self._call("require", ctypes.byref(asked)), errno.EPIPE)

    def pin(self):
        """Pins the calling thread to the CPUs of the setting."""
        self._check(self._call("pin"))

    def update_target(self, target_ms):
        """Another duration that the work should take. Error with errno.EINVAL, errno.EBUSY."""
        self._check(self._call("session_update_target", _time_ns("target_ms", target_ms, 1e6)), errno.EPIPE)

    def report_actual(self, total_ms, start_ns=None, cpu_ms=None, gpu_ms=0):
        """The work took so long: it ended now, all of it on the CPU, or as is said. Error as end()."""
        total_ns = _time_ns("total_ms", total_ms, 1e6)
        if start_ns is None and cpu_ms is None and gpu_ms == 0:
            error = self._call("session_report_actual", total_ns)
        else:
            if start_ns is None:
                start_ns = time.monotonic_ns() - total_ns
            cpu_ns = total_ns if cpu_ms is None else _time_ns("cpu_ms", cpu_ms, 1e6)
            error = self._call("session_report_actual2", self.job(start_ns)._release_ns, total_ns, cpu_ns,
                               _time_ns("gpu_ms", gpu_ms, 1e6))
        self._check(self._told(error), errno.EPIPE)

    def set_threads(self, threads):
        """Other threads of this process do the work, by threading.get_native_id(). Error with errno.EPERM, ..."""
        self._check(self._call("session_set_threads", *_ids(threads)), errno.EPIPE)

    def prefer_power_efficiency(self, enabled=True):
        self._check(self._call("session_prefer_power_efficiency", bool(enabled)), errno.EPIPE)

    def notify_increase(self, cpu=True, gpu=False, name=""):
        """More work than before is coming. Error with errno.EBUSY, errno.ENOTSUP."""
        self._notify("increase", cpu, gpu, name)

    def notify_reset(self, cpu=True, gpu=False, name=""):
        """What was learned of the work no longer holds."""
        self._notify("reset", cpu, gpu, name)

    def notify_spike(self, cpu=True, gpu=False, name=""):
        """The next job alone is larger."""
        self._notify("spike", cpu, gpu, name)

    def _notify(self, what, cpu, gpu, name):
        self._check(self._call("session_notify_" + what, bool(cpu), bool(gpu), name.encode()), errno.EPIPE)

    def supports(self, feature):
        """Whether the governor has it, of FEATURES; nothing without one."""
        if feature not in FEATURES:
            raise ValueError("feature %r: there is none; there are %s" % (feature, ", ".join(FEATURES)))
        return self._call("supports", FEATURES.index(feature)) == 1

    @property
    def connected(self):
        return self._call("connected") == 1

    @property
    def closed(self):
        return self._handle is None

    def effect(self):
        """What it changed: latency_ns and energy_mj are (mean, low, high) of the difference, or None."""
        effect = _Effect()
        self._call("session_effect", ctypes.byref(effect))
        row = {}
        for name, kind in _Effect._fields_:
            value = getattr(effect, name)
            row[name] = value.value() if kind is _Estimate else value.decode() if isinstance(value, bytes) else value
        return row

    def close(self):
        """Once more is nothing. RuntimeError from within the callback of on_change()."""
        if self._calls_back:
            raise RuntimeError("session: its callback cannot close it; close it when the call is over")
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._library.flyball_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self.close()


def open(name, **offer):  # noqa: A001, as a module's open()
    """Opens a session; knobs={name: values, cheapest first}, accuracy_pct, monitors=[names]
    or {name: {"at_least": .., "at_most": .., "weight": ..}} (see flyball_monitor), units={name of a knob or
    monitor: unit}, threads, flags, and requirements: period_ms, deadline_ms, grace_ms, accuracy_floor_pct,
    energy_budget_mj, power_budget_mw, priority, objective."""
    return Session(name, **offer)


def create_session(target_ms, threads=None):
    """A deadline session of these threads (ids of threading.get_native_id(); None: the calling one), whose
    periodic work should take `target_ms`. Error with errno.EINVAL, errno.EPERM, errno.EUSERS."""
    session = Session.__new__(Session)
    session._begin_life()
    handle = ctypes.c_void_p()
    ids, count = _ids(threads)
    session._check(session._library.flyball_session_create(ids, count, _time_ns("target_ms", target_ms, 1e6),
                                                           ctypes.byref(handle)))
    session._handle = handle
    return session


def preferred_rate_s():
    """More seldom than this is enough for updates of targets and votes."""
    return _load().flyball_preferred_rate_ns() / 1e9
