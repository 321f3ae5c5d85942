"""notmuch on a mount, its database beside the mail or elsewhere."""
import json
import os

from clients import Meter, filled, next_second, plain_of, run
from harness import equal, main, need, read

CONF = """
[database]
path={db}
mail_root={mnt}
[user]
name=Tester
primary_email=tester@example.com
[new]
tags=unread;inbox;
ignore=/^dovecot/;maildirfolder
[maildir]
synchronize_flags=true
"""


class Notmuch:
    def __init__(self, bench, m, database):
        need("notmuch")
        self.bench, self.m = bench, m
        self.conf = bench.work + "/notmuch-config"
        with open(self.conf, "w") as f:
            f.write(CONF.format(db=database, mnt=m.path))

    def __call__(self, *args):
        return run(self.bench, "notmuch", *args,
                   env={"NOTMUCH_CONFIG": self.conf})

    def count(self, *query):
        return int(self("count", *query))


def always_listed(m):
    """The directories that notmuch lists each time: those that have
    subdirectories and, as it keeps nothing about them, those that are empty.
    """
    folders = [m.path] + [os.path.join(m.path, n) for n in os.listdir(m.path)
                          if n.startswith(".") and os.path.isdir(
                              os.path.join(m.path, n, "cur"))]
    leaves = [os.path.join(f, leaf) for f in folders
              for leaf in ("new", "cur")]
    return folders + [d for d in leaves if not os.listdir(d)]


def listing_cost(bench, m):
    """READDIR requests that listing those directories takes."""
    dirs = always_listed(m)
    meter = Meter(bench, m)
    for d in dirs:
        os.listdir(d)
    return meter.seen().get("fuse.readdir", 0)


def check(bench, m, database):
    notmuch = Notmuch(bench, m, database)
    paths = m.mails() + m.mails("Sales")
    wants = plain_of(bench, paths)
    # What changed within the current second is looked at again.
    next_second()
    meter = Meter(bench, m)
    notmuch("new")
    meter.check("notmuch: first new", mail_read=len(paths), s3=0, kms=0)
    equal(m.mails() + m.mails("Sales"), paths, "names")
    equal(notmuch.count("*"), len(paths), "messages")
    # Nothing changed: no directory with mail in it is listed.
    cost = listing_cost(bench, m)
    meter = Meter(bench, m)
    out = notmuch("new")
    assert "No new mail" in out, out
    meter.check("notmuch: second new", mail_read=0, readdir=cost, s3=0, kms=0)
    # As in a new mount.
    m.stop()
    m.start()
    cost = listing_cost(bench, m)
    meter = Meter(bench, m)
    notmuch("new")
    meter.check("notmuch: new after a remount", mail_read=0, readdir=cost,
                s3=0, kms=0)
    # Flags both ways.
    one = next(iter(wants))
    name = os.path.basename(one)
    ident = next(i for i in json.loads(notmuch(
        "search", "--output=messages", "--format=json", "path:new"))
        if notmuch("search", "--output=files", "id:" + i).strip() == one)
    meter = Meter(bench, m)
    notmuch("tag", "-unread", "+flagged", "+replied", "--", "id:" + ident)
    meter.check("notmuch: tag", mail_read=0, s3=0, kms=0)
    where = m.path + "/cur/" + name + ":2,FRS"
    assert os.path.exists(where), os.listdir(m.path + "/cur")
    os.rename(where, m.path + "/cur/" + name + ":2,S")
    meter = Meter(bench, m)
    notmuch("new")
    # Under a name it does not know it looks for the Message-ID once; the KMS
    # request opens what the state directory keeps sealed.
    meter.check("notmuch: a flag taken away", mail_read=1, s3=0, kms=1)
    equal(notmuch.count("id:" + ident, "and", "tag:flagged"), 0, "flagged")
    equal(notmuch.count("id:" + ident, "and", "not", "tag:unread"), 1, "read")
    # New mail, and mail that is gone.
    bench.cloud.generate("mail", "inbound/", 3, seed=70)
    gone = os.getxattr(m.mails("Sales")[0], "user.sesfs.key").decode()
    bench.cloud.delete("mail", gone)
    m.sync()
    notmuch("new")
    equal(notmuch.count("*"), len(paths) + 2, "messages")
    # A search by a word finds what the cloud says is in a message.
    hits = notmuch("search", "--output=files", "invoice").splitlines()
    assert hits and all(b"invoice" in read(h).lower() for h in hits), hits


def test_database_inside(bench):
    m = filled(bench, 40, folders="Sales/", size=6000)
    check(bench, m, m.path)
    assert os.path.isdir(m.path + "/.notmuch/xapian")


def test_database_outside(bench):
    m = filled(bench, 40, folders="Sales/", size=6000)
    db = bench.work + "/db"
    os.mkdir(db)
    check(bench, m, db)
    assert not os.path.exists(m.path + "/.notmuch")


if __name__ == "__main__":
    main(globals())
