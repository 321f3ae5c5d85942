"""KMS is asked while the body is on its way: both at once, one call each, and
what the index says of an object's envelope never decides anything."""
import errno
import mmap
import os
import threading

from custody import Caller, index
from harness import (DEADLINE, KEY, equal, main, raises, read, sha256, until,
                     wipe_page_cache)
from relay import Relay, Server, relayed

OTHER = ("arn:aws:kms:us-east-1:123456789012:key/"
         "22222222-2222-3333-4444-555555555555")


class Handler(Relay):
    """While armed, a GET of an object is not answered before a call to KMS has
    come, nor (both) that one before the other."""

    def before(self):
        if self.command == "POST":
            self.server.meet("kms", "s3")
        elif self.command == "GET" and "list-type" not in self.path:
            self.server.meet("s3", "kms")
        return False


class Proxy(Server):
    def arm(self, both=True):
        self.both = both
        self.came = {"s3": threading.Event(), "kms": threading.Event()}
        self.alone = []

    def disarm(self):
        self.came = None

    def meet(self, who, whom):
        if self.came is None:
            return
        came = self.came
        came[who].set()
        if (who == "s3" or self.both) and not came[whom].wait(DEADLINE / 6):
            self.alone.append(who)


def proxy(bench):
    server = Proxy(("127.0.0.1", 0), Handler)
    server.disarm()
    return relayed(bench, server, "AWS_ENDPOINT_URL_S3",
                   "AWS_ENDPOINT_URL_KMS")


def filled(bench, count, *args, bucket="mail", **kw):
    """Messages that nobody has read; nothing is read ahead or cached."""
    if bucket == "mail":
        bench.cloud.generate("mail", "", count, seed=3)
    m = bench.mount(f"s3://{bucket}", "--index", "envelope", "--cache-size",
                    "0", "--poll", "86400", *args, **kw)
    m.sync()
    equal(len(m.mails()), count, "messages")
    bench.cloud.reset_counters()
    return m


def plains(bench, bucket="mail"):
    return {o["key"]: o["sha256"] for o in bench.cloud.manifest(bucket)}


def asked(bench):
    c = bench.cloud.counters()
    return (c.get("s3.get", 0), c.get("kms.decrypt", 0),
            c.get("kms.generate", 0))


def early(m):
    k = m.status()["keys"]
    return k["early"], k["unused"]


def rows(m, what):
    with index(m.state) as db:
        return db.execute(f"SELECT {what} FROM object").fetchone()


def change_index(m, *statements):
    m.stop()
    with index(m.state) as db:
        for s in statements:
            db.execute(s)
        db.commit()
    m.start()


def ask(path):
    """One READ, whatever comes of it: where one fails the page cache would
    send another. A message that is no longer than the buffer."""
    with mmap.mmap(-1, 1 << 20) as buf:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        try:
            n = os.preadv(fd, [buf], 0)
        finally:
            os.close(fd)
        return buf[:n]


def refresh(bench, m, path):
    """The message must come from the daemon again, with a live key of none."""
    wipe_page_cache(path)
    bench.sesfs("forget", m.path, "keys")
    bench.cloud.reset_counters()


def test_one_call_each(bench):
    """A GET and a Decrypt for each message, all asked early; then the key is
    sealed and the envelope gone."""
    m = filled(bench, 40)
    equal(rows(m, "count(envelope), count(key_sealed)"), (40, 0), "kept")
    size = rows(m, "max(length(envelope))")[0]
    equal(size < 800, True, f"{size} bytes of envelope")
    want = plains(bench)
    paths = m.by_key()
    equal({k: sha256(read(p)) for k, p in paths.items()}, want, "bytes")
    equal(asked(bench), (40, 40, 1), "requests")
    equal(early(m), (40, 0), "asked early")
    m.stop()
    equal(rows(m, "count(envelope), count(key_sealed)"), (0, 40), "kept")
    # A remount: the root key, and nothing for the messages.
    bench.cloud.reset_counters()
    m.start()
    equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want, "again")
    equal(asked(bench), (40, 1, 0), "requests of a remount")
    equal(early(m), (0, 0), "asked early")


def test_without_a_seal(bench):
    """With keys in memory alone the envelope is needed each time."""
    m = filled(bench, 5, "--seal-key", "none")
    want = plains(bench)
    for _ in range(2):
        equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want)
        equal(asked(bench), (5, 5, 0), "requests")
        equal(early(m), (5, 0), "asked early")
        m.stop()
        equal(rows(m, "count(envelope), count(key_sealed)"), (5, 0), "kept")
        bench.cloud.reset_counters()
        m.start()


