"""Does it matter how much mail there is? Cost per operation over the size of a
mailbox, beside the same operation on a tmpfs with the same names.

For each size: a bucket with that many (small) objects, an index of it made by
fill_index, a mount that can reach the bucket and whose first pass compares all
of it with the index. Nothing here reads a message. "10x100000": that many
folders of that many each. Prints a table and, with --json FILE, the figures:

    {"scale": [{"n": 1000, "folders": 1, "ls_us": ..., ...}, ...]}

*_us are microseconds per message or per operation (the best listing of three,
the median operation), *_tmpfs_us the same on tmpfs, *_again_us what the kernel
has in its caches already, *_cpu_us the CPU that client and daemon took, which
is what remains to be compared on a busy machine. Needs root, for a tmpfs and to drop caches.
"""
import argparse
import contextlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "mount"))
from harness import CLOUD, Bench, is_mounted, until  # noqa: E402

FILL = os.environ.get("SESFS_FILL", os.path.join(
    os.path.dirname(CLOUD), "..", "bench", "fill_index"))
SAMPLE = 1000  # names that are looked up and renamed
REPEAT = 3  # listings of each kind
NULL = subprocess.DEVNULL


def timed(call, *args):
    start = time.monotonic()
    result = call(*args)
    return time.monotonic() - start, result


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout


def quiet(*argv):
    subprocess.run(argv, check=True, stdout=NULL)


def drop_names():
    """Dentries and inodes that nobody uses; page cache stays."""
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")


