"""Keys kept like keys: the image of a daemon, and all that it leaves."""
import os
import pwd
import re
import signal
import subprocess
import threading

from custody import (Caller, TlsFront, content_key, in_files, in_memory,
                     mappings, pick_text, root_key, spellings, vector)
from harness import (SESFS, VECTORS, Skip, equal, main, read, until,
                     wipe_page_cache)

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY1"
TOKEN = "IQoJb3JpZ2luX2VjEJr" + "TokenOfThisSession" * 12
VECTORS_USED = ("ses-shape-utf8", "ses-shape-attach1m",
                "rubyv2-kmsctx-gcm-utf8", "rubyv3-kmsctx-commit-attach64k",
                "go4-kmsctx-commit-userctx")
COUNT = 12  # generated, beside the vectors
BIG = 5 << 20


def secrets_of_session(bench):
    """Credentials of this session, such that they can be told in memory."""
    if os.geteuid() != 0:
        raise Skip("only root may look into the memory of a daemon")
    bench.cloud.set(secret_key=SECRET, session_token=TOKEN)
    bench.env.update(AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN)
    return {"secret access key": SECRET.encode(),
            "session token": TOKEN[-64:].encode()}


def header_values(plain):
    """Subject and addresses, as they may be met in a file."""
    head = plain.replace(b"\r\n", b"\n").split(b"\n\n")[0]
    for line in head.split(b"\n"):
        name, _, value = line.partition(b": ")
        if name.lower() in (b"subject", b"from", b"to", b"message-id"):
            value = value.strip()
            if name.lower() != b"subject":
                start, end = value.find(b"<") + 1, value.find(b">")
                value = value[start:end if end > 0 else None]
            if len(value) >= 12:
                yield name.decode(), value


def fill(bench):
    """Mail of several makers. Returns what to look for, keys and texts, and
    the messages."""
    c = bench.cloud
    caller = Caller(bench)
    keys, texts = {}, {}
    plains = {}
    for name in VECTORS_USED:
        key, body, headers, plain, dek = vector(name)
        c.put("mail", f"in/{name}/{key}", body, headers)
        plains[name] = plain
        keys.update(spellings(f"data key of {name}", dek))
        keys.update(spellings(f"content key of {name}",
                              content_key(headers, dek)))
    c.generate("mail", "in/", COUNT, seed=41)
    c.generate("mail", "in/", 2, seed=43, format="commit")
    c.generate("mail", "in/", 2, seed=42, size=BIG, format="kmsctx-gcm")
    for o in c.manifest("mail", "in/"):
        if o["key"].count("/") > 1:
            continue
        plains[o["key"]] = c.plain("mail", o["key"])
        for kind, key in caller.keys("mail", o["key"]).items():
            keys.update(spellings(f"{kind} of {o['key']}", key))
    for name, plain in plains.items():
        text = pick_text(plain)
        if text is not None:
            texts[f"text of {name}"] = text
        for field, value in header_values(plain):
            texts[f"{field} of {name}"] = value
    assert sum(t.startswith("text") for t in texts) >= COUNT
    assert sum(t.startswith("Subject") for t in texts) >= COUNT
    return keys, texts, plains


def all_mails(m):
    out = m.mails()
    for d in os.listdir(m.path):
        if d.startswith(".") and os.path.isdir(f"{m.path}/{d}/new"):
            out += m.mails(d[1:])
    return out