def test_side_by_side(bench):
    """Neither S3 nor KMS answers before both were asked: for a data key, and
    for the root key of the seal."""
    bench.cloud.generate("mail", "", 4, seed=3)
    with proxy(bench) as p:
        m = filled(bench, 4)
        want = plains(bench)
        for key, path in list(m.by_key().items())[:2]:
            p.arm()
            equal(sha256(read(path)), want[key], key)
            equal(p.alone, [], "asked before the other was")
        p.disarm()
        equal(asked(bench), (2, 2, 1), "requests")
        equal(early(m), (2, 0), "asked early")
        refresh(bench, m, path)
        until("the key to be sealed", lambda: rows(
            m, "count(key_sealed)") == (2,))
        p.arm()
        equal(sha256(read(path)), want[key], key)
        equal(p.alone, [], "asked before the other was")
        p.disarm()
        equal(asked(bench), (1, 1, 0), "requests: body and root key")
        m.stop()


def test_metadata_rewritten(bench):
    """Other metadata beside the same body, after the object was looked at: the
    ETag is the same, and the new ones decide."""
    bench.cloud.generate("mail", "", 9, seed=3)
    with proxy(bench) as p:
        rewritten(bench, p)


def rewritten(bench, p):
    m = filled(bench, 9)
    want = plains(bench)
    c, keys, paths = bench.cloud, sorted(want), m.by_key()
    blob, _ = Caller(bench).call("s3", "HEAD", "/mail/" + keys[8])
    changes = [
        # name, value, refused for, calls to KMS, of these for nothing
        ("author", "someone", None, 1, 0),
        ("x-amz-tag-len", "96", "BAD_TAG_LEN", 1, 1),
        ("x-amz-cek-alg", "AES/CBC/PKCS5Padding", "LEGACY_REFUSED", 1, 1),
        ("x-amz-iv", "AAAAAAAAAAAAAAAA", "AUTH_FAILED", 1, 0),
        ("x-amz-key-v2", blob.getheader("x-amz-meta-x-amz-key-v2"),
         "KMS_REJECTED", 2, 1),
        ("x-amz-matdesc", "{}", "KMS_REJECTED", 2, 1),
        ("x-amz-matdesc", '{"aws:ses:message-id":"another"}',
         "CONTEXT_MISMATCH", 1, 1),
        ("x-amz-key-v2", None, "INCOMPLETE_METADATA", 1, 1),
    ]
    for i, (name, value, why, calls, unused) in enumerate(changes):
        args = {} if value is None else {"value": value}
        c.admin("meta", "meta", bucket="mail", key=keys[i], name=name, **args)
        c.reset_counters()
        before = early(m)
        p.arm(both=False)
        if why is None:
            equal(sha256(read(paths[keys[i]])), want[keys[i]], name)
        else:
            raises(errno.EKEYREJECTED if why.startswith("KMS_")
                   else errno.EBADMSG, ask, paths[keys[i]])
            equal(f"{keys[i]}: {why}" in m.log(), True, why)
        equal(p.alone, [], "KMS was not asked")
        now = early(m)
        equal(asked(bench)[1], calls, f"calls to KMS: {name} {value}")
        equal((now[0] - before[0], now[1] - before[1]), (1, unused),
              f"asked early, for nothing: {name} {value}")
    equal(m.log().count("KMS was asked for nothing"),
          sum(c[4] for c in changes), "said in the log")
    m.stop()


def test_gone_meanwhile(bench):
    """No such object any more, or another, or not to be read: the call to KMS
    was made for nothing, is said and counted, and its key is for nobody."""
    bench.cloud.generate("mail", "", 4, seed=3)
    with proxy(bench) as p:
        gone(bench, p)


def gone(bench, p):
    # Without a seal: nor is its root key's call taken for that of a message.
    m = filled(bench, 4, "--seal-key", "none")
    c, paths = bench.cloud, m.by_key()
    keys = sorted(paths)
    c.delete("mail", keys[0])
    c.flip("mail", keys[1], 5)
    for i, number in enumerate((errno.ENOENT, errno.EBADMSG, errno.EACCES)):
        if number == errno.EACCES:
            c.set(deny="s3:GetObject")
        p.arm(both=False)
        raises(number, ask, paths[keys[i]])
        equal(p.alone, [], "KMS was not asked")
    p.disarm()
    equal(early(m), (3, 3), "asked early, for nothing")
    equal(m.log().count("KMS was asked for nothing"), 3, "said in the log")
    equal(m.status()["keys"]["used"], 0, "keys held")
    c.set(allow="s3:GetObject")
    want = plains(bench)
    for k in keys[2:]:
        equal(sha256(read(paths[k])), want[k], k)
    m.stop()


def test_unreachable(bench):
    """When S3 cannot be reached one call to KMS shows it; the next is made when
    S3 has answered."""
    m = filled(bench, 3, "--seal-key", "none")
    want, paths, c = plains(bench), m.by_key(), bench.cloud
    keys = sorted(paths)
    c.set(s3_reset=100)
    raises(errno.ETIMEDOUT, ask, paths[keys[0]])
    equal(early(m), (1, 1), "asked early, for nothing")
    c.set(fault_limit=1)
    for i, k in enumerate(keys[1:]):
        equal(sha256(read(paths[k])), want[k], k)
        equal(early(m), (1 + i, 1), "asked early, for nothing")
        equal(asked(bench)[1], 2 + i, "calls to KMS")


