"""Runs the scenarios of one client and prints a line for each.

The first lines tell the version of the client and name every scenario that is to run (`plan a b c`), then comes `ok NAME MILLISECONDS` or
`FAIL NAME: why`. Whoever reads the lines can tell a scenario that never ended from one that was never meant to run.

    python CLIENT.py HOST:PORT [SCENARIO...]
"""

import secrets
import signal
import sys
import time
import traceback

# No scenario may take longer; the alarm shows where it hangs.
SECONDS_MAX = 45

SCENARIOS = []
BOOTSTRAP = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"
RUN = secrets.token_hex(4)


def scenario(function):
    """Registers a scenario under its function's name."""
    SCENARIOS.append(function)
    return function


def fresh(name):
    """A topic or group name that no other run used."""
    return f"{name}-{RUN}-{secrets.token_hex(2)}"


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def shorten(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"


def until(what, condition, seconds=20):
    """Calls `condition` until it is true; it has to wait by itself, in a poll of its client."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
    raise AssertionError(f"never came: {what}")


def alarm(_number, _frame):
    raise TimeoutError(f"no end within {SECONDS_MAX} s")


def main(version):
    wanted = set(sys.argv[2:])
    chosen = [one for one in SCENARIOS if not wanted or one.__name__ in wanted]
    print("version", version)
    print("plan", *(one.__name__ for one in chosen), flush=True)
    signal.signal(signal.SIGALRM, alarm)
    failed = 0
    for one in chosen:
        begun = time.monotonic()
        signal.alarm(SECONDS_MAX)
        try:
            one()
        except Exception as error:  # Whatever it is, the next scenario runs.
            failed += 1
            why = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"FAIL {one.__name__}: {why[:600]}", flush=True)
            traceback.print_exc()
        else:
            print(f"ok {one.__name__} {(time.monotonic() - begun) * 1000:.0f}", flush=True)
        finally:
            signal.alarm(0)
    sys.exit(1 if failed else 0)
