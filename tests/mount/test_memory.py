"""What the daemon's memory is at its peak. Not for builds with a sanitizer,
whose own memory would be counted."""
import subprocess

from harness import equal, main


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(x for x in f if x.startswith("VmHWM")).split()[1]) >> 10


def test_many_large(bench):
    """Sixty-four readers of messages of 40 MB: memory is for one of them and
    what is held; everybody gets every byte."""
    bench.cloud.generate("mail", "inbound/", 5, seed=1, size=40 << 20)
    m = bench.mount("s3://mail/inbound", "--index", "envelope", "--kms-rate",
                    "100000")
    m.sync()
    sums = {o["sha256"] for o in bench.cloud.manifest("mail")}
    mails = m.mails()
    readers = []
    for i in range(64):
        readers.append(subprocess.Popen(
            ["sha256sum", mails[i % len(mails)]], stdout=subprocess.PIPE))
    seen = set()
    for r in readers:
        seen.add(r.communicate()[0].split()[0].decode())
        equal(r.returncode, 0, "a reader")
    equal(seen, sums, "bytes")
    peak = peak_mib(m.process.pid)
    assert peak < 64 + 5 * 40, f"{peak} MiB"
    print(f"  peak memory: {peak} MiB", flush=True)


main(globals())
