"""Listings of a directory larger than one reply: complete, whatever else goes
on, and no name comes back that is gone."""
import ctypes
import errno
import os
import subprocess
import threading

from harness import equal, main, raises, until

N = 2500  # messages; a reply has room for some 600

_libc = ctypes.CDLL(None, use_errno=True)


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64),
                ("reclen", ctypes.c_uint16), ("type", ctypes.c_uint8),
                ("name", ctypes.c_char * 256)]


for _name, _result, _args in (
        ("opendir", ctypes.c_void_p, [ctypes.c_char_p]),
        ("readdir", ctypes.POINTER(Dirent), [ctypes.c_void_p]),
        ("closedir", ctypes.c_int, [ctypes.c_void_p]),
        ("telldir", ctypes.c_long, [ctypes.c_void_p]),
        ("seekdir", None, [ctypes.c_void_p, ctypes.c_long]),
        ("rewinddir", None, [ctypes.c_void_p])):
    getattr(_libc, _name).restype = _result
    getattr(_libc, _name).argtypes = _args


class Dir:
    """opendir(3) and what belongs to it."""

    def __init__(self, path):
        self.d = _libc.opendir(os.fsencode(path))
        assert self.d, os.strerror(ctypes.get_errno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _libc.closedir(self.d)

    def next(self):
        """A name, or None at the end."""
        e = _libc.readdir(self.d)
        return os.fsdecode(e.contents.name) if e else None

    def take(self, n):
        return [self.next() for _ in range(n)]

    def rest(self):
        return list(iter(self.next, None))

    def tell(self):
        return _libc.telldir(self.d)

    def seek(self, to):
        _libc.seekdir(self.d, to)

    def rewind(self):
        _libc.rewinddir(self.d)


def base(name):
    return name.partition(":")[0]


def mails(names):
    return [base(n) for n in names if n not in (".", "..")]


def once(names, want, what):
    got = mails(names)
    equal(len(got), len(set(got)), f"{what}: names that came once")
    equal(set(got), set(want), what)


def filled(bench):
    bench.cloud.generate("mail", "in/", N, size=1024, spam=0, seed=3)
    m = bench.mount("s3://mail/in", "--kms-rate", "100000")
    m.sync()
    names = os.listdir(m.path + "/new")
    equal(len(names), N, "messages")
    return m, names


def lookups(m):
    return m.status()["fuse"]["lookup"]


def test_seek(bench):
    m, names = filled(bench)
    with Dir(m.path + "/new") as d:
        first = d.take(700)
        at = d.tell()
        rest = d.rest()
        once(first + rest, names, "one pass")
        d.seek(at)
        equal(d.rest(), rest, "after seekdir to the middle")
        d.rewind()
        equal(d.rest(), first + rest, "after rewinddir")
        places = []
        d.rewind()
        for name in first + rest:
            places.append(d.tell())
            equal(d.next(), name, "name by name")
        for i in (2400, 3, 1300, 1301, 0, 2501):
            d.seek(places[i])
            equal(d.next(), (first + rest)[i], f"entry {i}")


def test_arrivals_after_rewind(bench):
    m, names = filled(bench)
    with Dir(m.path + "/new") as d:
        once(d.rest(), names, "before")
        bench.cloud.generate("mail", "in/", 3, size=1024, spam=0, seed=4)
        m.sync()
        d.rewind()
        more = d.rest()
    equal(len(mails(more)), N + 3, "after an arrival")


def test_renames_meanwhile(bench):
    """Flags change and messages move while others list."""
    m, names = filled(bench)
    new, cur = m.path + "/new", m.path + "/cur"
    for n in names:
        os.rename(f"{new}/{n}", f"{cur}/{n}:2,")
    movers, stay = names[::5], [n for i, n in enumerate(names) if i % 5]
    done = threading.Event()
    failures = []

    def rename():
        try:
            flags = ""
            for _ in range(2):
                for i, n in enumerate(movers):
                    to = "S" if flags == "" else ""
                    os.rename(f"{cur}/{n}:2,{flags}", f"{cur}/{n}:2,{to}")
                    if i % 10 == 0:
                        os.rename(f"{cur}/{n}:2,{to}", f"{new}/{n}")
                        os.rename(f"{new}/{n}", f"{cur}/{n}:2,{to}")
                flags = to
        except OSError as e:
            failures.append(e)
        finally:
            done.set()

    t = threading.Thread(target=rename)
    t.start()
    rounds = 0
    while not done.is_set() or rounds == 0:
        got = mails(os.listdir(cur))
        seen = set(got)
        equal([n for n in stay if n not in seen], [], "left out")
        equal(len([n for n in got if n in set(stay)]), len(stay), "twice")
        rounds += 1
    t.join()
    equal(failures, [], "renaming")
    once(os.listdir(cur), names, "in the end")


def test_no_name_comes_back(bench):
    """A reply that was made before a rename must not be used after it."""
    m, names = filled(bench)
    new = m.path + "/new"
    with Dir(new) as d:
        order = mails(d.rest())
    # The kernel shall hear of them anew.
    for attempt, victim in enumerate((order[-1], order[-2], order[2000])):
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("2")
        with Dir(new) as d:
            got = d.take(1400)  # into the third reply; the next is made
            os.rename(f"{new}/{victim}", f"{new}/{victim}:2,S")
            gone = order[-10 - attempt]
            os.unlink(f"{new}/{gone}")
            got += d.rest()
        raises(errno.ENOENT, os.stat, f"{new}/{victim}")
        raises(errno.ENOENT, os.stat, f"{new}/{gone}")
        assert f"{victim}:2,S" in got and victim not in got, victim
        assert gone not in got, gone
        os.stat(f"{new}/{victim}:2,S")


def test_listings_at_once(bench):
    m, names = filled(bench)
    new = m.path + "/new"
    problems = []

    def lister():
        try:
            for _ in range(4):
                once(os.listdir(new), names, "one of many")
                with os.scandir(new) as entries:
                    n = sum(e.is_file() and e.stat().st_size > 0
                            for e in entries)
                equal(n, N, "with attributes")
        except BaseException as e:
            problems.append(e)

    threads = [threading.Thread(target=lister) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(problems, [], "listings")
    with Dir(new) as a, Dir(new) as b:  # one after the other, in turns
        got_a, got_b = [], []
        for _ in range(40):
            got_a += a.take(50)
            got_b += b.take(60)
        once(got_a + a.rest(), names, "the first of two")
        once(got_b + b.rest(), names, "the second of two")


def test_nobody_asks_twice(bench):
    """Whatever has been listed needs no LOOKUP, also the second time, and
    again after the kernel has dropped it all."""
    m, names = filled(bench)
    new = m.path + "/new"

    def list_and_stat():
        before = lookups(m)
        for n in os.listdir(new):
            os.stat(f"{new}/{n}")
        return lookups(m) - before

    os.listdir(new)
    # Looking up new/ itself, and what status does.
    few = N // 100
    assert list_and_stat() <= few
    assert list_and_stat() <= few
    forgotten = m.status()["fuse"]["forget"]
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
    until("FORGET", lambda: m.status()["fuse"]["forget"] > forgotten)
    os.listdir(new)  # whatever the last FORGETs overtook
    list_and_stat()
    assert list_and_stat() <= few
    # A second name is told of too, whoever knows the first.
    n = names[0]
    os.link(f"{new}/{n}", f"{new}/second")
    assert {n, "second"} <= set(os.listdir(new))
    equal(os.stat(f"{new}/second").st_nlink, 2, "names")
    equal(os.stat(f"{new}/{n}").st_ino, os.stat(f"{new}/second").st_ino,
          "inode")


def test_ls_asks_once(bench):
    """`ls -l` has no question about each message."""
    m, _ = filled(bench)
    before = m.status()["fuse"]
    out = subprocess.run(["ls", "-l", m.path + "/new"], check=True,
                         stdout=subprocess.PIPE).stdout
    equal(out.count(b"\n"), N + 1, "lines")
    after = m.status()["fuse"]
    for what in ("lookup", "getattr", "xattr"):
        assert after[what] - before[what] <= N // 100, (what, after)


def test_renamed_are_told_anew(bench):
    """What new mail is to a mail program: all of it goes to cur/, which is
    then listed. That tells the new ctimes; nothing is asked of each."""
    m, names = filled(bench)
    for n in names:
        os.rename(f"{m.path}/new/{n}", f"{m.path}/cur/{n}:2,")
    listed = os.listdir(m.path + "/cur")
    once(listed, names, "cur")
    before = m.status()["fuse"]
    for n in listed:
        os.stat(f"{m.path}/cur/{n}")
    after = m.status()["fuse"]
    for what in ("lookup", "getattr"):
        assert after[what] - before[what] <= N // 100, (what, after)


def test_open_to_the_end(bench):
    """A directory that is open when the mount goes is no trouble."""
    m, _ = filled(bench)
    with Dir(m.path + "/new") as d:
        d.take(900)
        bench.sesfs("umount", "--lazy", m.path)
        equal(m.process.wait(), 0, "exit status")
        m.process = None


if __name__ == "__main__":
    main(globals())
