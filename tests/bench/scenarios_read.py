"""Reading what was seen before: again, after a remount, and one large
message."""
import os
import shutil
import subprocess

from harness import Skip
from measure import BUILD, drop_caches, measured, walk
from peers import Gocryptfs, Passthrough, Rclone, Sesfs
from room import cached_tree

BENCH_AEAD = os.environ.get("SESFS_BENCH_AEAD",
                            BUILD + "/tests/unit/bench_aead")


def reread(run, s, room):
    """The second and later walks of a mount."""
    sesfs, copy = cached_tree(run, room)
    parties = [copy, sesfs]
    try:
        floor = Passthrough(room, copy.path)
        floor.start()
        parties.append(floor)
        s.conditions[floor.name] = floor.options
    except Skip as e:
        s.skip(Passthrough.name, e)
    for p in parties:
        walk(p.path)
    for _ in range(run.cheap_reps):
        for p in parties:
            s.add(p.name, measured(room, p, walk, p.path))
    s.ratio("sesfs", copy.name, 0.8)
    s.ratio("sesfs", Passthrough.name, 5)
    for name in (copy.name, Passthrough.name):
        s.typical("sesfs", name)


def optional(s, parties, make, *args):
    """Add a party, or say why it is not there."""
    try:
        parties.append(make(*args))
    except Skip as e:
        s.skip(make.name, e)


def first_pass(run, s, room):
    """The first walk of a fresh mount that has everything on disk. A new
    mount has nothing in the page cache of its own; what lies below is
    dropped from it as well, or not."""
    sesfs, copy = cached_tree(run, room)
    sesfs.stop()
    parties = [copy, sesfs]
    optional(s, parties, Gocryptfs, room)
    optional(s, parties, Rclone, room, "mail/inbound", "full")
    for p in parties[2:]:
        fill(p, copy)
        s.conditions[p.name] = p.options or "defaults"
    for _ in range(run.reps):
        for p in parties:
            if drop_caches():
                s.add(p.name + ", from disk", first_walk(room, p))
            else:
                s.skip(p.name + ", from disk", "dropping the page cache "
                       "needs root")
            s.add(p.name, first_walk(room, p))
    for suffix in (", from disk", ""):
        s.ratio("sesfs" + suffix, Gocryptfs.name + suffix, 2)
        s.ratio("sesfs" + suffix, Rclone.name + suffix, 8)
        s.ratio("sesfs" + suffix, copy.name + suffix)
        s.typical("sesfs" + suffix, Gocryptfs.name + suffix)
        s.ratio(Gocryptfs.name + suffix, "sesfs" + suffix, field="cpu_s",
                what=f"processor time: {Gocryptfs.name} / sesfs{suffix}")
    s.result("S3 requests of sesfs for messages",
             [sum(v for k, v in r["requests"].items()
                  if k in ("s3.get", "s3.head"))
              for r in s.runs("sesfs")], "", 0, at_least=False)
    s.result("KMS requests of sesfs",
             [sum(v for k, v in r["requests"].items() if "kms." in k)
              for r in s.runs("sesfs")], "", 1, at_least=False)


def fill(party, copy):
    """Have a peer keep on disk what it will be asked for."""
    party.start()
    if party.name == Gocryptfs.name:
        shutil.copytree(copy.path, party.path, dirs_exist_ok=True)
    walk(party.path)
    party.stop()


def first_walk(room, party):
    """Mount, walk, unmount; the mount's own requests count as well."""
    room.cloud.reset_counters()
    party.start()
    at_mount = room.cloud.counters()
    run = measured(room, party, walk, party.path)
    for k in run.get("requests", {}).keys() | at_mount.keys():
        if k.startswith(("s3.", "kms.")) and at_mount.get(k):
            run.setdefault("requests", {})
            run["requests"][k] = run["requests"].get(k, 0) + at_mount[k]
    party.stop()
    return run


def aead_speed(size):
    """Bytes a second that AES-GCM opens here, by the backend in use."""
    out = subprocess.run([BENCH_AEAD, str(size)], check=True, text=True,
                         capture_output=True).stdout
    return float(out)


def large(run, s, room):
    """One large message whose ciphertext is cached; fresh mount each time.
    Beside it a FUSE daemon that reads the same bytes from the page cache and
    decrypts nothing: what the transfer alone takes."""
    size = run.large_bytes
    plain, floor = os.path.join(room.work, "large.plain"), []
    os.mkdir(plain)
    with open(os.path.join(plain, "message"), "wb") as f:
        f.write(os.urandom(size))
    optional(s, floor, Passthrough, room, plain)
    room.cloud.generate("large", "inbound/", 1, seed=1, size=size)
    room.cloud.generate("large", "inbound/small/", 4, seed=2)
    sesfs = Sesfs(room, "s3://large/inbound")
    sesfs.mount.sync()
    s.conditions.update(bytes=size, cached="ciphertext, in the page cache; "
                        "the plaintext was in no cache")
    for _ in range(run.cheap_reps):
        sesfs.stop()
        sesfs.start()
        walk(os.path.join(sesfs.mount.path, ".small/new"))  # the root key
        figures = measured(room, sesfs, walk, sesfs.path)
        figures["mb_per_s"] = size / figures["p50_us"]
        s.add("sesfs", figures)
        for p in floor:
            p.start()
            figures = measured(room, p, walk, p.path)
            figures["mb_per_s"] = size / figures["p50_us"]
            s.add(p.name, figures)
            p.stop()
        rate = aead_speed(size)
        s.add("AES-256-GCM alone", {"seconds": size / rate,
                                    "mb_per_s": rate / 1e6})
    s.result("sesfs", s.values("sesfs", "mb_per_s"), "MB/s")
    s.result("AES-256-GCM alone", s.values("AES-256-GCM alone", "mb_per_s"),
             "MB/s")
    s.ratio("sesfs", "AES-256-GCM alone", 0.7, "mb_per_s")
    for p in floor:
        s.ratio(p.name, "AES-256-GCM alone", None, "mb_per_s")
        s.ratio("sesfs", p.name, None, "mb_per_s")
