"""How the first index gets faster with more requests at once, and slower with
longer delays, and what the size of a mailbox costs: curves more than
figures."""
import json
import os
import subprocess
import sys

from harness import Skip
from room import Ceiling
from scenarios_cold import least_s, sync_once

JOBS = (4, 8, 16, 32, 64, 128, 256)
DELAYS_MS = (0, 10, 30, 100)  # of S3; KMS takes a third


def point(run, s, room, ceiling, jobs, s3_ms):
    """Medians are of few runs here; a curve shows by itself what is noise."""
    count, kms_ms = run.sweep_count, s3_ms // 3
    room.delays(s3_ms, kms_ms)
    name = f"{jobs} jobs, {s3_ms} ms"
    for _ in range(run.sweep_reps):
        ceiling.measure(s3_ms, jobs)
        figures = sync_once(room, room.work + "/state", "--jobs", str(jobs))
        figures["files_per_s"] = count / figures["seconds"]
        s.add(name, figures)
    per_s = max(s.values(name, "files_per_s"))
    least = least_s(count, s3_ms, kms_ms, jobs)
    return {"jobs": jobs, "s3_ms": s3_ms, "kms_ms": kms_ms,
            "files_per_s": per_s, "bound": ceiling.bound(s3_ms, jobs, s.runs(name)),
            "least_files_per_s": count / least if least else None,
            "cloud_gets_per_s": ceiling.rate(s3_ms, jobs)}


def sweep(run, s, room):
    """`sesfs sync` over --jobs and over the delay."""
    room.cloud.generate("mail", "inbound/", run.sweep_count, seed=1)
    s.conditions.update(messages=run.sweep_count, kms="a third of S3's delay")
    ceiling = Ceiling(run, room, "mail")
    jobs = JOBS[::3] if run.quick else JOBS
    delays = DELAYS_MS[:2] if run.quick else DELAYS_MS
    s.data["jobs"] = [point(run, s, room, ceiling, n, 30) for n in jobs]
    s.data["latency"] = [point(run, s, room, ceiling, 64, ms)
                         for ms in delays]
    for p in s.data["jobs"] + s.data["latency"]:
        if p["least_files_per_s"]:
            s.result(f"{p['jobs']} jobs, {p['s3_ms']} ms: of what delays allow",
                     [p["files_per_s"] / p["least_files_per_s"]], "x",
                     bound=p["bound"])


def scale(run, s, room):
    """Cost per operation over the size of a mailbox; scale.py measures."""
    if os.geteuid() != 0:
        raise Skip("scale.py needs root")
    sizes = ["1000"] if run.quick else \
        ["1000", "10000", "100000", "1000000", "10x100000"]
    out = room.work + "/scale.json"
    p = subprocess.run(
        [sys.executable, os.path.join(os.path.dirname(__file__), "scale.py"),
         *sizes, "--json", out], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": room.work})
    if p.returncode != 0:
        raise AssertionError("scale.py: " + p.stderr[-2000:])
    with open(out) as f:
        s.data.update(json.load(f))
    for row in s.data["scale"]:
        for k in sorted(k for k in row if k.endswith("_us")):
            base = row.get(k[:-3] + "_tmpfs_us")
            if base and not k.endswith("_tmpfs_us"):
                s.result(f"{row['folders']} x {row['n'] // row['folders']}:"
                         f" {k[:-3]} / tmpfs", [row[k] / base])