def memory(pid):
    """VmRSS and VmHWM in MiB."""
    with open(f"/proc/{pid}/status") as f:
        kib = dict(line.split(":") for line in f)
    return [int(kib[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM")]


class Served:
    """`sesfs mount` in the background, as people run it."""

    def __init__(self, bench, state, source, path):
        self.bench, self.path = bench, path
        self.common = bench.common(state)
        self.source = source
        os.makedirs(path, exist_ok=True)
        self.start_s, _ = timed(bench.sesfs, "mount", *self.common,
                                "--log", state + ".log", source, path)
        self.pid = self.status()["pid"]

    def status(self):
        return json.loads(self.bench.sesfs("status", "--json", self.path))

    def settle(self):
        """The pass that every mount begins with."""
        until("the first pass", lambda: self.status()["sync"]["last_pass"])

    def stop(self):
        self.bench.sesfs("umount", self.path)
        until("the end", lambda: not os.path.exists(f"/proc/{self.pid}"))


def names_of(new):
    with os.scandir(new) as entries:
        return [e.name for e in entries]


@contextlib.contextmanager
def tmpfs(bench, name):
    path = os.path.join(bench.work, name)
    os.makedirs(path)
    quiet("mount", "-t", "tmpfs", "-o", "size=80%,nr_inodes=0", "tmpfs", path)
    try:
        yield path
    finally:
        quiet("umount", path)


def copy_names(dirs, root):
    """The same names, empty, on the tmpfs."""
    out = []
    for i, names in enumerate(dirs):
        d = os.path.join(root, str(i))
        os.makedirs(os.path.join(d, "new"))
        os.makedirs(os.path.join(d, "cur"))
        for name in names:
            os.close(os.open(os.path.join(d, "new", name),
                             os.O_CREAT | os.O_WRONLY, 0o600))
        out.append(d)
    return out


def cpu_s(pid):
    """Seconds of CPU that our children and a daemon's threads have had."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    ns = 0
    for task in os.listdir(f"/proc/{pid}/task") if pid else ():
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                ns += int(f.read().split()[0])
    return r.ru_utime + r.ru_stime + ns / 1e9


def listing(n, argv, pid):
    """Seconds, and seconds of CPU, of a command that names all of them."""
    before = cpu_s(pid)
    t, out = timed(run, *argv)
    lines = out.count(b"\n")
    assert lines >= n, f"{argv}: {lines} lines of {n}"
    return t, cpu_s(pid) - before


def listings(dirs, n, suffix, row, pid=0):
    """The best of a few, as anything else the machine does only adds."""
    new = [os.path.join(d, "new") for d in dirs]
    for what, argv in (("ls", ["ls", "-f", *new]),
                       ("find", ["find", *new, "-type", "f"]),
                       ("ls_l", ["ls", "-l", *new])):
        first, again = [], []
        for _ in range(REPEAT):
            drop_names()
            first.append(listing(n, argv, pid))
            again.append(listing(n, argv, pid))
        for name, times in ((what, first), (what + "_again", again)):
            row[name + suffix], row[name + "_cpu" + suffix] = (
                min(t) / n * 1e6 for t in zip(*times))


def median_us(call, items):
    """Of one call for each item."""
    return statistics.median(timed(call, *i)[0] for i in items) * 1e6


def singles(dirs, names, suffix, row):
    """One message at a time: stat, new -> cur, flag. The order is random."""
    rnd = random.Random(1)
    some = []
    for _ in range(SAMPLE):
        i = rnd.randrange(len(dirs))
        some.append((dirs[i], rnd.choice(names[i])))
    some = list(dict.fromkeys(some))
    drop_names()
    row["stat" + suffix] = median_us(
        lambda d, m: os.stat(f"{d}/new/{m}"), some)
    row["move" + suffix] = median_us(
        lambda d, m: os.rename(f"{d}/new/{m}", f"{d}/cur/{m}:2,"), some)
    row["rename" + suffix] = median_us(
        lambda d, m: os.rename(f"{d}/cur/{m}:2,", f"{d}/cur/{m}:2,S"), some)
    for d, m in some:
        os.rename(f"{d}/cur/{m}:2,S", f"{d}/new/{m}")


def fill(bench, state, source, row):
    if not os.path.exists(state):
        os.mkdir(state, 0o700)
        row["fill_s"], _ = timed(
            lambda: subprocess.run([FILL, *bench.common(state), source],
                                   env=bench.env, check=True, stdout=NULL))


def measure(bench, folders, each, keep):
    n = folders * each
    row = {"n": n, "folders": folders}
    bucket = f"mail-{folders}-{each}"
    for i in range(folders):
        bench.cloud.generate(bucket, "in/" + (f"f{i}/" if i else ""), each,
                             size=1024, spam=0, seed=i + 1)
    source = f"s3://{bucket}/in"
    state = os.path.join(keep or bench.work, f"{folders}x{each}.state")
    fill(bench, state, source, row)
    row["bytes"] = os.stat(os.path.join(state, "index.db")).st_size / n
    # What the run before left in the page cache, or did not, is chance.
    with open(os.path.join(state, "index.db"), "rb") as f:
        while f.read(1 << 20):
            pass
    m = Served(bench, state, source, os.path.join(bench.work, bucket))
    row["mount_ms"] = m.start_s * 1e3
    try:
        m.settle()
        t, _ = timed(bench.sesfs, "sync", *m.common, source)
        row["pass_us"] = t / n * 1e6
        row["rss_idle_mib"] = memory(m.pid)[0]
        dirs = [m.path] + [f"{m.path}/.f{i}" for i in range(1, folders)]
        listings(dirs, n, "_us", row, m.pid)
        names = [names_of(d + "/new") for d in dirs]
        singles(dirs, names, "_us", row)
        t, _ = timed(m.status)
        row["status_ms"] = t * 1e3
        t, _ = timed(os.statvfs, m.path)
        row["statfs_ms"] = t * 1e3
        row["rss_mib"], row["rss_peak_mib"] = memory(m.pid)
        t, _ = timed(bench.sesfs, "ls", "--brief", *m.common, source)
        row["sesfs_ls_us"] = t / n * 1e6
    finally:
        m.stop()
    with tmpfs(bench, bucket + ".tmpfs") as root:
        dirs = copy_names(names, root)
        listings(dirs, n, "_tmpfs_us", row)
        singles(dirs, names, "_tmpfs_us", row)
    return row


def size_of(text):
    folders, _, each = text.rpartition("x")
    return int(folders or 1), int(each)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("sizes", nargs="*", type=size_of, default=None,
                    metavar="[FOLDERSx]MESSAGES")
    ap.add_argument("--json", metavar="FILE")
    ap.add_argument("--keep", metavar="DIR",
                    help="where the indexes stay for another run")
    a = ap.parse_args()
    sizes = a.sizes or [(1, 1000), (1, 10000), (1, 100000), (1, 1000000),
                        (10, 100000)]
    rows = []
    bench, failed = Bench(), True
    try:
        for folders, each in sizes:
            row = measure(bench, folders, each, a.keep)
            rows.append(row)
            print(f"--- {folders} x {each}", flush=True)
            for k, v in row.items():
                if k.endswith("_us") and not k.endswith("_tmpfs_us"):
                    base = row.get(k[:-3] + "_tmpfs_us")
                    ratio = f"{v / base:8.1f} x tmpfs" if base else ""
                    print(f"{k:16} {v:10.3f} {ratio}")
                elif not k.endswith("_tmpfs_us"):
                    print(f"{k:16} {v:10,.1f}")
        failed = False
    finally:
        for m in os.listdir(bench.work):
            path = os.path.join(bench.work, m)
            if is_mounted(path):
                subprocess.run(["umount", "-l", path], check=False)
        bench.close(failed)
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"scale": rows}, f, indent=1)


if __name__ == "__main__":
    main()
