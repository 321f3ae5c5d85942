"""The commands beside mount: what they print, what they exit with, what they
ask of S3 and KMS."""
import json
import os
import pty
import re
import signal
import subprocess
import threading

from harness import KEY, SESFS, equal, main, read, sha256, until

SOURCE = "s3://mail/in"


def state(bench):
    return os.path.join(bench.work, "state")


def common(bench):
    return bench.common(state(bench))


def synced(bench, count=20, **kw):
    bench.cloud.generate("mail", "in/", count, **kw)
    return bench.sesfs("sync", *common(bench), SOURCE)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def printed_to(bench, fd, *args):
    """Exit status and standard error of a command that prints there."""
    p = subprocess.run([SESFS, *args], stdin=subprocess.DEVNULL, stdout=fd,
                       stderr=subprocess.PIPE, env=bench.env, timeout=60)
    return p.returncode, p.stderr.decode()


def test_cannot_write(bench):
    """A reader that has seen enough is not spoken of; a full disk is."""
    synced(bench, 3)
    m = bench.mount(SOURCE)
    key = bench.cloud.manifest("mail", "in/")[0]["key"]
    last = (*common(bench), SOURCE)
    for args in (["status", m.path], ["status", "--json", m.path],
                 ["ls", *last], ["ls", "--json", *last],
                 ["cat", *last, key], ["verify", *last],
                 ["verify", "--json", *last], ["check", *last],
                 ["check", "--json", *last], ["policy", SOURCE],
                 ["policy", "--terraform", SOURCE],
                 ["policy", "--cloudformation", SOURCE]):
        there, here = os.pipe()
        os.close(there)
        equal(printed_to(bench, here, *args), (1, ""), f"reader gone: {args}")
        os.close(here)
        with open("/dev/full", "wb") as full:
            code, err = printed_to(bench, full, *args)
        equal((code, err.count("\n")), (1, 1), f"{args}: {err}")
        assert "write" in err, (args, err)


def test_use(bench):
    """Wrong use is one line on stderr and exit 2, and asks nobody."""
    cloud = bench.cloud
    os.mkdir(bench.work + "/m")
    os.symlink("m", bench.work + "/link")
    os.mkdir(bench.work + "/other")
    os.symlink("../m/log", bench.work + "/other/to")
    for args, says in (
            (["mount", "--jbos", "3", SOURCE, bench.work], "did you mean"),
            (["mount", "--jobs", "0", SOURCE, bench.work], "out of range"),
            (["mount", SOURCE], "where to?"),
            (["mount", "nosuchsection", bench.work], "neither"),
            (["mount", "--log", "stderr", SOURCE, bench.work], "--foreground"),
            (["mount", "--state-dir", bench.work + "/m/s", SOURCE,
              bench.work + "/m"], "lies in the mountpoint"),
            (["mount", "--state-dir", bench.work + "/link/s", SOURCE,
              bench.work + "/m"], "lies in the mountpoint"),
            (["mount", "--log", bench.work + "/m/log", SOURCE,
              bench.work + "/m"], "lies in the mountpoint"),
            (["mount", "--log", bench.work + "/link/log", SOURCE,
              bench.work + "/m"], "lies in the mountpoint"),
            (["mount", "--log", bench.work + "/other/to", SOURCE,
              bench.work + "/m"], "lies in the mountpoint"),
            (["mount", "--endpoint-url", "http://example.com", SOURCE,
              bench.work], "not encrypted"),
            (["sync", "s3://UPPER/x"], "no capital letters"),
            (["sync", "--kms-key", "arn:aws:kms:us-east-1:12:key/x", SOURCE],
             "not a KMS key"),
            (["mount", "--delete", "remove", SOURCE, bench.work],
             "not one of hide|refuse"),
            (["sync", "--profile", "nosuch", SOURCE], "nosuch"),
            (["ls", SOURCE, "frm=x"], "did you mean from?"),
            (["ls", "--brief", SOURCE, "from=x"], "--brief"),
            (["cat", SOURCE], "something is missing"),
            (["forget", bench.work, "everything"], "keys or cache"),
            (["rekey", SOURCE], "--seal-key"),
            (["umuont", bench.work], "did you mean umount?")):
        _, err, code = bench.sesfs(*args, ok=None, both=True)
        equal(code, 2, f"{args}: {err}")
        assert says in err, (args, err)
        equal(err.count("\n"), 1, f"lines of {err!r}")
    equal(cloud.count("s3.") + cloud.count("kms."), 0, "requests")
    for args in ([], ["help"], ["mount", "--help"], ["--version"]):
        bench.sesfs(*args, ok=(0, 2))
    for args in (["--version"], ["version"], ["mount", "--version"]):
        assert bench.sesfs(*args).startswith("sesfs "), args


