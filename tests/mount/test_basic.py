"""The tree of a mounted bucket: names, bytes, attributes, changes."""
import base64
import contextlib
import errno
import fcntl
import json
import mmap
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import threading
import time

from harness import (DEADLINE, KEY, SESFS, VECTORS, equal, is_mounted, main,
                     need, raises, read, renameat2, sha256, Skip, until,
                     wipe_page_cache)

NAME = re.compile(r"^\d+\.[0-9a-f]{32}\.sesfs,S=(\d+)(,W=\d+)?$")


def filled(bench, count=20, *args, prefix="inbound/", **kw):
    bench.cloud.generate("mail", prefix, count, seed=1)
    m = bench.mount("s3://mail/inbound", *args, **kw)
    m.sync()
    return m


def can_read(path):
    try:
        read(path)
        return True
    except OSError as e:
        equal(e.errno, errno.EKEYREJECTED, path)
        return False


def vector(name):
    """Body, metadata and plaintext of an official client's object."""
    with open(f"{VECTORS}/positive/{name}.json") as f:
        v = json.load(f)
    strip = len("x-amz-meta-")
    return (base64.b64decode(v["body_base64"]),
            {k[strip:]: h for k, h in v["headers"].items()},
            base64.b64decode(v["plaintext_base64"]))


def test_read_all(bench):
    """Every message is there with exact size, bytes, date and attributes."""
    m = filled(bench, 60)
    objects = {o["key"]: o for o in bench.cloud.manifest("mail")}
    by_key = m.by_key()
    equal(set(by_key), set(objects), "keys shown")
    for key, path in by_key.items():
        o = objects[key]
        name = os.path.basename(path)
        match = NAME.match(name)
        assert match, name
        assert len(name) <= 120, name
        st = os.stat(path)
        data = read(path)
        equal(sha256(data), o["sha256"], key)
        equal(st.st_size, o["plain_size"], key)
        equal(int(match[1]), st.st_size, name)
        equal(st.st_nlink, 1, key)
        equal(stat.S_IMODE(st.st_mode), 0o600, key)
        equal(os.getxattr(path, "user.sesfs.etag").decode(), o["etag"], key)
        equal(os.getxattr(path, "user.sesfs.format"), b"kms-gcm", key)
        assert b":key/" in os.getxattr(path, "user.sesfs.kms-key")
        crlf = len(data) + len(re.findall(rb"(?<!\r)\n", data))
        if match[2]:
            equal(int(match[2][3:]), crlf, "W= of " + key)
    for leaf in ("cur", "new", "tmp"):
        equal(os.stat(os.path.join(m.path, leaf)).st_nlink, 2, leaf)
    equal(os.stat(m.path).st_nlink, 5, "links of the root")
    raises(errno.ENODATA, os.getxattr, m.path + "/new", "user.sesfs.key")
    raises(errno.ENOTSUP, os.setxattr, m.mails()[0], "user.x", b"y")
    # Not supported rather than not there: else ls -l asks for each file.
    for name in ("security.selinux", "security.capability",
                 "system.posix_acl_access", "trusted.x"):
        raises(errno.ENOTSUP, os.getxattr, m.mails()[0], name)
        raises(errno.ENOTSUP, os.getxattr, m.path + "/new", name)


def test_requests(bench):
    """One GET and one Decrypt a message for its whole life, none for stat."""
    bench.cloud.generate("mail", "inbound/", 30, seed=2)
    m = bench.mount("s3://mail/inbound")
    m.sync()
    c = bench.cloud
    equal(c.count("s3.get"), 30, "GETs of the first index")
    equal(c.count("kms.decrypt"), 30, "Decrypts of the first index")
    equal(c.count("s3.head"), 0, "HEADs of the first index")
    c.reset_counters()
    for _ in range(2):
        for p in m.mails():
            os.stat(p)
            read(p)
            wipe_page_cache(p)
    equal(c.count("s3.") + c.count("kms."), 0, "requests of two readings")
    m.stop()
    m.start()
    c.reset_counters()
    until("the daemon's first pass", lambda: m.status()["sync"]["passes"] > 0
          if "passes" in m.status().get("sync", {}) else True)
    for p in m.mails():
        read(p)
    equal(c.count("s3.get"), 0, "GETs after a remount")
    equal(c.count("kms."), 1, "KMS calls after a remount")


