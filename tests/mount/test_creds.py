"""Credentials while a mount lives: they end and are renewed, are not there
yet, cannot be had any more, or need a person.

SESFS_SOAK_SECONDS makes the soak as long as one likes."""
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import pty
import random
import socket
import subprocess
import threading
import time

import harness
from harness import (DEADLINE, SESFS, Skip, equal, is_served, need, raises,
                     read, until, wipe_page_cache)

SOAK_S = float(os.environ.get("SESFS_SOAK_SECONDS", "12"))
ROLE = "role_arn = arn:aws:iam::123456789012:role/"
CONFIG = f"""
[profile keys]
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile role]
{ROLE}mail
source_profile = keys
[profile chain]
{ROLE}chained
source_profile = role
[profile login]
login_session = arn:aws:iam::123456789012:user/test
[profile mfa]
{ROLE}mfa
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/test
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Mail
"""


def prepare(b, mails=40):
    """A bucket with mail, and no credentials but what a test names."""
    b.cloud.generate("mail", "in/", mails)
    for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
        del b.env[name]
    b.env["AWS_EC2_METADATA_DISABLED"] = "true"
    os.makedirs(os.path.join(b.work, ".aws", "sso", "cache"), exist_ok=True)
    with open(os.path.join(b.work, ".aws", "config"), "w") as f:
        f.write(CONFIG)


def want(b):
    return {o["key"]: b.cloud.plain("mail", o["key"])
            for o in b.cloud.manifest("mail", "in/")}


class Readers:
    """Threads that read messages at random, each time through the daemon, and
    note what is not as it should be."""

    def __init__(self, m, texts, n=4):
        self.paths = list(m.by_key().items())
        self.texts = texts
        self.reads, self.bad = 0, []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, seed):
        rng = random.Random(seed)
        while not self.is_over.is_set() and len(self.bad) < 5:
            key, path = rng.choice(self.paths)
            try:
                wipe_page_cache(path)
                if read(path) != self.texts[key]:
                    self.bad.append(f"{key}: other bytes")
            except OSError as e:
                self.bad.append(f"{key}: {e}")
            self.reads += 1

    def stop(self):
        self.is_over.set()
        for t in self.threads:
            t.join()


def soak(b, source, *counters, **settings):
    """No read may fail although credentials last seconds only. Nothing is
    kept, so that each read asks S3 and each key KMS."""
    b.cloud.set(**settings)
    m = b.mount("s3://mail/in/", "--cache-size=0", "--key-ttl=1s", "--poll=1s",
                "--kms-rate=5000", name="soak")
    m.sync()
    b.cloud.reset_counters()
    readers = Readers(m, want(b))
    end = time.monotonic() + SOAK_S
    while time.monotonic() < end and not readers.bad:
        b.sesfs("forget", m.path, "keys")
        time.sleep(0.5)
    readers.stop()
    equal(readers.bad, [], f"{source}: what was read")
    counts = b.cloud.counters()
    print(f"# {source}: {readers.reads} reads, {counts['s3.get']} GETs, "
          f"{counts['kms.decrypt']} Decrypts, "
          + ", ".join(f"{counts[c]} {c}" for c in counters), flush=True)
    for c in counters:
        # Half a life of the longest is 3 s.
        assert counts[c] >= int(SOAK_S / 6), (c, counts)
    assert counts["s3.get"] > 0 and counts["kms.decrypt"] > 0, counts
    # One attempt may fail where faults are asked for: the old ones serve.
    equal([line for line in m.log().splitlines() if "creds:" in line and
           not ("id_500" in settings and ("; using the old ones" in line or
                                          line.endswith("good again")))],
          [], "what the log has of credentials")
    m.stop()
    b.cloud.admin("reset", "reset")


def test_soak_chained_roles(b):
    prepare(b)
    b.env["AWS_PROFILE"] = "chain"
    soak(b, "chain", "sts.assume", sts_life=6)


def test_soak_container(b):
    prepare(b)
    b.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = \
        b.cloud.url + "/_container/open"
    soak(b, "container", "container", container_life=4, id_500=20)


