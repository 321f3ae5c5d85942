"""Secrets at rest: what they save, and that they never mislead."""
import base64
import errno
import json
import os
import time

from custody import Caller, index, meta, root_record
from harness import (KEY, equal, main, raises, read, sha256, until,
                     wipe_page_cache)

ACCOUNT = "arn:aws:kms:us-east-1:123456789012:key/"
SECOND = ACCOUNT + "5ec0dd00-0000-4000-8000-000000000002"
FOREIGN = ("arn:aws:kms:us-east-1:999999999999:key/"
           "deadbeef-0000-4000-8000-000000000bad")


def filled(bench, count, *args, prefix="in/", **kw):
    bench.cloud.generate("mail", prefix, count, seed=7)
    m = bench.mount("s3://mail/" + prefix.rstrip("/"), *args, **kw)
    m.sync()
    return m


def remount(bench, m):
    """Kernel and daemon know nothing any more; counters are at zero."""
    m.stop()
    bench.cloud.reset_counters()
    m.start()


def digests(m):
    return {k: sha256(read(p)) for k, p in m.by_key().items()}


def expected(bench, prefix="in/"):
    return {o["key"]: o["sha256"] for o in bench.cloud.manifest("mail",
                                                                prefix)}


def sealed_rows(m):
    with index(m.state) as db:
        return db.execute("SELECT count(key_sealed), count(headers_sealed) "
                          "FROM object").fetchone()


def ls(bench, m):
    out = bench.sesfs("ls", "--json", *bench.common(m.state), *m.args,
                      m.source)
    return {r["key"]: r for r in map(json.loads, out.splitlines())}


def enable(bench, key, on):
    bench.cloud.admin("kms", "kms", key=key, enabled=int(on))


def subjects(bench, prefix="in/"):
    """Of the messages whose subject is plain ASCII on one line."""
    out = {}
    for key in expected(bench, prefix):
        head = bench.cloud.plain("mail", key).replace(b"\r", b"")
        lines = head.split(b"\n\n")[0].split(b"\n")
        for i, line in enumerate(lines):
            if (line.startswith(b"Subject: ") and b"=?" not in line
                    and line.isascii()
                    and not lines[i + 1:i + 2][0].startswith((b" ", b"\t"))):
                out[key] = line[9:].decode()
    return out


def test_remount_costs_one_call(bench):
    """One KMS call a mount, whatever the mailbox's size, and one for `ls`."""
    for count in (10, 150):
        prefix = f"in{count}/"
        m = filled(bench, count, prefix=prefix, name=f"m{count}")
        equal(m.status()["seal"]["state"], "open", "seal")
        equal(sealed_rows(m), (count, count), "sealed rows")
        remount(bench, m)
        equal(digests(m), expected(bench, prefix), "bytes after a remount")
        equal(bench.cloud.count("kms."), 1, f"KMS calls for {count}")
        equal(m.status()["keys"]["from_kms"], 0, "keys from KMS")
        m.stop()
        bench.cloud.reset_counters()
        rows = ls(bench, m)
        equal(set(rows), set(expected(bench, prefix)), "keys listed")
        want = subjects(bench, prefix)
        assert len(want) >= count // 3, want
        for key, subject in want.items():
            equal(rows[key]["subject"], subject, key)
        equal(bench.cloud.count("kms."), 1, "KMS calls of ls")
        equal(bench.cloud.count("s3.get"), 0, "GETs of ls")


def test_not_permitted(bench):
    """Without kms:GenerateDataKey all works, in memory only."""
    bench.cloud.set(deny="kms:GenerateDataKey")
    m = filled(bench, 8)
    equal(digests(m), expected(bench), "bytes")
    equal(m.status()["seal"]["state"], "denied", "seal")
    assert "denied" in bench.sesfs("status", m.path)
    equal(sealed_rows(m), (0, 0), "sealed rows")
    equal(len(ls(bench, m)), 8, "listed")
    remount(bench, m)
    equal(digests(m), expected(bench), "bytes after a remount")
    equal(bench.cloud.count("kms.decrypt"), 8, "KMS calls")


