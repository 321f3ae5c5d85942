"""16 processes on one mount that rename, read, list and unlink at random,
each against a model of its own messages; then the same with faults on."""
import errno
import multiprocessing
import os
import random
import time

from harness import equal, main, read, sha256, wipe_page_cache

SECONDS = int(os.environ.get("SESFS_CHAOS_SECONDS", "60"))
PROCESSES = 16
FLAGS = "DFPRST"
# What an unlucky read may see while S3 fails; never a wrong byte.
EXCUSES = (errno.ETIMEDOUT,)


class Client:
    """Owns some messages: nobody else changes them."""

    def __init__(self, path, mails, seed):
        self.path = path
        self.mails = mails  # name -> [leaf, sha256]
        self.random = random.Random(seed)
        self.done = dict(rename=0, read=0, list=0, unlink=0, excused=0)

    def where(self, name):
        return f"{self.path}/{self.mails[name][0]}/{name}"

    def rename(self):
        name = self.random.choice(list(self.mails))
        base = name.split(":")[0]
        leaf = self.random.choice(["cur", "cur", "cur", "new"])
        flags = "".join(f for f in FLAGS if self.random.random() < 0.4)
        to = f"{base}:2,{flags}" if leaf == "cur" else base
        os.rename(self.where(name), f"{self.path}/{leaf}/{to}")
        entry = self.mails.pop(name)
        entry[0] = leaf
        self.mails[to] = entry

    def read(self):
        name = self.random.choice(list(self.mails))
        path = self.where(name)
        if self.random.random() < 0.5:
            wipe_page_cache(path)
        try:
            equal(sha256(read(path)), self.mails[name][1], path)
        except OSError as e:
            if e.errno not in EXCUSES:
                raise
            self.done["excused"] += 1

    def list(self):
        """Every message of ours is listed exactly once, under its name."""
        leaf = self.random.choice(["cur", "new"])
        names = os.listdir(f"{self.path}/{leaf}")
        ours = [n for n in names
                if n in self.mails or n.split(":")[0] in self.bases()]
        want = sorted(n for n, e in self.mails.items() if e[0] == leaf)
        equal(sorted(ours), want, f"listing of {leaf}")

    def bases(self):
        return {n.split(":")[0] for n in self.mails}

    def unlink(self):
        if len(self.mails) < 5:
            return
        name = self.random.choice(list(self.mails))
        os.unlink(self.where(name))
        del self.mails[name]

    def run(self, until):
        steps = ["rename"] * 8 + ["read"] * 8 + ["list"] * 2
        while time.monotonic() < until:
            step = self.random.choice(steps)
            if self.random.random() < 0.002:
                step = "unlink"
            getattr(self, step)()
            self.done[step] += 1


def work(client, until, pipe):
    try:
        client.run(until)
        pipe.send((client.mails, client.done, None))
    except BaseException as e:
        pipe.send((client.mails, client.done, repr(e)))


def chaos(bench, seconds, *args, faults=None):
    c = bench.cloud
    c.generate("mail", "inbound/", 480, seed=11, size=4000)
    # A small cache and short-lived keys keep S3 and KMS in the game.
    m = bench.mount("s3://mail/inbound", "--cache-size", "500K", "--poll", "3",
                    *args)
    m.sync()
    digest = {p: sha256(read(p)) for p in m.mails()}
    equal(len(digest), 480, "messages")
    if faults:
        c.set(**faults)
    clients = [Client(m.path, {}, i) for i in range(PROCESSES)]
    for i, (p, d) in enumerate(sorted(digest.items())):
        clients[i % PROCESSES].mails[os.path.basename(p)] = ["new", d]
    until = time.monotonic() + seconds
    runners = []
    for cl in clients:
        ours, theirs = multiprocessing.Pipe(False)
        p = multiprocessing.Process(target=work, args=(cl, until, theirs))
        p.start()
        theirs.close()
        runners.append((p, ours))
    # Meanwhile mail arrives.
    arrived = 0
    while time.monotonic() < until:
        c.generate("mail", "inbound/later/", 3, seed=5000 + arrived, size=2000)
        arrived += 3
        time.sleep(1)
    model, total = {}, {}
    for p, pipe in runners:
        assert pipe.poll(seconds + 300), "a client hangs"
        mails, done, error = pipe.recv()
        p.join(60)
        assert error is None, error
        model.update(mails)
        for k, v in done.items():
            total[k] = total.get(k, 0) + v
    print(total, flush=True)
    assert total["rename"] > 100 and total["read"] > 100, total
    if faults:
        c.set(**{k: 0 for k in faults})
    m.stop()
    m.start()
    m.sync()
    shown = {os.path.basename(p): p.split("/")[-2] for p in m.mails()}
    equal(shown, {n: e[0] for n, e in model.items()}, "after a remount")
    for n, e in model.items():
        equal(sha256(read(f"{m.path}/{e[0]}/{n}")), e[1], n)
    equal(len(m.mails("later")), arrived, "arrivals")


def test_chaos(bench):
    chaos(bench, SECONDS)


def test_chaos_with_faults(bench):
    chaos(bench, SECONDS, faults=dict(
        s3_503=5, s3_reset=2, s3_truncate=1, s3_bitflip=1, kms_throttle=2))


if __name__ == "__main__":
    main(globals())