def test_small_reads(bench):
    """However little a program reads at a time, a message is fetched once."""
    bench.cloud.generate("mail", "inbound/", 6, seed=3, size=300000)
    m = bench.mount("s3://mail/inbound", "--cache-size", "0")
    m.sync()
    c = bench.cloud
    for path in m.mails():
        c.reset_counters()
        fd = os.open(path, os.O_RDONLY)
        data = b""
        while piece := os.read(fd, 1000):
            data += piece
        os.close(fd)
        key = os.getxattr(path, "user.sesfs.key").decode()
        equal(data, c.plain("mail", key), key)
        equal(c.count("s3.get"), 1, "GETs")
    equal(os.listxattr(path), [], "listed attributes")


def test_rename_and_flags(bench):
    """new to cur, flags, free base names; all survive remount and kill."""
    m = filled(bench, 8)
    mails = m.mails()
    inodes = {os.stat(p).st_ino for p in mails}
    moved = []
    for i, p in enumerate(mails):
        base = os.path.basename(p)
        if i == 1:
            base += ",U=17"
        if i == 2:
            base = "a name of the client's own"
        q = f"{m.path}/cur/{base}:2,{'FS' if i % 2 else 'S'}"
        mtime, ctime = os.stat(p).st_mtime_ns, os.stat(p).st_ctime_ns
        os.rename(p, q)
        equal(os.stat(q).st_mtime_ns, mtime, "mtime after rename")
        after = os.stat(q).st_ctime_ns
        assert after > ctime, (after, ctime)
        moved.append(q)
    equal(m.mails(), sorted(moved), "after renames")
    contents = {p: sha256(read(p)) for p in moved}
    m.stop()
    m.start()
    equal(m.mails(), sorted(moved), "after a remount")
    equal({os.stat(p).st_ino for p in moved}, inodes, "inodes")
    q = moved[0][:-1] + "T"
    os.rename(moved[0], q)
    m.kill()
    m.start()  # clears the dead mount away
    assert os.path.exists(q)
    equal(sha256(read(q)), contents[moved[0]], "bytes after kill -9")
    m.sync()
    equal(len(m.mails()), 8, "messages after another listing")
    # no flag of renameat2 but NOREPLACE
    raises(errno.EINVAL, renameat2, q, moved[1], 2)
    raises(errno.EEXIST, renameat2, q, moved[1], 1)


def test_copy_by_link(bench):
    """Dovecot's COPY: link into tmp, rename; one inode, nlink 2."""
    m = filled(bench, 3)
    a = m.mails()[0]
    os.mkdir(m.path + "/.Archive")
    for leaf in ("cur", "new", "tmp"):
        os.mkdir(f"{m.path}/.Archive/{leaf}")
    t = m.path + "/.Archive/tmp/copy"
    ctime = os.stat(a).st_ctime_ns
    os.link(a, t)
    os.rename(t, m.path + "/.Archive/cur/copy:2,S")
    t = m.path + "/.Archive/cur/copy:2,S"
    sa, st = os.stat(a), os.stat(t)
    equal((sa.st_ino, sa.st_nlink), (st.st_ino, 2), "linked inode")
    assert sa.st_ctime_ns > ctime
    equal(read(a), read(t), "both names' bytes")
    os.unlink(a)
    equal(os.stat(t).st_nlink, 1, "links after unlink")
    wipe_page_cache(t)
    assert len(read(t)) == st.st_size
    m.stop()
    m.start()
    equal(os.stat(t).st_ino, st.st_ino, "inode after remount")
    m.sync()
    equal(len(m.mails()), 2, "the unlinked name stays away")


