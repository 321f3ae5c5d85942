"""Every open leaves a line, tells whose it was, agrees with what KMS recorded,
and does not happen when the line cannot be written."""
import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
import time

from harness import KEY, Skip, equal, main, raises, read, sha256, until

OTHER = 65534  # another user
SOURCE = "s3://mail/in"


def need_root():
    if os.geteuid() != 0:
        raise Skip("only root can read as two users")


def lines(path):
    with open(path) as f:
        text = f.read()
    assert text == "" or text.endswith("\n"), text[-200:]
    return [json.loads(line) for line in text.splitlines()]


def halved(path):
    """How many lines are whole, and how many are not."""
    whole = half = 0
    for line in read(path).splitlines():
        try:
            json.loads(line)
            whole += 1
        except ValueError:
            half += 1
    return whole, half


def audited(bench, *args, count=8, **kw):
    """A mount with an audit, of mail that was never unwrapped."""
    bench.cloud.generate("mail", "in/", count, **kw)
    bench.audit = os.path.join(bench.work, "audit")
    bench.env["AWS_SDK_UA_APP_ID"] = "audited"
    m = bench.mount(SOURCE, "--audit", bench.audit, "--index", "envelope",
                    "--allow-other", "--umask", "022", "--poll", "7d",
                    *args)
    until("the mail", lambda: len(m.mails()) == count)
    bench.cloud.reset_counters()
    return m


def journal(bench):
    return json.loads(bench.cloud.admin("log", "log", method="GET", n=4096))


def unwrapped(bench):
    """{message id: KMS's id of the request} by KMS's own record."""
    ret = {}
    for e in journal(bench):
        if e["op"] == "kms.decrypt" and e["status"] == 200:
            context = json.loads(e["kms_context"])
            if "aws:ses:message-id" in context:
                ret[context["aws:ses:message-id"]] = e["request_id"]
    return ret


def cat(path, user=0):
    p = subprocess.run(["cat", path], capture_output=True, user=user,
                       cwd="/", check=True)
    return p.stdout


def test_two_users(bench):
    """Who, what, when, and KMS's id of the call: once each."""
    need_root()
    m = audited(bench)
    by_key = m.by_key()
    equal(lines(bench.audit), [], "lines before anything was opened")
    keys = sorted(by_key)
    for k in keys[:4]:
        equal(sha256(cat(by_key[k])), sha256(bench.cloud.plain("mail", k)))
    for k in keys[2:6]:
        equal(sha256(cat(by_key[k], OTHER)),
              sha256(bench.cloud.plain("mail", k)))
    got = lines(bench.audit)
    equal([(e["key"], e["uid"], e["program"]) for e in got],
          [(k, 0, "cat") for k in keys[:4]]
          + [(k, OTHER, "cat") for k in keys[2:6]])
    known = unwrapped(bench)
    for i, e in enumerate(got):
        equal(e["bucket"], "mail")
        equal(e["mountpoint"], m.path)
        equal(e["message_id"], e["key"].rsplit("/", 1)[1])
        # Read twice, unwrapped once: by the first.
        want = None if i in (4, 5) else known[e["message_id"]]
        equal(e["kms_request"], want, f"line {i}")
        assert e["pid"] > 1 and e["pid"] != m.process.pid, e
        equal(set(e), {"time", "bucket", "key", "message_id", "kms_request",
                       "uid", "pid", "program", "mountpoint"})
    equal(sorted(e["time"] for e in got), [e["time"] for e in got])
    agents = {e["user_agent"] for e in journal(bench)}
    version = bench.sesfs("--version").split()[1]
    equal(agents, {f"sesfs/{version} app/audited"})
    equal(os.stat(bench.audit).st_mode & 0o7777, 0o600)
    headers = bench.cloud.plain("mail", keys[0]).split(b"\r\n\r\n")[0]
    for line in headers.splitlines():
        if line.lower().startswith((b"subject:", b"from:", b"to:")):
            assert line[8:].strip() not in read(bench.audit), line


