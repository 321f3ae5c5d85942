"""Listing a bucket by ranges of keys: whatever the keys, the faults and the
changes meanwhile, the index has what the bucket has; and it costs no more
requests than it should."""
import contextlib
import math
import signal
import sqlite3
import subprocess
import threading

from harness import DEADLINE, SESFS, equal, main, read, sha256, until

PAGE = 1000
# Key directories, generated side by side, so that keys are of all kinds.
ODD = ["", "a+b/", "a b/", "100%/", "Über/", "日本/語/", "'\"<>/", "~/", "😀/",
       "x" * 700 + "/", "2024/01/", "2024/02/", "2024/11/", "2025/01/", "//"]


def keys_of(state):
    """Keys that the index has, each once."""
    with contextlib.closing(sqlite3.connect(
            f"file:{state}/index.db?mode=ro", uri=True)) as db:
        keys = [bytes(k).decode() for (k,) in db.execute(
            "SELECT key FROM object WHERE state <> 3")]
    equal(len(keys), len(set(keys)), "keys in the index that are there twice")
    return set(keys)


def keys_in(c, bucket, prefix=""):
    return {o["key"] for o in c.manifest(bucket, prefix)}


def generate_odd(c, bucket, each):
    for i, d in enumerate(ODD):
        c.generate(bucket, "in/" + d, each, seed=i + 1, size=1024,
                   format="plain")


def sync(bench, source, state, ok=(0,)):
    """From the envelope, as what is in the mail does not matter here."""
    _ = bench.cloud
    return bench.sesfs("sync", *bench.common(state), "--index", "envelope",
                       "--accept", "+plain", source, ok=ok)


def start(bench, source, state, *args):
    return subprocess.Popen(
        [SESFS, "sync", *bench.common(state), "--index", "envelope",
         "--accept", "+plain", *args, source], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bench.env)


def test_small_ones_cost_their_pages(bench):
    c = bench.cloud
    for n in (0, 1, 999, 1000, 1001, 2000, 3500):
        bucket, state = f"small{n}", f"{bench.work}/small{n}"
        c.admin("bucket", "bucket", bucket=bucket)
        if n > 0:
            c.generate(bucket, "in/", n, size=1024, format="plain")
        for what in ("first", "second"):
            c.reset_counters()
            sync(bench, f"s3://{bucket}/in", state)
            equal(c.count("s3.list"), max(1, math.ceil(n / PAGE)),
                  f"requests of the {what} listing of {n} objects")
        equal(keys_of(state), keys_in(c, bucket), f"keys of {n}")


