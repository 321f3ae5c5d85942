"""sesfs beside its peers on the same data, in one run.

Each scenario has a cloud and mounts of its own; parties take turns, so that
what slows the machine slows all; a figure is the median of its repetitions,
with least and most beside it. Nothing is asserted: this measures, tests/mount
judges. What the JSON holds is told in report.py.
"""
import argparse
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "mount"))
from harness import SESFS, Skip  # noqa: E402
import plot  # noqa: E402
from report import (Scenario, document, print_scenario,  # noqa: E402
                    write_json)
from room import Room, Run  # noqa: E402
import scenarios_clients  # noqa: E402
import scenarios_cold  # noqa: E402
import scenarios_read  # noqa: E402
import scenarios_sweep  # noqa: E402

SCENARIOS = {
    "reread": (scenarios_read.reread,
               "a walk of what the kernel has cached"),
    "firstpass": (scenarios_read.first_pass,
                  "the first walk after a remount, all on disk"),
    "large": (scenarios_read.large, "one large message from the cache"),
    "cold": (scenarios_cold.cold, "a walk of what was never fetched"),
    "sync": (scenarios_cold.sync, "the first index"),
    "warm": (scenarios_cold.warm, "sesfs warm, of what was never fetched"),
    "few": (scenarios_cold.few, "the three above, 16 requests at once"),
    "long": (scenarios_cold.long, "the first index of 100,000"),
    "wasted": (scenarios_cold.wasted, "fetched, and not read"),
    "latency": (scenarios_cold.latency, "one read of what was never fetched"),
    "dovecot": (scenarios_clients.dovecot,
                "IMAP FETCH 1:* (RFC822.SIZE ENVELOPE)"),
    "mutt": (scenarios_clients.mutt, "mutt opens, without a header cache"),
    "sweep": (scenarios_sweep.sweep, "the first index by --jobs and delay"),
    "scale": (scenarios_sweep.scale,
              "cost of an operation by the size of a mailbox"),
}


def run_one(run, name):
    call, what = SCENARIOS[name]
    s = Scenario(name, what, not run.quick)
    start = time.monotonic()
    room, failed = Room(), True
    s.conditions["disk"] = "a new ext4" if room.disk \
        else "where temporary files are"
    try:
        call(run, s, room)
        failed = False
    except Skip as e:
        s.skipped = str(e)
        failed = False
    except Exception as e:  # the others go on
        s.failed = f"{type(e).__name__}: {e}"
        traceback.print_exc()
    finally:
        room.close(failed)
    s.seconds = time.monotonic() - start
    return s


def arguments():
    ap = argparse.ArgumentParser(
        prog="run bench", description="scenarios: " + ", ".join(SCENARIOS))
    ap.add_argument("--quick", action="store_true",
                    help="small counts: shows that it works, not how fast")
    ap.add_argument("--only", metavar="NAME,...",
                    help="these scenarios instead of all")
    ap.add_argument("--count", type=int, metavar="N",
                    help="messages in the large trees")
    ap.add_argument("--json", metavar="FILE", help="write all figures")
    ap.add_argument("--plots", metavar="DIR",
                    help="draw curves there, as PNG and SVG")
    a = ap.parse_args()
    a.names = a.only.split(",") if a.only else list(SCENARIOS)
    for name in a.names:
        if name not in SCENARIOS:
            ap.error(f"no scenario {name!r}")
    if a.count is not None and a.count < 10:
        ap.error("--count: at least 10")
    return a


def finish(a, figures):
    """Write what was asked for; also of a part, when a run is broken off."""
    if a.json:
        write_json(a.json, figures)
    if a.plots:
        done, missing = plot.plots(figures, a.plots)
        print("\nplots:", *done)
        for why in missing:
            print("no plot of", why)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    a = arguments()
    run, done = Run(a.quick, a.count), []
    try:
        for name in a.names:
            done.append(run_one(run, name))
            print_scenario(done[-1])
    finally:
        finish(a, document(run, done, SESFS))
    return 1 if any(s.failed for s in done) else 0


if __name__ == "__main__":
    sys.exit(main())