def test_unlink_is_hidden(bench):
    """Unlinked mail stays in the bucket and never comes back."""
    m = filled(bench, 5)
    victim = m.mails()[0]
    key = os.getxattr(victim, "user.sesfs.key").decode()
    with open(victim, "rb") as f:
        os.unlink(victim)
        equal(len(f.read()), os.fstat(f.fileno()).st_size,
              "reading an unlinked open file")
        equal(os.fstat(f.fileno()).st_nlink, 0, "links of it")
    m.sync()
    equal(len(m.mails()), 4, "messages")
    assert key in {o["key"] for o in bench.cloud.manifest("mail")}
    equal(bench.cloud.count("s3.delete"), 0, "deletes")
    m.stop()
    m.start()
    m.sync()
    equal(len(m.mails()), 4, "messages after a remount")


def test_folders(bench):
    """Key directories are folders; names are mapped; folders move and go."""
    c = bench.cloud
    for prefix in ("inbound/", "inbound/Sales/2026/", "inbound/a.b/",
                   "inbound/a_b/", "inbound/Über/", "inbound/R&D/"):
        c.generate("mail", prefix, 3, seed=len(prefix))
    m = bench.mount("s3://mail/inbound")
    m.sync()
    dirs = {d for d in os.listdir(m.path) if d.startswith(".")}
    assert ".Sales.2026" in dirs and ".&ANw-ber" in dirs \
        and ".R&-D" in dirs and ".a_b" in dirs, dirs
    equal(len([d for d in dirs if d.startswith(".a_b")]), 2,
          "folders of two directories with one name")
    for d in dirs:
        equal(len(m.mails(d[1:])), 3, d)
        equal(sorted(os.listdir(m.path + "/" + d)),
              ["cur", "maildirfolder", "new", "tmp"], d)
    # The folder keeps receiving under the name a client gave it.
    os.rename(m.path + "/.Sales.2026", m.path + "/.Old")
    c.generate("mail", "inbound/Sales/2026/", 2, seed=99)
    m.sync()
    equal(len(m.mails("Old")), 5, "mail in the renamed folder")
    # Remove a folder as Dovecot does: first to ..DOVECOT-TRASHED.
    os.rename(m.path + "/.Old", m.path + "/..DOVECOT-TRASHED")
    c.generate("mail", "inbound/Sales/2026/", 1, seed=100)
    m.sync()
    equal(len(m.mails("Sales.2026")), 1, "mail while the folder is trashed")
    trash = m.path + "/..DOVECOT-TRASHED"
    raises(errno.ENOTEMPTY, os.rmdir, trash)
    subprocess.run(["rm", "-rf", trash], check=True)
    assert not os.path.exists(trash)
    raises(errno.EPERM, os.rmdir, m.path + "/tmp")
    raises(errno.EPERM, os.rename, m.path + "/cur", m.path + "/x")
    # Move a message between folders.
    p = m.mails("R&-D")[0]
    os.rename(p, m.path + "/cur/" + os.path.basename(p) + ":2,S")
    equal(len(m.mails("R&-D")), 2, "after a move")


def test_inbox_and_junk(bench):
    c = bench.cloud
    c.generate("mail", "in/", 10, seed=5, spam=100)
    c.generate("mail", "other/", 4, seed=6, spam=0)
    m = bench.mount("s3://mail", "--inbox", "other", "--junk", "Junk")
    m.sync()
    equal(len(m.mails()), 4, "inbox")
    equal(len(m.mails("Junk")), 10, "junk")
    equal(os.getxattr(m.mails("Junk")[0], "user.sesfs.spam"), b"FAIL", "spam")


