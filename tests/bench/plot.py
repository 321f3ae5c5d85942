"""Curves of what bench.py measured, as PNG and SVG, by gnuplot.

usage: plot.py FIGURES.json DIRECTORY

A curve whose scenario did not run is left out, and that is said.
"""
import json
import os
import shutil
import subprocess
import sys

COST = {"ls_us": "list a message", "find_us": "find -type f, a message",
        "ls_l_us": "ls -l, a message", "stat_us": "stat", "move_us":
        "new to cur", "rename_us": "set a flag"}


def series(points, x, fields):
    """A block of data for each field that has values; gnuplot's format."""
    blocks = []
    for field, title in fields.items():
        rows = [(p[x], p[field]) for p in points if p.get(field)]
        if rows:
            blocks.append((title, "\n".join(f"{a} {b}" for a, b in rows)))
    return blocks


def draw(path, title, xlabel, ylabel, blocks, setup=""):
    """One plot in both formats; the data goes along with the script."""
    data = "".join(f"$d{i} << END\n{rows}\nEND\n"
                   for i, (_, rows) in enumerate(blocks))
    curves = ", ".join(f'$d{i} with linespoints title "{name}"'
                       for i, (name, _) in enumerate(blocks))
    script = f"""{data}
set title "{title}"
set xlabel "{xlabel}"
set ylabel "{ylabel}"
set grid
set key outside below
{setup}
set terminal pngcairo size 800,560
set output "{path}.png"
plot {curves}
set terminal svg size 800,560
set output "{path}.svg"
replot
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True,
                   capture_output=True)
    return [path + ".png", path + ".svg"]


def sweep_plots(data, directory):
    rates = {"files_per_s": "sesfs sync",
             "least_files_per_s": "what the delays allow",
             "cloud_gets_per_s": "GETs of the cloud alone"}
    yield draw(os.path.join(directory, "jobs"),
               "First index over --jobs, 30 ms per S3 request", "--jobs",
               "messages a second", series(data["jobs"], "jobs", rates),
               "set logscale xy 2; set yrange [1:*]")
    yield draw(os.path.join(directory, "latency"),
               "First index over the delay of S3, 64 jobs", "ms",
               "messages a second", series(data["latency"], "s3_ms", rates),
               "set logscale y; set yrange [1:*]")


def scale_plots(data, directory):
    points = [p for p in data["scale"] if p["folders"] == 1]
    yield draw(os.path.join(directory, "scale"),
               "Cost of one operation over the size of a mailbox",
               "messages", "microseconds", series(points, "n", COST),
               "set logscale xy")


def plots(figures, directory):
    """Draw what there is; the files written, and what was left out."""
    if shutil.which("gnuplot") is None:
        return [], ["all: gnuplot is not installed"]
    os.makedirs(directory, exist_ok=True)
    done, missing = [], []
    for name, make in (("sweep", sweep_plots), ("scale", scale_plots)):
        data = figures["scenarios"].get(name, {}).get("data")
        if not data:
            missing.append(f"{name}: was not measured")
            continue
        for files in make(data, directory):
            done += files
    return done, missing


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        done, missing = plots(json.load(f), sys.argv[2])
    for line in [*done, *("no plot of " + m for m in missing)]:
        print(line)


if __name__ == "__main__":
    main()