def test_every_open(bench):
    """Also from the page cache, also without reading; but nothing that opens
    no message, or cannot read it."""
    m = audited(bench)
    path = m.mails()[0]
    me = {"pid": os.getpid(), "uid": os.geteuid()}

    def fresh():
        got = lines(bench.audit)[fresh.seen:]
        fresh.seen += len(got)
        return [{k: e[k] for k in me} for e in got]
    fresh.seen = 0

    for _ in range(3):
        read(path)
    equal(fresh(), [me] * 3, "the page cache")
    reads = m.status()["fuse"]["read"]
    for _ in range(5):
        read(path)
    equal(m.status()["fuse"]["read"], reads, "READs of what is cached")
    equal(fresh(), [me] * 5, "from the page cache")
    os.close(os.open(path, os.O_RDONLY))
    equal(fresh(), [me], "opened only")
    os.close(os.open(path, os.O_RDWR))
    equal(fresh(), [me], "for writing, too")
    os.close(os.open(path, os.O_WRONLY))
    os.close(os.open(path, os.O_PATH))
    os.stat(path)
    os.getxattr(path, "user.sesfs.key")
    moved = path.replace("/new/", "/cur/") + ":2,S"
    os.rename(path, moved)
    os.listdir(m.path + "/cur")
    with open(m.path + "/note", "w+b") as f:
        f.write(b"x" * 5000)
    equal(read(m.path + "/note"), b"x" * 5000)
    with open(m.path + "/note", "wb") as f:
        f.write(b"short")
    equal(read(m.path + "/note"), b"short", "a client's file, truncated")
    equal(fresh(), [], "nothing of that opens a message")
    thread = threading.Thread(target=read, args=(moved,))
    thread.start()
    thread.join()
    equal(fresh(), [me], "of a thread the process")


