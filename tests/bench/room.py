"""Where a scenario takes place: a cloud, mounts and peers of its own, and the
sizes that this run has."""
import os
import re
import shutil
import subprocess

from harness import CLOUD, Bench
from peers import Sesfs, local

DISK_BYTES = 16 << 30
CLOUD_BENCH = os.path.join(os.path.dirname(CLOUD), "cloud-bench")


class Run:
    """What the command line asked for."""

    def __init__(self, quick=False, count=None):
        self.quick = quick
        self.count = count or (200 if quick else 10000)
        self.cold_count = min(self.count, 24 if quick else 5000)
        self.long_count = 10 * self.count
        self.sweep_count = min(self.count, 40 if quick else 3000)
        self.peer_count = min(self.count, 3 if quick else 300)
        self.latency_count = min(self.count, 10 if quick else 300)
        self.large_bytes = (4 if quick else 40) << 20
        self.reps = 1 if quick else 3
        self.sweep_reps = 1 if quick else 2
        self.cheap_reps = 2 if quick else 7


class Room(Bench):
    """A bench of the harness that also ends the peers, and works in a file
    system of its own where it may."""

    def __init__(self):
        super().__init__()
        self.parties, self.s3_ms = [], 0
        self.outer, self.disk = self.work, own_disk(self.work)
        self.work = self.disk or self.work

    def delays(self, s3_ms, kms_ms):
        self.s3_ms = s3_ms
        self.cloud.set(s3_latency_ms=s3_ms, kms_latency_ms=kms_ms)

    def close(self, failed):
        try:
            for party in self.parties:
                party.stop()
            super().close(failed)
        finally:
            if self.disk:
                subprocess.run(["umount", "-l", self.disk], check=False)
            shutil.rmtree(self.outer, ignore_errors=True)


def own_disk(work):
    """A new ext4 in a sparse file, mounted; None where that is not possible.
    In one that others use, ext4 searches long for an inode number that was
    not freed a moment ago, and so what an earlier scenario removed slows the
    next one's new files, by 40 % of sesfs's processor time as was seen."""
    image, disk = work + "/disk.img", work + "/disk"
    os.mkdir(disk)
    with open(image, "wb") as f:
        f.truncate(DISK_BYTES)
    for argv in (["mkfs.ext4", "-q", "-F", image],
                 ["mount", "-o", "loop", image, disk]):
        try:
            done = subprocess.run(argv, capture_output=True)
        except FileNotFoundError:
            return None
        if done.returncode != 0:
            return None
    os.chmod(disk, 0o755)
    return disk


def cached_tree(run, room, *args):
    """A mount of `count` messages, all indexed and in the cache, and a copy
    of them with the same names in the local file system."""
    room.cloud.generate("mail", "inbound/", run.count, seed=1)
    sesfs = Sesfs(room, "s3://mail/inbound", "--cache-size", "8G", *args)
    sesfs.mount.sync()
    copy = local(room.work)
    copy.path = os.path.join(room.work, "copy", "new")
    shutil.copytree(sesfs.path, copy.path)
    return sesfs, copy


class Ceiling:
    """What the cloud can do: signed GETs a second of a client that does
    nothing else, by delay and number of connections."""

    NEAR = 0.7  # of that, and the cloud may be what is measured
    OWN = 0.9  # of what delays allow; below, the cloud itself is slow

    def __init__(self, run, room, bucket):
        self.room, self.bucket, self.known = room, bucket, {}
        self.seconds = 0.1 if run.quick else 1

    def measure(self, delay_ms, parallel):
        """Once more; the best counts, as others may have had the machine."""
        per_s = parallel / (delay_ms / 1000) if delay_ms else 40000
        n = int(max(per_s * self.seconds, 2 * parallel, 20))
        self.room.cloud.set(s3_latency_ms=delay_ms)
        out = subprocess.run(
            [CLOUD_BENCH, "-p", str(self.room.cloud.port), "-b", self.bucket,
             "-c", str(parallel), "-n", str(n)],
            check=True, capture_output=True, text=True).stdout
        self.room.cloud.set(s3_latency_ms=self.room.s3_ms)
        done, seconds = re.match(r"(\d+) GETs in ([\d.]+) s", out).groups()
        key = delay_ms, parallel
        self.known[key] = max(self.known.get(key, 0),
                              int(done) / max(float(seconds), 0.01))

    def rate(self, delay_ms, parallel):
        if (delay_ms, parallel) not in self.known:
            self.measure(delay_ms, parallel)
        return self.known[delay_ms, parallel]

    def as_data(self):
        """For the JSON."""
        return [{"delay_ms": d, "parallel": p, "gets_per_s": r}
                for (d, p), r in self.known.items()]

    def bound(self, delay_ms, parallel, runs):
        """Why the pace of these runs is the cloud's and not ours, or None.
        Either they made nearly as many requests of all kinds a second as the
        cloud can answer without delays; or nearly as many of S3 as somebody
        gets who does nothing else, and that is less than the delays allow."""
        def most(prefix):
            return max(sum(n for k, n in r["requests"].items()
                           if k.startswith(prefix)) / r["seconds"]
                       for r in runs)
        checks = [(most(""), self.rate(0, parallel))]
        delayed = self.rate(delay_ms, parallel)
        if delay_ms and delayed < self.OWN * parallel / (delay_ms / 1000):
            checks.append((most("s3."), delayed))
        for per_s, rate in checks:
            if per_s > self.NEAR * rate:
                return (f"cloud-bound: {per_s:,.0f} requests/s of the "
                        f"{rate:,.0f} that the cloud can do here")
        return None
