"""The Python module, as a program uses it. Run with the name of a case; what is wrong raises."""

import errno
import os
import sys
import threading
import time

import flyball


def refused(error, call, *arguments, **named):
    """The errno of what is raised, or its text."""
    try:
        call(*arguments, **named)
    except error as raised:
        return raised.errno if isinstance(raised, OSError) else str(raised)
    raise AssertionError("%s raises nothing" % call)


def of_three_models(name="detector", **more):
    return flyball.open(name, knobs={"model": ["small", "medium", "large"]}, **more)


def closed():
    """Without a governor, too: a session that is closed is one that says so."""
    app = of_three_models()
    job = app.job()
    app.close()
    app.close()
    assert app.closed
    for name in sorted(set(dir(app)) - {"close", "closed", "job", "published", "refused", "unheard"}):
        if name.startswith("_"):
            continue
        arguments = {"wait": [0], "update_target": [5], "report": [1, 2, 3], "report_actual": [5], "set_threads": [None],
                     "supports": ["effect"], "on_change": [None]}.get(name, [])
        text = refused(ValueError, lambda: getattr(app, name)(*arguments))
        assert "is closed; open another" in text, (name, text)
    assert "is closed" in refused(ValueError, job.__enter__)
    with of_three_models("other") as app:
        with app.job():
            app.close()
        hint = flyball.create_session(5)
        hint.close()
        assert "is closed" in refused(ValueError, hint.notify_spike)


def alone():
    """Without a governor every call works and does nothing, and what nobody hears is counted."""
    app = of_three_models(accuracy_pct=[60, 70, 80])
    with app.job() as setting:
        assert setting["model"] == "large"
    app.begin()
    app.end()
    app.begin()
    app.drop()
    now = time.monotonic_ns()
    app.report(now - 3000, now - 2000, now - 1000, dropped=True)
    assert (app.published, app.refused, app.unheard) == (0, 0, 4)
    assert refused(flyball.Error, app.end) == errno.EINVAL
    assert refused(flyball.Error, app.drop) == errno.EINVAL
    assert app.unheard == 4
    app.require(deadline_ms=5)
    app.update_target(7)
    app.notify_increase()
    app.prefer_power_efficiency()
    app.set_threads(None)
    app.report_actual(5)
    assert app.effect()["jobs"] == 0 and app.effect()["latency_ns"] is None
    assert not any(app.supports(feature) for feature in flyball.FEATURES)
    assert "there are sessions, " in refused(ValueError, app.supports, "magic")
    assert flyball.preferred_rate_s() == 0.1


def mute():
    """The governor reads nothing: what the ring has no room for is counted, and an explicit end() raises."""
    app = of_three_models()
    assert app.connected
    for _ in range(300):
        with app.job():
            pass
    assert (app.published, app.refused, app.unheard) == (256, 44, 0), (app.published, app.refused)
    app.begin()
    assert refused(flyball.Error, app.end) == errno.EBUSY
    app.begin()
    assert refused(flyball.Error, app.drop) == errno.EBUSY
    now = time.monotonic_ns()
    assert refused(flyball.Error, app.report, now - 3000, now - 2000, now - 1000) == errno.EBUSY
    assert refused(flyball.Error, app.report_actual, 0.001) == errno.EBUSY
    assert refused(flyball.Error, app.report, now, now - 1, now) == errno.EINVAL
    assert app.refused == 48
    refuses = 0
    for _ in range(30):
        try:
            app.notify_reset()
        except flyball.Error as error:
            assert error.errno == errno.EBUSY
            refuses += 1
    assert refuses >= 10


def raising():
    """Three jobs that raise, and two that do not."""
    app = of_three_models("raising", monitors=["heat"], units={"heat": "ms", "model": "px"})
    for _ in range(2):
        with app.job() as setting:
            setting.measured = {"heat": 40}
    for error in (KeyError, KeyboardInterrupt, ZeroDivisionError):
        try:
            with app.job():
                raise error
        except error:
            pass
    assert app.published == 5
    job = app.job()
    job.__enter__().measured = {"haet": 40}
    assert "no monitor 'haet'" in refused(ValueError, job.__exit__, None, None, None)
    assert "'haet' is neither" in refused(ValueError, flyball.open, "x", monitors=["heat"], units={"haet": "ms"})
    sys.stdin.readline()


def changing():
    """The governor says 'small' once the first jobs are over."""
    app = of_three_models("changing")
    told = []

    def stops(setting):
        told.append(setting["model"])
        try:
            app.close()
        except RuntimeError as error:
            told.append(str(error))
        raise LookupError("no such model")

    app.on_change(stops)
    for _ in range(10_000):
        try:
            with app.job():
                time.sleep(0.001)
        except LookupError as error:
            assert str(error) == "no such model"
            break
    assert told[0] in ("small", "large") and "cannot close it" in told[1], told
    app.on_change(lambda setting: told.append(setting["model"]))
    for _ in range(10_000):
        if "small" in told:
            break
        with app.job():
            time.sleep(0.001)
    assert "small" in told, told
    app.on_change(None)
    app.now()


def hints():
    hint = flyball.create_session(20)
    assert hint.connected and hint.supports("sessions")
    assert refused(flyball.Error, flyball.create_session, 0) == errno.EINVAL
    assert refused(flyball.Error, flyball.create_session, 5, []) == errno.EINVAL
    assert refused(flyball.Error, flyball.create_session, 5, [1]) == errno.EPERM
    assert refused(flyball.Error, hint.set_threads, [1]) == errno.EPERM
    assert refused(flyball.Error, hint.update_target, 0) == errno.EINVAL
    assert refused(flyball.Error, hint.report_actual, 0) == errno.EINVAL
    assert refused(flyball.Error, hint.notify_spike, cpu=False) == errno.EINVAL
    hint.set_threads([threading.get_native_id()])
    hint.update_target(5)
    hint.prefer_power_efficiency()
    hint.notify_increase(name="menu")
    start = time.monotonic_ns() - 6_000_000
    hint.report_actual(4, start_ns=start, cpu_ms=3)
    hint.report_actual(6, start_ns=start)
    assert hint.published == 2
    sys.stdin.readline()


os.environ["FLYBALL_QUIET"] = "1"
globals()[sys.argv[1]]()
print("done")
