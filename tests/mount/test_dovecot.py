"""Dovecot 2.3 on a mount, as another user, over IMAP."""
import imaplib
import os
import pwd
import re
import socket
import subprocess
import threading

from clients import Meter, end, filled, plain_of, same
from harness import Skip, equal, main, need, until

imaplib._MAXLINE = 10_000_000  # a search of thousands is one line

CONF = """
protocols = imap
base_dir = {dir}/run
state_dir = {dir}/lib
log_path = {dir}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
first_valid_gid = 1
mail_privileged_group =
mail_fsync = optimized
mail_plugins =
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
maildir_copy_with_hardlinks = yes
{more}
"""
USER = "www-data"


def mail_user():
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise Skip(f"there is no user {USER}")


def owner():
    """Options that give the tree to the user whom Dovecot works as."""
    u = mail_user()
    return "-o", f"allow_other,uid={u.pw_uid},gid={u.pw_gid}"


class Dovecot:
    """Dovecot on a port of its own; users by name with their location."""

    def __init__(self, bench, users, more=""):
        need("dovecot", "doveconf")
        if os.geteuid() != 0:
            raise Skip("dovecot needs root to serve another user")
        version = subprocess.run(["dovecot", "--version"], check=True,
                                 capture_output=True, text=True).stdout
        if not version.startswith("2.3."):
            raise Skip(f"this is dovecot {version.split()[0]}, not 2.3")
        user = mail_user()
        self.dir = bench.work + "/dovecot"
        self.bench = bench
        os.mkdir(self.dir)
        with open(self.dir + "/users", "w") as f:
            for name, where in users.items():
                home = f"{self.dir}/home-{name}"
                os.mkdir(home, 0o700)
                os.chown(home, user.pw_uid, user.pw_gid)
                f.write(f"{name}::{user.pw_uid}:{user.pw_gid}::{home}::"
                        f"userdb_mail={where}\n")
        self.conf = self.dir + "/dovecot.conf"
        self.more = more
        # The port is picked by asking for one; should somebody else get it
        # first, dovecot says so and another one is tried.
        for _ in range(10):
            if self.start():
                return
        raise AssertionError("dovecot did not start: " + self.log())

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(self.conf, "w") as f:
            f.write(CONF.format(dir=self.dir, port=self.port, more=self.more))
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
            env=self.bench.env)
        until("dovecot to listen", lambda: self.process.poll() is not None
              or self.answers())
        return self.process.poll() is None

    def answers(self):
        try:
            imaplib.IMAP4("127.0.0.1", self.port, timeout=180).logout()
            return True
        except OSError:
            return False

    def log(self):
        with open(self.dir + "/log", errors="replace") as f:
            return f.read()

    def login(self, name):
        c = imaplib.IMAP4("127.0.0.1", self.port, timeout=180)
        c.login(name, "x")
        return c

    def stop(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print(self.log()[-4000:])

    def check_log(self, *allowed):
        bad = [line for line in self.log().splitlines()
               if re.search(r"Error:|Fatal:|Panic:|[Cc]orrupt|Warning:", line)
               and "Killed with signal 15" not in line  # which stop() sends
               and not any(a in line for a in allowed)]
        equal(bad, [], "complaints of dovecot")


def ok(answer):
    kind, data = answer
    equal(kind, "OK", f"answer {data}")
    return data


def sizes(c):
    """RFC822.SIZE by UID."""
    out = {}
    for line in ok(c.uid("FETCH", "1:*", "(RFC822.SIZE)")):
        if line is not None and b"RFC822.SIZE" in line:
            uid = int(re.search(rb"UID (\d+)", line)[1])
            out[uid] = int(re.search(rb"RFC822.SIZE (\d+)", line)[1])
    return out


def bodies(c, which="1:*"):
    """Whole messages by UID."""
    out = {}
    for part in ok(c.uid("FETCH", which, "(BODY.PEEK[])")):
        if isinstance(part, tuple):
            out[int(re.search(rb"UID (\d+)", part[0])[1])] = part[1]
    return out


def flags(c):
    out = {}
    for line in ok(c.uid("FETCH", "1:*", "(FLAGS)")):
        if line is not None and b"UID" in line:  # else it came unasked
            uid = int(re.search(rb"UID (\d+)", line)[1])
            out[uid] = set(imaplib.ParseFlags(line)) - {b"\\Recent"}
    return out


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def check_bodies(c, wants, which="1:*"):
    got = bodies(c, which)
    equal(sorted(map(len, got.values())), sorted(map(len, wants)), "lengths")
    left = {}
    for w in wants:
        left.setdefault(len(w), []).append(w)
    for uid, body in got.items():
        same(body, min(left[len(body)], key=lambda w: w != body),
             f"body of {uid}")
    return got


def check_reading(bench, m, dovecot, name):
    """SELECT, sizes without opening a message, bodies; then all once more."""
    plain = plain_of(bench, m.mails())
    wants = [crlf(d) for d in plain.values()]
    meter = Meter(bench, m)
    c = dovecot.login(name)
    equal(int(ok(c.select())[0]), len(wants), "messages")
    equal(sorted(sizes(c).values()), sorted(map(len, wants)), "sizes")
    meter.check(f"{name}: SELECT and sizes", mail_read=0, s3=0, kms=0)
    equal([p for p in m.mails() if "/new/" in p], [], "left in new")
    check_bodies(c, wants)
    meter.check(f"{name}: bodies", s3=0, kms=0)
    c.logout()
    # What dovecot has in its own index needs no message any more.
    meter = Meter(bench, m)
    c = dovecot.login(name)
    ok(c.select())
    equal(sorted(sizes(c).values()), sorted(map(len, wants)), "sizes again")
    meter.check(f"{name}: SELECT and sizes again", mail_read=0, rename=0,
                s3=0, kms=0)
    return c


def check_changes(bench, m, dovecot, name, c):
    """STORE, COPY by link, EXPUNGE, APPEND refused."""
    uids = sorted(sizes(c))
    meter = Meter(bench, m)
    ok(c.uid("STORE", str(uids[0]), "+FLAGS", r"(\Seen \Flagged)"))
    ok(c.uid("STORE", f"{uids[0]}:{uids[1]}", "+FLAGS", "($Work Later)"))
    ok(c.uid("STORE", str(uids[2]), "+FLAGS", r"(\Answered \Draft)"))
    meter.check(f"{name}: STORE", mail_read=0, s3=0, kms=0)
    want = {u: set() for u in uids}
    want[uids[0]] = {b"\\Seen", b"\\Flagged", b"$Work", b"Later"}
    want[uids[1]] = {b"$Work", b"Later"}
    want[uids[2]] = {b"\\Answered", b"\\Draft"}
    equal(flags(c), want, "flags")
    suffix = sorted(p.partition(":2,")[2] for p in m.mails())
    equal(suffix, sorted([""] * (len(uids) - 3) + ["FSab", "ab", "DR"]),
          "flags in file names")
    # A copy is another name of the same inode; nothing is fetched for it.
    ok(c.create("Kept"))
    meter = Meter(bench, m)
    ok(c.uid("COPY", f"{uids[0]},{uids[3]}", "Kept"))
    meter.check(f"{name}: COPY", s3=0, kms=0, mail_read=0)
    links = {os.stat(p).st_ino for p in m.mails("Kept")}
    equal(len(links), 2, "copies")
    equal({os.stat(p).st_nlink for p in m.mails("Kept")}, {2}, "links")
    assert links <= {os.stat(p).st_ino for p in m.mails()}
    before = bodies(c, f"{uids[0]},{uids[3]}")
    ok(c.select("Kept"))
    equal(sorted(bodies(c).values()), sorted(before.values()), "copied bytes")
    equal(sorted(map(sorted, flags(c).values())),
          sorted([[], sorted(want[uids[0]])]), "flags of the copies")
    ok(c.select())
    ok(c.uid("STORE", f"{uids[3]}:{uids[4]}", "+FLAGS", r"(\Deleted)"))
    ok(c.expunge())
    equal(sorted(sizes(c)), uids[:3] + uids[5:], "UIDs after EXPUNGE")
    equal(len(m.mails()), len(uids) - 2, "messages after EXPUNGE")
    equal(len(m.mails("Kept")), 2, "copies after EXPUNGE")
    # New mail is refused with a message, and the connection lives on.
    kind, text = c.append("INBOX", None, None, b"Subject: x\r\n\r\nbody\r\n")
    equal(kind, "NO", f"APPEND: {text}")
    equal(os.listdir(m.path + "/tmp"), [], "left in tmp")
    ok(c.noop())
    equal(sorted(sizes(c)), uids[:3] + uids[5:], "UIDs after APPEND")
    equal(bench.cloud.count("s3.delete"), 0, "objects removed")
    c.logout()


def test_in_the_maildir(bench):
    """Index and control files in their default place, the Maildir."""
    m = filled(bench, 40, *owner())
    with Dovecot(bench, {"anna": f"maildir:{m.path}"}) as d:
        c = check_reading(bench, m, d, "anna")
        for name in ("dovecot-uidlist", "dovecot.index.log"):
            st = os.stat(os.path.join(m.path, name))
            equal(st.st_uid, mail_user().pw_uid, "owner of " + name)
        check_changes(bench, m, d, "anna", c)
        # All of it survives a remount, and Dovecot notices nothing.
        c = d.login("anna")
        ok(c.select())
        before = flags(c), sizes(c)
        validity = c.response("UIDVALIDITY")
        c.logout()
        m.stop()
        m.start()
        meter = Meter(bench, m)
        c = d.login("anna")
        ok(c.select())
        equal((flags(c), sizes(c)), before, "flags and sizes after remount")
        equal(c.response("UIDVALIDITY"), validity, "UIDVALIDITY")
        meter.check("anna: after a remount", mail_read=0, rename=0, s3=0,
                    kms=1)
        c.logout()
        # Mail that arrives is seen by an open session, with the next UIDs.
        c = d.login("anna")
        ok(c.select())
        bench.cloud.generate("mail", "inbound/", 2, seed=99)
        m.sync()
        until("new mail in an open session", lambda: ok(c.noop())
              and len(sizes(c)) == len(before[1]) + 2)
        fresh = sorted(set(sizes(c)) - set(before[1]))
        equal(len(fresh), 2, "new messages")
        assert min(fresh) > max(before[1])
        c.logout()
        d.stop()
        d.check_log("Read-only file system")


def test_index_outside(bench):
    """Index and control files elsewhere: the tree holds mail only."""
    m = filled(bench, 40, *owner())
    side = bench.work + "/side"
    os.mkdir(side)
    user = mail_user()
    os.chown(side, user.pw_uid, user.pw_gid)
    where = f"maildir:{m.path}:INDEX={side}/index:CONTROL={side}/control"
    with Dovecot(bench, {"otto": where}) as d:
        c = check_reading(bench, m, d, "otto")
        check_changes(bench, m, d, "otto", c)
        equal([n for n in os.listdir(m.path) if n.startswith("dovecot")], [],
              "dovecot's files in the tree")
        assert any("dovecot-uidlist" in files
                   for _, _, files in os.walk(side + "/control"))
        d.stop()
        d.check_log("Read-only file system")


def test_read_only(bench):
    """With --read-only everything can be read and nothing changes. Dovecot
    takes a mailbox for read-only when access() says EACCES, and not when it
    says EROFS as here: so SELECT tries to move new mail to cur/ and logs that
    it cannot, EXAMINE is content."""
    m = filled(bench, 12, *owner())
    for p in m.mails()[:4]:
        os.rename(p, p.replace("/new/", "/cur/") + ":2,S")
    m.stop()
    m.args.append("--read-only")
    m.start()
    names = m.mails()
    wants = [crlf(d) for d in plain_of(bench, names).values()]
    side = bench.work + "/side"
    os.mkdir(side)
    os.chown(side, mail_user().pw_uid, mail_user().pw_gid)
    where = f"maildir:{m.path}:INDEX={side}/index:CONTROL={side}/control"
    with Dovecot(bench, {"otto": where}) as d:
        c = d.login("otto")
        ok(c.select(readonly=True))
        check_bodies(c, wants)
        equal(sorted(map(len, flags(c).values())), [0] * 8 + [1] * 4, "flags")
        c.logout()
        d.check_log()
        c = d.login("otto")
        ok(c.select())
        check_bodies(c, wants)
        c.uid("STORE", "1:*", "+FLAGS", r"(\Flagged)")
        equal(m.mails(), names, "names")
        c.logout()
        d.stop()
        d.check_log("Read-only file system")


def test_folders(bench):
    """LIST shows key directories as folders, names in modified UTF-7; they
    can be made, renamed and deleted."""
    c = bench.cloud
    for i, d in enumerate(("", "Sales/2026/", "Über/", "R&D/", "日本語/")):
        c.generate("mail", "inbound/" + d, 2, seed=i)
    m = bench.mount("s3://mail/inbound", "--poll", "86400", *owner())
    m.sync()
    with Dovecot(bench, {"anna": f"maildir:{m.path}"}) as d:
        c = d.login("anna")
        names = {re.search(rb'"/" "?([^"]*)"?$', line)[1].decode()
                 for line in ok(c.list())}
        equal(names, {"INBOX", "Sales", "Sales/2026", "&ANw-ber", "R&-D",
                      "&ZeVnLIqe-"}, "folders")
        for name in names - {"INBOX", "Sales"}:
            equal(int(ok(c.select(f'"{name}"'))[0]), 2, name)
        ok(c.create("Team/New"))
        ok(c.rename("Team/New", "Team/Old"))
        ok(c.rename('"R&-D"', '"Lab"'))
        equal(int(ok(c.select("Lab"))[0]), 2, "messages after RENAME")
        ok(c.select())
        ok(c.delete("Team/Old"))
        ok(c.delete("Sales/2026"))
        names = sorted(n for n in os.listdir(m.path) if n.startswith(".")
                       and os.path.isdir(os.path.join(m.path, n)))
        equal(names, [".&ANw-ber", ".&ZeVnLIqe-", ".Lab"], "directories")
        c.logout()
        d.stop()
        d.check_log()


def test_two_clients(bench):
    """Two sessions change flags, expunge and copy at once; both agree."""
    m = filled(bench, 60, *owner(), size=3000)
    with Dovecot(bench, {"anna": f"maildir:{m.path}"}) as d:
        first = d.login("anna")
        ok(first.select())
        uids = sorted(sizes(first))
        ok(first.create("Kept"))
        failures = []

        def work(mine, flag):
            try:
                c = d.login("anna")
                ok(c.select())
                for uid in mine:
                    ok(c.uid("STORE", str(uid), "+FLAGS", f"({flag})"))
                for uid in mine[:5]:
                    ok(c.uid("COPY", str(uid), "Kept"))
                for uid in mine[-5:]:
                    ok(c.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)"))
                    ok(c.expunge())
                c.logout()
            except BaseException as e:
                failures.append(repr(e))

        threads = [threading.Thread(target=work, args=a) for a in
                   ((uids[0::2], r"\Flagged"), (uids[1::2], r"\Answered"))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(failures, [], "failures")
        gone = set(uids[0::2][-5:] + uids[1::2][-5:])
        want = {u: {rb"\Answered" if i % 2 else rb"\Flagged"}
                for i, u in enumerate(uids) if u not in gone}
        ok(first.noop())
        equal(flags(first), want, "flags")
        equal(int(ok(first.select("Kept"))[0]), 10, "copies")
        first.logout()
        equal(len(m.mails()), 50, "messages")
        equal(len(m.mails("Kept")), 10, "copied messages")
        d.stop()
        d.check_log()


def test_large(bench):
    """2,000 messages: each renamed once out of new/, no message opened."""
    m = filled(bench, 2000, *owner(), size=1500)
    with Dovecot(bench, {"anna": f"maildir:{m.path}"}) as d:
        meter = Meter(bench, m)
        c = d.login("anna")
        equal(int(ok(c.select())[0]), 2000, "messages")
        equal(set(sizes(c).values()), {1500}, "sizes")
        seen = meter.check("2,000: SELECT and sizes", mail_read=0, s3=0,
                           kms=0)
        equal(seen.get("fuse.rename", 0) // 100, 20, "hundreds of renames")
        meter = Meter(bench, m)
        ok(c.uid("STORE", "1:*", "+FLAGS", r"(\Seen)"))
        equal(len(ok(c.uid("SEARCH", "SEEN"))[0].split()), 2000, "seen")
        meter.check("2,000: STORE", mail_read=0, s3=0, kms=0)
        c.logout()
        meter = Meter(bench, m)
        c = d.login("anna")
        equal(int(ok(c.select())[0]), 2000, "messages")
        equal(len(ok(c.uid("SEARCH", "UNSEEN"))[0].split()), 0, "unseen")
        c.logout()
        meter.check("2,000: SELECT again", mail_read=0, rename=0, s3=0, kms=0)
        equal(sum(p.endswith(":2,S") for p in m.mails()), 2000, "file names")
        d.stop()
        d.check_log()


def test_refused_at_read(bench):
    """A message that no longer passes its check: Dovecot has announced its
    size by the time that reading it fails, so it logs the error and closes the
    connection, as it does on any disk error. No byte of it is sent, all others
    are served, and the message is not taken for expunged."""
    m = filled(bench, 6, "--cache-size", "0", *owner())
    plain = plain_of(bench, m.mails())
    victim = sorted(plain)[2]
    key = os.getxattr(victim, "user.sesfs.key").decode()
    bench.cloud.flip("mail", key, 100)
    with Dovecot(bench, {"anna": f"maildir:{m.path}"}) as d:
        c = d.login("anna")
        ok(c.select())
        by_size = {v: k for k, v in sizes(c).items()}
        uid = by_size[len(crlf(plain[victim]))]
        try:
            kind, data = c.uid("FETCH", str(uid), "(BODY.PEEK[])")
            answer = f"{kind} {data}"
            assert not any(isinstance(p, tuple) and p[1] for p in data), data
        except imaplib.IMAP4.abort as e:
            answer = f"connection closed: {e}"
        print("   FETCH of a refused message:", answer[:200])
        c = d.login("anna")
        ok(c.select())
        others = {u: b for u, b in bodies(
            c, ",".join(str(u) for u in by_size.values() if u != uid)).items()}
        equal(sorted(others.values()),
              sorted(crlf(b) for p, b in plain.items() if p != victim),
              "the others' bytes")
        equal(len(sizes(c)), 6, "messages")
        c.logout()
        d.stop()
        until("the error in the log", lambda: "Bad message" in d.log())
        d.check_log("Bad message")
    equal(len(m.mails()), 6, "messages")


if __name__ == "__main__":
    main(globals())