def test_none(bench):
    """--seal-key none asks for no root and writes no secret."""
    m = filled(bench, 8, "--seal-key", "none")
    equal(m.status()["seal"]["state"], "memory only", "seal")
    equal(bench.cloud.count("kms."), 8, "KMS calls")
    equal(sealed_rows(m), (0, 0), "sealed rows")
    equal(meta(m.state, "seal.root"), None, "root")
    remount(bench, m)
    equal(digests(m), expected(bench), "bytes after a remount")
    equal(bench.cloud.count("kms."), 8, "KMS calls after a remount")


def reads_again(p):
    wipe_page_cache(p)
    try:
        read(p)
        return True
    except OSError as e:
        equal(e.errno, errno.EKEYREJECTED, p)
        return False


def notices(bench, m, disabled):
    """A disabled key is noticed by the first read after its time to live,
    an enabled one by the next."""
    mails = m.mails()
    for p in mails:
        wipe_page_cache(p)
        read(p)
    enable(bench, disabled, False)
    time.sleep(2.5)  # longer than --key-ttl
    until("what was read ahead to be wiped",
          lambda: m.status()["messages"]["in_memory"] == 0)
    for p in mails:
        wipe_page_cache(p)
        raises(errno.EKEYREJECTED, read, p)
    enable(bench, disabled, True)
    for p in mails:
        until("the enabled key to serve", lambda p=p: reads_again(p))


def test_disabled_key_is_noticed(bench):
    """One key for mail and seal: live and sealed keys die with it."""
    m = filled(bench, 6, "--key-ttl", "2")
    equal(sealed_rows(m), (6, 6), "sealed rows")
    notices(bench, m, KEY)
    remount(bench, m)
    notices(bench, m, KEY)


def test_disabled_key_under_another_seal(bench):
    """The seal's own key lives on: sealed keys of mail must not serve."""
    m = filled(bench, 6, "--key-ttl", "2", "--seal-key", SECOND)
    equal(root_record(m.state)[0], SECOND, "key of the root")
    notices(bench, m, KEY)
    equal(m.status()["seal"]["state"], "open", "seal")
    # nor after a remount, however fresh the seal is
    m.stop()
    enable(bench, KEY, False)
    m.start()
    for p in m.mails():
        raises(errno.EKEYREJECTED, read, p)
    enable(bench, KEY, True)
    equal(digests(m), expected(bench), "bytes")


def test_lost_seal_key(bench):
    """The seal's key is gone: flags and names stay, mail is read by KMS."""
    m = filled(bench, 8, "--seal-key", SECOND)
    for i, p in enumerate(m.mails()):
        os.rename(p, f"{m.path}/cur/{os.path.basename(p)},U={i}:2,S")
    os.mkdir(m.path + "/.Kept")
    moved = m.mails()[0]
    for leaf in ("cur", "new", "tmp"):
        os.mkdir(f"{m.path}/.Kept/{leaf}")
    os.rename(moved, f"{m.path}/.Kept/cur/{os.path.basename(moved)}")
    names = sorted(m.mails() + m.mails("Kept"))
    m.stop()
    enable(bench, SECOND, False)
    bench.cloud.reset_counters()
    m.start()
    equal(sorted(m.mails() + m.mails("Kept")), names, "names")
    equal({**digests(m), **{k: sha256(read(p)) for k, p in
                            m.by_key("Kept").items()}}, expected(bench),
          "bytes")
    equal(m.status()["seal"]["state"], "denied", "seal")
    equal(bench.cloud.count("kms.decrypt"), 8 + 1, "one a mail, one refused")
    equal(len(ls(bench, m)), 8, "listed")
    # Another key may seal from now on: all is made anew, as it is read.
    m.stop()
    m.args = [KEY if a == SECOND else a for a in m.args]
    m.start()
    m.sync()
    equal(sorted(m.mails() + m.mails("Kept")), names, "names under a new key")
    for p in names:
        read(p)
    equal(m.status()["seal"]["state"], "open", "seal under a new key")
    m.stop()
    bench.cloud.reset_counters()
    m.start()
    for p in names:
        read(p)
    equal(len(ls(bench, m)), 8, "listed from the new seal")
    equal(bench.cloud.count("kms.decrypt"), 2, "one a mount, one for ls")
    equal(bench.cloud.count("s3.get"), 0, "GETs")


