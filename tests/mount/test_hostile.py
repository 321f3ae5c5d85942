"""Whoever writes the bucket, or the state directory while no daemon runs,
against a real mount: other mail must come through, nothing may be written
elsewhere, and no object may cost a call to KMS again and again."""
import contextlib
import errno
import os
import sqlite3
import subprocess

from harness import SESFS, equal, main, read, sha256, until
from relay import Relay, Server, relayed

OTHER = ("arn:aws:kms:us-east-1:123456789012:key/"
         "11111111-2222-3333-4444-555555555555")
KEYS = ["..", ".", "./y", "../../../etc/passwd", "a/../../x", "a//b", "/z",
        "a/./b", "sp ace/+plus%2e", "%00/x", "?q=1&x#frag", "&/x", "\\/x",
        "new\nline/\x1b[31mred\r\x07", "a/\u009b31m", "\u202erlo/x",
        "\U0001d11e/x", "\u00e9" * 500, "\x7f" * 1000, "cur/x", "new/y",
        "tmp/z", "INBOX/q", "Notmuch/x", "uidvalidity/x", "mbsyncstate/lock/x",
        "~/x", "deep/" * 200 + "x"]
DENIED = (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied'
          b"</Code><Message>Access Denied</Message></Error>")


class Handler(Relay):
    """S3 refuses to give out what is in denied/: as it does with objects under
    a foreign KMS key or of a foreign owner."""

    def before(self):
        if "/denied/" not in self.path.split("?")[0]:
            return False
        self.server.denied += 1
        self.answer(403, [], DENIED)
        return True


def proxy(bench):
    server = Server(("127.0.0.1", 0), Handler)
    server.denied = 0
    return relayed(bench, server, "AWS_ENDPOINT_URL_S3")


def plains(bench, bucket):
    return {o["key"]: o["sha256"] for o in bench.cloud.manifest(bucket)
            if o.get("sha256")}


def on_terminal(bench, *args):
    """What sesfs writes when a terminal reads it."""
    ours, theirs = os.openpty()
    p = subprocess.Popen([SESFS, *args], stdin=subprocess.DEVNULL,
                         stdout=theirs, stderr=theirs, env=bench.env)
    os.close(theirs)
    out = b""
    with contextlib.suppress(OSError):  # EIO: the last writer has gone
        while chunk := os.read(ours, 65536):
            out += chunk
    os.close(ours)
    equal(p.wait(), 0, out.decode(errors="replace"))
    return out.decode()


def check_mail(m, want):
    equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want)


def test_denied_objects_hold_nothing_up(bench):
    """300 objects that nobody may read lie before the mail, and more workers
    fail in a row than end a pass when the network is gone."""
    bench.cloud.generate("hostile", "", 20)
    want = plains(bench, "hostile")
    for i in range(300):
        bench.cloud.put("hostile", f"denied/{i}", b"x" * 100, mtime=1000 + i)
    with proxy(bench) as p:
        m = bench.mount("s3://hostile", "--jobs", "16", "--poll", "86400")
        until("the mail", lambda: len(m.mails()) == 20)
        check_mail(m, want)
        until("the pass to end", lambda: p.denied >= 300)
        m.stop()


def test_refused_keys_are_not_asked_for_ever(bench):
    """Objects under a key that KMS will not use: passes that nobody asked for
    leave them alone for a while, one that somebody did asks again."""
    c = bench.cloud
    c.admin("kms", "kms", key=OTHER, enabled=1)
    c.generate("hostile", "evil/", 10, key=OTHER, seed=5)
    c.generate("hostile", "", 5)
    want = plains(bench, "hostile")
    c.admin("kms", "kms", key=OTHER, enabled=0)
    m = bench.mount("s3://hostile", "--kms-key", OTHER, "--poll", "1")
    until("the mail", lambda: len(m.mails()) == 5)
    until("the refusals", lambda: m.status()["objects"]["refused"] == 10)
    c.reset_counters()
    until("more passes", lambda: c.count("s3.list") >= 4)
    equal(c.count("kms.decrypt"), 0, "calls for objects refused before")
    m.sync()
    asked = c.count("kms.decrypt")
    equal(asked >= 10, True, f"a pass asked for calls KMS again ({asked})")
    equal(m.status()["objects"]["by_reason"], {"KMS_ACCESS": 10})
    c.admin("kms", "kms", key=OTHER, enabled=1)
    m.sync()
    got = dict(m.by_key(), **m.by_key("evil"))
    equal({k: sha256(read(p)) for k, p in got.items()}, want)
    m.stop()