def test_not_asked_for(bench):
    """What policy refuses without KMS costs no call, whatever was kept."""
    m = filled(bench, 4)
    m.stop()
    m.args += ["--accept", "commit"]
    m.start()
    for p in m.mails():
        raises(errno.EBADMSG, ask, p)
    equal(asked(bench), (0, 0, 0), "requests")
    m.stop()
    m.args = m.args[:-2] + ["--account", "999999999999"]
    m.start()
    for p in m.mails():
        raises(errno.EBADMSG, ask, p)
    equal(asked(bench)[1], 0, "calls to KMS")
    equal(early(m), (0, 0), "asked early")


def test_kept_column_replaced(bench):
    """Whoever writes the index can only make us ask in vain."""
    m = filled(bench, 6)
    want = plains(bench)
    change_index(
        m,
        "UPDATE object SET envelope = x'00' WHERE id = 1",
        "UPDATE object SET envelope = zeroblob(100000) WHERE id = 2",
        "UPDATE object SET envelope = 7 WHERE id = 3",
        "UPDATE object SET envelope = (SELECT o.envelope FROM object o "
        "WHERE o.id = 5) WHERE id = 4",
        "UPDATE object SET envelope = NULL WHERE id = 6")
    equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want)
    equal(asked(bench), (6, 6, 1), "requests")
    # Only that of 5 is its own; in 4 it names another message.
    equal(early(m), (1, 0), "asked early, for nothing")


def test_foreign_key(bench):
    """The same object under a key that --kms-key does not allow, its envelope
    planted in the index: refused by KMS or by us, and asked again by what the
    body brings along."""
    c = bench.cloud
    c.admin("kms", "kms", key=OTHER, enabled=1)
    c.generate("evil", "", 3, seed=3, key=OTHER)
    c.generate("mail", "", 3, seed=3)
    with proxy(bench) as p:
        foreign(bench, p)


def foreign(bench, p):
    c = bench.cloud
    evil = filled(bench, 3, bucket="evil", name="evil")
    evil.stop()
    m = filled(bench, 3)
    want = plains(bench)
    equal(set(plains(bench, "evil")), set(want), "keys of both")
    change_index(
        m, f"ATTACH '{evil.state}/index.db' AS evil",
        "UPDATE object SET envelope = (SELECT e.envelope FROM "
        "evil.object e WHERE e.key = object.key)")
    for key, path in m.by_key().items():
        p.arm(both=False)
        equal(sha256(ask(path)), want[key], key)
        equal(p.alone, [], "KMS was not asked")
    p.disarm()
    equal(asked(bench), (3, 6, 1), "requests")
    equal(early(m), (3, 3), "asked early, for nothing")
    # And the other way round: what the bucket holds is refused.
    for o in c.manifest("evil"):
        h, body = Caller(bench).call("s3", "GET", "/evil/" + o["key"])
        c.put("mail", o["key"], body, {
            k[11:]: v for k, v in h.getheaders()
            if k.startswith("x-amz-meta-")})
    m.sync()
    for path in m.mails():
        raises(errno.EKEYREJECTED, ask, path)
    m.stop()


def test_forget_and_rekey(bench):
    """Neither leaves a key behind that it should not, nor loses one."""
    m = filled(bench, 8)
    want, paths = plains(bench), m.by_key()
    keys = sorted(want)
    for k in keys[:4]:
        equal(sha256(read(paths[k])), want[k], k)
    refresh(bench, m, paths[keys[0]])
    equal(m.status()["keys"]["used"], 0, "keys held after forgetting")
    m.stop()
    bench.sesfs("rekey", *bench.common(m.state), m.source, "--seal-key", KEY)
    equal(rows(m, "count(envelope), count(key_sealed)"), (4, 4), "kept")
    bench.cloud.reset_counters()
    m.start()
    equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want)
    equal(asked(bench), (8, 5, 0), "requests: the rest, and the root key")
    equal(early(m), (4, 0), "asked early")


def test_stopped(bench):
    """The end of the daemon ends both requests."""
    m = filled(bench, 4)
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000,
                    kms_latency_ms=DEADLINE * 1000)
    failed = []

    def reader(path):
        try:
            read(path)
        except OSError as e:
            failed.append(e.errno)

    threads = [threading.Thread(target=reader, args=(p,)) for p in m.mails()]
    for t in threads:
        t.start()
    until("calls to KMS", lambda: early(m)[0] == 4)
    m.process.terminate()
    equal(m.process.wait(DEADLINE), 0, m.log())
    m.process = None
    for t in threads:
        t.join(DEADLINE)
    equal(len(failed), 4, "readers that were told")
    equal("for nothing" in m.log(), False, "said of the end")
    bench.cloud.set(s3_latency_ms=0, kms_latency_ms=0)


if __name__ == "__main__":
    main(globals())