def swap(m, column):
    """Exchange what is sealed of the first two objects, spoil the third's."""
    with index(m.state) as db:
        rows = db.execute(f"SELECT id, CAST(key AS TEXT), {column} "
                          "FROM object ORDER BY id").fetchall()[:3]
        (a, ka, box_a), (b, kb, box_b), (c, kc, box_c) = rows
        spoilt = bytearray(box_c)
        spoilt[-1] ^= 1
        for i, box in ((a, box_b), (b, box_a), (c, bytes(spoilt))):
            db.execute(f"UPDATE object SET {column} = ? WHERE id = ?",
                       (box, i))
    return {ka, kb, kc}


def test_tampering_keys(bench):
    """A box that is not of its row is no key: KMS is asked."""
    m = filled(bench, 8)
    m.stop()
    victims = swap(m, "key_sealed")
    bench.cloud.reset_counters()
    m.start()
    equal(digests(m), expected(bench), "bytes")
    equal(bench.cloud.count("kms.decrypt"), 1 + len(victims), "KMS calls")
    for key in victims:
        assert key in m.log(), m.log()
    equal(m.status()["keys"]["from_seal"], 8 - len(victims), "from the seal")
    remount(bench, m)
    equal(digests(m), expected(bench), "bytes after a remount")
    equal(bench.cloud.count("kms."), 1, "KMS calls once they are sealed anew")


def test_tampering_headers(bench):
    """Nor are header fields taken from another row."""
    m = filled(bench, 8)
    before = ls(bench, m)
    m.stop()
    swap(m, "headers_sealed")
    equal(ls(bench, m), before, "listed")


def test_key_box_as_headers(bench):
    """Nor from another column of the same row."""
    m = filled(bench, 4)
    before = ls(bench, m)
    m.stop()
    with index(m.state) as db:
        db.execute("UPDATE object SET key_sealed = headers_sealed, "
                   "headers_sealed = key_sealed")
    equal(ls(bench, m), before, "listed")
    m.start()
    equal(digests(m), expected(bench), "bytes")


def plant(m, arn, blob):
    record = (b"\x01" + meta(m.state, "seal.root")[1:2]
              + len(arn).to_bytes(2, "big") + arn.encode() + blob)
    with index(m.state) as db:
        changed = db.execute("UPDATE meta SET value = ? WHERE "
                             "CAST(name AS TEXT) = 'seal.root'",
                             (record,)).rowcount
    equal(changed, 1, "planted roots")


def kms_keys_asked(bench):
    log = json.loads(bench.cloud.admin("log", "log", method="GET", n=1000))
    return [r for r in log if FOREIGN in json.dumps(r)]


def planted(bench, m, arn, blob):
    m.stop()
    plant(m, arn, blob)
    bench.cloud.reset_counters()
    m.start()
    equal(digests(m), expected(bench), "bytes")


