"""One measured run: its time, what the daemon spent on it, what it caused."""
import os
import subprocess
import tempfile
import time

from harness import SESFS

BUILD = os.path.dirname(os.path.dirname(os.path.abspath(SESFS)))
WALK = os.environ.get("SESFS_WALK", BUILD + "/tests/bench/walk")
TICK = os.sysconf("SC_CLK_TCK")


def drop_caches():
    """Pages, names and inodes of every file system; false without the right
    to. What is dirty would stay, hence the sync."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3")
        return True
    except OSError:
        return False


class Process:
    """The processor time and memory of a daemon. Times are multiples of
    10 ms, as the kernel gives them."""

    def __init__(self, pid):
        self.pid = pid
        try:  # begin a new peak
            with open(f"/proc/{pid}/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass
        self.start = self.cpu_s()

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def spent(self):
        with open(f"/proc/{self.pid}/status") as f:
            peak = next(line for line in f if line.startswith("VmHWM"))
        return {"cpu_s": round(self.cpu_s() - self.start, 2),
                "peak_rss_mb": round(int(peak.split()[1]) / 1024, 1)}


def walk(path, order="directory", threads=1, files=None):
    """Have walk.c read a directory; its figures, named as it names them."""
    argv = [WALK, "-o", order, "-t", str(threads)]
    argv += ["-k", str(files)] if files else []
    p = subprocess.run([*argv, path], capture_output=True, text=True)
    if p.returncode != 0:
        raise AssertionError(f"walk of {path}: {p.stderr}")
    return {k: float(v) for k, v in
            (word.split("=") for word in p.stdout.split())}


def tar(path):
    """What `tar | wc -c` takes; tar reads in the directory's order."""
    start = time.monotonic()
    with subprocess.Popen(["tar", "cf", "-", "-C", path, "."],
                          stdout=subprocess.PIPE) as p:
        while p.stdout.read(1 << 20):
            pass
    seconds = time.monotonic() - start
    if p.returncode != 0:
        raise AssertionError(f"tar of {path}: exit {p.returncode}")
    return {"seconds": seconds}


def program(argv, env):
    """Run a program to its end: its time, CPU and memory. Its output is seen
    when it fails."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        p = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                             stdout=out, stderr=out)
        _, status, used = os.wait4(p.pid, 0)
        seconds = time.monotonic() - start
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode != 0:
            out.seek(0)
            raise AssertionError(f"{' '.join(argv)}: exit {p.returncode}: "
                                 + out.read()[-2000:].decode(errors="replace"))
    return {"seconds": seconds,
            "cpu_s": round(used.ru_utime + used.ru_stime, 2),
            "peak_rss_mb": round(used.ru_maxrss / 1024, 1)}


def settled(read, still_s=0.5):
    """Wait until what read() returns has not changed for so long."""
    last, since = read(), time.monotonic()
    while time.monotonic() - since < still_s:
        time.sleep(0.05)
        now = read()
        if now != last:
            last, since = now, time.monotonic()
    return last


def measured(party, call, *args, **kw):
    """Run call(*args), which returns a dict with its figures; add those of
    the party's daemon to it."""
    party.before()
    process = Process(party.pid) if party.pid else None
    run = dict(call(*args, **kw))
    if process:
        run.update(process.spent())
    run.update(party.caused())
    return run
