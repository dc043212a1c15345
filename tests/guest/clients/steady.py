"""As steady.c, in Python."""

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
while not told:
    with app.job():
        time.sleep(PERIOD_S)
while signal.SIGUSR1 not in told:
    app.connected
    time.sleep(PERIOD_S)
# Those that nobody hears are none that it publishes: the library would have found no governor.
print("published %d refused %d other %d" % (app.published, app.refused, app.unheard))