def test_links_in_the_state_directory(bench):
    """What stands in the state directory instead of what was there is not
    followed: nothing outside is written, emptied or removed."""
    c = bench.cloud
    c.generate("hostile", "", 30)
    outside = os.path.join(bench.work, "outside")
    os.mkdir(outside)
    precious = os.path.join(bench.work, "precious")
    for i in range(1, 31):  # named as the cache names its own
        with open(f"{outside}/{i}", "w") as f:
            f.write("a letter")
    with open(precious, "w") as f:
        f.write("dear diary")
    m = bench.mount("s3://hostile")
    until("the mail", lambda: len(m.mails()) == 30)
    m.stop()
    blobs = f"{m.state}/blobs"
    equal("table" in os.listdir(blobs), True, str(os.listdir(blobs)))
    for name in os.listdir(blobs):  # the segments and the table
        os.unlink(f"{blobs}/{name}")
        os.symlink(precious, f"{blobs}/{name}")
    for seq in range(1, 300):  # those to come
        name = f"{blobs}/{seq:08x}.{'big' if seq % 7 == 0 else 'seg'}"
        if not os.path.lexists(name):
            os.symlink(outside if seq % 2 else precious, name)
    os.symlink(precious, f"{blobs}/table.tmp")
    for shard in range(1, 31):  # and those of an older version
        os.symlink(outside, f"{blobs}/{shard:02x}")
    m.start()
    check_mail(m, plains(bench, "hostile"))
    bench.sesfs("forget", m.path, "cache")
    m.stop()
    equal(os.listdir(blobs), [], "what is left of the cache")
    equal({read(f"{outside}/{n}") for n in os.listdir(outside)},
          {b"a letter"})
    equal(len(os.listdir(outside)), 30)
    os.unlink(f"{m.state}/lock")
    os.symlink(precious, f"{m.state}/lock")
    _, err, code = bench.sesfs("mount", "-f", *bench.common(m.state),
                               m.source, m.path, ok=None, both=True)
    equal(code != 0, True, "mounts with a planted lock: " + err)
    equal(read(precious), b"dear diary")


def test_index_that_others_wrote(bench):
    """Numbers in the index that sesfs never wrote: those messages fail, the
    others and the daemon do not."""
    c = bench.cloud
    c.generate("hostile", "", 12)
    want = plains(bench, "hostile")
    m = bench.mount("s3://hostile")
    until("the mail", lambda: len(m.mails()) == 12)
    m.stop()
    db = sqlite3.connect(f"{m.state}/index.db")
    with db:
        for i, change in enumerate((
                "format = 200", "size = 1 << 62", "size = -1", "size = 1",
                "plain_size = 1 << 61", "suite = 77", "key_sealed = x'00'",
                "kms_key = -4", "etag = x''", "key = zeroblob(5000)")):
            db.execute(f"UPDATE object SET {change} WHERE id = ?", (i + 1,))
        db.execute("UPDATE object SET state = 2, key = zeroblob(40) "
                   "WHERE id = 11")
    db.close()
    bench.sesfs("ls", "--refused", *bench.common(m.state), m.source)
    m.start()
    good = 0
    for _ in range(3):  # a budget that leaks is used up by then
        for path in m.mails():
            try:
                data = read(path)
            except OSError as e:
                equal(e.errno in (errno.EBADMSG, errno.EIO, errno.ENOENT),
                      True, str(e))
                continue
            equal(sha256(data) in want.values(), True, path)
            good += 1
    equal(good >= 6, True, f"{good} good")
    m.stop()


def test_names_that_are_no_names(bench):
    """Keys of any bytes: each object is a message somewhere in the mount, no
    client's file loses its place, no terminal is driven."""
    c = bench.cloud
    c.generate("hostile", "", 2)
    for key in KEYS:
        c.put("hostile", key, b"Subject: x\n\ny\n")
    m = bench.mount("s3://hostile", "--accept", "kms-gcm,plain")
    m.sync()
    keys = set()
    for where, _, files in os.walk(m.path):
        for name in files:
            if name != "maildirfolder":
                path = os.path.join(where, name)
                keys.add(os.getxattr(path, "user.sesfs.key").decode())
                read(path)
    equal(keys, set(KEYS) | set(plains(bench, "hostile")))
    for name in (".uidvalidity", ".mbsyncstate", ".notmuch"):
        equal(os.path.exists(f"{m.path}/{name}"), False, name)
    for args in (["ls"], ["ls", "--json"], ["status", "--json"], ["status"]):
        at = ([m.path] if args[0] == "status" else
              bench.common(m.state) + ["--accept", "kms-gcm,plain", m.source])
        out = on_terminal(bench, *args, *at).replace("\r\n", "\n")
        equal(len(out) > 500, True, out)
        equal([ch for ch in out if ch in "\x1b\x07\r\x9b\u202e"], [],
              f"in the output of {args}")
    equal([ch for ch in m.log() if ch in "\x1b\x07\r\x9b"], [], "in the log")
    m.stop()


if __name__ == "__main__":
    main(globals())
