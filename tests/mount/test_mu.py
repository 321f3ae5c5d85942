"""mu: index, find; a second index reads no message."""
import os

from clients import Meter, filled, next_second, plain_of, run
from harness import equal, main, need, read


def test_index_and_find(bench):
    need("mu")
    m = filled(bench, 40, folders="Sales/", size=6000)
    paths = m.mails() + m.mails("Sales")
    wants = plain_of(bench, paths)
    home = "--muhome=" + bench.work + "/mu"

    def find(*query):
        return sorted(run(bench, "mu", "find", home, "--fields=l", *query,
                          ok=(0, 2, 4)).splitlines())

    run(bench, "mu", "init", home, "--maildir=" + m.path)
    next_second()
    meter = Meter(bench, m)
    run(bench, "mu", "index", home, "--quiet")
    meter.check("mu: first index", s3=0, kms=0)
    equal(find(""), sorted(paths), "all messages")
    hits = find("invoice")
    assert hits and all(b"invoice" in wants[h].lower() for h in hits), hits
    meter = Meter(bench, m)
    run(bench, "mu", "index", home, "--quiet")
    meter.check("mu: second index", mail_read=0, s3=0, kms=0)
    # A new mount has the same inodes and times, so nothing is read there.
    m.stop()
    m.start()
    meter = Meter(bench, m)
    run(bench, "mu", "index", home, "--quiet")
    meter.check("mu: index after a remount", mail_read=0, s3=0, kms=0)
    meter = Meter(bench, m)
    run(bench, "mu", "index", home, "--quiet", "--lazy-check")
    meter.check("mu: lazy index", mail_read=0, s3=0, kms=0)
    # A flag, a new message, one that is gone.
    os.rename(paths[0], m.path + "/cur/" + os.path.basename(paths[0])
              + ":2,FS")
    os.unlink(paths[1])
    next_second()
    bench.cloud.generate("mail", "inbound/", 2, seed=90)
    m.sync()
    run(bench, "mu", "index", home, "--quiet")
    equal(find(""), sorted(m.mails() + m.mails("Sales")), "after changes")
    equal(len(find("flag:flagged")), 1, "flagged")
    view = run(bench, "mu", "view", m.mails()[0])
    subject = next(line for line in read(m.mails()[0]).splitlines()
                   if line.startswith(b"Message-ID:"))
    assert subject
    assert "Subject:" in view, view[:500]


if __name__ == "__main__":
    main(globals())
