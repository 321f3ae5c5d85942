"""mblaze: mlist, mscan, mshow, mflag."""
import os

from clients import Meter, filled, plain_of, run
from harness import equal, main, need


def test_list_scan_show_flag(bench):
    need("mlist", "mscan", "mshow", "mflag", "mdirs", "mhdr", "minc")
    m = filled(bench, 30, folders="Sales/")
    paths = sorted(m.mails() + m.mails("Sales"))
    wants = plain_of(bench, paths)
    env = {"MBLAZE": bench.work + "/mblaze", "PAGER": "cat"}
    os.mkdir(env["MBLAZE"])

    def mblaze(*argv, stdin=None, text=True):
        return run(bench, *argv, env=env, text=text,
                   stdin=stdin and "".join(s + "\n" for s in stdin).encode())

    meter = Meter(bench, m)
    equal(sorted(mblaze("mdirs", m.path).split()),
          [m.path, m.path + "/.Sales"], "mdirs")
    listed = mblaze("mlist", m.path, m.path + "/.Sales").splitlines()
    equal(sorted(listed), paths, "mlist")
    # A listing needs neither a stat of a message nor a byte of one.
    meter.check("mblaze: mlist", mail_read=0, getattr=8, lookup=0, s3=0,
                kms=0)
    meter = Meter(bench, m)
    scan = mblaze("mscan", stdin=listed).splitlines()
    equal(len(scan), len(paths) + 1, "lines of mscan, with its summary")
    meter.check("mblaze: mscan", s3=0, kms=0)
    for p in paths[:3]:
        ident = mblaze("mhdr", "-h", "message-id", p).strip()
        assert ident and ident.encode() in wants[p], ident
        assert ident in mblaze("mshow", "-H", p)
        assert "Subject:" in mblaze("mshow", p)
    # Flags are for cur/, where minc brings what is new.
    meter = Meter(bench, m)
    mblaze("minc", "-q", m.path, m.path + "/.Sales")
    meter.check("mblaze: minc", mail_read=0, rename=len(paths), s3=0, kms=0)
    paths = sorted(p.replace("/new/", "/cur/") + ":2," for p in paths)
    equal(sorted(m.mails() + m.mails("Sales")), paths, "after minc")
    meter = Meter(bench, m)
    out = mblaze("mflag", "-v", "-S", "-F", stdin=paths[:2]).splitlines()
    equal(sorted(out), [p + "FS" for p in paths[:2]], "mflag")
    meter.check("mblaze: mflag", mail_read=0, rename=2, s3=0, kms=0)
    assert all(os.path.exists(p) for p in out)
    equal(sorted(mblaze("mlist", "-F", m.path, m.path + "/.Sales")
                 .splitlines()), sorted(out), "mlist -F")
    # Undo, and throw one away.
    mblaze("mflag", "-v", "-s", "-f", stdin=out[:1])
    equal(len(mblaze("mlist", "-F", m.path, m.path + "/.Sales").split()), 1,
          "flagged after undoing one")
    equal(len(m.mails() + m.mails("Sales")), len(paths), "messages")


if __name__ == "__main__":
    main(globals())