def test_many_at_once(bench):
    """Opens of the same mail by many: a line for each, one call of KMS, whose
    id those have that shared it."""
    m = audited(bench, count=4)
    bench.cloud.set(s3_latency_ms=100, kms_latency_ms=100)
    paths = m.mails()
    threads = [threading.Thread(target=read, args=(paths[i % 4],))
               for i in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    got = lines(bench.audit)
    equal(len(got), 32, "lines")
    known = unwrapped(bench)
    equal(len(known), 4, "calls of KMS")
    for e in got:
        assert e["kms_request"] in (None, known[e["message_id"]]), e
    for i in known:
        assert any(e["message_id"] == i and e["kms_request"] for e in got), i


def test_read_ahead(bench):
    """A reader is followed as without an audit; what was read ahead has no line
    until it is opened."""
    m = audited(bench, count=40)
    bench.cloud.set(s3_latency_ms=20)
    paths = m.mails()
    for p in paths[:20]:
        read(p)
    equal(len(lines(bench.audit)), 20, "lines")
    until("reading ahead", lambda: m.status()["ahead"]["fetched"] > 4)
    equal(len(lines(bench.audit)), 20, "lines")


def test_refused(bench):
    """What does not open fails in open(2), and leaves no line."""
    m = audited(bench, count=3)
    by_key = m.by_key()
    keys = sorted(by_key)
    bench.cloud.flip("mail", keys[0], 40)
    raises(errno.EBADMSG, os.open, by_key[keys[0]], os.O_RDONLY)
    bench.cloud.admin("kms", "kms", key=KEY, enabled=0)
    raises(errno.EKEYREJECTED, os.open, by_key[keys[1]], os.O_RDONLY)
    bench.cloud.admin("kms", "kms", key=KEY, enabled=1)
    equal(lines(bench.audit), [])
    read(by_key[keys[1]])
    equal([e["key"] for e in lines(bench.audit)], [keys[1]])


def test_key_at_hand(bench):
    """Unwrapped on arrival: opening asks nobody, and what is wrong with the body
    shows when it is read, as without an audit."""
    bench.cloud.generate("mail", "in/", 3)
    audit = os.path.join(bench.work, "audit")
    m = bench.mount(SOURCE, "--audit", audit, "--cache-size", "0",
                    "--poll", "7d")
    until("the mail", lambda: len(m.mails()) == 3)
    by_key = m.by_key()
    keys = sorted(by_key)
    bench.cloud.flip("mail", keys[0], 40)
    bench.cloud.reset_counters()
    for _ in range(2):
        for k in keys:
            os.close(os.open(by_key[k], os.O_RDONLY))
    equal(bench.cloud.count("s3.get") + bench.cloud.count("kms."), 0,
          "requests")
    raises(errno.EBADMSG, read, by_key[keys[0]])
    read(by_key[keys[1]])
    equal([(e["key"], e["kms_request"]) for e in lines(audit)],
          [(k, None) for k in keys * 2 + keys[:2]])


def test_commands(bench):
    m = audited(bench, count=3)
    keys = sorted(m.by_key())
    common = [*bench.common(m.state), "--audit", bench.audit]
    out = bench.sesfs("cat", *common, SOURCE, keys[1])
    assert out
    bench.sesfs("verify", *common, SOURCE)
    got = lines(bench.audit)
    equal([e["key"] for e in got][:1], [keys[1]])
    equal(sorted(e["key"] for e in got[1:]), keys)
    known = unwrapped(bench)
    equal({e["kms_request"] for e in got[1:]}, set(known.values()),
          "calls of KMS by verify, which came last")
    for e in got:
        equal((e["program"], e["mountpoint"], e["uid"]),
              ("sesfs", None, os.geteuid()))
    link = os.path.join(bench.work, "link")
    os.symlink(m.path, link)
    for bad, says in (("audit", "neither journal nor an absolute"),
                      (m.path + "/audit", "lies in the mountpoint"),
                      (link + "/audit", "lies in the mountpoint")):
        _, err, code = bench.sesfs("mount", "--audit", bad, SOURCE, m.path,
                                   ok=None, both=True)
        equal(code, 2, err)
        assert says in err, err
    _, err, code = bench.sesfs("cat", *bench.common(m.state), "--audit",
                               "/nonesuch/audit", SOURCE, keys[0], ok=None,
                               both=True)
    equal(code, 1, err)
    assert "audit: open /nonesuch/audit: No such file" in err, err


def test_rotated(bench):
    m = audited(bench, count=2)
    path = m.mails()[0]
    read(path)
    os.rename(bench.audit, bench.audit + ".1")
    read(path)
    m.process.send_signal(signal.SIGHUP)
    n = 0
    while not os.path.exists(bench.audit):
        read(path)
        n += 1
        assert n < 1000, "the file anew"
    equal((len(lines(bench.audit)), len(lines(bench.audit + ".1"))),
          (1, 2 + n - 1))


def test_into_the_mount(bench):
    """What leads into the mount by now is not opened there."""
    bench.cloud.generate("mail", "in/", 1)
    place = os.path.join(bench.work, "place")
    os.mkdir(place)
    m = bench.mount(SOURCE, "--audit", place + "/audit")
    until("the mail", lambda: len(m.mails()) == 1)
    read(m.mails()[0])
    os.rename(place, place + ".1")
    os.symlink(m.path, place)
    m.process.send_signal(signal.SIGHUP)
    until("the refusal", lambda: read(m.mails()[0])
          and "it lies in the mountpoint" in m.log())
    assert len(lines(place + ".1/audit")) > 1, "lines go where they went"
    m.stop()


def test_locked(bench):
    """Who may read the file may lock it: that keeps nobody."""
    m = audited(bench, count=2)
    with open(bench.audit) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        for path in m.mails():
            read(path)
        m.process.send_signal(signal.SIGHUP)
        read(path)
        m.stop()
    equal(len(lines(bench.audit)), 3)


def test_hung(bench):
    """A disk that does not answer, of which another mount makes a fine one: only
    opening messages waits for it, and not for long."""
    bench.cloud.generate("mail", "in/", 4)
    disk = bench.mount("s3://mail/none", name="disk")
    audit = os.path.join(disk.path, "audit")
    m = bench.mount(SOURCE, "--audit", audit)
    until("the mail", lambda: len(m.mails()) == 4)
    paths = m.mails()
    for path in paths:
        read(path)
    disk.process.send_signal(signal.SIGSTOP)
    ends = []

    def attempt(path):
        try:
            read(path)
            ends.append(0)
        except OSError as e:
            ends.append(e.errno)

    threads = [threading.Thread(target=attempt, args=(p,))
               for p in paths * 16]
    try:
        for t in threads:
            t.start()
        since = time.monotonic()
        with open(m.path + "/note", "wb") as f:
            f.write(b"x")
        os.listdir(m.path + "/new")
        equal(read(m.path + "/note"), b"x")
        m.process.send_signal(signal.SIGHUP)
        took = time.monotonic() - since
        assert took < 2.5, f"what has no line waited {took} s"
        until("the others", lambda: len(ends) == len(threads) - 1, 20)
        equal(set(ends), {errno.EIO}, "without a line")
        raises(errno.EIO, os.open, paths[0], os.O_RDONLY)
    finally:
        disk.process.send_signal(signal.SIGCONT)
    for t in threads:
        t.join()
    equal(ends.count(0), 1, "the one that was being written")
    read(paths[0])
    equal(len(lines(audit)), 6)
    m.stop()
    disk.stop()


def test_limit(bench):
    """A file as long as it may be: no open, and no end of the daemon."""
    need_root()
    m = audited(bench, count=2)
    path = m.mails()[0]
    with open(bench.audit, "r+b") as f:
        f.seek(64 << 20)  # nothing else of ours is as long
        f.write(b"\n")
        size = f.tell()
    _, hard = resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (size, hard))
    raises(errno.EIO, os.open, path, os.O_RDONLY)
    resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    read(path)


