"""mbsync between a mount and a local Maildir, both ways."""
import os

from clients import Meter, filled, plain_of, run
from harness import equal, main, need, read

CONF = """
MaildirStore ses
Inbox {mnt}/
SubFolders Maildir++

MaildirStore here
Inbox {here}/
SubFolders Maildir++

Channel mail
Far :ses:
Near :here:
Patterns *
Create Near
Sync All
Expunge Both
CopyArrivalDate yes
SyncState {state}/
"""


class Pair:
    """A mount, a local Maildir, and mbsync's configuration for both."""

    def __init__(self, bench, count, **made):
        need("mbsync")
        self.bench = bench
        self.m = filled(bench, count, **made)
        self.here = bench.work + "/here"
        state = bench.work + "/sync-state"
        os.mkdir(self.here)
        os.mkdir(state)
        self.conf = bench.work + "/mbsyncrc"
        with open(self.conf, "w") as f:
            f.write(CONF.format(mnt=self.m.path, here=self.here, state=state))

    def sync(self, ok=(0,)):
        return run(self.bench, "mbsync", "-c", self.conf, "-a", ok=ok)

    def near(self, folder=""):
        d = os.path.join(self.here, "." + folder if folder else "")
        return [os.path.join(d, leaf, n) for leaf in ("new", "cur")
                for n in os.listdir(os.path.join(d, leaf))]


def without_tag(data):
    """mbsync writes an X-TUID line of its own into what it carries."""
    head, sep, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line for line in head.split(b"\n")
             if not line.startswith(b"X-TUID:")]
    return b"\n".join(lines) + sep + body


def by_bytes(paths):
    return {without_tag(read(p)): p for p in paths}


def flags_of(path):
    return path.partition(":2,")[2]


def test_both_ways(bench):
    pair = Pair(bench, 30, folders="Sales/")
    m = pair.m
    everything = m.mails() + m.mails("Sales")
    wants = sorted(map(without_tag, plain_of(bench, everything).values()))
    inodes = {os.stat(p).st_ino for p in everything}
    meter = Meter(bench, m)
    pair.sync()
    meter.check("mbsync: pull", s3=0, kms=0)
    equal(sorted(by_bytes(pair.near() + pair.near("Sales"))), wants,
          "pulled messages")
    everything = m.mails() + m.mails("Sales")
    assert all(",U=" in p for p in everything), everything
    equal({os.stat(p).st_ino for p in everything}, inodes, "inodes")
    assert os.path.exists(m.path + "/.uidvalidity")
    # Nothing to do: nothing is read, nothing renamed.
    meter = Meter(bench, m)
    pair.sync()
    meter.check("mbsync: nothing to do", mail_read=0, rename=0, unlink=0,
                s3=0, kms=0)
    # Flags both ways, and deletions both ways.
    far, near = by_bytes(m.mails()), by_bytes(pair.near())
    a, b, c, d = sorted(far)[:4]
    f = far[a].replace("/new/", "/cur/").partition(":")[0]
    os.rename(far[a], f + ":2,FS")
    n = near[b].replace("/new/", "/cur/").partition(":")[0]
    os.rename(near[b], n + ":2,R")
    n = near[c].replace("/new/", "/cur/").partition(":")[0]
    os.rename(near[c], n + ":2,T")
    f = far[d].replace("/new/", "/cur/").partition(":")[0]
    os.rename(far[d], f + ":2,T")
    meter = Meter(bench, m)
    pair.sync()
    meter.check("mbsync: flags and deletions", mail_read=0, s3=0, kms=0)
    far, near = by_bytes(m.mails()), by_bytes(pair.near())
    equal(flags_of(near[a]), "FS", "flags that came from the mount")
    equal(flags_of(far[b]), "R", "flags that went to the mount")
    assert c not in far and c not in near and d not in far and d not in near
    equal((len(far), len(near)), (13, 13), "messages")
    # New mail is pulled, and what is there is left alone.
    bench.cloud.generate("mail", "inbound/", 2, seed=50)
    m.sync()
    meter = Meter(bench, m)
    pair.sync()
    meter.check("mbsync: two new messages", mail_read=40, rename=2, s3=0,
                kms=0)
    equal(len(pair.near()), 15, "messages")
    equal(sorted(by_bytes(pair.near())), sorted(by_bytes(m.mails())), "bytes")
    # It is all the same in a new mount.
    m.stop()
    m.start()
    meter = Meter(bench, m)
    pair.sync()
    meter.check("mbsync: after a remount", mail_read=0, rename=0, unlink=0,
                s3=0, kms=1)
    equal(bench.cloud.count("s3.delete"), 0, "objects removed")


def test_pushing_is_refused(bench):
    """A message written on the local side cannot go to the mount: mbsync says
    so (but does not fail for it), tries again each time, and nothing is lost
    on either side."""
    pair = Pair(bench, 8)
    m = pair.m
    pair.sync()
    far = sorted(by_bytes(m.mails()))
    letter = b"From: a@example.com\nSubject: draft\n\nkeep me\n"
    with open(pair.here + "/new/1700000001.draft.here", "wb") as f:
        f.write(letter)
    for _ in range(2):
        out = pair.sync(ok=(0, 1))
        assert "Read-only file system" in out, out
        equal(sorted(by_bytes(m.mails())), far, "the mount's messages")
        equal(len(pair.near()), 9, "local messages")
        assert letter in map(read, pair.near())
    # Without that message all is well again.
    os.unlink(next(p for p in pair.near() if read(p) == letter))
    pair.sync()
    equal((len(m.mails()), len(pair.near())), (8, 8), "messages")


if __name__ == "__main__":
    main(globals())
