"""Reads that wait for S3, and what is fetched ahead of them."""
import errno
import os
import random
import subprocess
import threading
import time

from harness import (DEADLINE, SESFS, equal, main, raises, read, sha256,
                     until)
from test_early import ask


def filled(bench, count, *args, kms_rate="100000", **kw):
    """A mount where every first read asks S3 and KMS."""
    bench.cloud.generate("mail", "inbound/", count, seed=1)
    m = bench.mount("s3://mail/inbound", "--index", "envelope", "--kms-rate",
                    kms_rate, *args, **kw)
    m.sync()
    return m


def test_blocked_readers(bench):
    """However many wait for S3, names and attributes are had at once."""
    m = filled(bench, 120, "--jobs", "4")
    mails = m.mails()
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000)
    readers = [subprocess.Popen(["cat", p], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
               for p in mails[20:]]
    try:
        until("reads to wait", lambda: m.status()["fuse"]["read"] >= 8)
        seen = []

        def look_around():
            os.mkdir(m.path + "/.Other")
            seen.append(len(m.mails()))
            for p in mails[:20]:
                os.rename(p, p.replace("/new/", "/cur/") + ":2,S")
            seen.append(len(os.listdir(m.path + "/cur")))

        t = threading.Thread(target=look_around, daemon=True)
        t.start()
        t.join(DEADLINE / 3)
        equal(seen, [120, 20], "seen while readers wait")
        equal([r.poll() for r in readers], [None] * len(readers),
              "readers that did not wait")
    finally:
        m.process.terminate()
        for r in readers:
            r.wait()
    equal(m.process.wait(DEADLINE), 0, m.log())
    m.process = None
    bench.cloud.set(s3_latency_ms=0)


def test_blocked_attributes(bench):
    """So it is with those who wait for a header field."""
    m = filled(bench, 60, "--jobs", "4")
    mails = m.mails()
    before = m.status()["fuse"]["xattr"]
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000)
    got = []

    def ask(path):
        try:
            got.append(os.getxattr(path, "user.sesfs.message-id"))
        except OSError as e:
            got.append(e.errno)

    askers = [threading.Thread(target=ask, args=(p,), daemon=True)
              for p in mails]
    for t in askers:
        t.start()
    try:
        # FUSE has 32 threads.
        until("questions to wait", lambda: m.status()["fuse"]["xattr"]
              >= before + 32)
        seen = []
        t = threading.Thread(target=lambda: seen.append(
            (len(os.listdir(m.path + "/new")),
             os.getxattr(mails[0], "user.sesfs.format"))), daemon=True)
        t.start()
        t.join(DEADLINE / 3)
        equal(seen, [(60, b"kms-gcm")], "seen while others wait")
        equal(got, [], "answers that did not wait")
    finally:
        m.process.terminate()
    equal(m.process.wait(DEADLINE), 0, m.log())
    m.process = None
    for t in askers:
        t.join(DEADLINE)
    equal(len(got), 60, "answers at the end")
    bench.cloud.set(s3_latency_ms=0)


def gets(bench):
    c = bench.cloud.counters()
    return c["s3.get"], c["kms.decrypt"]


def ordered(m, how):
    entries = [(e.inode(), e.name) for e in os.scandir(m.path + "/new")]
    by = {"directory": None, "inode": entries.sort,
          "name": lambda: entries.sort(key=lambda e: e[1]),
          "reverse": lambda: entries.sort(reverse=True)}[how]
    if by:
        by()
    return [f"{m.path}/new/{name}" for _, name in entries]


def test_orders(bench):
    """Whatever order a reader goes in, it finds most there already, and each
    message is fetched and unwrapped once."""
    sums = None
    for n, how in enumerate(("directory", "inode", "name", "reverse")):
        m = filled(bench, 300, name=f"mnt{n}")
        if sums is None:
            sums = {o["sha256"] for o in bench.cloud.manifest("mail")}
        bench.cloud.set(s3_latency_ms=5, kms_latency_ms=5)
        bench.cloud.reset_counters()
        equal({sha256(read(p)) for p in ordered(m, how)}, sums, how)
        equal(gets(bench), (300, 300), "requests: " + how)
        ahead = m.status()["ahead"]
        assert ahead["read"] > 200, (how, ahead)
        equal(ahead["wasted_bytes"], 0, how)
        bench.cloud.set(s3_latency_ms=0, kms_latency_ms=0)
        m.stop()


