"""find, ls, grep, tar, rsync, cp, du, wc and sha256sum on a mount."""
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

from clients import Meter, filled, plain_of, run, same
from harness import equal, main, need, sha256


def tree(bench):
    m = filled(bench, 60, folders="Sales/:Support/")
    paths = [p for f in ("", "Sales", "Support") for p in m.mails(f)]
    return m, plain_of(bench, paths)


def test_find_and_ls(bench):
    """Names, types, sizes and times cost no READ and no request."""
    need("find", "ls", "du")
    m, wants = tree(bench)
    run(bench, "find", m.path)
    meter = Meter(bench, m)
    out = run(bench, "find", m.path, "-type", "f", "-name", "*.sesfs,*",
              "-printf", "%s %p\n")
    equal(sorted(out.splitlines()),
          sorted(f"{len(d)} {p}" for p, d in wants.items()), "find")
    out = run(bench, "ls", "-laR", m.path)
    equal(out.count(".sesfs,S="), len(wants), "ls -laR")
    meter.check("find, ls -laR once names are known", mail_read=0, lookup=0,
                getattr=40, s3=0, kms=0)
    out = run(bench, "du", "-sb", m.path + "/new")
    here = sum(len(d) for p, d in wants.items()
               if p.startswith(m.path + "/new/"))
    more = int(out.split()[0]) - here
    # From coreutils 9.2 on it leaves out what the directory itself takes.
    equal(more in (0, os.stat(m.path + "/new").st_size), True,
          f"du, {more} more")
    out = run(bench, "find", m.path, "-size", "+40k", "-name", "*,S=*")
    # find counts in units of a kilobyte, rounded up.
    equal(len(out.splitlines()),
          sum(-(-len(d) // 1024) > 40 for d in wants.values()), "find -size")


def test_grep_and_wc(bench):
    need("grep", "wc")
    m, wants = tree(bench)
    meter = Meter(bench, m)
    out = run(bench, "grep", "-rl", "invoice", m.path)
    equal(sorted(out.splitlines()),
          sorted(p for p, d in wants.items() if b"invoice" in d), "grep -rl")
    seen = meter.check("grep -r", s3=0, kms=0)
    assert 0 < seen["fuse.mail_read"], seen
    # Now all of it is in the page cache.
    meter = Meter(bench, m)
    out = run(bench, "wc", "-c", *sorted(wants))
    equal([int(line.split()[0]) for line in out.splitlines()][:-1],
          [len(wants[p]) for p in sorted(wants)], "wc -c")
    run(bench, "grep", "-rc", "Subject", m.path)
    meter.check("grep -r again", mail_read=0, s3=0, kms=0)


def unpacked(path):
    """Name -> (bytes, mtime, mode) of an archive."""
    with tarfile.open(path) as t:
        return {i.name: (t.extractfile(i).read() if i.isfile() else None,
                         i.mtime if i.isfile() else None, i.mode)
                for i in t}


def test_tar(bench):
    """The same archive twice, the second time in a new mount."""
    need("tar")
    m, wants = tree(bench)

    def pack(name):
        run(bench, "tar", "-C", m.path, "-cf", bench.work + name, ".")
        return unpacked(bench.work + name)

    first = pack("/a.tar")
    got = {m.path + n[1:]: v[0] for n, v in first.items() if ",S=" in n}
    equal(sorted(got), sorted(wants), "names")
    for p, d in wants.items():
        same(got[p], d, p)
    m.stop()
    m.start()
    meter = Meter(bench, m)
    equal(pack("/b.tar") == first, True, "second archive is the first")
    meter.check("tar in a new mount", s3=0, kms=1)


def test_rsync_and_cp(bench):
    need("rsync", "cp")
    m, wants = tree(bench)
    to = bench.work + "/copy"
    copy = ("rsync", "-a", "--out-format=%n", m.path + "/", to + "/")
    run(bench, *copy)
    for p, d in wants.items():
        q = to + p[len(m.path):]
        with open(q, "rb") as f:
            same(f.read(), d, q)
        equal(os.stat(q).st_mtime_ns, os.stat(p).st_mtime_ns, "mtime of " + q)
    meter = Meter(bench, m)
    equal(run(bench, *copy), "", "transferred by a second rsync")
    meter.check("rsync again", mail_read=0, s3=0, kms=0)
    m.stop()
    m.start()
    meter = Meter(bench, m)
    equal(run(bench, *copy), "", "transferred from a new mount")
    meter.check("rsync from a new mount", mail_read=0, s3=0, kms=0)
    # What changed is all that is transferred.
    victim = m.mails()[0]
    flagged = victim.replace("/new/", "/cur/") + ":2,F"
    os.rename(victim, flagged)
    out = [n for n in run(bench, *copy, "--delete").splitlines()
           if not n.endswith("/")]
    equal(sorted(out), sorted(["cur/" + os.path.basename(flagged),
                               "deleting new/" + os.path.basename(victim)]),
          "transferred after one change")
    run(bench, "cp", "-a", m.path + "/.Sales", bench.work + "/sales")
    run(bench, "diff", "-r", m.path + "/.Sales", bench.work + "/sales")


def test_parallel_readers(bench):
    """Eight readers of everything at once with nothing cached: each message
    is fetched once, be it read in one piece or in many, and one KMS request
    opens the keys that are sealed."""
    need("sha256sum")
    bench.cloud.generate("mail", "inbound/", 6, seed=2, size=400000)
    m = filled(bench, 60, "--cache-size", "0", size=20000)
    wants = plain_of(bench, m.mails())
    m.stop()
    m.start()
    names = sorted(wants)

    def read_all(i):
        order = names[i * 7:] + names[:i * 7]
        out = run(bench, "sha256sum", *order)
        return dict(reversed(line.split("  ", 1))
                    for line in out.splitlines())

    want = {p: sha256(d) for p, d in wants.items()}
    meter = Meter(bench, m)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(read_all, range(8)):
            equal(got == want, True, "digests")
    # A reader held up for seconds within a message may need it once more.
    meter.check("8 x sha256sum", s3=len(wants) + 3, kms=1)


if __name__ == "__main__":
    main(globals())
