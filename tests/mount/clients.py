"""What the tests of single mail programs share: a filled mount, a meter of
what a program caused, and ways to run it."""
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from harness import DEADLINE, equal, until


def filled(bench, count, *args, seed=1, prefix="inbound/", source="inbound",
           **made):
    """A mount of so many generated messages, all of them indexed. It does not
    poll by itself, so that what is counted is what a program caused."""
    bench.cloud.generate("mail", prefix, count, seed=seed, **made)
    m = bench.mount("s3://mail/" + source, "--poll", "86400",
                    "--kms-rate", "100000", *args)
    m.sync()
    return m


def plain_of(bench, paths):
    """The bytes of each message as the cloud encrypted them, by path."""
    return {p: bench.cloud.plain("mail", os.getxattr(
        p, "user.sesfs.key").decode()) for p in paths}


def same(got, want, what):
    """Equal bytes; a difference is named by its place, not printed whole."""
    if got == want:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
              min(len(got), len(want)))
    raise AssertionError(f"{what}: {len(got)} bytes, want {len(want)}, differ "
                         f"at {at}: {got[at:at + 40]!r}, want "
                         f"{want[at:at + 40]!r}")


def next_second():
    """Wait until another second has begun: many programs distrust what
    changed within the current one."""
    now = int(time.time())
    until("the next second", lambda: int(time.time()) > now)


class Meter:
    """Counts what happens from its construction on: S3 and KMS requests as
    the cloud saw them, FUSE operations as the daemon did."""

    def __init__(self, bench, mount):
        self.bench, self.mount = bench, mount
        self.start = self.now()

    def now(self):
        status = self.mount.status()
        seen = {"fuse." + k: v for k, v in status["fuse"].items()}
        # READs of mail; the rest are of clients' own files.
        seen["fuse.mail_read"] = status["messages"]["opens"]
        seen.update(self.bench.cloud.counters())
        return seen

    def seen(self):
        """By name: "fuse.read", "fuse.mail_read", "s3.get", "kms.decrypt"."""
        return {k: v - self.start.get(k, 0) for k, v in self.now().items()
                if v != self.start.get(k, 0)}

    def report(self, what):
        """Print what was seen and return it."""
        seen = self.seen()
        print(f"   {what}:", *(f"{k}={v}" for k, v in sorted(seen.items())
                               if k not in ("fuse.forget", "fuse.other")),
              flush=True)
        return seen

    def check(self, what, **most):
        """None of these happened: mail_read, readdir..., s3, kms; or so many
        at most."""
        seen = self.report(what)
        for name, limit in most.items():
            if name in ("s3", "kms"):
                n = sum(v for k, v in seen.items()
                        if k.startswith(name + ".") and k != "s3.list")
            else:
                n = seen.get("fuse." + name, 0)
            if n > limit:
                raise AssertionError(f"{what}: {n} {name}, want {limit} at "
                                     f"most; seen: {seen}")
        return seen


def run(bench, *argv, ok=(0,), env=None, text=True, user=None, cwd=None,
        stdin=None):
    """Run a program to its end; its output, both kinds together."""
    p = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=DEADLINE,
                       env={**bench.env, **(env or {})}, user=user, cwd=cwd,
                       **({} if stdin else {"stdin": subprocess.DEVNULL}))
    if p.returncode not in ok:
        raise AssertionError(f"{' '.join(argv)}: exit {p.returncode}: "
                             + p.stdout.decode(errors="replace")[-3000:])
    return p.stdout.decode(errors="replace") if text else p.stdout


def end(process):
    """Terminate a process that this test started, by force if need be."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Terminal:
    """A program on a pseudo-terminal of its own."""

    ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")

    def __init__(self, bench, *argv):
        self.argv = argv
        self.written = ""  # by the program, without escape sequences
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                # One of no size is no terminal to ncurses 6.5.
                termios.tcsetwinsize(0, (50, 132))
                os.execvpe(argv[0], argv, {**bench.env, "TERM": "vt100"})
            finally:
                os._exit(127)
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def drain(self):
        """Take what the program wrote; false once it has ended."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                return False
            self.written += self.ESCAPES.sub("", data.decode(errors="replace"))
        return True

    def send(self, keys):
        os.write(self.fd, keys.encode())

    def expect(self, text):
        """Wait until the program has written this."""
        def there():
            alive = self.drain()
            if text in self.written:
                return True
            assert alive, f"{self.argv[0]} ended without writing {text!r}: " \
                + self.written[-2000:]
            return False
        until(f"{self.argv[0]} to write {text!r}", there)

    def finish(self):
        """Wait until the program ends by itself, well."""
        def ended():
            self.drain()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid
        try:
            until(f"{self.argv[0]} to end", ended)
        except AssertionError as e:
            raise AssertionError(f"{e}; it wrote {self.written[-2000:]}")
        equal(self.status, 0, f"exit of {self.argv[0]}, which wrote "
              + self.written[-2000:])