def test_sync(bench):
    out = synced(bench)
    assert out.startswith("20 objects listed, 20 looked at, 0 refused"), out
    bench.cloud.reset_counters()
    out = bench.sesfs("sync", *common(bench), SOURCE)
    assert out.startswith("20 objects listed, 0 looked at"), out
    equal(bench.cloud.count("s3.get"), 0, "nothing is fetched twice")
    bench.cloud.set(deny="s3:ListBucket")
    bench.sesfs("sync", *common(bench), SOURCE, ok=(1,))


def test_sync_interrupted(bench):
    """SIGINT ends a first index at once, and the next goes on from there."""
    bench.cloud.generate("mail", "in/", 400)
    bench.cloud.set(s3_latency_ms=20)
    p = subprocess.Popen([SESFS, "sync", "--jobs", "2", *common(bench),
                          SOURCE], env=bench.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    until("some objects", lambda: bench.cloud.count("s3.get") > 20)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=180)
    equal(p.returncode, 130, err)
    bench.cloud.set(s3_latency_ms=0)
    done = len(lines(bench.sesfs("ls", "--brief", "--json", SOURCE,
                                 "--state-dir", state(bench))))
    assert 0 < done < 400, done
    bench.cloud.reset_counters()
    bench.sesfs("sync", *common(bench), SOURCE)
    equal(bench.cloud.count("s3.get"), 400 - done, "only what was missing")


def test_sync_by_the_daemon(bench):
    bench.cloud.generate("mail", "in/", 5)
    m = bench.mount(SOURCE, "--poll", "7d")
    until("the first", lambda: len(m.mails()) == 5)
    bench.cloud.generate("mail", "in/", 5, seed=2)
    out, err, _ = bench.sesfs("sync", *bench.common(m.state), SOURCE,
                              both=True)
    assert "the daemon (pid" in err and out.startswith("10 objects"), (out,
                                                                      err)
    equal(len(m.mails()), 10, "messages")
    bench.cloud.set(deny="s3:ListBucket")
    _, err, code = bench.sesfs("sync", *bench.common(m.state), SOURCE,
                               both=True, ok=(1,))
    assert "the daemon answers" in err, err


def test_ls(bench):
    synced(bench, 60, folders=":Sales/", spam=20)
    bench.cloud.reset_counters()
    everything = lines(bench.sesfs("ls", "--json", *common(bench), SOURCE))
    equal(len(everything), 60, "messages")
    equal(bench.cloud.count("s3."), 0, "no request to S3")
    equal(bench.cloud.count("kms."), 1, "one to KMS, for the seal")
    for term, wanted in (
            ("folder=Sales", lambda m: m["folder"] == "Sales"),
            ("folder!=Sales", lambda m: m["folder"] != "Sales"),
            ("spam=FAIL", lambda m: m["spam"] == "FAIL"),
            ("size>10K", lambda m: m["size"] > 10240),
            ("subject=RE:", lambda m: "re:" in m["subject"].lower()),
            ("from=alice", lambda m: "alice" in m["from"].lower()),
            ("date>=2026-01-01", lambda m: m["date"] >= "2026-01-01"),
            ("arrived<2026-01-01", lambda m: m["arrived"] < "2026-01-01"),
            ("flags=N", lambda m: m["new"])):
        got = lines(bench.sesfs("ls", "--json", *common(bench), SOURCE, term))
        equal([m["key"] for m in got],
              [m["key"] for m in everything if wanted(m)], term)
    bench.cloud.reset_counters()
    table = bench.sesfs("ls", "--brief", *common(bench), SOURCE)
    equal(len(table.splitlines()), 61, "lines with the head")
    equal(bench.cloud.count("s3.") + bench.cloud.count("kms."), 0,
          "requests of --brief")
    bench.cloud.stop()
    brief = lines(bench.sesfs("ls", "--brief", "--json", *common(bench),
                              SOURCE))
    equal(len(brief), 60, "without a network")