def test_stops(bench):
    """What is fetched in vain is bounded by what was read, and is kept."""
    m = filled(bench, 400)
    mails = ordered(m, "directory")
    bench.cloud.reset_counters()
    for p in mails[:20]:
        read(p)

    def is_ahead():
        a = m.status()["ahead"]
        return a["fetched"] > 20 and gets(bench)[0] == 2 + a["fetched"]

    until("messages to be fetched ahead", is_ahead)
    assert gets(bench)[0] <= 20 + 2 * 20 + 4, gets(bench)
    for p in mails[20:30]:
        read(p)
    assert gets(bench)[0] <= 30 + 2 * 30 + 4, gets(bench)
    m.stop()


def test_random(bench):
    """Who reads here and there has little fetched ahead."""
    m = filled(bench, 2000)
    mails = ordered(m, "directory")
    bench.cloud.reset_counters()
    for p in random.Random(3).sample(mails, 100):
        read(p)
    assert m.status()["ahead"]["fetched"] <= 30, m.status()["ahead"]
    m.stop()


def test_hints(bench):
    """posix_fadvise: the reads go out together."""
    m = filled(bench, 60)
    mails = ordered(m, "name")[::7]
    files = [os.open(p, os.O_RDONLY) for p in mails]
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000)
    before = m.status()["fuse"]["read"]
    for fd in files:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
    until("all to be asked for", lambda: m.status()["fuse"]["read"]
          == before + len(files))
    m.process.terminate()
    equal(m.process.wait(DEADLINE), 0, m.log())
    for fd in files:
        os.close(fd)
    m.process = None
    bench.cloud.set(s3_latency_ms=0)


def denied(bench, latency_ms):
    """A second message, whose reading has a third fetched ahead, and neither can
    be had; and what is said of the third."""
    m = filled(bench, 40, "--log-level", "debug")
    keys = {p: k for k, p in m.by_key().items()}
    first, second, third = ordered(m, "directory")[:3]
    read(first)
    bench.cloud.set(deny="s3:GetObject", s3_latency_ms=latency_ms)

    def said(level):
        return [m.log().count(f"{level}: {what}{keys[third]}: ")
                for what in ("s3: get mail/", "source: open ")]

    return m, second, third, said


def test_failure_ahead(bench):
    """It is for who debugs; the reader that asks is told, and once."""
    _, second, third, said = denied(bench, 0)
    raises(errno.EACCES, ask, second)
    until("it to be tried", lambda: said("debug") == [1, 1])
    equal(said("error"), [0, 0], "errors before anybody asked")
    raises(errno.EACCES, ask, third)
    equal(said("error"), [1, 1], "errors when somebody asked")


def test_failure_joined(bench):
    """So is a reader that comes while it is tried."""
    m, second, third, said = denied(bench, 2000)
    t = threading.Thread(target=raises, args=(errno.EACCES, ask, second))
    t.start()
    until("it to be tried", lambda: m.status()["ahead"]["fetched"] > 0)
    raises(errno.EACCES, ask, third)
    t.join()
    equal(said("error"), [1, 1], "errors")
    equal(said("debug"), [0, 0], "tries that nobody waited for")


def test_joined_goes_first(bench):
    """A reader that comes for what is fetched ahead does not wait behind what
    else is: KMS is asked once a second, for theirs before the others."""
    m = filled(bench, 40, "--seal-key", "none", kms_rate="1")
    mails = ordered(m, "directory")
    bench.cloud.reset_counters()
    read(mails[0])
    t = threading.Thread(target=read, args=(mails[1],))
    t.start()
    until("four to be fetched ahead", lambda: gets(bench)[0] == 6)
    read(mails[5])
    calls = gets(bench)[1]
    t.join()
    assert calls <= 4, calls


def test_no_cache(bench):
    """Without a cache nothing is fetched that might be fetched again."""
    m = filled(bench, 40, "--cache-size", "0")
    bench.cloud.reset_counters()
    for p in ordered(m, "directory"):
        read(p)
    equal(m.status()["ahead"]["fetched"], 0, "fetched ahead")
    equal(gets(bench), (40, 40), "requests")


def test_remount(bench):
    """From the cache, and no request but for the seal's key."""
    bench.cloud.generate("mail", "inbound/", 300, seed=1)
    m = bench.mount("s3://mail/inbound", "--kms-rate", "100000")
    m.sync()
    m.stop()
    m.start()
    bench.cloud.reset_counters()
    for p in ordered(m, "directory"):
        read(p)
    equal(gets(bench), (0, 1), "requests after a remount")