def test_planted_root(bench):
    """A root under a key that policy does not name is not even asked for."""
    m = filled(bench, 8)
    caller = Caller(bench)
    uuid = meta(m.state, "seal.uuid").decode()
    made = caller.kms("GenerateDataKey", KeyId=FOREIGN, KeySpec="AES_256",
                      EncryptionContext={"sesfs:state": uuid})
    equal(made["KeyId"], FOREIGN, "key of the planted root")
    equal(len(kms_keys_asked(bench)), 1, "calls of the foreign key, ours")
    planted(bench, m, FOREIGN, base64.b64decode(made["CiphertextBlob"]))
    equal(bench.cloud.count("kms.decrypt"), 8, "KMS calls, one a mail")
    m.sync()
    # It is as good as lost, and ours takes its place.
    until("a seal of our own", lambda: m.status()["seal"]["state"] == "open")
    equal(kms_keys_asked(bench), [], "calls of the foreign key")


def test_planted_label(bench):
    """Nor does it help to lie about the key: KMS is held to it."""
    m = filled(bench, 8)
    caller = Caller(bench)
    uuid = meta(m.state, "seal.uuid").decode()
    made = caller.kms("GenerateDataKey", KeyId=SECOND, KeySpec="AES_256",
                      EncryptionContext={"sesfs:state": uuid})
    planted(bench, m, KEY, base64.b64decode(made["CiphertextBlob"]))
    equal(bench.cloud.count("kms.decrypt"), 8 + 1, "KMS calls")
    equal(m.status()["seal"]["state"], "denied", "seal")


def alias(bench, name, key):
    bench.cloud.admin("kms", "kms", key=key, alias=name)


def unwrapped(bench):
    """The names by which KMS was asked for a key and gave it."""
    log = json.loads(bench.cloud.admin("log", "log", method="GET", n=1000))
    return {r["kms_key"] for r in log
            if r["op"] == "kms.decrypt" and r["status"] == 200}


def verify(bench, m, key, ok):
    bench.sesfs("verify", "--state-dir", m.state, "--kms-key", key,
                "s3://mail/in", ok=ok)


def test_alias_is_held_to_its_key(bench):
    """An alias stands for one key, which KMS knows, not for every key."""
    alias(bench, "alias/mail", KEY)
    m = filled(bench, 5, name="m")
    m.stop()
    for name in ("alias/nope", "alias/second",
                 KEY.rsplit(":", 1)[0] + ":alias/nope"):
        bench.cloud.reset_counters()
        verify(bench, m, name, (1,))
        equal(unwrapped(bench), set(), f"keys that served {name}")
    bench.cloud.reset_counters()
    verify(bench, m, "alias/mail", (0,))
    equal(unwrapped(bench), {"alias/mail"}, "names that served")


def test_planted_root_under_alias(bench):
    """A foreign root is not asked for when an alias is what is named."""
    alias(bench, "alias/mail", KEY)
    m = filled(bench, 8)
    bench.common = lambda state: ["--state-dir", state, "--kms-key",
                                  "alias/mail"]
    caller = Caller(bench)
    uuid = meta(m.state, "seal.uuid").decode()
    for key in (SECOND, FOREIGN):
        made = caller.kms("GenerateDataKey", KeyId=key, KeySpec="AES_256",
                          EncryptionContext={"sesfs:state": uuid})
        planted(bench, m, key, base64.b64decode(made["CiphertextBlob"]))
        equal(unwrapped(bench), {"alias/mail"}, "names that served")
        m.sync()
        until("a seal of our own",
              lambda: m.status()["seal"]["state"] == "open")
        equal(root_record(m.state)[0], KEY, "key of the root")


def test_planted_nonsense(bench):
    """What is no record at all costs nothing but the secrets."""
    m = filled(bench, 4)
    for record in (b"", b"\x01", os.urandom(300), b"\x01\x01\xff\xff" + KEY
                   .encode()):
        m.stop()
        with index(m.state) as db:
            db.execute("UPDATE meta SET value = ? WHERE CAST(name AS TEXT) "
                       "= 'seal.root'", (record,))
        m.start()
        equal(digests(m), expected(bench), f"bytes after {record[:4]!r}")


if __name__ == "__main__":
    main(globals())