def test_ls_hostile_headers(bench):
    """Nothing of a message reaches the terminal as a control."""
    synced(bench, 3)
    bench.cloud.put("plain", "a", b"Subject: =?utf-8?q?x=1b[2J=c2=9by?=\r\n"
                    b"From: a\x1b]0;t\x07b\r\n\r\n")
    args = ("--accept", "+plain", "--state-dir", state(bench) + "2",
            "--kms-key", KEY, "s3://plain")
    bench.sesfs("sync", *args)
    out = bench.sesfs("ls", *args)
    assert not [c for c in out if c != "\n" and (
        ord(c) < 32 or 0x7f <= ord(c) < 0xa0)], repr(out)


def test_refused(bench):
    synced(bench, 5)
    key = bench.cloud.manifest("mail")[0]["key"]
    bench.cloud.flip("mail", key, 30)
    bench.cloud.put("mail", "in/clear", b"Subject: x\r\n\r\n")
    out, err, code = bench.sesfs("sync", *common(bench), SOURCE, both=True)
    refused = {m["key"]: m["reason"] for m in lines(bench.sesfs(
        "ls", "--refused", "--json", *common(bench), SOURCE))}
    equal(refused["in/clear"], "NOT_ENCRYPTED", "reason")
    out, err, code = bench.sesfs("cat", *common(bench), SOURCE, "clear",
                                 both=True, ok=(1,))
    equal(out, "", "bytes of what is refused")
    assert "NOT_ENCRYPTED" in err, err
    # Policy changes: what it refused is looked at again.
    bench.sesfs("sync", *common(bench), "--accept", "+plain", SOURCE)
    equal(bench.sesfs("cat", *common(bench), "--accept", "+plain", SOURCE,
                      "clear"), "Subject: x\r\n\r\n", "accepted now")


def test_cat(bench):
    synced(bench)
    for m in lines(bench.sesfs("ls", "--json", "--brief", *common(bench),
                               SOURCE))[:5]:
        want = bench.cloud.plain("mail", m["key"])
        for name in (m["key"], m["key"][3:], m["name"],
                     "cur/" + m["name"] + ":2,S"):
            got = subprocess.run([SESFS, "cat", *common(bench), SOURCE, name],
                                 env=bench.env, capture_output=True,
                                 check=True).stdout
            equal(sha256(got), sha256(want), name)
    bench.sesfs("cat", *common(bench), SOURCE, "nosuch", ok=(1,))


def test_cat_unread(bench):
    """Of mail that was never unwrapped, under a KMS key that the index does
    not know yet."""
    bench.cloud.generate("mail", "in/", 2)
    bench.sesfs("sync", "--index", "envelope", *common(bench), SOURCE)
    key = bench.cloud.manifest("mail")[0]["key"]
    got = subprocess.run([SESFS, "cat", *common(bench), SOURCE, key],
                         env=bench.env, capture_output=True, check=True)
    equal(sha256(got.stdout), sha256(bench.cloud.plain("mail", key)), key)
    out = bench.sesfs("verify", *common(bench), SOURCE)
    assert out.startswith("2 of 2 messages verified, 0 wrong"), out


