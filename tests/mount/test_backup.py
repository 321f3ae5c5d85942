"""Backups of a mount: the second run reads no mail, nor does the first one
after a remount; what is restored is what was received."""
import os

from clients import Meter, filled, next_second, plain_of, run, same
from harness import equal, main, need


def tree(bench):
    m = filled(bench, 60, folders="Sales/")
    return m, plain_of(bench, m.mails() + m.mails("Sales"))


def check_restored(m, wants, root):
    """The files below root are the messages, with their names and times."""
    found = {os.path.join(d, n)[len(root):]: os.path.join(d, n)
             for d, _, names in os.walk(root) for n in names if ",S=" in n}
    equal(sorted(found), sorted(p[len(m.path):] for p in wants), "restored")
    for p, data in wants.items():
        q = found[p[len(m.path):]]
        with open(q, "rb") as f:
            same(f.read(), data, q)
        equal(int(os.stat(q).st_mtime), int(os.stat(p).st_mtime), q)


def backup_often(bench, m, program, backup):
    """Everything; nothing; nothing in a new mount; two changes. Returns the
    messages by their paths at the end."""
    # Borg never remembers the file that changed last of all; where a mail
    # program is at work that is one of its own.
    with open(m.path + "/.uidvalidity", "w") as f:
        f.write("1\n1\n")
    next_second()
    meter = Meter(bench, m)
    backup("first")
    seen = meter.check(f"{program}: first run", s3=0, kms=0)
    assert seen["fuse.mail_read"] >= 60, seen
    meter = Meter(bench, m)
    backup("second")
    meter.check(f"{program}: second run", mail_read=0, s3=0, kms=0)
    m.stop()
    m.start()
    meter = Meter(bench, m)
    backup("third")
    # Extended attributes need what is sealed: one request for all of them.
    meter.check(f"{program}: after a remount", mail_read=0, s3=0, kms=1)
    # One new message, one renamed: at most those are read.
    victim = m.mails()[0]
    os.rename(victim, victim.replace("/new/", "/cur/") + ":2,S")
    bench.cloud.generate("mail", "inbound/", 1, seed=31, size=2000)
    m.sync()
    meter = Meter(bench, m)
    backup("fourth")
    meter.check(f"{program}: after two changes", mail_read=4, s3=0, kms=1)
    return plain_of(bench, m.mails() + m.mails("Sales"))


def test_borg(bench):
    need("borg")
    m, wants = tree(bench)
    repo = bench.work + "/borg"
    env = {"BORG_BASE_DIR": bench.work + "/borg-home",
           "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
           "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
    os.mkdir(env["BORG_BASE_DIR"])
    run(bench, "borg", "init", "-e", "none", repo, env=env)

    def backup(name):
        run(bench, "borg", "create", "--files-cache=ctime,size,inode",
            f"{repo}::{name}", ".", env=env, cwd=m.path)

    wants = backup_often(bench, m, "borg", backup)
    to = bench.work + "/restored"
    os.mkdir(to)
    run(bench, "borg", "extract", f"{repo}::fourth", env=env, cwd=to)
    check_restored(m, wants, to)


def test_restic(bench):
    need("restic")
    m, wants = tree(bench)
    repo = bench.work + "/restic"
    env = {"RESTIC_REPOSITORY": repo, "RESTIC_PASSWORD": "test",
           "RESTIC_CACHE_DIR": bench.work + "/restic-cache"}
    run(bench, "restic", "init", env=env)

    def backup(name):
        run(bench, "restic", "backup", "--tag", name, "--host", "test", ".",
            env=env, cwd=m.path)

    wants = backup_often(bench, m, "restic", backup)
    to = bench.work + "/restored"
    run(bench, "restic", "restore", "latest", "--target", to, env=env)
    check_restored(m, wants, to)


if __name__ == "__main__":
    main(globals())
