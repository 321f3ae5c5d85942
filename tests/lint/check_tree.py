"""Nothing is left to do, nothing names the machine it was written on, and the
text files are as an editor should leave them.

usage: check_tree.py SOURCE-ROOT

Vectors and the corpora of fuzzing are data of others and left alone. Lines of
C that are longer than 80 columns are printed, beyond 100 they are wrong.
"""
import os
import pathlib
import re
import sys

GOAL, LIMIT = 80, 100  # columns of C
SKIP = {".git", "__pycache__", "vectors", "corpus"}
TEXT = {".c", ".h", ".py", ".sh", ".md", ".build", ".txt", ".ini", ".supp",
        ".1", ".5", ".7", ".yml", ""}
BLANKS_ONLY = {".py", ".md", ".build", ".txt", ".1", ".5", ".7"}
# Written apart, so that this file passes as well.
TO_DO = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE = re.compile(r"(?<![\w./])(/wo" r"rk|/ro" r"ot|/tmp/" r"b-)\b"
                     r"|\.\./sha" r"red|/home/(?!alice/|x\b)[a-z]")


def columns(line):
    return len(line.expandtabs(8))


def files(root):
    for path, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIP
                            and not f.startswith(("build", "subprojects"))
                            and not pathlib.Path(path, f,
                                                 "build.ninja").exists())
        for name in sorted(set(names) - SKIP):
            p = pathlib.Path(path, name)
            if p.suffix in TEXT and not p.is_symlink() and p.is_file():
                yield p


def check_line(line, suffix):
    """What is wrong with a line."""
    if TO_DO.search(line):
        yield "something is left to do"
    if MACHINE.search(line):
        yield "a path of some machine"
    if line != line.rstrip():
        yield "blanks at the end"
    if "\t" in line and suffix in BLANKS_ONLY:
        yield "a tab"
    if suffix in (".c", ".h"):
        # Not in a comment's text, nor before the end of a macro's line.
        if re.match(r"\t* {8,}[^\s*\\]", line):
            yield "blanks where a tab belongs"
        if columns(line) > LIMIT:
            yield f"{columns(line)} columns"


def main(root):
    root, bad, long, seen = pathlib.Path(root), [], [], 0
    for path in files(root):
        name, suffix = path.relative_to(root), path.suffix
        text = path.read_text(encoding="utf-8")
        seen += 1
        if text and not text.endswith("\n"):
            bad.append(f"{name}: no newline at its end")
        if text.endswith("\n\n"):
            bad.append(f"{name}: empty lines at its end")
        for n, line in enumerate(text.split("\n"), 1):
            bad += [f"{name}:{n}: {why}: {line.strip()[:60]}"
                    for why in check_line(line, suffix)]
            if suffix in (".c", ".h") and GOAL < columns(line) <= LIMIT:
                long.append(f"{name}:{n}: {columns(line)} columns")
    assert seen > 100, f"only {seen} files found"
    print(f"{len(long)} lines beyond {GOAL} columns:", *long[:20], sep="\n  ")
    print("\n".join(bad) or f"tree: {seen} files as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