def warm(bench, m, *args, ok=(0,)):
    out, err, code = bench.sesfs("warm", m.path, *args, ok=ok, both=True)
    return out.strip(), err.strip(), code


def test_warm(bench):
    """Everything of a folder, or of all, is had once; then there is nothing
    left to do, and no reader asks for any of it."""
    bench.cloud.generate("mail", "inbound/Sales/", 30, seed=2)
    m = filled(bench, 50)
    bench.cloud.reset_counters()
    out, _, _ = warm(bench, m, "Sales")
    assert out.startswith("30 messages at hand, 30 of them fetched"), out
    equal(gets(bench), (30, 30), "requests for a folder")
    out, _, _ = warm(bench, m)
    assert out.startswith("80 messages at hand, 50 of them fetched"), out
    equal(gets(bench), (80, 80), "requests for the rest")
    out, _, _ = warm(bench, m)
    assert out.startswith("80 messages at hand, 0 of them fetched"), out
    m.stop()
    m.start()
    bench.cloud.reset_counters()
    for p in m.mails() + m.mails("Sales"):
        read(p)
    equal(gets(bench), (0, 1), "requests of readers after a remount")


def test_warm_says_why_not(bench):
    m = filled(bench, 20)
    _, err, _ = warm(bench, m, "Nowhere", ok=(1,))
    equal(err, "sesfs: warm: there is no such folder")
    _, err, _ = warm(bench, m, "../new", ok=(1,))
    equal(err, "sesfs: warm: there is no such folder")
    bad = bench.cloud.manifest("mail")[7]["key"]
    bench.cloud.flip("mail", bad, 40)
    bench.cloud.flip("mail", bad, 40)  # the same bytes under a new ETag
    bench.cloud.delete("mail", bench.cloud.manifest("mail")[8]["key"])
    out, err, _ = warm(bench, m, ok=(1,))
    assert err.endswith("messages could not be had; the log of the mount says why"), err
    m.stop()
    m.args += ["--cache-size", "0"]
    m.start()
    _, err, _ = warm(bench, m, ok=(1,))
    equal(err, "sesfs: warm: there is no cache to warm, --cache-size is 0")


def test_warm_gives_up(bench):
    """After 64 failures in a row it is not the messages: no more are asked for.
    One fewer are just that many."""
    bench.cloud.generate("mail", "inbound/Few/", 63, seed=2)
    m = filled(bench, 300, "--jobs", "4")
    bench.cloud.set(deny="s3:GetObject")
    bench.cloud.reset_counters()
    _, err, _ = warm(bench, m, "Few", ok=(1,))
    assert "63 messages could not be had" in err, err
    equal(gets(bench)[0], 63, "requests for 63")
    _, err, _ = warm(bench, m, "", ok=(1,))
    assert "Permission denied" in err, err
    assert 63 + 64 <= gets(bench)[0] <= 63 + 64 + 8, gets(bench)
    bench.cloud.set(allow="s3:GetObject")
    out, _, _ = warm(bench, m)
    assert out.startswith("363 messages at hand, 363 of them fetched"), out


def test_warm_fills_the_cache(bench):
    """The newest that fit, and not one more."""
    m = filled(bench, 100, "--cache-size", "300K")
    bench.cloud.reset_counters()
    out, err, _ = warm(bench, m)
    assert "the cache is full" in err, err
    n = int(out.split()[0])
    assert 5 < n < 60, out
    equal(gets(bench), (n, n), "requests")


def test_warm_is_interrupted(bench):
    """With its client it ends; with the daemon as well."""
    m = filled(bench, 200, "--jobs", "4")
    bench.cloud.set(s3_latency_ms=200)
    bench.cloud.reset_counters()
    client = subprocess.Popen([SESFS, "warm", m.path], env=bench.env,
                              stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    until("some to be fetched", lambda: gets(bench)[0] > 4)
    client.kill()
    client.wait()
    before = [-1]

    def has_ended():
        n, before[0] = before[0], gets(bench)[0]
        time.sleep(1)
        return n == before[0]

    until("it to end", has_ended)
    assert before[0] < 200, before
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000)
    asked = m.status()["requests"]["s3.get"]
    client = subprocess.Popen([SESFS, "warm", m.path], env=bench.env,
                              stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    until("more to be asked for",
          lambda: m.status()["requests"]["s3.get"] > asked)
    m.process.terminate()
    equal(m.process.wait(DEADLINE), 0, m.log())
    assert client.wait() != 0
    m.process = None
    bench.cloud.set(s3_latency_ms=0)


main(globals())