def test_large_one(bench):
    """Learnt on the way, then known; a range that goes, another that comes."""
    c = bench.cloud
    state, n = f"{bench.work}/state", 40000
    c.generate("mail", "in/", n, seed=1, size=1024, format="plain")
    sync(bench, "s3://mail/in", state)
    lists, pages = c.count("s3.list"), n // PAGE
    print(f"   {n} objects: {lists} requests, unknown", flush=True)
    assert pages <= lists <= pages * 1.1 + 1, lists
    equal(keys_of(state), keys_in(c, "mail"), "keys")
    c.reset_counters()
    sync(bench, "s3://mail/in", state)
    lists = c.count("s3.list")
    print(f"   {n} objects: {lists} requests, known", flush=True)
    assert pages <= lists <= pages * 1.1 + 1, lists
    equal(c.count("s3."), lists, "requests when nothing changed")
    before = sha256(read(state + "/index.db"))
    sync(bench, "s3://mail/in", state)
    equal(sha256(read(state + "/index.db")), before, "the index unchanged")
    # More than a page vanishes where it was divided, and others come.
    keys = sorted(keys_in(c, "mail"))
    for k in keys[n // 2 - 700:n // 2 + 700] + keys[:3] + keys[-3:]:
        c.delete("mail", k)
    c.generate("mail", "in/" + keys[n // 4][3:20], 1500, seed=2, size=1024,
               format="plain")
    sync(bench, "s3://mail/in", state)
    equal(keys_of(state), keys_in(c, "mail"), "keys after changes")


def test_from_start(bench):
    """A server that ignores start-after: the listing is whole, what goes is
    found to be gone, nothing else; it is said once and divided no more."""
    c = bench.cloud
    c.set(s3_from_start=1)
    n = 12000
    c.generate("mail", "in/", n, seed=1, size=1024, format="plain")
    m = bench.mount("s3://mail/in", "--index", "envelope", "--accept",
                    "+plain", "--poll", "3600", "--log-level", "info")
    m.sync()
    equal(keys_of(m.state), keys_in(c, "mail"), "keys")
    for k in sorted(keys_in(c, "mail"))[::9]:
        c.delete("mail", k)
    c.reset_counters()
    m.sync()
    equal(keys_of(m.state), keys_in(c, "mail"), "keys after changes")
    equal(c.count("s3.list"), math.ceil(len(keys_in(c, "mail")) / PAGE),
          "requests of another pass")
    equal(m.log().count("ignores start-after"), 1, "times that it is said")


def test_odd_keys(bench):
    c = bench.cloud
    state = f"{bench.work}/state"
    generate_odd(c, "mail", 1500)
    c.generate("mail", "out/", 1000, format="plain")
    want = keys_in(c, "mail", "in/")
    equal(len(want), 1500 * len(ODD), "keys in the bucket")
    sync(bench, "s3://mail/in", state)
    lists, pages = c.count("s3.list"), math.ceil(len(want) / PAGE)
    print(f"   {len(want)} odd keys: {lists} requests", flush=True)
    assert pages <= lists <= pages * 1.1 + 1, lists
    equal(keys_of(state), want, "keys")
    c.reset_counters()
    sync(bench, "s3://mail/in", state)
    equal(c.count("s3."), c.count("s3.list"), "requests of another pass")


def test_faults(bench):
    c = bench.cloud
    state = f"{bench.work}/state"
    generate_odd(c, "mail", 800)
    for _ in range(2):  # unknown, known
        c.set(s3_503=5, s3_reset=5, s3_truncate=5, s3_throttle=5, s3_latency_ms=5,
              jitter_ms=20, fault_limit=60)
        # Some objects may have to be tried again.
        sync(bench, "s3://mail/in", state, ok=(0, 1))
        equal(keys_of(state), keys_in(c, "mail"), "keys")
    c.admin("reset", "reset")


def test_changes_meanwhile(bench):
    """What is there all the time is there; the next pass has the rest."""
    c = bench.cloud
    state = f"{bench.work}/state"
    c.generate("mail", "in/", 30000, seed=1, size=1024, format="plain")
    before = sorted(keys_in(c, "mail"))
    stop = threading.Event()
    done = []

    def change():
        for i, k in enumerate(before[::7]):
            if stop.is_set():
                return
            c.delete("mail", k)
            c.put("mail", f"{k[:9]}{i}", b"Subject: new\n\nhello\n")
            done.append(k)

    sync(bench, "s3://mail/in", state)
    for what in ("known", "unknown"):
        stop.clear()
        c.set(s3_latency_ms=50)
        thread = threading.Thread(target=change)
        c.reset_counters()
        p = start(bench, "s3://mail/in", state)
        thread.start()
        until("some pages", lambda: c.count("s3.list") >= 20)
        until("some changes", lambda: len(done) > 20)
        p.communicate(timeout=DEADLINE)
        stop.set()
        thread.join()
        # What came and went before it was looked at is tried again.
        assert p.returncode in (0, 1), p.returncode
        c.set(s3_latency_ms=0)
        missing = set(before) - set(done) - keys_of(state)
        equal(missing, set(), f"keys lost, {what}")
        sync(bench, "s3://mail/in", state)
        equal(keys_of(state), keys_in(c, "mail"), f"keys, {what}")
        before = sorted(keys_in(c, "mail"))
        done.clear()
        state = f"{bench.work}/state2"


def test_interrupted(bench):
    """SIGINT while many list: no object is looked at, nothing is lost."""
    c = bench.cloud
    state = f"{bench.work}/state"
    c.generate("mail", "in/", 30000, seed=1, size=1024, format="plain")
    for least in (2, 9, 25):
        c.reset_counters()
        c.set(s3_latency_ms=100)
        p = start(bench, "s3://mail/in", state)
        until("requests", lambda: c.count("s3.list") >= least)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=DEADLINE)
        equal(p.returncode, 130, "exit status")
        equal(c.count("s3."), c.count("s3.list"), "requests but for listing")
        assert c.count("s3.list") < 30, c.counters()
        c.set(s3_latency_ms=0)
    sync(bench, "s3://mail/in", state)
    equal(keys_of(state), keys_in(c, "mail"), "keys")


def test_killed(bench):
    """kill -9 while many list, and while many are looked at: the next pass
    goes on, and fetches again at most what was under way."""
    c = bench.cloud
    state, n, jobs = f"{bench.work}/state", 12000, 16
    c.generate("mail", "in/", n, seed=1, size=1024, format="plain")
    c.set(s3_latency_ms=20)

    def kill(kind, least):
        p = start(bench, "s3://mail/in", state, "--jobs", str(jobs))
        until("requests", lambda: c.count(kind) >= least)
        p.kill()
        p.wait()
        for pipe in (p.stdout, p.stderr):
            pipe.close()

    kill("s3.list", 7)
    for least in (500, 3000, 6000):
        kill("s3.head", least)
    c.set(s3_latency_ms=0)
    sync(bench, "s3://mail/in", state)
    equal(keys_of(state), keys_in(c, "mail"), "keys")
    # In flight: one of each worker, and what waited to be written.
    again = c.count("s3.head") - n
    print(f"   looked at again after three kills: {again}", flush=True)
    assert 0 <= again <= 3 * (2 * jobs + 2 * 128 + 2 * jobs), c.counters()
    c.reset_counters()
    sync(bench, "s3://mail/in", state)
    equal(c.count("s3."), c.count("s3.list"), "requests of another pass")


def test_denied(bench):
    """An error of one range is the error of the pass; nothing is taken for
    gone."""
    c = bench.cloud
    state = f"{bench.work}/state"
    c.generate("mail", "in/", 40000, seed=1, size=1024, format="plain")
    sync(bench, "s3://mail/in", state)
    c.admin("set", "set", deny="s3:ListBucket")
    sync(bench, "s3://mail/in", state, ok=(1,))
    equal(keys_of(state), keys_in(c, "mail"), "keys")


if __name__ == "__main__":
    main(globals())