def test_fifo(bench):
    """Nothing that could keep us waiting."""
    m = audited(bench, count=1)
    path = m.mails()[0]
    os.rename(bench.audit, bench.audit + ".1")
    os.mkfifo(bench.audit)
    m.process.send_signal(signal.SIGHUP)
    until("the FIFO", lambda: read(path) and "no regular file" in m.log())
    m.process.send_signal(signal.SIGTERM)
    m.process.wait(20)
    _, err, code = bench.sesfs("cat", *bench.common(m.state), "--audit",
                               bench.audit, SOURCE, "x", ok=None, both=True)
    equal(code, 1, err)
    assert "it is no regular file" in err, err


def test_full(bench):
    """A disk without room: no open without its line, and all is well when there
    is room again."""
    need_root()
    bench.cloud.generate("mail", "in/", 2)
    disk = os.path.join(bench.work, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk],
                   check=True)
    try:
        full(bench, disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(path):
    """How often it can be read until there is no room for a line."""
    for n in range(1000):
        try:
            read(path)
        except OSError as e:
            equal(e.errno, errno.EIO)
            return n
    raise AssertionError("the disk is never full")


def full(bench, disk):
    audit = os.path.join(disk, "audit")
    m = bench.mount(SOURCE, "--audit", audit)
    until("the mail", lambda: len(m.mails()) == 2)
    path = m.mails()[0]
    n = fill(path)
    assert n > 10, n
    raises(errno.EIO, os.open, path, os.O_RDONLY)
    whole, half = halved(audit)
    equal(whole, n, "whole lines")
    equal(m.status()["audit"], {"to": audit, "lines": n, "failed": 2})
    text = bench.sesfs("status", m.path)
    says = f"audit       {audit}, {n} lines, 2 could not be written"
    assert says in text, text
    assert "audit: write to" in m.log(), m.log()
    for command in ("cat", "verify"):
        args = [m.by_key().popitem()[0]] if command == "cat" else []
        out, err, code = bench.sesfs(command, *bench.common(m.state),
                                     "--audit", audit, SOURCE, *args, ok=None,
                                     both=True)
        equal(code, 1, command)
        assert "without a line in the audit" in out + err, (out, err)
    subprocess.run(["mount", "-o", "remount,size=32k", disk], check=True)
    read(path)
    equal(halved(audit), (n + 1, half), "behind the half line")
    if shutil.which("chattr") and subprocess.run(
            ["chattr", "+a", audit], check=False,
            stderr=subprocess.DEVNULL).returncode == 0:
        grown_only(audit, path, disk)
        subprocess.run(["chattr", "-a", audit], check=True)
    m.stop()


def grown_only(audit, path, disk):
    """Nothing can be taken back there, nor need it be."""
    n = halved(audit)[0] + fill(path)
    half = halved(audit)[1]
    subprocess.run(["mount", "-o", "remount,size=48k", disk], check=True)
    for _ in range(3):
        read(path)
    equal(halved(audit), (n + 3, half), "lines, and the half ones")


if __name__ == "__main__":
    main(globals())
