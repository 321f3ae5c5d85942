"""The layout in README.md is the layout of the tree.

usage: check_readme.py SOURCE-ROOT

Under "## Code layout" stand lines of four blanks, a path and a phrase: every
module of crypto/, store/ and fs/ (a .c, a .h or both, named without it), and
every folder, with a slash. None may be missing, none may be there that is not.
"""
import pathlib
import re
import sys

LAYERS = ("crypto", "store", "fs")


def modules(root):
    return {f"{f}/{p.stem}" for f in LAYERS
            for p in (root / f).glob("*.[ch]")}


def folders(root):
    tests = {f"tests/{p.name}/" for p in (root / "tests").iterdir()
             if p.is_dir() and p.name != "__pycache__"}
    return {f + "/" for f in LAYERS} | {"man/"} | tests


def main(root):
    root = pathlib.Path(root)
    text = (root / "README.md").read_text()
    layout = re.search(r"^## Code layout$(.*?)^## ", text, re.M | re.S)
    listed = re.findall(r"^    (\S+) +(?=\S)", layout.group(1), re.M)
    have, bad = modules(root) | folders(root), []
    assert len(have) > len(LAYERS) + 1, "no modules found"
    bad += [f"{p} is not in the layout" for p in sorted(have - set(listed))]
    bad += [f"{p} is in the layout, but not there"
            for p in sorted(set(listed) - have)]
    bad += [f"{p} is in the layout twice" for p in sorted(set(listed))
            if listed.count(p) > 1]
    print("\n".join("README.md: " + b for b in bad) or "readme: as the tree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
