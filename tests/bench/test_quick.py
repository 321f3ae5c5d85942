"""The benchmark holds together: with --quick every scenario runs or says why
not, and the JSON has what report.py says it has. How fast anything is, is not
looked at."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "mount"))
import bench  # noqa: E402
import report  # noqa: E402
from harness import equal  # noqa: E402

TOP = {"format", "quick", "count", "machine", "versions", "scenarios"}
SCENARIO = {"what", "skipped", "failed", "seconds", "conditions", "parties",
            "results", "data"}
RESULT = {"what", "unit", "value", "min", "max", "goal", "at_least", "met",
          "note"}
# Scenarios whose figures are curves and have no parties.
CURVES = {"scale"}


def check_party(name, party):
    equal(set(party), {"skipped", "runs"}, f"members of {name}")
    if party["skipped"] is None:
        assert party["runs"], f"{name}: neither run nor skipped"
    for run in party["runs"]:
        assert run["seconds"] > 0, f"{name}: {run}"
        if name.startswith("sesfs") and "sync" not in name:
            missing = {"requests", "fuse", "cpu_s", "peak_rss_mb"} - set(run)
            assert not missing, f"{name}: no {missing}"


def check_scenario(name, s):
    equal(set(s), SCENARIO, f"members of {name}")
    equal(s["failed"], None, name)
    if s["skipped"] is not None:
        print(f"   {name}: skipped: {s['skipped']}")
        return
    assert s["data"] if name in CURVES else s["parties"], f"{name}: nothing"
    assert s["results"], f"{name}: no results"
    for party, figures in s["parties"].items():
        check_party(f"{party} in {name}", figures)
        if figures["skipped"]:
            print(f"   {name}: {party}: skipped: {figures['skipped']}")
    for r in s["results"]:
        equal(set(r), RESULT, f"members of a result of {name}")
        equal(r["met"], None, f"{r['what']}: judged, of small counts")
        assert r["value"] is not None or r["note"], f"{r['what']}: nothing"


def check_documented():
    words = report.__doc__.replace(",", " ").replace("(", " ").split()
    missing = (TOP | SCENARIO | RESULT) - set(words)
    assert not missing, f"report.py does not tell of {missing}"


def main():
    check_documented()
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "figures.json")
        p = subprocess.run(
            [sys.executable, os.path.join(HERE, "bench.py"), "--quick",
             "--json", out, "--plots", os.path.join(d, "plots")])
        equal(p.returncode, 0, "exit of bench.py")
        with open(out) as f:
            figures = json.load(f)
        drawn = set(os.listdir(os.path.join(d, "plots"))) \
            if os.path.isdir(os.path.join(d, "plots")) else None
    equal(set(figures), TOP, "members")
    equal(set(figures["scenarios"]), set(bench.SCENARIOS), "scenarios")
    for name, s in figures["scenarios"].items():
        check_scenario(name, s)
    if drawn is None:
        print("   no plots: gnuplot is not installed")
    elif figures["scenarios"]["sweep"]["skipped"] is None:
        wanted = {"jobs.png", "jobs.svg", "latency.png", "latency.svg"}
        assert drawn >= wanted, f"drawn were {drawn} alone"


if __name__ == "__main__":
    main()
