"""A Python program around an inference engine of its own: the governor chooses how finely it looks.

    detector.py [JOBS]
"""

import math
import sys

import flyball


def blob(number, size):
    """A picture with one bright spot, as rows of numbers from 0 to 1."""
    x0, y0 = 0.5 + 0.3 * math.cos(number), 0.5 + 0.3 * math.sin(number)
    return [[math.exp(-40 * ((x / size - x0) ** 2 + (y / size - y0) ** 2)) for x in range(size)]
            for y in range(size)]


def find(picture):
    """Stands for the engine that you call: where the picture is brightest."""
    return max((value, x, y) for y, row in enumerate(picture) for x, value in enumerate(row))[1:]


def main():
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with flyball.open("detector", knobs={"resolution": [8, 16, 32]}, accuracy_pct=[70, 85, 90],
                      deadline_ms=100, accuracy_floor_pct=80) as app:
        for number in range(jobs):
            with app.job() as setting:
                size = setting["resolution"]
                x, y = find(blob(number, size))
            print("job %d: %d px, at %.2f, %.2f" % (number, size, x / size, y / size),
                  flush=True)
        difference = app.effect()["latency_ns"]
        if difference:
            print("the governor changed latency by %+.2f ms" % (difference[0] / 1e6))


main()