def test_control_files(bench):
    """Clients' own files: any name, locks, mmap, truncation, append, rename."""
    m = filled(bench, 2)
    p = m.path + "/dovecot-uidlist"
    fd = os.open(p + ".lock", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
    raises(errno.EEXIST, os.open, p + ".lock", os.O_CREAT | os.O_EXCL)
    os.write(fd, b"123456789")
    os.fsync(fd)
    os.close(fd)
    os.rename(p + ".lock", p)
    equal(read(p), b"123456789", "bytes")
    with open(p, "wb") as f:  # O_TRUNC comes as SETATTR
        f.write(b"xy")
    equal(read(p), b"xy", "after truncation")
    with open(p, "ab") as f:
        f.write(b"z" * 100000)
    equal(os.stat(p).st_size, 100002, "after append")
    with open(p, "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        view = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        equal(view[:3], b"xyz", "mmap")
        view.close()
        f.truncate(5)
    equal(read(p), b"xyzzz", "after ftruncate")
    os.utime(p, ns=(10**18, 10**18 + 7))
    equal(os.stat(p).st_mtime_ns, 10**18 + 7, "utime")
    os.chmod(p, 0o644)
    equal(stat.S_IMODE(os.stat(p).st_mode), 0o644, "chmod")
    os.makedirs(m.path + "/.notmuch/xapian/deep")
    with open(m.path + "/.notmuch/xapian/deep/new", "w") as f:
        f.write("db")
    # unlinked while open
    with open(p, "r+b") as f:
        os.unlink(p)
        f.write(b"still")
        f.seek(0)
        equal(f.read(), b"still", "an unlinked open file")
    # many more files than descriptors are kept
    for i in range(200):
        with open(f"{m.path}/.notmuch/{i}", "w") as f:
            f.write(str(i))
    m.stop()
    m.start()
    for i in range(200):
        equal(read(f"{m.path}/.notmuch/{i}"), str(i).encode(), "remounted")
    equal(read(m.path + "/.notmuch/xapian/deep/new"), b"db", "remounted")
    raises(errno.EPERM, os.symlink, "x", m.path + "/link")
    files = len(os.listdir(m.state + "/files"))
    equal(files, 201, "files kept")


def test_saving_is_refused(bench):
    """tmp can be written; new and cur take no new mail yet; mail is
    immutable."""
    m = filled(bench, 2)
    t = m.path + "/tmp/draft"
    with open(t, "w") as f:
        f.write("Subject: x\n\n")
    for d in ("new", "cur"):
        raises(errno.EROFS, os.rename, t, f"{m.path}/{d}/draft")
        raises(errno.EROFS, os.link, t, f"{m.path}/{d}/draft")
        raises(errno.EROFS, os.open, f"{m.path}/{d}/y",
               os.O_CREAT | os.O_WRONLY)
        raises(errno.EPERM, os.mkdir, f"{m.path}/{d}/y")
    os.unlink(t)
    p = m.mails()[0]
    raises(errno.EPERM, os.truncate, p, 3)
    raises(errno.EPERM, os.utime, p, (1, 1))
    raises(errno.EPERM, os.chmod, p, 0o644)
    with open(p, "r+b", buffering=0) as f:
        raises(errno.EPERM, f.write, b"x")
    raises(errno.ENAMETOOLONG, os.rename, p, m.path + "/cur/" + "x" * 256)


def test_directory_times(bench):
    """mtime moves with every change, by itself never, and is never ahead."""
    m = filled(bench, 4)
    new = m.path + "/new"
    seen = [os.stat(new).st_mtime_ns]
    for p in m.mails():
        os.rename(p, p + ":2,S")
        seen.append(os.stat(new).st_mtime_ns)
    equal(sorted(set(seen)), seen, "each change has a time of its own")
    assert seen[-1] <= time.time_ns()
    bench.cloud.generate("mail", "inbound/", 1, seed=77)
    m.sync()
    seen.append(os.stat(new).st_mtime_ns)
    assert seen[-1] > seen[-2]
    m.sync()
    list(os.scandir(new))
    equal(os.stat(new).st_mtime_ns, seen[-1], "nothing changed")
    m.stop()
    m.start()
    equal(os.stat(new).st_mtime_ns, seen[-1], "after a remount")


def test_changes_in_the_bucket(bench):
    """New, replaced and removed objects."""
    m = filled(bench, 10, "--accept", "+renamed")
    c = bench.cloud
    objects = m.by_key()
    data, meta, plain = vector("ses-shape-utf8")
    removed, replaced = sorted(objects)[:2]
    cur = m.path + "/cur"
    os.rename(objects[replaced], f"{cur}/replaced:2,S")
    objects[replaced] = f"{cur}/replaced:2,S"
    inode = os.stat(objects[replaced]).st_ino
    before = os.stat(cur).st_mtime_ns
    os.stat(objects[removed])
    c.delete("mail", removed)
    c.put("mail", replaced, data, meta)
    c.generate("mail", "inbound/", 2, seed=4321)
    m.sync()
    after = m.by_key()
    equal(len(after), 11, "messages")
    assert removed not in after
    raises(errno.ENOENT, os.stat, objects[removed])
    raises(errno.ENOENT, os.stat, objects[replaced])
    assert os.stat(after[replaced]).st_ino > inode
    assert os.stat(cur).st_mtime_ns > before, "cur lost a message"
    equal(os.listdir(cur), [], "cur")
    equal(read(after[replaced]), plain, "new bytes")


def test_tampered(bench):
    """What fails its tag is EBADMSG with a reason in the log, others stay."""
    m = filled(bench, 6, "--cache-size", "0")
    c = bench.cloud
    victim = m.mails()[0]
    key = os.getxattr(victim, "user.sesfs.key").decode()
    c.flip("mail", key, 5)
    wipe_page_cache(victim)
    raises(errno.EBADMSG, read, victim)
    assert key in m.log(), m.log()
    for p in m.mails()[1:]:
        read(p)
    # tampered before it was ever listed: refused, named, not shown
    c.generate("mail", "inbound/", 1, seed=55)
    fresh = {o["key"] for o in c.manifest("mail")} - set(m.by_key())
    equal(len(fresh), 1, "new objects")
    c.flip("mail", fresh.copy().pop(), 7)
    m.sync()
    equal(len(m.mails()), 6, "shown")
    status = m.status()
    assert "AUTH_FAILED" in str(status), status
    out = bench.sesfs("ls", "--refused", *bench.common(m.state), m.source)
    assert fresh.pop() in out and "AUTH_FAILED" in out, out


def test_offline(bench):
    """Remounted without a network everything is listed at once; with it again
    all can be read."""
    m = filled(bench, 12)
    sizes = {p: os.stat(p).st_size for p in m.mails()}
    for p in sizes:
        read(p)
        wipe_page_cache(p)
    # while keys are held, no network is needed
    url = bench.env["AWS_ENDPOINT_URL"]
    c = bench.cloud
    c.set(s3_reset=100, kms_reset=100, sts_reset=100)
    for p in sizes:
        equal(len(read(p)), sizes[p], "cached and key held")
    m.stop()
    bench.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    m.start()
    equal({p: os.stat(p).st_size for p in m.mails()}, sizes, "listed offline")
    m.stop()
    bench.env["AWS_ENDPOINT_URL"] = url
    c.set(s3_reset=0, kms_reset=0, sts_reset=0)
    m.start()
    for p in sizes:
        equal(len(read(p)), sizes[p], "read again")


def test_errors(bench):
    """KMS and S3 saying no have errnos of their own."""
    m = filled(bench, 4, "--cache-size", "0", "--key-ttl", "1")
    p = m.mails()[0]
    c = bench.cloud
    time.sleep(1.5)
    wipe_page_cache(p)
    c.set(deny="kms:Decrypt")
    raises(errno.EKEYREJECTED, read, p)
    c.set(deny="s3:GetObject", allow="kms:Decrypt")
    raises(errno.EACCES, read, p)
    c.set(allow="s3:GetObject")
    until("KMS to be asked again", lambda: can_read(p))


def test_none_opens(bench):
    """A key that is denied is told of once, where one looks."""
    bench.cloud.generate("mail", "in/", 5)
    bench.cloud.set(deny="kms:Decrypt")
    m = bench.mount("s3://mail/in")
    says = "not one of 5 objects could be opened: KMS_ACCESS; sesfs check"
    until("the warning", lambda: says in m.log())
    assert "not one could be opened" in bench.sesfs("status", m.path)
    assert 0 < m.status()["next_try_in_s"] <= 120, m.status()
    assert "tried again in" in bench.sesfs("status", m.path)
    # Five messages, one cause.
    equal(m.log().count(": KMS_ACCESS\n"), 1, "refusals told of")
    equal(m.log().count("kms: kms.decrypt"), 1, "answers of KMS told of")
    bench.cloud.set(allow="kms:Decrypt")
    m.sync()
    equal(m.log().count("not one of"), 1, "warnings")
    equal(m.status()["next_try_in_s"], None, "next try")
    assert "not one" not in bench.sesfs("status", m.path)
    equal(len(m.mails()), 5, "shown")


def test_works_again(bench):
    """What waits to be tried again does not when another message opens."""
    bench.cloud.generate("mail", "in/", 5)
    bench.cloud.set(deny="kms:Decrypt")
    m = bench.mount("s3://mail/in", "--poll=1s")
    until("the refusals", lambda: "not one of 5 objects" in m.log())
    equal(m.status()["objects"]["refused"], 5, "refused")
    bench.cloud.set(allow="kms:Decrypt")
    bench.cloud.generate("mail", "in/", 1, seed=2)
    # Each by itself would wait for a minute at least.
    until("all of them", lambda: len(m.mails()) == 6, 45)


def test_several_keys(bench):
    """A key that is denied does not stand before the one that opens."""
    bench.cloud.generate("mail", "inbound/", 3, seed=1)
    head, own = KEY.split("/")
    bench.sesfs("sync", "--state-dir", bench.work + "/state", "--seal-key",
                "none", "--kms-key", "alias/of-the-past", "--kms-key",
                head + "/00000000-0000-0000-0000-000000000000", "--kms-key",
                "alias/none", "--kms-key", own, "s3://mail/inbound")
    refused = bench.sesfs("ls", "--refused", "--state-dir",
                          bench.work + "/state", "s3://mail/inbound")
    assert "inbound/" not in refused, refused


def test_read_only(bench):
    m = filled(bench, 3)
    p = m.mails()[0]
    m.stop()
    m.args.append("--read-only")
    m.start()
    read(p)
    assert not os.access(m.path + "/cur", os.W_OK)
    raises(errno.EROFS, os.rename, p, p + ":2,S")
    raises(errno.EROFS, os.unlink, p)
    raises(errno.EROFS, os.open, m.path + "/x", os.O_CREAT | os.O_WRONLY)


def test_delete_refuse(bench):
    m = filled(bench, 2, "--delete", "refuse")
    raises(errno.EPERM, os.unlink, m.mails()[0])
    equal(len(m.mails()), 2, "still there")
    victim = m.mails()[1]
    raises(errno.EPERM, os.rename, m.mails()[0], victim)
    # Of two names removed at once, one stays.
    for i in range(20):
        names = [victim, f"{m.path}/cur/copy{i}"]
        os.link(*names)
        gate = threading.Barrier(2)

        def remove(name):
            gate.wait()
            try:
                os.unlink(name)
            except PermissionError:
                pass

        both = [threading.Thread(target=remove, args=(n,)) for n in names]
        for t in both:
            t.start()
        for t in both:
            t.join()
        left = [n for n in names if os.path.exists(n)]
        equal(len(left), 1, "names left")
        victim = left[0]


def nameless(m):
    """How many inodes without a name the index has."""
    with contextlib.closing(sqlite3.connect(
            f"file:{m.state}/index.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM node WHERE nlink = 0"
                          ).fetchone()[0]


def test_nothing_lingers(bench):
    """What has no name goes, whether or not the kernel ever held it."""
    m = filled(bench, 10)
    keys = sorted(o["key"] for o in bench.cloud.manifest("mail"))
    for key in keys[:5]:
        bench.cloud.delete("mail", key)
    m.sync()  # nobody has looked at any of them
    equal(nameless(m), 0, "inodes of what was never looked at")
    equal(len(m.mails()), 5, "messages")
    for p in m.mails():
        read(p)
    bench.cloud.delete("mail", keys[5])
    m.sync()
    for i in range(10):
        with open(m.path + "/list.lock", "w") as f:
            f.write(str(i))
        os.rename(m.path + "/list.lock", m.path + "/list")
    until("the replaced files to go",
          lambda: len(os.listdir(m.state + "/files")) == 1)


def test_lost_bytes(bench):
    """A name whose bytes a death took is an empty file, not an error."""
    m = filled(bench, 1)
    path = m.path + "/dovecot-uidlist.lock"
    with open(path, "w") as f:
        f.write("x")
    ino = os.stat(path).st_ino
    m.kill()
    m.detach()
    os.unlink(f"{m.state}/files/{ino}")
    m.start()
    equal(os.stat(path).st_size, 0, "bytes")
    with open(path, "a") as f:
        f.write("again")
    equal(read(path), b"again", "what was written")
    os.unlink(path)
    raises(errno.ENOENT, os.stat, path)


def test_file_in_the_way(bench):
    """A client's file where a folder's new/ was costs no mail."""
    c = bench.cloud
    c.generate("mail", "inbound/Sales/", 1, seed=1)
    m = bench.mount("s3://mail/inbound")
    m.sync()
    os.unlink(m.mails("Sales")[0])
    os.rmdir(m.folder("Sales") + "/new")
    with open(m.folder("Sales") + "/new", "w"):
        pass
    c.generate("mail", "inbound/Sales/", 2, seed=2)
    c.generate("mail", "inbound/", 3, seed=3)
    m.sync()
    equal(len(m.mails()), 5, "messages in the INBOX")


def test_folder_times(bench):
    """Whoever looks at the root while folders are made sees the last."""
    m = filled(bench, 1)
    before = os.stat(m.path)
    done = threading.Event()

    def watch():
        while not done.is_set():
            os.stat(m.path)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for i in range(40):
            bench.cloud.generate("mail", f"inbound/f{i}/", 1, seed=i + 10)
        m.sync()
    finally:
        done.set()
        watcher.join()
    after = os.stat(m.path)
    equal(after.st_nlink, before.st_nlink + 40, "links of the root")
    assert after.st_mtime_ns > before.st_mtime_ns


def test_second_daemon_and_stale_mount(bench):
    """One daemon a state directory; a dead mount is cleared by the next."""
    m = filled(bench, 3)
    other = bench.work + "/other"
    os.mkdir(other)
    out, err, code = bench.sesfs(
        "mount", "-f", *bench.common(m.state), m.source, other,
        ok=None, both=True)
    equal(code, 1, "exit of a second daemon")
    assert str(m.process.pid) in err, err
    out, err, code = bench.sesfs("mount", "-f",
                                 *bench.common(other + ".state"),
                                 m.source, m.path, ok=None, both=True)
    equal(code, 1, "exit of a mount over a mount")
    m.kill()
    raises(errno.ENOTCONN, os.statvfs, m.path)
    m.start()
    equal(len(m.mails()), 3, "after a stale mount")


def test_symbolic_link(bench):
    """A mountpoint named through a symbolic link."""
    bench.cloud.generate("mail", "inbound/", 2, seed=1)
    os.mkdir(bench.work + "/real")
    os.symlink("real", bench.work + "/link")
    m = bench.mount("s3://mail/inbound", name="link/mnt", wait=False)
    until("the mount", lambda: is_mounted(bench.work + "/real/mnt"))
    m.sync()
    equal(len(m.mails()), 2, "messages")
    equal(m.status()["mountpoint"], bench.work + "/real/mnt", "mountpoint")
    bench.sesfs("umount", m.path)
    equal(m.process.wait(), 0, "exit status")
    m.process = None


def test_background(bench):
    """Without -f the command returns when the tree is served."""
    bench.cloud.generate("mail", "inbound/", 5, seed=3)
    path = bench.work + "/bg"
    os.mkdir(path)
    state = bench.work + "/bg.state"
    bench.sesfs("mount", *bench.common(state), "s3://mail/inbound", path)
    assert is_mounted(path)
    try:
        bench.sesfs("sync", *bench.common(state), "s3://mail/inbound")
        equal(len(os.listdir(path + "/new")), 5, "mails")
    finally:
        bench.sesfs("umount", path)
    assert not is_mounted(path)


ORDINARY = """
set -eu
mount --bind "$NODE" /dev/fuse
as() { setpriv --reuid="$ID" --regid="$ID" --clear-groups "$@"; }
as ./sesfs mount $STATE s3://mail/inbound "$PWD/mnt"
as ./sesfs sync $STATE s3://mail/inbound >/dev/null 2>&1
as ls mnt/new | wc -l
first=$(as ls mnt/new | head -n 1)
as stat -c '%u %g %a' "mnt/new/$first"
as cat "mnt/new/$first" | wc -c
as mv "mnt/new/$first" "mnt/cur/$first:2,S"
as ls mnt/cur | wc -l
ls mnt 2>/dev/null || echo "root is kept out"
as ./sesfs umount "$PWD/mnt"
! mountpoint -q mnt
"""


def test_ordinary_user(bench):
    """Mounted without privileges: private to its user, by fusermount3."""
    if os.getuid() != 0:
        raise Skip("needs root to become another user")
    need("setpriv", "unshare", "fusermount3")
    bench.cloud.generate("mail", "inbound/", 4, seed=8, size=5000)
    home, node = bench.work + "/home", bench.work + "/fuse"
    for d in (home, home + "/mnt"):
        os.mkdir(d)
        os.chown(d, 65534, 65534)
    shutil.copy(SESFS, home + "/sesfs")
    # Where /dev/fuse is for root alone, a node of our own stands in for it.
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 229))
    os.chmod(node, 0o666)
    env = dict(bench.env, HOME=home, NODE=node, ID="65534",
               STATE=" ".join(bench.common(home + "/state")))
    p = subprocess.run(["unshare", "-m", "sh", "-c", ORDINARY], env=env,
                       cwd=home, capture_output=True, text=True, check=False)
    equal((p.stdout.split("\n"), p.returncode),
          (["4", "65534 65534 600", "5000", "1", "root is kept out", ""], 0),
          p.stderr)


def test_lazy_unmount(bench):
    """Taken out of the tree with a file open, the daemon ends all the same."""
    m = filled(bench, 3)
    p = m.mails()[0]
    with open(p, "rb"):
        subprocess.run(["fusermount3", "-uz", m.path], check=True)
        until("the daemon to end", lambda: m.process.poll() is not None)
    equal(m.process.returncode, 0, m.log())


def test_end_while_reading(bench):
    """SIGTERM does not wait for what readers wait for."""
    m = filled(bench, 1, "--index", "envelope", "--cache-size", "0")
    path = m.mails()[0]
    bench.cloud.reset_counters()
    bench.cloud.set(s3_latency_ms=DEADLINE * 1000)
    with subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as reader:
        until("the read to begin", lambda: m.status()["fuse"]["read"] > 0)
        m.process.terminate()
        equal(m.process.wait(DEADLINE / 2), 0, m.log())
        assert reader.wait() != 0
    m.process = None
    assert "canceled" not in m.log(), m.log()
    bench.cloud.set(s3_latency_ms=0)


def test_covered(bench):
    """Another mount over it ends nothing."""
    m = filled(bench, 3)
    subprocess.run(["mount", "-t", "tmpfs", "none", m.path], check=True)
    try:
        equal(os.listdir(m.path), [], "what covers it")
    finally:
        subprocess.run(["umount", m.path], check=True)
    equal(len(m.mails()), 3, "uncovered")
    equal(m.process.poll(), None, "the daemon")


def test_odd_keys(bench):
    """Keys of 1,024 bytes, any UTF-8, + % & space and control characters."""
    c = bench.cloud
    odd = ["a+b", "a b", "a%20b", "a&b=c?d", "tab\tkey", "nl\nkey", "é/ü",
           "x" * 500, "日本/語", "'\"<>\\", "\x01\x1f", "..", "a//b", "/lead",
           "~", "😀" * 200]
    data, meta, plain = vector("rubyv2-kmsctx-gcm-utf8")
    for k in odd:
        c.put("mail", "odd/" + k, data, meta)
    m = bench.mount("s3://mail/odd", "--accept", "+renamed")
    m.sync()
    found = {}
    for d in os.listdir(m.path):
        if d.startswith("."):
            found.update(m.by_key(d[1:]))
    found.update(m.by_key())
    equal(set(found), {"odd/" + k for k in odd}, "keys")
    for k, p in found.items():
        equal(read(p), plain, k)


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
