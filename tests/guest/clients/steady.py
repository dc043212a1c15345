"""As steady.c, in Python."""

import errno
import signal
import time

import flyball

PERIOD_S = 0.02
told = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda which, frame: told.append(which))

app = flyball.open("in_python", knobs={"model": ["small", "large"]}, period_ms=1000 * PERIOD_S)
while not app.connected:
    time.sleep(PERIOD_S)
counts = {0: 0, errno.EBUSY: 0}
other = 0
while not told:
    job = app.job()
    job.__enter__()
    time.sleep(PERIOD_S)
    error = app._end({})  # the 'with' of a program leaves what it returns unread
    if error in counts:
        counts[error] += 1
    else:
        other += 1
while signal.SIGUSR1 not in told:
    app.connected
    time.sleep(PERIOD_S)
print("published %d refused %d other %d" % (counts[0], counts[errno.EBUSY], other))
