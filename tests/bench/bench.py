"""Side by side in one run: how fast mail is indexed, listed and read.

Prints a table and, with --json FILE, the figures. Nothing is asserted: this
measures, tests/mount judges. Each figure names what it was measured against
in the same run, as machines differ.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "mount"))
from harness import CLOUD, Bench  # noqa: E402


def timed(call, *args):
    start = time.monotonic()
    result = call(*args)
    return time.monotonic() - start, result


def walk(root):
    """List, open, read all, close: what tar and grep do. Returns files."""
    n = 0
    with os.scandir(root) as entries:
        for e in entries:
            fd = os.open(e.path, os.O_RDONLY)
            while os.read(fd, 1 << 20):
                pass
            os.close(fd)
            n += 1
    return n


def drop_caches():
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3")
        return True
    except OSError:
        return False


def cloud_speed(bench):
    """Signed GETs a second that the local cloud answers: the ground under
    every other figure."""
    tool = os.path.join(os.path.dirname(CLOUD), "cloud-bench")
    bench.cloud.generate("tiny", "", 1000, size=1024)
    out = subprocess.run([tool, "-p", str(bench.cloud.port), "-b", "tiny",
                          "-n", "100000"],
                         capture_output=True, text=True, check=True).stdout
    return out.strip()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--count", type=int, default=5000)
    ap.add_argument("--json")
    a = ap.parse_args()
    bench = Bench()
    rows, data = [], {"count": a.count}

    def row(what, seconds, n, note=""):
        rows.append((what, f"{n / seconds:,.0f}/s", note))
        data[what] = {"seconds": seconds, "n": n}

    failed = True
    try:
        bench.cloud.generate("mail", "inbound/", a.count, seed=1)
        print(cloud_speed(bench), flush=True)
        m = bench.mount("s3://mail/inbound", "--kms-rate", "100000")
        t, _ = timed(m.sync)
        row("first index", t, a.count,
            "list, GET, KMS, verify, headers, publish")
        new = m.path + "/new"
        copy = os.path.join(bench.work, "copy")
        shutil.copytree(new, copy)
        m.stop()
        dropped = drop_caches()
        t, _ = timed(walk, copy)
        row("ext4, first pass", t, a.count,
            "caches dropped" if dropped else "caches could not be dropped")
        t, _ = timed(walk, copy)
        row("ext4, again", t, a.count)
        t, _ = timed(m.start)
        data["mount"] = t
        rows.append(("mount from the index", f"{t * 1000:.0f} ms", ""))
        bench.cloud.reset_counters()
        t, n = timed(walk, new)
        row("sesfs, first pass after a remount", t, n,
            f"{bench.cloud.count('s3.get')} GET, "
            f"{bench.cloud.count('kms.')} KMS")
        t, _ = timed(walk, new)
        row("sesfs, again", t, a.count)
        t, _ = timed(lambda: sum(1 for _ in os.scandir(new)))
        row("sesfs, list", t, a.count, "entries")
        m.stop()
        failed = False
    finally:
        bench.close(failed)
    width = max(len(r[0]) for r in rows)
    for what, speed, note in rows:
        print(f"{what:{width}}  {speed:>12}  {note}")
    if a.json:
        with open(a.json, "w") as f:
            json.dump(data, f, indent=1)


if __name__ == "__main__":
    main()
