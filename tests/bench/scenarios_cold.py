"""Reading what was never fetched, when S3 takes 30 ms and KMS 10 ms."""
import json
import math
import shutil

from harness import SESFS, Skip
from measure import measured, program, settled, tar, walk
from peers import Rclone, S3fs, Sesfs, requests
from room import Ceiling
from scenarios_read import optional

S3_MS, KMS_MS, JOBS = 30, 10, 64
FEW = 16  # at once: so little to do that two cores keep up
ORDERS = ("directory", "inode", "name", "reverse")
TAG = 16  # bytes that the ciphertext is longer


def least_s(messages, s3_ms=S3_MS, kms_ms=KMS_MS, jobs=JOBS):
    """Seconds that one S3 and one KMS request for each message need, so many
    at a time, both kinds beside each other."""
    return math.ceil(messages / jobs) * max(s3_ms, kms_ms) / 1000


def cold_mount(s, room, count, jobs=JOBS):
    """sesfs that knows every message and has fetched none, ready to be
    started as often as one likes."""
    room.cloud.generate("mail", "inbound/", count, seed=1)
    sesfs = Sesfs(room, "s3://mail/inbound", "--index", "envelope",
                  "--jobs", str(jobs))
    sesfs.mount.sync()
    sesfs.stop()
    sesfs.save()
    room.delays(S3_MS, KMS_MS)
    s.conditions.update(s3_ms=S3_MS, kms_ms=KMS_MS, jobs=jobs,
                        messages=count, sesfs=sesfs.options)
    return sesfs


def from_cold(sesfs, call, *args, **kw):
    sesfs.restore()
    sesfs.start()
    figures = measured(sesfs.bench, sesfs, call, sesfs.path, *args, **kw)
    sesfs.stop()
    return figures


def held_to_least(s, ceiling, party, goal, count, jobs=JOBS):
    """The ratio to the least time, or why there is none."""
    seconds, least = s.values(party, "seconds"), least_s(count, jobs=jobs)
    bound = ceiling.bound(S3_MS, jobs, s.runs(party))
    s.result(f"{party} / least time of {least:.2f} s",
             [t / least for t in seconds], "x", goal, False, bound)
    s.result(f"{party}: processor time a message",
             [1000 * r["cpu_s"] / r["files_per_s"] / r["seconds"]
              for r in s.runs(party)], "ms")


def cold(run, s, room):
    """One reader, each message fetched, unwrapped and verified."""
    count = run.cold_count
    sesfs = cold_mount(s, room, count)
    room.cloud.generate("few", "inbound/", run.peer_count, seed=2)
    peers = []
    optional(s, peers, Rclone, room, "few/inbound")
    optional(s, peers, S3fs, room, "few/inbound")
    for p in peers:
        s.conditions[p.name] = (f"{run.peer_count} messages, held to files "
                                f"per second; {p.options or 'defaults'}")
    ceiling = Ceiling(run, room, "mail")
    for _ in range(run.reps):
        ceiling.measure(S3_MS, JOBS)
        figures = from_cold(sesfs, tar)
        figures["files_per_s"] = count / figures["seconds"]
        s.add("sesfs, tar", figures)
        for order in ORDERS:
            s.add("sesfs, " + order, from_cold(sesfs, walk, order))
        for p in peers:
            p.start()
            s.add(p.name, measured(room, p, walk, p.path))
            p.stop()
    s.ratio("sesfs, directory", Rclone.name, 40)
    s.ratio("sesfs, directory", S3fs.name, 80)
    for name in ["tar", *ORDERS]:
        held_to_least(s, ceiling, "sesfs, " + name, 1.3, count)
    s.data["ceiling"] = ceiling.as_data()


def cold_warm(room, sesfs):
    """`sesfs warm` of a mount that has fetched nothing; it goes on."""
    sesfs.restore()
    sesfs.start()
    return measured(room, sesfs, program,
                    [SESFS, "warm", sesfs.mount.path], room.env)


def few(run, s, room):
    """All three with so few requests at once that waiting is what counts."""
    count = run.cold_count
    sesfs = cold_mount(s, room, count, FEW)
    ceiling = Ceiling(run, room, "mail")
    for _ in range(run.reps):
        ceiling.measure(S3_MS, FEW)
        s.add("sesfs, tar", from_cold(sesfs, tar))
        s.add("sesfs warm", cold_warm(room, sesfs))
        sesfs.stop()
        s.add("sesfs sync", sync_once(room, room.work + "/state", "--jobs",
                                      str(FEW)))
    for figures in (r for p in ("sesfs, tar", "sesfs warm", "sesfs sync")
                    for r in s.runs(p)):
        figures["files_per_s"] = count / figures["seconds"]
    held_to_least(s, ceiling, "sesfs, tar", 1.3, count, FEW)
    held_to_least(s, ceiling, "sesfs warm", 1.15, count, FEW)
    held_to_least(s, ceiling, "sesfs sync", 1.15, count, FEW)
    s.data["ceiling"] = ceiling.as_data()