def test_soak_sso(b):
    prepare(b)
    login(b, life=5)
    b.env["AWS_PROFILE"] = "sso"
    soak(b, "sso", "sso.creds", "oidc.token", sso_life=5, sso_token_life=5)


def login(b, **params):
    """As `aws sso login` does, for the sso-session."""
    path = os.path.join(b.work, ".aws", "sso", "cache",
                        hashlib.sha1(b"corp").hexdigest() + ".json")
    with open(path + ".new", "wb") as f:
        f.write(b.cloud.admin("login", "sso-login", **params))
    os.rename(path + ".new", path)


def test_out_of_credentials(b):
    """Ended, and no others to be had: what is cached is read on, the rest is
    EACCES; and all is well once they can be had again."""
    prepare(b)
    b.env["AWS_PROFILE"] = "role"
    b.cloud.set(sts_life=3)
    m = b.mount("s3://mail/in/", "--index=envelope")
    m.sync()
    texts = want(b)
    paths = m.by_key()
    keys = sorted(paths)
    equal(read(paths[keys[0]]), texts[keys[0]], "while all is well")
    b.cloud.set(deny="sts:AssumeRole")
    until("the end of the old ones", lambda: "have expired" in m.log())
    wipe_page_cache(paths[keys[0]])
    equal(read(paths[keys[0]]), texts[keys[0]], "cached mail")
    raises(errno.EACCES, read, paths[keys[1]])
    os.rename(paths[keys[0]], paths[keys[0]].replace("/new/", "/cur/") + ":2,")
    assert "role of profile role: STS: AccessDenied" in m.log(), m.log()
    # Once per change, however often it was tried.
    time.sleep(4)
    raises(errno.EACCES, read, paths[keys[2]])
    lines = [line for line in m.log().splitlines() if "creds:" in line]
    assert len(lines) <= 2, lines
    b.cloud.set(allow="*", sts_life=0)

    def is_back():
        try:
            return read(paths[keys[1]]) == texts[keys[1]]
        except PermissionError:
            return False
    until("credentials", is_back)
    assert "good again" in m.log(), m.log()


def test_not_there_yet(b):
    """The source of credentials comes up after the mount."""
    prepare(b, 20)
    b.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = \
        b.cloud.url + "/_container/open"
    b.cloud.set(id_503=100)
    m = b.mount("s3://mail/in/", "--poll=1s", wait=False)
    equal(m.process.wait(DEADLINE), 1, "exit status with an empty index")
    m.process = None
    b.cloud.set(id_503=0)
    m.start()
    m.sync()
    m.stop()
    b.cloud.generate("mail", "in/", 20, seed=9)
    b.cloud.set(id_503=100)
    m.start()
    assert m.log().count("no credentials yet: container: HTTP 503") == 2, \
        m.log()
    equal(len(m.mails()), 20, "what is known")
    b.cloud.set(id_503=0)
    until("the mail", lambda: len(m.mails()) == 40)
    texts = want(b)
    for key, path in m.by_key().items():
        equal(read(path), texts[key], key)


def test_refused_at_the_start(b):
    """That is no outage: the mount fails and says why."""
    prepare(b)
    b.env["AWS_PROFILE"] = "sso"
    m = b.mount("s3://mail/in/", wait=False)
    equal(m.process.wait(DEADLINE), 1, "exit status")
    m.process = None
    assert "run: aws sso login --profile sso" in m.log(), m.log()
    out, err, code = b.sesfs("check", *b.common(m.state), "s3://mail/in/",
                             ok=(1,), both=True)
    assert "run: aws sso login --profile sso" in out, out
    # After a login it mounts, and says by what.
    login(b)
    m.start()
    until("the mail", lambda: len(m.mails()) == 40)
    out = b.sesfs("check", *b.common(m.state + "2"), "s3://mail/in/")
    assert "(from IAM Identity Center, profile sso)" in out, out


