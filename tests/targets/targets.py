#!/usr/bin/env python3
"""Measures every target and prints the table of the README: ./dev evaluate."""

import argparse
import os
import sys
import tempfile
import time
import traceback

from measure import Machine, NotMeasured
from rows import ROWS

BEGIN = "<!-- written by ./dev evaluate --write: do not edit -->"
END = "<!-- end of what ./dev evaluate writes -->"
README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


def table(machine, rows):
    lines = ["| what | target | best published | measured | |", "|-|-|-|-|-|"]
    for what, target, published, measure in rows:
        print(f"==> {what}", file=sys.stderr)
        began = time.monotonic()
        try:
            text, met = measure(machine)
            verdict = "met" if met else "missed"
        except NotMeasured as why:
            text, verdict = f"not measured: {why}", "unknown"
        except Exception as why:  # what the other rows took minutes for is not thrown away
            traceback.print_exc()
            text, verdict = f"not measured: {type(why).__name__}: {' '.join(str(why).split())}", "unknown"
        print(f"    {verdict}, {time.monotonic() - began:.0f} s: {text}", file=sys.stderr)
        lines.append("| " + " | ".join(each.replace("|", "/") for each in (what, target, published, text, verdict)) + " |")
    return "\n".join(lines) + "\n"


def between(text, new):
    """`text` with what stands between the marks replaced."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"needs one line '{BEGIN}', and behind it one '{END}'")
    return text[:text.index(BEGIN) + len(BEGIN)] + "\n" + new + text[text.index(END):]


def main():
    parser = argparse.ArgumentParser(prog="./dev evaluate", description=__doc__, allow_abbrev=False)
    parser.add_argument("--programs", default="build/release/bin", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="also put the table into README.md")
    parser.add_argument("--quick", action="store_true", help="one seed: to try the command, not to quote")
    options = parser.parse_args()
    if options.write and options.quick:
        parser.error("--quick: is not to be quoted, so it is not written; leave out --write")
    try:
        # Found out before the minutes of measuring.
        readme = open(README, encoding="utf-8").read() if options.write else None
        if options.write:
            between(readme, "")
    except (OSError, ValueError) as why:
        print(f"dev: evaluate --write: README.md: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    made = table(Machine(options.programs, 1 if options.quick else 10, options.quick), ROWS)
    print(f"==> took {time.monotonic() - began:.0f} s", file=sys.stderr)
    try:
        sys.stdout.write(made)
        sys.stdout.flush()
        if options.write:
            with open(README, encoding="utf-8") as file:
                text = between(file.read(), made)
            handle, path = tempfile.mkstemp(dir=os.path.dirname(README), prefix=".README")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o644)
            os.replace(path, README)
    except (OSError, ValueError) as why:
        print(f"dev: evaluate: the table could not be written: {why}", file=sys.stderr)
        # What is still held for standard output would be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
