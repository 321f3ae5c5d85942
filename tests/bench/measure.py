"""One measured run: its time, what the daemon spent on it, what it caused."""
import os
import resource
import subprocess
import tempfile
import time

from harness import SESFS

BUILD = os.path.dirname(os.path.dirname(os.path.abspath(SESFS)))
WALK = os.environ.get("SESFS_WALK", BUILD + "/tests/bench/walk")
PROCESSORS = len(os.sched_getaffinity(0))
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


def cpu_s(pid):
    """Processor time so far; times are multiples of 10 ms, as the kernel
    gives them."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy_s():
    """Processor time of the whole machine so far, idle time left out."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, soft, steal = map(
            int, f.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


def own_s():
    """Of this program and those it ran to their end."""
    return sum(sum(resource.getrusage(who)[:2]) for who in
               (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Spent:
    """Processor time of the daemon, of the cloud and of all that does not
    belong here, which is noise; and the daemon's peak of memory."""

    def __init__(self, pid, cloud_pid):
        self.pid, self.cloud_pid = pid, cloud_pid
        try:  # begin a new peak
            with open(f"/proc/{pid}/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass
        self.began = time.monotonic()
        self.start = self.now()

    def now(self):
        return {"cpu_s": cpu_s(self.pid) if self.pid else 0,
                "cloud_cpu_s": cpu_s(self.cloud_pid),
                "own_s": own_s(), "busy_s": busy_s()}

    def figures(self):
        now = {k: v - self.start[k] for k, v in self.now().items()}
        others = (now["busy_s"] - now["own_s"] - now["cpu_s"]
                  - now["cloud_cpu_s"])
        whole = (time.monotonic() - self.began) * PROCESSORS
        out = {"cloud_cpu_s": round(now["cloud_cpu_s"], 2),
               "others_percent": round(max(100 * others / whole, 0))}
        if self.pid:
            out["cpu_s"] = round(now["cpu_s"], 2)
            out["peak_rss_mb"] = peak_rss_mb(self.pid)
        return out


def peak_rss_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        peak = next(line for line in f if line.startswith("VmHWM"))
    return round(int(peak.split()[1]) / 1024, 1)


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


def measured(room, party, call, *args, **kw):
    """Run call(*args), which returns a dict with its figures; add what it
    cost to them. A party without a daemon may be None: a program that runs
    to its end and counts its own time."""
    if party:
        party.before()
    spent = Spent(party.pid if party else None, room.cloud.process.pid)
    run = dict(call(*args, **kw))
    run.update(spent.figures())
    if party:
        run.update(party.caused())
    return run