def sync_once(room, state, *args):
    """`sesfs sync` from nothing."""
    shutil.rmtree(state, ignore_errors=True)
    room.cloud.reset_counters()
    figures = measured(room, None, program, [
        SESFS, "sync", *room.common(state), "--kms-rate", "100000", *args,
        "s3://mail/inbound"], room.env)
    figures["requests"] = requests(room.cloud)
    return figures


def sync(run, s, room):
    """The first index: list, fetch, unwrap, verify, keep."""
    count = run.cold_count
    room.cloud.generate("mail", "inbound/", count, seed=1)
    room.delays(S3_MS, KMS_MS)
    s.conditions.update(s3_ms=S3_MS, kms_ms=KMS_MS, jobs=JOBS,
                        messages=count)
    ceiling = Ceiling(run, room, "mail")
    for _ in range(run.reps):
        ceiling.measure(S3_MS, JOBS)
        figures = sync_once(room, room.work + "/state")
        figures["files_per_s"] = count / figures["seconds"]
        s.add("sesfs sync", figures)
    held_to_least(s, ceiling, "sesfs sync", 1.15, count)
    s.data["ceiling"] = ceiling.as_data()


def long(run, s, room):
    """The first index of many small messages: does the pace hold?"""
    jobs = FEW * 2
    room.cloud.generate("mail", "inbound/", run.long_count, size=1024, spam=0,
                        seed=1)
    room.delays(S3_MS, KMS_MS)
    s.conditions.update(s3_ms=S3_MS, kms_ms=KMS_MS, jobs=jobs,
                        messages=run.long_count)
    ceiling = Ceiling(run, room, "mail")
    ceiling.measure(S3_MS, jobs)
    figures = sync_once(room, room.work + "/state", "--jobs", str(jobs))
    figures["files_per_s"] = run.long_count / figures["seconds"]
    s.add("sesfs sync", figures)
    held_to_least(s, ceiling, "sesfs sync", 1.11, run.long_count, jobs)
    s.data["ceiling"] = ceiling.as_data()


def warm(run, s, room):
    """Everything fetched and unwrapped ahead of reading."""
    if room.sesfs("help", "warm", ok=None, both=True)[2] != 0:
        raise Skip("this sesfs has no command `warm`")
    count = run.cold_count
    sesfs = cold_mount(s, room, count)
    ceiling = Ceiling(run, room, "mail")
    for _ in range(run.reps):
        ceiling.measure(S3_MS, JOBS)
        figures = cold_warm(room, sesfs)
        figures["files_per_s"] = count / figures["seconds"]
        s.add("sesfs warm", figures)
        s.add("sesfs, after it", measured(room, sesfs, walk, sesfs.path))
        sesfs.stop()
    held_to_least(s, ceiling, "sesfs warm", 1.15, count)
    s.result("requests of a walk after it",
             [sum(r["requests"].values()) for r in s.runs("sesfs, after it")],
             "", 0, at_least=False)


def wasted(run, s, room):
    """What is fetched and not read: a reader that stops, one that jumps."""
    sesfs = cold_mount(s, room, run.cold_count)
    some = max(run.cold_count // 10, 1)
    for what, order in (("stops", "directory"), ("jumps", "random")):
        for _ in range(run.reps):
            sesfs.restore()
            sesfs.start()
            figures = measured(room, sesfs, walk, sesfs.path, order, files=some)
            settled(room.cloud.counters)
            got, fetched = bytes_fetched(room)
            sesfs.stop()
            figures["wasted_gets"] = got - some
            figures["wasted_bytes"] = fetched - figures["bytes"] - TAG * some
            s.add(f"sesfs, {what}", figures)
        s.result(f"reader of {some} that {what}: GETs too many",
                 s.values(f"sesfs, {what}", "wasted_gets"), "")
        s.result(f"reader of {some} that {what}: bytes too many",
                 s.values(f"sesfs, {what}", "wasted_bytes"), "")


def bytes_fetched(room):
    """GETs since the counters were reset, and bytes of their bodies. The
    cloud's log has the last 4,096 requests; more are taken for as large."""
    gets = room.cloud.count("s3.get")
    sizes = [e["bytes"] for e in json.loads(room.cloud.admin(
        "get", "log", method="GET", n=4096)) if e["op"] == "s3.get"]
    return gets, round(sum(sizes) * gets / len(sizes)) if sizes else 0


def latency(run, s, room):
    """Single reads at random of what was never fetched."""
    sesfs = cold_mount(s, room, run.cold_count)
    ceiling = Ceiling(run, room, "mail")
    for _ in range(run.reps):
        ceiling.measure(S3_MS, 1)
        s.add("sesfs", from_cold(sesfs, walk, "random",
                                 files=run.latency_count))
    one_ms = 1000 / ceiling.rate(S3_MS, 1)
    s.conditions["one GET by cloud-bench"] = f"{one_ms:.2f} ms"
    for name in ("p50", "p99"):
        ms = [v / 1000 for v in s.values("sesfs", name + "_us")]
        s.result(f"{name} over the longer delay",
                 [v - max(S3_MS, KMS_MS) for v in ms], "ms",
                 2 if name == "p50" else None, False)
        s.result(f"{name} over both delays",
                 [v - S3_MS - KMS_MS for v in ms], "ms")