def test_verify(bench):
    synced(bench, 30)
    bench.cloud.reset_counters()
    out = bench.sesfs("verify", *common(bench), SOURCE)
    assert out.startswith("30 of 30 messages verified, 0 wrong"), out
    equal(bench.cloud.count("s3.get"), 30, "every body from S3")
    key = bench.cloud.manifest("mail")[3]["key"]
    bench.cloud.flip("mail", key, 30)
    out = bench.sesfs("verify", *common(bench), SOURCE, ok=(1,))
    assert "29 of 30 messages verified, 1 wrong" in out and key in out, out
    report = json.loads(bench.sesfs("verify", "--json", *common(bench),
                                    SOURCE, ok=(1,)))
    equal([p["key"] for p in report["problems"]], [key], "named")
    bench.sesfs("verify", "--sample", "1%", *common(bench), SOURCE, ok=(0, 1))
    # Nothing was changed by looking.
    bench.cloud.reset_counters()
    equal(len(lines(bench.sesfs("ls", "--json", *common(bench), SOURCE))), 30,
          "messages")


def test_check(bench):
    synced(bench, 3)
    report = json.loads(bench.sesfs("check", "--json", *common(bench),
                                    SOURCE))
    by_name = {r["check"]: r for r in report}
    for name in ("state", "fuse", "memlock", "identity", "bucket", "list",
                 "get", "clock", "key", "decrypt", "seal"):
        assert name in by_name, name
        assert by_name[name]["result"] in ("ok", "warn"), by_name[name]
    for deny, name, says in (
            ("kms:Decrypt", "decrypt", "kms:Decrypt"),
            ("s3:GetObject", "get", "s3:GetObject"),
            ("kms:GenerateDataKey", "seal", "kms:GenerateDataKey"),
            ("s3:ListBucket", "bucket", "s3:ListBucket")):
        bench.cloud.set(deny=deny)
        report = json.loads(bench.sesfs("check", "--json", *common(bench),
                                        SOURCE, ok=(1,)))
        bad = {r["check"]: r for r in report if r["result"] == "MISSING"}
        assert name in bad and says in bad[name]["fix"], (deny, bad)
        bench.cloud.set(allow=deny)
    bench.cloud.set(secret_key="another")
    out = bench.sesfs("check", *common(bench), SOURCE, ok=(1,))
    assert "MISSING  identity" in out, out


def test_status(bench):
    bench.cloud.generate("mail", "in/", 4)
    for i in range(25):
        bench.cloud.put("mail", f"in/clear{i:02}", b"x")
    m = bench.mount(SOURCE)
    m.sync()
    doc = m.status()
    equal(doc["objects"]["ready"], 4, "ready")
    equal(doc["objects"]["by_reason"], {"NOT_ENCRYPTED": 25}, "reasons")
    equal(len(doc["refused"]), 20, "a few are named")
    equal(doc["refused_is_complete"], False, "and not all")
    equal(doc["source"], "s3://mail/in/", "source")
    equal(doc["mountpoint"], m.path, "mountpoint")
    equal(doc["pid"], m.process.pid, "pid")
    doc = json.loads(bench.sesfs("status", "--json", "--all", m.path))
    equal(len(doc["refused"]), 25, "--all")
    cloud = bench.cloud.counters()
    doc = m.status()
    for kind in ("s3.list", "s3.get", "kms.decrypt"):
        # KMS, S3: as many as the other side has seen
        theirs = sum(v for k, v in cloud.items()
                     if k.lower().replace("_", "") == kind)
        equal(doc["requests"][kind], theirs, kind)
    text = bench.sesfs("status", m.path)
    equal(doc["audit"], None)
    equal(doc["kms"], {"rate": 200, "rate_limit": 200, "waiting": 0})
    for word in ("4 shown", "25 refused", "NOT_ENCRYPTED", "a month", "keys",
                 "seal", "KMS rate    200 calls a second at most, 0 waiting"):
        assert word in text, (word, text)
    bench.sesfs("status", bench.work, ok=(1,))


def test_kms_too_often(bench):
    """KMS takes little of what we would send: every read succeeds, and status
    tells the rate."""
    bench.cloud.generate("mail", "in/", 30)
    m = bench.mount(SOURCE, "--index", "envelope", "--kms-rate", "100000")
    until("the mail", lambda: len(m.mails()) == 30)
    bench.cloud.set(kms_rate=10)
    threads = [threading.Thread(target=read, args=(p,)) for p in m.mails()]
    failed = []
    threading.excepthook = lambda args: failed.append(args.exc_value)
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    threading.excepthook = threading.__excepthook__
    equal(failed, [], "reads that failed")
    doc = m.status()
    assert doc["throttled"] > 0, doc
    assert doc["kms"]["rate"] < doc["kms"]["rate_limit"], doc["kms"]
    text = bench.sesfs("status", m.path)
    assert "as it says that it is asked too often" in text, text