def test_login_session(b):
    """What `aws login` left is not read, and nothing else is taken for it."""
    prepare(b, 1)
    b.env["AWS_PROFILE"] = "login"
    b.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = \
        b.cloud.url + "/_container/open"
    _, err, _ = b.sesfs("sync", *b.common(b.work + "/state"), "s3://mail/in/",
                        ok=(1,), both=True)
    assert ("credential_process = aws configure export-credentials "
            "--profile login --format process") in err, err
    equal(b.cloud.count("container"), 0, "other sources asked")


def test_login_again(b):
    """A login that ended during the mount, and another: taken up by itself."""
    prepare(b)
    login(b, life=4, client_life=-1)
    b.cloud.set(sso_life=3)
    b.env["AWS_PROFILE"] = "sso"
    m = b.mount("s3://mail/in/", "--poll=1s")
    until("the mail", lambda: len(m.mails()) == 40)
    until("the end of it", lambda: "run: aws sso login --profile sso"
          in m.log())
    login(b)
    until("the new one", lambda: "good again" in m.log())


def test_code_at_the_terminal(b):
    """The code is asked before the daemon leaves the terminal."""
    prepare(b)
    path = os.path.join(b.work, "tty")
    state = path + ".state"
    os.makedirs(path)
    args = [SESFS, "mount", *b.common(state), "--profile=mfa",
            "--log=" + path + ".log", "s3://mail/in/", path]
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(SESFS, args, b.env)
    shown = b""
    while b"mfa/test: " not in shown:
        shown += os.read(fd, 1000)
    assert b"MFA code for arn:aws:iam::123456789012:mfa/test: " in shown, shown
    os.write(fd, b"123456\n")
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "exit status")
    os.close(fd)
    try:
        assert is_served(path)
        until("the mail", lambda: len(os.listdir(path + "/new")) == 40)
    finally:
        b.sesfs("umount", path)


def test_code_by_a_program(b):
    """Nobody at a terminal: a program is asked, for each renewal again; none
    at all is an error before anything is mounted."""
    prepare(b)
    b.env["AWS_PROFILE"] = "mfa"
    path = os.path.join(b.work, "none")
    os.makedirs(path)
    p = subprocess.run([SESFS, "mount", *b.common(path + ".state"),
                        "s3://mail/in/", path], stdin=subprocess.DEVNULL,
                       capture_output=True, env=b.env, timeout=DEADLINE,
                       start_new_session=True)
    equal(p.returncode, 1, "exit status")
    assert b"no terminal" in p.stderr and b"SESFS_ASKPASS" in p.stderr, p
    program = os.path.join(b.work, "askpass")
    with open(program, "w") as f:
        f.write(f"#!/bin/sh\ncat {b.work}/code\n")
    os.chmod(program, 0o700)
    with open(b.work + "/code", "w") as f:
        f.write("123456\n")
    b.env["SESFS_ASKPASS"] = program
    b.cloud.set(sts_life=4)
    m = b.mount("s3://mail/in/")
    until("the mail", lambda: len(m.mails()) == 40)
    until("a refusal of the used code", lambda: "AccessDenied" in m.log())
    with open(b.work + "/code", "w") as f:
        f.write("654321\n")
    b.cloud.set(mfa_code="654321", sts_life=0)
    until("new ones", lambda: "good again" in m.log())
    with open(f"/proc/{m.process.pid}/cmdline", "rb") as f:
        assert b"654321" not in f.read()


def test_nobody_answers_at_the_end(b):
    """An unmount does not wait for a program that waits for a person."""
    prepare(b)
    program, pid = (os.path.join(b.work, n) for n in ("askpass", "pid"))
    with open(program, "w") as f:
        f.write(f"#!/bin/sh\ntest -e {b.work}/asked && "
                f"{{ echo $$ >{pid}.new; mv {pid}.new {pid}; sleep 1000; }}\n"
                f"touch {b.work}/asked\necho 123456\n")
    os.chmod(program, 0o700)
    b.env.update(AWS_PROFILE="mfa", SESFS_ASKPASS=program)
    b.cloud.set(sts_life=4)
    m = b.mount("s3://mail/in/")
    until("the next question", lambda: os.path.exists(pid))
    with open(pid) as f:
        asking = int(f.read())
    b.sesfs("umount", m.path)
    # It would be given two minutes.
    until("the program's end",
          lambda: not os.path.exists(f"/proc/{asking}"), 60)
    m.stop()


