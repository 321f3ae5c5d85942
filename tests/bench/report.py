"""What was measured, as a table and as JSON.

The JSON (--json) is one object:

  format      1
  quick       whether counts were small: figures that mean nothing
  count       messages in the large trees
  machine     processors, kernel, memory_mb
  versions    of the programs compared; null for what is missing
  scenarios   by name, each:
    what        in words
    skipped     null, or why it did not run
    failed      null, or what went wrong
    seconds     that the whole scenario took, making its mail included
    conditions  latencies, counts, what was dropped, options of the peers
    parties     by name, each:
      skipped     null, or why it did not run
      runs        list of figures: seconds; files, files_per_s, p50_us, p99_us
                  of one open+read+close; cpu_s and peak_rss_mb of the daemon;
                  cloud_cpu_s; others_percent of all processors that programs
                  took which have no part in this;
                  requests by kind as the cloud saw them; fuse round trips by
                  operation
    results     list: what, unit, value (median), min, max, goal, at_least
                (else at most), met (null without a goal or when not judged),
                note ("cloud-bound": the local cloud set the pace, value null)
    data        whatever plots need
"""
import json
import os
import platform
import statistics
import subprocess

VERSIONS = {"sesfs": None, "s3fs": ["s3fs", "--version"],
            "rclone": ["rclone", "version"],
            "gocryptfs": ["gocryptfs", "-version"],
            "fuse3": ["pkg-config", "--modversion", "fuse3"],
            "dovecot": ["dovecot", "--version"], "mutt": ["mutt", "-v"]}


class Scenario:
    """Its name, and everything that was measured under it."""

    def __init__(self, name, what, judged=True):
        self.name, self.what = name, what
        self.judged = judged  # whether counts are large enough for goals
        self.skipped = self.failed = None
        self.conditions, self.parties, self.data = {}, {}, {}
        self.results = []
        self.seconds = None

    def add(self, party, run):
        """One run of a party."""
        self.parties.setdefault(party, {"skipped": None, "runs": []})[
            "runs"].append(run)

    def skip(self, party, why):
        self.parties[party] = {"skipped": str(why), "runs": []}

    def runs(self, party):
        return self.parties.get(party, {"runs": []})["runs"]

    def values(self, party, field):
        return [r[field] for r in self.runs(party) if field in r]

    def result(self, what, values, unit="x", goal=None, at_least=True,
               bound=None):
        """A figure of several repetitions; bound: why it says nothing."""
        if not values:
            return
        r = dict(what=what, unit=unit, value=statistics.median(values),
                 min=min(values), max=max(values), goal=goal,
                 at_least=at_least, met=None, note=bound or "")
        if bound:
            r.update(value=None, min=None, max=None)
        elif goal is not None and self.judged:
            r["met"] = (r["value"] >= goal if at_least
                        else r["value"] <= goal)
        self.results.append(r)

    def ratio(self, ours, theirs, goal=None, field="files_per_s", what=None,
              at_least=True, bound=None):
        """Ours by theirs, of repetitions side by side: what slows the machine
        for a while slows both. With one run of theirs, all are held to it."""
        a, b = self.values(ours, field), self.values(theirs, field)
        if len(b) == 1:
            b *= len(a)
        self.result(what or f"{ours} / {theirs}",
                    [x / y for x, y in zip(a, b) if y], "x", goal, at_least,
                    bound)

    def typical(self, ours, theirs):
        """The median file's time, theirs by ours: what remains of a ratio
        when other programs took the machine now and then."""
        a, b = self.values(ours, "p50_us"), self.values(theirs, "p50_us")
        self.result(f"{ours} / {theirs}, median file",
                    [y / x for x, y in zip(a, b)])

    def document(self):
        return {k: v for k, v in vars(self).items()
                if k not in ("name", "judged")}


def machine():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"processors": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "memory_mb": pages >> 20}


def versions(sesfs):
    out = {}
    for name, argv in VERSIONS.items():
        try:
            p = subprocess.run(argv or [sesfs, "--version"], text=True,
                               capture_output=True)
            lines = (p.stdout + p.stderr).splitlines()
            out[name] = lines[0].strip() if lines else None
        except FileNotFoundError:
            out[name] = None
    return out


def short(v):
    """Three digits that matter, thousands apart."""
    if v is None:
        return "-"
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.3g}"


def spread(values):
    text = short(statistics.median(values))
    if len(values) > 1:
        text += f" ({short(min(values))}..{short(max(values))})"
    return text


def counts(d):
    return " ".join(f"{k}={v:,}" for k, v in sorted(d.items())) or "none"


def print_party(name, party):
    if party["skipped"]:
        print(f"  {name:22} skipped: {party['skipped']}")
        return
    runs = party["runs"]

    def of(field):
        return [r[field] for r in runs if field in r]
    line = [f"{spread(of('files_per_s'))} files/s" if of("files_per_s")
            else f"{spread(of('seconds'))} s"]
    if of("p50_us"):
        line.append(f"p50 {short(statistics.median(of('p50_us')))} us, "
                    f"p99 {short(statistics.median(of('p99_us')))} us")
    if of("cpu_s"):
        line.append(f"{short(statistics.median(of('cpu_s')))} s of CPU, "
                    f"{short(max(of('peak_rss_mb')))} MB")
    if max(of("cloud_cpu_s"), default=0):
        line.append("the cloud "
                    f"{short(statistics.median(of('cloud_cpu_s')))} s")
    print(f"  {name:22} " + "; ".join(line))
    for kind in ("requests", "fuse"):
        if of(kind):
            print(f"  {'':22}   {kind}: {counts(of(kind)[-1])}")


def print_result(r):
    line = f"  -> {r['what']:40} "
    if r["value"] is None:
        line += r["note"]
    else:
        line += f"{short(r['value'])} {r['unit']}"
        if r["min"] != r["max"]:
            line += f" ({short(r['min'])}..{short(r['max'])})"
    if r["goal"] is not None:
        line += f"   goal {'>=' if r['at_least'] else '<='} {r['goal']}"
    if r["met"] is not None:
        line += ": met" if r["met"] else ": MISSED"
    print(line)


def print_noise(s):
    """A figure counts for little when others had the machine."""
    percent = [r["others_percent"] for p in s.parties.values()
               for r in p["runs"] if "others_percent" in r]
    if percent:
        print(f"  [others took {spread(percent)} % of the processors]")


def print_scenario(s):
    print(f"\n== {s.name}: {s.what} [took {short(s.seconds)} s]")
    if s.skipped:
        print(f"  skipped: {s.skipped}")
    if s.failed:
        print(f"  FAILED: {s.failed}")
    for k, v in s.conditions.items():
        print(f"  [{k}: {v}]")
    print_noise(s)
    for name, party in s.parties.items():
        print_party(name, party)
    for r in s.results:
        print_result(r)
    print(end="", flush=True)


def document(run, scenarios, sesfs):
    """All figures, as described above."""
    return {"format": 1, "quick": run.quick, "count": run.count,
            "machine": machine(), "versions": versions(sesfs),
            "scenarios": {s.name: s.document() for s in scenarios}}


def write_json(path, figures):
    with open(path, "w") as f:
        json.dump(figures, f, indent=1)
        f.write("\n")
