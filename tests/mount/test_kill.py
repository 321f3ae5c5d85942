"""kill -9 at random moments during sync and flag changes: the index opens and
nothing that was reported done is lost."""
import multiprocessing
import os
import random
import sqlite3
import time

from harness import equal, is_mounted, main, read, sha256

ROUNDS = int(os.environ.get("SESFS_KILL_ROUNDS", "200"))


def change(path, names, pipe, seed):
    """Rename and write until the mount dies, reporting before and after."""
    rnd = random.Random(seed)
    names = dict(names)
    n = 0
    # Hold on to the mount: once it is detached, its path is a directory of the
    # machine's own, where everything succeeds.
    os.chdir(path)
    try:
        while True:
            if rnd.random() < 0.1:
                n += 1
                with open("control", "wb") as f:
                    f.write(b"%d" % n)
                pipe.send(("wrote", n))
                continue
            name = rnd.choice(list(names))
            leaf = rnd.choice(["cur", "new"])
            flags = "".join(f for f in "DFRST" if rnd.random() < 0.5)
            to = name.split(":")[0] + (f":2,{flags}" if leaf == "cur" else "")
            pipe.send(("begin", name, leaf, to))
            os.rename(f"{names[name]}/{name}", f"{leaf}/{to}")
            del names[name]
            names[to] = leaf
            pipe.send(("done",))
    except OSError:
        pass  # the daemon is gone
    pipe.close()


def tree(m):
    out = {}
    for leaf in ("new", "cur"):
        for n in os.listdir(f"{m.path}/{leaf}"):
            out[n] = leaf
    return out


def test_kill(bench):
    rnd = random.Random(7)
    c = bench.cloud
    c.generate("mail", "inbound/", 40, seed=1, size=3000)
    m = bench.mount("s3://mail/inbound")
    m.sync()
    digest = {os.path.basename(p).split(":")[0]: sha256(read(p))
              for p in m.mails()}
    changes = 0
    for i in range(ROUNDS):
        # Mail keeps arriving, so that a pass is under way as well; it goes to
        # a folder of its own and not into the model.
        c.generate("mail", "inbound/in/", 5, seed=100 + i, size=3000)
        names = tree(m)
        ours, theirs = multiprocessing.Pipe(False)
        p = multiprocessing.Process(target=change,
                                    args=(m.path, names, theirs, i))
        p.start()
        theirs.close()
        time.sleep(rnd.random() * 0.15)
        m.kill()
        m.detach()
        wrote = 0
        pending = None
        try:
            while ours.poll(60):
                what = ours.recv()
                if what[0] == "wrote":
                    wrote = what[1]
                elif what[0] == "begin":
                    pending = what[1:]
                else:
                    old, leaf, to = pending
                    del names[old]
                    names[to] = leaf
                    pending = None
                    changes += 1
        except EOFError:
            pass
        p.join(60)
        assert not p.is_alive(), "the client hangs on a dead mount"
        m.start()
        got = tree(m)
        if got != names and pending is not None:
            # The last one was under way: done or not done, nothing between.
            old, leaf, to = pending
            del names[old]
            names[to] = leaf
        equal(got, names, f"round {i}: names")
        if wrote:
            n = read(f"{m.path}/control")
            # written, or the next one under way (truncated or complete)
            assert n in (b"%d" % wrote, b"", b"%d" % (wrote + 1)), (n, wrote)
    m.sync()
    equal(len(m.mails("in")), 5 * ROUNDS, "arrivals")
    for p in m.mails():
        base = os.path.basename(p).split(":")[0]
        equal(sha256(read(p)), digest[base], p)
    m.stop()
    assert not is_mounted(m.path)
    db = sqlite3.connect(m.state + "/index.db")
    equal(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)],
          "integrity")
    db.close()
    print(f"{ROUNDS} kills, {changes} changes reported done", flush=True)


if __name__ == "__main__":
    main(globals())