CLONE_NEWNET = 0x40000000
USUAL = ("169.254.170.2", "169.254.170.23", "169.254.169.254",
         "fd00:ec2::23", "fd00:ec2::254")


@contextlib.contextmanager
def own_network():
    """A network namespace with nothing but the addresses where AWS answers."""
    libc = ctypes.CDLL(None, use_errno=True)
    was = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) < 0:
        os.close(was)
        raise Skip("no network namespace can be made")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for a in USUAL:
            subprocess.run(["ip", "addr", "add", a, "dev", "lo"], check=True)
        yield
    finally:
        libc.setns(was, CLONE_NEWNET)
        os.close(was)


def forward(a, port):
    """Port 80 of an address is the cloud's; one connection at a time. Ends
    with the process."""
    family = socket.AF_INET6 if ":" in a else socket.AF_INET
    server = socket.create_server((a, 80), family=family)

    def copy(x, y):
        while data := x.recv(65536):
            y.sendall(data)
        y.shutdown(socket.SHUT_WR)

    def run():
        while True:
            x = server.accept()[0]
            y = socket.create_connection(("127.0.0.1", port))
            back = threading.Thread(target=copy, args=(y, x), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                copy(x, y)
            back.join()
            x.close()
            y.close()
    threading.Thread(target=run, daemon=True).start()


def test_usual_addresses(b):
    """Without a URL in the environment, as on an instance and in a container.
    """
    need("ip")
    relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    with own_network():
        prepare(b, 1)
        for a in USUAL:
            forward(a, b.cloud.port)
        del b.env["AWS_EC2_METADATA_DISABLED"]
        for more, want in (
                ({}, "instance/"),
                ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"},
                 "instance/"),
                ({relative: "/_container/open"}, "container/"),
                ({full: "http://169.254.170.23/_container/open"},
                 "container/"),
                ({full: "http://[fd00:ec2::23]/_container/open"},
                 "container/"),
                # None of these is asked by way of a proxy.
                ({relative: "/_container/open",
                  "http_proxy": "http://127.0.0.1:9"}, "container/")):
            p = subprocess.run(
                [SESFS, "check", "--json", *b.common(b.work + "/state"),
                 "s3://mail/in/"], env={**b.env, **more},
                capture_output=True, timeout=DEADLINE)
            said = {n["check"]: n["detail"] for n in json.loads(p.stdout)}
            assert f"assumed-role/{want}" in said["identity"], (more, said, p)
            equal(said["bucket"], "mail in us-east-1", more)


def test_secrets_stay_out_of_the_log(b):
    """At the most talkative level, and of the environment."""
    prepare(b)
    login(b, life=-1)
    b.env.update(AWS_PROFILE="sso")
    cache = os.path.join(b.work, ".aws", "sso", "cache")
    secrets = []

    def note():
        for name in os.listdir(cache):
            with open(os.path.join(cache, name)) as f:
                o = json.load(f)
            secrets.extend(o[n] for n in ("accessToken", "refreshToken",
                                          "clientSecret"))
    note()
    m = b.mount("s3://mail/in/", "--debug")
    until("the mail", lambda: len(m.mails()) == 40)
    note()
    m.stop()
    b.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "container-token"
    b.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = \
        b.cloud.url + "/_container/locked"
    del b.env["AWS_PROFILE"]
    m.start()
    with open(f"/proc/{m.process.pid}/environ", "rb") as f:
        assert b"container-token" not in f.read(), "token in the environment"
    secrets.append("container-token")
    m.sync()
    for s in set(secrets):
        assert s not in m.log(), "a secret in the log"
    assert len(set(secrets)) >= 6, "two logins and a token"


if __name__ == "__main__":
    harness.main(globals())