def test_forget(bench):
    bench.cloud.generate("mail", "in/", 6)
    m = bench.mount(SOURCE)
    m.sync()
    for p in m.mails():
        with open(p, "rb") as f:
            f.read()
    assert m.status()["cache"]["objects"] == 6
    bench.sesfs("forget", m.path, "keys")
    doc = m.status()
    equal(doc["keys"]["used"], 0, "keys held")
    equal(doc["messages"]["in_memory"], 0, "plaintext held")
    equal(doc["seal"]["state"], "locked", "seal")
    bench.sesfs("forget", m.path, "cache")
    equal(m.status()["cache"]["objects"], 0, "objects in the cache")


def test_rekey(bench):
    """After rekey the old key is not needed any more."""
    other = KEY[:-4] + "0002"
    bench.cloud.admin("kms", "kms", key=other, enabled=1)
    synced(bench, 10)
    bench.sesfs("rekey", *common(bench), "--seal-key", other, SOURCE)
    bench.cloud.admin("kms", "kms", key=KEY, enabled=0)
    got = lines(bench.sesfs("ls", "--json", *common(bench), "--seal-key",
                            other, SOURCE))
    equal(len([m for m in got if m.get("from")]), 10, "fields known")


def test_sections(bench):
    """sesfs.conf names a mount; flags go before it."""
    bench.cloud.generate("mail", "in/", 3)
    where = os.path.join(bench.work, "m")
    os.mkdir(where)
    conf = os.path.join(bench.work, "sesfs.conf")
    with open(conf, "w") as f:
        f.write(f"[defaults]\nkms-key = {KEY}\n[work]\nsource = {SOURCE}\n"
                f"mountpoint = {where}\nstate-dir = {state(bench)}\n"
                "umask = 027\n")
    bench.sesfs("mount", "--config", conf, "work")
    try:
        equal(os.stat(where).st_mode & 0o777, 0o750, "umask of the section")
        bench.sesfs("sync", "--config", conf, "work")
        doc = json.loads(bench.sesfs("status", "--json", "--config", conf,
                                     "work"))
        equal(doc["objects"]["ready"], 3, "ready")
    finally:
        bench.sesfs("umount", "--config", conf, "work")
    # as mount.fuse3 calls it
    bench.sesfs(SOURCE, where, "-o", "rw,noauto,kms-key=" + KEY +
                ",state-dir=" + state(bench) + ",umask=022,_netdev")
    try:
        equal(os.stat(where).st_mode & 0o777, 0o755, "umask of -o")
    finally:
        bench.sesfs("umount", where)
    bench.sesfs("umount", where, ok=(1,))


def test_failed_mounts(bench):
    """What cannot be mounted says why, exits 1 and leaves nothing behind."""
    bench.cloud.generate("mail", "in/", 1)
    where = os.path.join(bench.work, "m")
    os.mkdir(where)
    st = ["--state-dir", state(bench)]
    for args, says in (
            (["--state-dir", state(bench) + "3", "s3://nosuchbucket", where],
             "no such bucket"),
            (["--state-dir", state(bench) + "3", SOURCE, where],
             "belongs to s3://nosuchbucket"),
            ([*st, SOURCE, where + "/none"], "No such file"),
            (["--state-dir", "/proc/x", SOURCE, where], "/proc/x")):
        _, err, code = bench.sesfs("mount", *args, both=True, ok=(1,))
        assert says in err, (args, err)
    bench.cloud.set(deny="s3:ListBucket")
    _, err, _ = bench.sesfs("mount", "--state-dir", state(bench) + "2",
                            SOURCE, where, both=True, ok=(1,))
    assert "refused" in err, err
    bench.cloud.set(allow="s3:ListBucket")
    equal(os.listdir(where), [], "nothing is mounted")


