"""A cloud, a mount and what the tests of real mounts share.

Run by meson with SESFS and SESFS_CLOUD naming the programs under test. Each
test is a script: functions named test_* taking a Bench (a temporary directory,
a cloud, mounts), run in order by main(). Exit 77: something the test needs is
not installed. No assertion depends on how fast anything is; waits have a
generous deadline and fail with what they waited for.
"""
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

SESFS = os.environ.get("SESFS", "build/fs/sesfs")
CLOUD = os.environ.get("SESFS_CLOUD", "build/tests/cloud/sesfs-cloud")
VECTORS = os.environ.get(
    "SESFS_VECTORS",
    os.path.join(os.path.dirname(__file__), "..", "vectors"))
KEY = ("arn:aws:kms:us-east-1:123456789012:key/"
       "0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee")
DEADLINE = 180  # seconds; never what a test measures


class Skip(Exception):
    """The test cannot run here; the message says what is missing."""


def need(*programs):
    for p in programs:
        if shutil.which(p) is None:
            raise Skip(f"{p} is not installed")


def until(what, condition, deadline=DEADLINE):
    """Wait for condition() to be true (and return it)."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s in vain: {what}")
        time.sleep(0.02)


def equal(got, want, what=""):
    if got != want:
        if isinstance(got, dict) and isinstance(want, dict):
            keys = [k for k in got.keys() | want.keys()
                    if got.get(k) != want.get(k)]
            got = {k: got.get(k) for k in keys}
            want = {k: want.get(k) for k in keys}
        elif isinstance(got, set) and isinstance(want, set):
            got, want = got - want, want - got
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def raises(number, call, *args):
    """The call must fail with this errno."""
    try:
        call(*args)
    except OSError as e:
        equal(e.errno, number, f"errno of {call.__name__}{args}")
        return
    raise AssertionError(f"{call.__name__}{args} did not fail, wanted "
                         f"{errno.errorcode[number]}")


class Cloud:
    """sesfs-cloud on a port of its own."""

    def __init__(self, work, *args):
        port_file = os.path.join(work, "cloud.port")
        self.log_file = open(os.path.join(work, "cloud.log"), "wb")
        self.process = subprocess.Popen(
            [CLOUD, "--port", "0", "--port-file", port_file, *args],
            stdin=subprocess.DEVNULL, stdout=self.log_file,
            stderr=self.log_file)
        until("the cloud to start", lambda: os.path.exists(port_file)
              or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError("sesfs-cloud did not start: " + open(
                os.path.join(work, "cloud.log")).read())
        self.port = int(open(port_file).read())
        self.url = f"http://127.0.0.1:{self.port}"

    def admin(self, verb, what, data=None, headers=None, method="POST",
              **params):
        url = f"{self.url}/_cloud/{what}"
        if params:
            url += "?" + urllib.parse.urlencode(params, encoding="utf-8")
        request = urllib.request.Request(
            url, data=data if method == "GET" else data or b"",
            headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as reply:
                return reply.read()
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{url}: {e.code} {e.read()!r}") from e

    def set(self, **settings):
        self.admin("set", "set", **settings)

    def counters(self):
        return json.loads(self.admin("get", "counters", method="GET"))

    def reset_counters(self):
        self.admin("reset", "reset-counters")

    def count(self, prefix):
        """Requests of one kind: "s3.get"; or of all kinds: "s3."."""
        return sum(v for k, v in self.counters().items()
                   if k == prefix or prefix.endswith(".")
                   and k.startswith(prefix))

    def put(self, bucket, key, body, meta=None, **params):
        headers = {f"x-amz-meta-{k}": v for k, v in (meta or {}).items()}
        self.admin("put", "put", data=body, headers=headers, bucket=bucket,
                   key=key, **params)

    def delete(self, bucket, key):
        self.admin("delete", "delete", bucket=bucket, key=key)

    def generate(self, bucket, prefix, count, **params):
        self.admin("generate", "generate", bucket=bucket, prefix=prefix,
                   count=count, **params)

    def manifest(self, bucket, prefix=""):
        return json.loads(self.admin("get", "manifest", method="GET",
                                     bucket=bucket, prefix=prefix))

    def plain(self, bucket, key):
        return self.admin("get", "plain", method="GET", bucket=bucket,
                          key=key)

    def flip(self, bucket, key, offset):
        self.admin("flip", "flip", bucket=bucket, key=key, offset=offset)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log_file.close()
        return self.process.returncode


def is_mounted(path):
    with open("/proc/self/mountinfo") as f:
        return any(line.split(" ")[4] == path for line in f)


def is_served(path):
    """Mounted, and not what a dead daemon left."""
    if not is_mounted(path):
        return False
    try:
        os.statvfs(path)  # not answered from the kernel's cache
        return True
    except OSError as e:
        if e.errno not in (errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT):
            raise
        return False


class Mount:
    """`sesfs mount -f` and the tree it shows."""

    def __init__(self, bench, source, *args, name="mnt", user=None,
                 wait=True):
        self.bench = bench
        self.source = source
        self.path = os.path.join(bench.work, name)
        os.makedirs(self.path, exist_ok=True)
        self.state = os.path.join(bench.work, name + ".state")
        self.log_path = os.path.join(bench.work, name + ".log")
        self.args = list(args)
        self.user = user
        self.process = None
        self.start(wait)

    def start(self, wait=True):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [SESFS, "mount", "-f", *self.bench.common(self.state),
             *self.args, self.source, self.path],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=self.bench.env, user=self.user)
        log.close()
        if not wait:
            return
        until("the mount", lambda: is_served(self.path)
              or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError("sesfs mount ended: " + self.log())

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def sync(self, ok=(0,)):
        """A whole pass of the running daemon."""
        return self.bench.sesfs("sync", *self.bench.common(self.state),
                                self.source, ok=ok)

    def status(self):
        return json.loads(self.bench.sesfs("status", "--json", self.path))

    def stop(self):
        """Unmount in an orderly way; the daemon must end well."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.bench.sesfs("umount", self.path, ok=(0, 1))
            if is_mounted(self.path):
                subprocess.run(["fusermount3", "-uz", self.path], check=False)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the daemon did not end: " + self.log())
        equal(self.process.returncode, 0, "exit status of the daemon; "
              + self.log()[-3000:])
        self.process = None

    def kill(self):
        """kill -9, and clear the dead mount away as a user would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def detach(self):
        subprocess.run(["umount", "-l", self.path], check=False,
                       stderr=subprocess.DEVNULL)

    def abandon(self):
        """Whatever state it is in, be rid of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None
        while is_mounted(self.path):
            subprocess.run(["umount", "-l", self.path], check=True)

    # --- the tree ---
    def folder(self, name=""):
        return os.path.join(self.path, "." + name if name else "")

    def mails(self, folder=""):
        """Paths of all messages of a folder, new before cur."""
        out = []
        for leaf in ("new", "cur"):
            d = os.path.join(self.folder(folder), leaf)
            out += [os.path.join(d, n) for n in sorted(os.listdir(d))]
        return out

    def by_key(self, folder=""):
        return {os.getxattr(p, "user.sesfs.key").decode(): p
                for p in self.mails(folder)}