def read_everything(m):
    """Alone, at once, by parts, and by readers that are killed amid it."""
    mails = all_mails(m)
    for p in mails:
        read(p)
        wipe_page_cache(p)
    errors = []

    def reader(paths):
        try:
            for p in paths:
                read(p)
        except OSError as e:
            errors.append(e)

    for order in (mails, mails[::-1]):
        for p in mails:
            wipe_page_cache(p)
        threads = [threading.Thread(target=reader, args=(order[i:],))
                   for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    equal(errors, [], "readers")
    big = max(mails, key=os.path.getsize)
    for size in (1, 4096, 100000):
        wipe_page_cache(big)
        p = subprocess.Popen(["dd", f"if={big}", "of=/dev/stdout",
                              f"bs={size}"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        p.stdout.read(1)
        p.kill()
        p.wait()
        p.stdout.close()
    with open(big, "rb") as f:
        for at in range(0, os.path.getsize(big) - 1, 1 << 19):
            f.seek(at)
            f.read(777)


def use(bench, m):
    read_everything(m)
    m.status()
    bench.sesfs("ls", "--json", *bench.common(m.state), *m.args, m.source)


def wait_clean(pid, needles, locked=False):
    """Nothing of it in memory. Plaintext is held for seconds and idle
    connections for longer: until then there may be."""
    hits = {}

    def clean():
        nonlocal hits
        hits = in_memory(pid, needles, locked)
        return not hits

    try:
        until("memory to be clean", clean, 60)
    except AssertionError:
        raise AssertionError("still in memory: " + "; ".join(
            f"{what} in {where}"
            for what, where in sorted(hits.items()))) from None


def locked_memory_is_undumpable(pid):
    locked = [m for m in mappings(pid) if "lo" in m.flags]
    assert locked, "no locked memory"
    for m in locked:
        assert "dd" in m.flags, f"{m} is locked, but would be dumped"


def all_image(bench, mount):
    """The whole story of one daemon."""
    session = secrets_of_session(bench)
    keys, texts, plains = fill(bench)
    caller = Caller(bench)
    m = mount()
    m.sync()
    equal(len(all_mails(m)), len(plains), "messages")
    pid = m.process.pid
    # the search finds what is there: it is in the locked slab
    live = in_memory(pid, keys, True)
    equal({k for k in live if re.fullmatch("content key of [^ ]+", k)},
          {k for k in keys if re.fullmatch("content key of [^ ]+", k)},
          "keys held")
    root = spellings("root key", root_key(caller, m.state))
    assert "root key" in in_memory(pid, root, True)
    wait_clean(pid, {**keys, **texts, **session, **root})
    use(bench, m)
    locked_memory_is_undumpable(pid)
    wait_clean(pid, {**keys, **texts, **session, **root})
    bench.sesfs("forget", m.path, "keys")
    wait_clean(pid, {**keys, **root, **texts}, locked=True)
    with open(f"/proc/{pid}/environ", "rb") as f:
        environ = f.read()
    for what, value in session.items():
        assert value not in environ, f"{what} in environ"
    # all is well afterwards
    for p in all_mails(m):
        wipe_page_cache(p)
        read(p)
    wait_clean(pid, {**keys, **texts, **session, **root})
    return m, {**keys, **texts, **session, **root}


def test_image(bench):
    """Keys only in locked memory, text in none once idle; after `forget
    keys` in no memory at all."""
    all_image(bench, lambda: bench.mount("s3://mail/in"))


def test_image_tls(bench):
    """The same with TLS between, whose buffers see all replies in clear."""
    front = TlsFront(bench)

    def mount():
        bench.env.update(AWS_ENDPOINT_URL=front.url, AWS_CA_BUNDLE=front.ca)
        return bench.mount("s3://mail/in")

    all_image(bench, mount)


def test_image_of_each_library(bench):
    """The same for libraries that are not the default."""
    for crypto in ("sodium", "openssl"):
        m, _ = all_image(bench, lambda: bench.mount(
            "s3://mail/in", "--crypto", crypto, name="m-" + crypto))
        m.stop()


def test_files(bench):
    """Neither while it runs nor afterwards is a secret in a file."""
    m, needles = all_image(bench, lambda: bench.mount(
        "s3://mail/in", "--log-level", "debug"))
    equal(in_files(m.state, needles), {}, "in files while it runs")
    with open(m.log_path, "rb") as f:
        log = f.read()
    assert log, "no log to look into"
    m.stop()
    equal(in_files(bench.work, needles), {}, "in files after the unmount")


def test_plain_mail_at_rest(bench):
    """Mail that was never encrypted is sealed before it is cached."""
    session = secrets_of_session(bench)
    c = bench.cloud
    c.generate("mail", "in/", 6, seed=5, format="plain")
    m = bench.mount("s3://mail/in", "--accept", "+plain")
    m.sync()
    needles = {}
    for o in c.manifest("mail", "in/"):
        plain = c.plain("mail", o["key"])
        needles[f"text of {o['key']}"] = pick_text(plain)
        for name, value in header_values(plain):
            needles[f"{name} of {o['key']}"] = value
    for p in m.mails():
        read(p)
    assert m.status()["cache"]["objects"] == 6, m.status()["cache"]
    equal(in_files(m.state, needles), {}, "in the state directory")
    wait_clean(m.process.pid, {**needles, **session})
    m.stop()
    equal(in_files(m.state, needles), {}, "after the unmount")


def owner(path):
    return os.stat(path).st_uid


def test_not_to_be_traced(bench):
    """No core file, and its /proc belongs to root whoever runs it."""
    secrets_of_session(bench)
    bench.cloud.generate("mail", "in/", 3, seed=1)
    m = bench.mount("s3://mail/in")
    m.sync()
    with open(f"/proc/{m.process.pid}/limits") as f:
        core = [x for x in f if x.startswith("Max core file size")][0]
    equal(core.split()[4:6], ["0", "0"], "RLIMIT_CORE")
    # ignored in favour of a pattern, were it not for the limit
    m.process.send_signal(signal.SIGSEGV)
    m.process.wait()
    equal(m.process.returncode, -signal.SIGSEGV, "end of the daemon")
    m.process = None
    m.detach()
    for d in (os.getcwd(), bench.work, "/"):
        cores = [n for n in os.listdir(d) if n == "core"
                 or n.startswith("core.")]
        equal(cores, [], "core files in " + d)


def test_not_dumpable(bench):
    """The owner of /proc/PID/mem tells PR_SET_DUMPABLE, when it is not root
    who runs it."""
    secrets_of_session(bench)
    try:
        uid = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise Skip("there is no user nobody") from None
    bench.cloud.generate("mail", "in/", 3, seed=1)
    bench.cloud.set(kms_latency_ms=4000)
    state = bench.work + "/state"
    os.mkdir(state, 0o700)
    os.chown(state, uid, -1)
    try:
        p = subprocess.Popen(
            [SESFS, "sync", *bench.common(state), "s3://mail/in"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=bench.env,
            user=uid, cwd="/")
    except PermissionError:
        raise Skip("nobody may not run " + SESFS) from None
    until("KMS to be asked", lambda: bench.cloud.count("kms.decrypt") > 0
          or p.poll() is not None)
    equal(p.poll(), None, "the end of sync")
    for leaf in ("mem", "maps", "environ"):
        equal(owner(f"/proc/{p.pid}/{leaf}"), 0, "owner of " + leaf)
    p.kill()
    p.wait()
    p.stderr.close()


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