def test_nothing_known(bench):
    """Offline, with nothing to show, is a failure and no empty mailbox."""
    bench.cloud.generate("mail", "in/", 2)
    where = os.path.join(bench.work, "m")
    os.mkdir(where)
    args = ["mount", *common(bench), SOURCE, where]
    url = bench.env["AWS_ENDPOINT_URL"]
    bench.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    _, err, _ = bench.sesfs(*args, both=True, ok=(1,))
    assert "cannot be reached now: no connection" in err, err
    assert "reset by peer" not in err, err
    assert "nothing is known of s3://mail/in/ yet" in err, err
    bench.env["AWS_ENDPOINT_URL"] = url
    bench.cloud.set(s3_503=100)
    bench.sesfs(*args, ok=(1,))
    bench.cloud.set(s3_503=0)
    equal(os.listdir(where), [], "nothing is mounted")
    bench.sesfs("sync", *common(bench), SOURCE)
    bench.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    bench.sesfs(*args)
    equal(len(os.listdir(where + "/new")), 2, "shown offline")
    bench.sesfs("umount", where)
    bench.env["AWS_ENDPOINT_URL"] = url


def test_nonempty(bench):
    """No mount over what is there, unless it is asked for."""
    bench.cloud.generate("mail", "in/", 1)
    where = os.path.join(bench.work, "m")
    os.makedirs(where + "/kept")
    args = ["mount", *common(bench), SOURCE, where]
    _, err, _ = bench.sesfs(*args, both=True, ok=(1,))
    assert "not empty" in err and "-o nonempty" in err, err
    equal(os.listdir(where), ["kept"], "nothing is mounted")
    for more in (["--nonempty"], ["-o", "nosuid,nonempty"]):
        bench.sesfs(*args, *more)
        equal(sorted(os.listdir(where)), ["cur", "new", "tmp"], "mounted")
        bench.sesfs("umount", where)
    equal(os.listdir(where), ["kept"], "what was there")


def test_signals(bench):
    """SIGUSR2 makes the log talk, SIGHUP opens it anew, SIGTERM unmounts."""
    bench.cloud.generate("mail", "in/", 1)
    log = os.path.join(bench.work, "daemon.log")
    m = bench.mount(SOURCE, "--log", log)
    m.process.send_signal(signal.SIGUSR2)
    os.rename(log, log + ".1")
    until("a new log", lambda: m.process.send_signal(signal.SIGHUP) or
          os.path.exists(log))
    m.process.send_signal(signal.SIGTERM)
    equal(m.process.wait(180), 0, "exit status")
    m.process = None
    equal(os.listdir(m.path), [], "unmounted")


def test_interrupted_start(bench):
    """A mount that waits for S3 ends at once when it is interrupted."""
    bench.cloud.generate("mail", "in/", 1)
    bench.cloud.set(s3_stall=100, stall_seconds=3600)
    m = bench.mount(SOURCE, wait=False)
    until("the index", lambda: os.path.exists(m.state + "/index.db"))
    m.process.send_signal(signal.SIGINT)
    equal(m.process.wait(180), -signal.SIGINT, "ended by the signal")
    m.process = None
    bench.cloud.set(s3_stall=0)


def test_progress_bar(bench):
    """On a terminal a bar that redraws itself, and a clean line after it."""
    bench.cloud.generate("mail", "in/", 300)
    bench.cloud.set(s3_latency_ms=30)
    master, slave = pty.openpty()
    p = subprocess.Popen([SESFS, "sync", "--jobs", "4", *common(bench),
                          SOURCE], env=bench.env, stderr=slave,
                         stdout=subprocess.DEVNULL)
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 65536):
            seen += chunk
    except OSError:
        pass  # the other side is closed
    os.close(master)
    equal(p.wait(180), 0, "exit status")
    assert re.search(rb"\rfetching \[#+\.*\]  \d+/300  \d+/s", seen), seen
    assert seen.endswith(b"\r\n"), seen[-80:]


if __name__ == "__main__":
    main(globals())