class Bench:
    """A temporary directory, an environment, a cloud and its mounts."""

    def __init__(self, *cloud_args):
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="sesfs-test-"))
        os.chmod(self.work, 0o755)
        self.mounts = []
        self.cloud_args = cloud_args
        self.cloud_ = None
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("AWS_")}
        self.env.update(HOME=self.work, AWS_ACCESS_KEY_ID="test",
                        AWS_SECRET_ACCESS_KEY="testsecret",
                        AWS_REGION="us-east-1", TZ="UTC", LC_ALL="C.UTF-8")

    @property
    def cloud(self):
        if self.cloud_ is None:
            self.cloud_ = Cloud(self.work, *self.cloud_args)
            self.env["AWS_ENDPOINT_URL"] = self.cloud_.url
        return self.cloud_

    def common(self, state):
        return ["--state-dir", state, "--kms-key", KEY]

    def sesfs(self, *args, ok=(0,), both=False, **kw):
        """Run sesfs, return its standard output (and error, when both)."""
        p = subprocess.run([SESFS, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, env=self.env,
                           timeout=DEADLINE * 3, **kw)
        if ok is not None and p.returncode not in ok:
            raise AssertionError(
                f"sesfs {' '.join(args)}: exit {p.returncode}: "
                f"{p.stderr.decode(errors='replace')}"
                f"{p.stdout.decode(errors='replace')[-2000:]}")
        out = p.stdout.decode(errors="replace")
        return (out, p.stderr.decode(errors="replace"),
                p.returncode) if both else out

    def mount(self, source, *args, **kw):
        _ = self.cloud
        m = Mount.__new__(Mount)
        self.mounts.append(m)
        m.process = None
        m.path = ""
        m.__init__(self, source, *args, **kw)
        return m

    def close(self, failed):
        problems = []
        for m in self.mounts:
            if m.process is not None and failed:
                print(f"--- log of {m.path}", file=sys.stderr)
                print(m.log()[-6000:], file=sys.stderr)
            try:
                if failed:
                    m.abandon()
                else:
                    m.stop()
            except Exception as e:  # report, and clean up all the same
                problems.append(str(e))
                m.abandon()
        if self.cloud_ is not None:
            code = self.cloud_.stop()
            if code != 0 and not failed:
                problems.append(f"sesfs-cloud ended with {code}: " + open(
                    os.path.join(self.work, "cloud.log")).read()[-3000:])
        shutil.rmtree(self.work, ignore_errors=True)
        if problems:
            raise AssertionError("; ".join(problems))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def wipe_page_cache(path):
    """Make the next read of this file ask the daemon again."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


_libc = ctypes.CDLL(None, use_errno=True)


def renameat2(old, new, flags):
    r = _libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new),
                        ctypes.c_uint(flags))
    if r < 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def main(namespace, *cloud_args):
    """Run every test_* function of a script, each in a bench of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = sys.argv[1:]
    failed = skipped = ran = 0
    for name, function in list(namespace.items()):
        if not name.startswith("test_") or not callable(function):
            continue
        if wanted and name not in wanted:
            continue
        ran += 1
        bench = Bench(*cloud_args)
        bad = True
        try:
            function(bench)
            bad = False
            bench.close(False)
            print(f"ok {name}", flush=True)
        except Skip as e:
            bench.close(True)
            skipped += 1
            print(f"skip {name}: {e}", flush=True)
        except BaseException as e:
            failed += 1
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
            if bad:
                with contextlib.suppress(Exception):
                    bench.close(True)
            if isinstance(e, (KeyboardInterrupt, SystemExit)):
                break
    if failed or ran == 0:
        sys.exit(1)
    sys.exit(77 if skipped == ran else 0)
