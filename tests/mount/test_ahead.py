"""Reads that wait for S3, and what is fetched ahead of them."""
import os
import subprocess
import threading

from harness import DEADLINE, equal, main, until


def filled(bench, count, *args, **generate):
    """A mount where every first read asks S3 and KMS."""
    bench.cloud.generate("mail", "inbound/", count, seed=1, **generate)
    m = bench.mount("s3://mail/inbound", "--index", "envelope", "--kms-rate",
                    "100000", *args)
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


main(globals())
