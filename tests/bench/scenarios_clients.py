"""Mail programs on sesfs, whose mail is cached, and on a local Maildir with
the same names."""
import os
import pty
import select
import shutil
import socket
import time

from harness import need
from measure import drop_caches, measured
from muttlike import RC
from room import cached_tree
from test_dovecot import Dovecot, mail_user, owner


def maildirs(run, room, s, *args):
    """The mount, and a whole Maildir beside it."""
    sesfs, copy = cached_tree(run, room, *args)
    root = os.path.dirname(copy.path)
    for leaf in ("cur", "tmp"):
        os.mkdir(os.path.join(root, leaf))
    copy.path, sesfs.path = root, sesfs.mount.path
    s.conditions.update(messages=run.count)
    return sesfs, copy


def afresh(s, sesfs, *parties):
    """Nothing in the page cache, all mail in new/ and sesfs just mounted."""
    for p in (sesfs, *parties):
        cur, new = os.path.join(p.path, "cur"), os.path.join(p.path, "new")
        for name in os.listdir(cur):
            os.rename(os.path.join(cur, name),
                      os.path.join(new, name.partition(":2,")[0]))
    sesfs.stop()
    s.conditions["page cache"] = "dropped before the first" \
        if drop_caches() else "sesfs's alone is dropped; all needs root"
    sesfs.start()
    sesfs.path = sesfs.mount.path


class Imap:
    """As little of a client as there can be, to spend no time itself."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 180)
        self.until(b"* OK")

    def until(self, mark):
        """Read until a line that begins so has come; bytes read."""
        tail, n = b"\r\n", 0
        while b"\r\n" + mark not in tail or not tail.endswith(b"\r\n"):
            data = self.socket.recv(1 << 20)
            if not data:
                raise AssertionError("dovecot closed the connection")
            n += len(data)
            tail = tail[-200:] + data
        if b"\r\n" + mark + b" OK" not in tail and mark != b"* OK":
            raise AssertionError(tail[-300:].decode(errors="replace"))
        return n

    def __call__(self, command):
        self.socket.sendall(b"a " + command.encode() + b"\r\n")
        return self.until(b"a")


def fetch_envelopes(port, user):
    """What an IMAP client does when it opens a mailbox it does not know."""
    start = time.monotonic()
    c = Imap(port)
    c(f"LOGIN {user} x")
    c("SELECT INBOX")
    n = c("FETCH 1:* (RFC822.SIZE ENVELOPE)")
    c("LOGOUT")
    c.socket.close()
    return {"seconds": time.monotonic() - start, "bytes": n}


def dovecot(run, s, room):
    """FETCH of all envelopes, without Dovecot's index and with it."""
    user = mail_user()
    sesfs, copy = maildirs(run, room, s, *owner())
    for path, _, names in os.walk(copy.path):
        for name in [".", *names]:
            os.chown(os.path.join(path, name), user.pw_uid, user.pw_gid)
    side = room.work + "/side"
    users = {p.name: f"maildir:{p.path}:INDEX={side}/{p.name}/index"
             f":CONTROL={side}/{p.name}/control" for p in (sesfs, copy)}
    with Dovecot(room, users) as d:
        for _ in range(run.reps):
            shutil.rmtree(side, ignore_errors=True)
            os.mkdir(side)
            os.chown(side, user.pw_uid, user.pw_gid)
            afresh(s, sesfs, copy)
            for when in ("first", "second"):
                for p in (copy, sesfs):
                    s.add(f"{p.name}, {when}", measured(
                        room, p, fetch_envelopes, d.port, p.name))
    held_to_local(s, copy.name)


def held_to_local(s, name):
    for when, goal in (("first", 2), ("second", 1.1)):
        s.ratio(f"sesfs, {when}", f"{name}, {when}", goal, "seconds",
                f"{when} time: sesfs / {name}", at_least=False)


def run_mutt(room, path):
    """Open a mailbox and leave it, on a terminal whose output is thrown
    away."""
    rc = room.work + "/rc"
    with open(rc, "w") as f:
        f.write(RC.format(mnt=path, cache=""))
    start = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execvpe("mutt", ["mutt", "-n", "-F", rc, "-f", path, "-e",
                                'push "<quit>"'],
                       {**room.env, "TERM": "vt100"})
        finally:
            os._exit(127)
    try:
        while select.select([fd], [], [], 180)[0] and os.read(fd, 1 << 16):
            pass
    except OSError:  # the terminal is gone with the program
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    if status != 0:
        raise AssertionError(f"mutt: exit {status}")
    return {"seconds": time.monotonic() - start}


def mutt(run, s, room):
    """Opening a mailbox without a header cache: each message is read."""
    need("mutt")
    sesfs, copy = maildirs(run, room, s)
    for _ in range(run.reps):
        afresh(s, sesfs, copy)
        for when in ("first", "second"):
            for p in (copy, sesfs):
                s.add(f"{p.name}, {when}",
                      measured(room, p, run_mutt, room, p.path))
    held_to_local(s, copy.name)
