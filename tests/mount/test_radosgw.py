"""The mount over Ceph's RADOS Gateway, an S3 server that owes nothing to this
project; only KMS and STS are the local cloud's."""
import contextlib
import glob
import os
import random
import signal
import socket
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor

from clients import same
from harness import (DEADLINE, Skip, equal, main, need, read, until,
                     wipe_page_cache)
from s3client import S3

OBJECTS = 3500
RANGES = 14000  # so many are listed by several
# Key directories, each a folder; and last components that are no message ids.
DIRECTORIES = ["", "a+b/", "a b/", "100%/", "50%25/", "R&D=?/", "Über/", "日本/語/",
               "é/ü/", "tab\there/", "'\"<>/", "~tilde/", "back\\slash/",
               "x" * 200 + "/", "deep/er/than/most/", "😀/"]
NAMES = ["{} + {}", "{}&{}=1", "100% {} {}", "ñ{}ü{}", "{}\t{}", "{};{},{{}}",
         "😀{}日本{}", "{}%2F{}", "({})[{}]", "line{}\nfeed{}",
         "{}" + "y" * 800 + "{}"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def radosgw(bench):
    need("ceph", "ceph-mon", "ceph-osd", "ceph-mgr", "radosgw",
         "radosgw-admin", "ceph-authtool", "monmaptool", "curl", "bash")
    if not os.path.isdir("/dev/shm"):
        raise Skip("ceph needs /dev/shm")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                          "radosgw-up")
    where, port = bench.work + "/ceph", free_port()
    os.mkdir(where)
    try:
        p = subprocess.run(
            ["bash", script, where, str(port)], stdin=subprocess.DEVNULL,
            stdout=open(where + "/up.log", "w"), stderr=subprocess.STDOUT,
            timeout=DEADLINE,
            env={**bench.env, "RADOSGW_MON_PORT": str(free_port())})
        equal(p.returncode, 0, "radosgw-up: " + read(
            where + "/up.log").decode(errors="replace")[-2000:])
        yield port
    finally:
        pids = [int(read(f)) for f in glob.glob(where + "/*.pid")
                if read(f).strip()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # it is all in memory
        until("ceph to end", lambda: not any(map(is_alive, pids)))


def odd_keys(sources):
    """Where each source object goes: most keep their message id, as the last
    part of a key in some odd directory; every seventh gets an odd name."""
    out = {}
    for i, source in enumerate(sources):
        directory = "inbound/" + DIRECTORIES[i % len(DIRECTORIES)]
        name = NAMES[i // 7 % len(NAMES)].format(i, i % 10) \
            if i % 7 == 0 else source
        out[directory + name] = source
    return out


def shown(m):
    """Paths of all messages by key."""
    found = m.by_key()
    for d in os.listdir(m.path):
        if d.startswith("."):
            found.update(m.by_key(d[1:]))
    return found


def requests(m):
    return m.status()["requests"]


def spent(m, before):
    return {k: v - before[k] for k, v in requests(m).items()
            if v != before[k]}


def test_radosgw(bench):
    c = bench.cloud
    with radosgw(bench) as port:
        c.generate("src", "", OBJECTS - 300, seed=1, size=1100,
                   format="kmsctx-gcm")
        c.generate("src", "", 300, seed=2, format="kms-gcm")
        sources = [o["key"] for o in c.manifest("src")]
        equal(len(sources), OBJECTS, "generated messages")
        keys = odd_keys(sources)
        equal(len(keys), OBJECTS, "different keys")
        ours, ceph = S3(c.port), S3(port)
        ceph.request("PUT", "mail")
        ceph.copy_from(ours, "src", [(s, k) for k, s in keys.items()], "mail")

        c.reset_counters()
        m = bench.mount(
            "s3://mail/inbound", "--endpoint-url", f"http://127.0.0.1:{port}",
            "--path-style", "--kms-endpoint-url", c.url, "--sts-endpoint-url",
            c.url, "--accept", "+renamed", "--kms-rate", "100000", "--poll",
            "86400")
        m.sync()
        got = requests(m)
        print("   3,500 objects:", got, flush=True)
        equal(got["s3.get"], OBJECTS, "GETs")
        equal(c.count("kms.decrypt"), OBJECTS, "KMS requests")
        equal(c.count("s3."), 0, "requests for S3 that went elsewhere")
        found = shown(m)
        equal(len(found), OBJECTS, "messages")
        equal(set(found) ^ set(keys), set(), "keys")
        # Another pass lists, and that is all.
        before = requests(m)
        m.sync()
        equal(spent(m, before), {"s3.list": 4}, "requests of another pass")
        for key in random.Random(7).sample(sorted(keys), 300):
            same(read(found[key]), c.plain("src", keys[key]), repr(key))
        equal(spent(m, before), {"s3.list": 4}, "requests after reading")

        # One goes, one is replaced by another message.
        gone, replaced, other = sorted(keys)[10:13]
        inode = os.stat(found[replaced]).st_ino
        ceph.request("DELETE", "mail", gone)
        ceph.copy_from(ours, "src", [(keys[other], replaced)], "mail")
        m.sync()
        after = shown(m)
        equal(len(after), OBJECTS - 1, "messages after two changes")
        assert gone not in after
        assert os.stat(after[replaced]).st_ino > inode
        wipe_page_cache(after[replaced])
        same(read(after[replaced]), c.plain("src", keys[other]), "new bytes")
        m.stop()


def test_ranges(bench):
    """Ranges of keys listed side by side begin where Ceph thinks they do."""
    state, rnd = f"{bench.work}/state", random.Random(3)
    args = ["sync", *bench.common(state), "--index", "envelope"]
    with radosgw(bench) as port:
        ceph = S3(port)
        ceph.request("PUT", "many")
        keys = {f"in/{rnd.choice(DIRECTORIES[:6])}{rnd.getrandbits(80):020x}"
                for _ in range(RANGES)}
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda k: ceph.request("PUT", "many", k, b"x"),
                              sorted(keys)):
                pass
        args += ["--endpoint-url", f"http://127.0.0.1:{port}", "--path-style",
                 "--kms-endpoint-url", bench.cloud.url, "s3://many/in"]
        for gone in (set(), set(rnd.sample(sorted(keys), 50))):
            ceph = S3(port)  # Ceph closes connections that are idle
            for k in gone:
                ceph.request("DELETE", "many", k)
            keys -= gone
            bench.sesfs(*args)
            with contextlib.closing(sqlite3.connect(
                    f"file:{state}/index.db?mode=ro", uri=True)) as db:
                found = [bytes(k).decode() for (k,) in db.execute(
                    "SELECT key FROM object WHERE state <> 3")]
            equal(len(found), len(set(found)), "keys that are there twice")
            equal(set(found) ^ keys, set(), "keys")


if __name__ == "__main__":
    main(globals())
