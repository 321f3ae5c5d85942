"""mutt and neomutt, which share their commands: what both tests do."""
import os

from clients import (Meter, Terminal, filled, next_second, plain_of,
                     same)
from harness import equal, read

RC = """
set folder="{mnt}" mbox_type=Maildir spoolfile="{mnt}"
set header_cache="{cache}"
set record="" postponed="" trash="" mark_old=no
set wait_key=no quit=yes delete=yes move=no confirmappend=no
set pipe_decode=no sort=date-received mail_check=1 timeout=1
set sleep_time=0 beep=no
"""


def write_rc(bench, m, *lines):
    path = bench.work + "/rc"
    with open(path, "w") as f:
        f.write(RC.format(mnt=m.path, cache=bench.work + "/headers"))
        f.write("\n".join(lines) + "\n")
    return path


def session(bench, m, program, keys, *lines):
    """Open the INBOX, type, leave."""
    rc = write_rc(bench, m, *lines)
    with Terminal(bench, program, "-n", "-F", rc, "-f", m.path, "-e",
                  f'push "{keys}"') as t:
        t.finish()
        return t.written


def flags(m):
    """Flags by base name."""
    return {os.path.basename(p).partition(":2,")[0]:
            p.partition(":2,")[2] for p in m.mails()}


def open_and_change(bench, program):
    """Open, read one message, flag another, delete and undelete, delete."""
    m = filled(bench, 30)
    wants = plain_of(bench, m.mails())
    inodes = {os.stat(p).st_ino: p for p in wants}
    base = [os.path.basename(p) for p in
            sorted(wants, key=lambda p: os.stat(p).st_mtime)]
    out = bench.work + "/piped"
    meter = Meter(bench, m)
    session(bench, m, program,
            f"1<enter><display-message><exit><pipe-message>cat >{out}<enter>"
            "2<enter><flag-message>"
            "3<enter><delete-message>3<enter><undelete-message>"
            "4<enter><delete-message><sync-mailbox><quit>")
    # Every header is read once; what sync fetched is in the cache.
    meter.check(f"{program}: first open", s3=0, kms=0, unlink=1, errors=10)
    now = flags(m)
    want = dict.fromkeys(base, "")
    want[base[0]], want[base[1]] = "S", "F"
    del want[base[3]]
    equal(now, want, "flags")
    first = next(p for p in wants if os.path.basename(p) == base[0])
    # The programs write the header with line ends of their own.
    same(read(out).replace(b"\r\n", b"\n"),
         wants[first].replace(b"\r\n", b"\n"), "the message as piped")
    for p in m.mails():
        same(read(p), wants[inodes[os.stat(p).st_ino]], p)
    # In a new mount no page is cached: the header cache does it all.
    m.stop()
    m.start()
    meter = Meter(bench, m)
    session(bench, m, program, "<quit>")
    meter.check(f"{program}: second open", s3=0, kms=1, mail_read=0,
                write=0, rename=0, unlink=0)
    equal(flags(m), want, "flags after opening once more")
    equal(bench.cloud.count("s3.delete"), 0, "objects removed")


def trash_and_untrash(bench, program):
    """With maildir_trash, a deleted message stays, marked; then it is
    undeleted."""
    m = filled(bench, 5)
    base = [os.path.basename(p) for p in
            sorted(m.mails(), key=lambda p: os.stat(p).st_mtime)]
    trash = "set maildir_trash=yes"
    session(bench, m, program, "2<enter><delete-message><quit>", trash)
    equal(flags(m)[base[1]], "T", "flags of what was deleted")
    equal(len(m.mails()), 5, "messages")
    session(bench, m, program, "2<enter><undelete-message><quit>", trash)
    equal(flags(m)[base[1]], "", "flags of what was undeleted")


def copy_to_folder(bench, program):
    """Saving into a folder of the mount would be new mail: refused, and
    nothing is lost."""
    m = filled(bench, 5)
    os.mkdir(m.path + "/.Kept")
    for leaf in ("cur", "new", "tmp"):
        os.mkdir(f"{m.path}/.Kept/{leaf}")
    rc = write_rc(bench, m, "set delete=no")
    with Terminal(bench, program, "-n", "-F", rc, "-f", m.path, "-e",
                  'push "2<enter><save-message>=.Kept<enter>"') as t:
        t.expect("Read-only file system")
        t.send("x")
        t.finish()
    equal(len(m.mails()), 5, "messages")
    equal(m.mails("Kept"), [], "saved messages")
    equal(os.listdir(m.path + "/.Kept/tmp"), [], "left in tmp")


def arrival(bench, program):
    """Mail that arrives while the INBOX is open is seen."""
    m = filled(bench, 5)
    rc = write_rc(bench, m)
    with Terminal(bench, program, "-n", "-F", rc, "-f", m.path) as t:
        t.expect("Msgs:5")
        next_second()  # of a directory's mtime neomutt sees no more
        bench.cloud.generate("mail", "inbound/", 1, seed=77)
        m.sync()
        t.expect("New mail in this mailbox")
        t.send("q")
        t.finish()
    equal(len(m.mails()), 6, "messages")
