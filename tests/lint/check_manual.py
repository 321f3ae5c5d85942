"""The manual and the program name the same things.

usage: check_manual.py SESFS SOURCE-ROOT

sesfs.1 has every command, and every option with its default; sesfs.conf.5
every key; sesfs.7 every reason for a refusal, format, errno, extended
attribute, and the order of locks: none missing, none that does not exist.
"""
import pathlib
import re
import subprocess
import sys

bad = []


def compare(where, have, page):
    """Sets that ought to be equal."""
    assert have, f"{where}: nothing found in the program"
    bad.extend(f"{where}: {x} is missing" for x in sorted(have - page))
    bad.extend(f"{where}: {x} is in the manual only"
               for x in sorted(page - have))


def ask(sesfs, *args):
    return subprocess.run([sesfs, *args], check=True, text=True,
                          capture_output=True).stdout


def program_options(sesfs):
    """Commands, and {command: {option: default or None}} by --help."""
    commands = re.findall(r"^  sesfs ([a-z]+) ", ask(sesfs, "help"), re.M)
    options = {}
    for c in commands:
        # An option and what belongs to it: up to the next one.
        parts = re.split(r"^ +(?:-\w, )?--(?=[a-z])", ask(sesfs, "help", c),
                         flags=re.M)[1:]
        options[c] = {}
        for part in parts:
            name = re.match(r"[a-z-]+", part).group(0)
            default = re.search(r" \[([^\]\n]+)\]$", part.split("\n\n")[0],
                                re.M)
            options[c][name] = default.group(1) if default else None
    return commands, options


def words(roff):
    """Text of a piece of mdoc, without its macros and escapes."""
    return re.sub(r"\\&|^\.[A-Z][a-z]\b|\b(Ns|Ar|Cm|Fl|Li|Pq)\b", " ", roff,
                  flags=re.M)


def page_options(page):
    """{option: what is said of it} of `.It Fl -name` and `.It Fl f , Fl -name`
    entries."""
    ret = {}
    for entry in re.split(r"^\.It ", page, flags=re.M)[1:]:
        head, _, body = entry.partition("\n")
        m = re.match(r"Fl (?:\w , Fl )?-([a-z][a-z-]*)", head)
        if m:
            ret[m.group(1)] = re.split(r"^\.(?:El|Ss|Sh)", body,
                                       flags=re.M)[0]
    return ret


def check_page1(page, commands, options):
    for c in commands:
        if not re.search(r"^\.Cm %s\b" % c, page, re.M):
            bad.append(f"sesfs.1: {c} is not in the synopsis")
    described = set(re.findall(r"^\.It Cm ([a-z]+) Ar ", page, re.M))
    compare("sesfs.1, commands", set(commands), described)
    have = {o: d for c in commands for o, d in options[c].items()}
    said = page_options(page)
    compare("sesfs.1, options", set(have), set(said))
    for name, default in have.items():
        if default and name in said and not re.search(
                r"(?<!\w)%s(?!\w)" % re.escape(default), words(said[name])):
            bad.append(f"sesfs.1: --{name}: its default {default} is missing")


def check_page5(page, table, options):
    """Keys of a file are what mount takes, but for the file's own name, and
    those that the table marks as file-only."""
    keys = {k: v for k, v in options["mount"].items() if k != "config"}
    own = set(re.findall(r'^\t\{ "([a-z-]+)",(?:[^{}]|\{[^{}]*\})*?0, true \},',
                         table, re.M))
    assert own, "no file-only option in fs/options.c"
    said = dict(re.findall(r"^\.It Cm ([a-z-]+)(?: Ta (.*?) Ta .*)?$", page,
                           re.M))
    compare("sesfs.conf.5", set(keys) | own, set(said))
    for name, default in keys.items():
        if default and said.get(name) not in (None, "", default):
            bad.append(f"sesfs.conf.5: {name}: {said[name]} is not its "
                       f"default {default}")


def section(page, name):
    m = re.search(r"^\.Sh %s$(.*?)(?=^\.Sh )" % name, page, re.M | re.S)
    assert m, f"no section {name}"
    return m.group(1)


def items(text, macro):
    """Arguments of `.It Xx a , b` lines, before any column."""
    ret = []
    for line in re.findall(r"^\.It %s (.*)$" % macro, text, re.M):
        ret += re.split(r"\s+,\s+", re.split(r" Ta\b", line)[0].strip())
    return ret


def check_page7(page, root):
    def read(path):
        return (root / path).read_text()

    names = set(re.findall(r'\] = "([A-Z0-9_]+)"', read("crypto/refusal.c")))
    said = items(section(page, "REFUSALS"), "Li")
    compare("sesfs.7, refusals", names - {"NONE"}, set(said))
    bad.extend(f"sesfs.7: {n} is explained twice"
               for n in set(said) if said.count(n) > 1)

    accept = re.search(r'define ACCEPT_WORDS "([^"]+)"', read("fs/option.c"))
    compare("sesfs.7, formats", set(accept.group(1).split("|")),
            set(items(section(page, "FORMATS"), "Li")))

    body = re.search(r"^ops_errno\(.*?^}", read("fs/ops.c"), re.M | re.S)
    shown = re.search(r"(.*)\n\t\treturn -r;", body.group(0), re.S).group(1)
    seen = set(re.findall(r"case (E\w+):", shown))
    seen |= set(re.findall(r"return (E\w+);", body.group(0)))
    compare("sesfs.7, errors", seen,
            set(items(section(page, "ERRORS OF THE TREE"), "Er")))

    attrs = set(re.findall(r'\] = PREFIX "([a-z-]+)"',
                           read("fs/mailbox_xattr.c")))
    compare("sesfs.7, attributes", attrs | {"control"},
            set(re.findall(r"user\.sesfs\.([a-z-]+)", page)))

    order = re.search(r"top first:\n \*\n(.*?)\n \*\n", read("store/lock.h"),
                      re.S).group(1)
    listed = re.findall(r"\w+\.\w+", order)
    said = re.findall(r"\w+\.\w+", " ".join(re.findall(
        r"^\.Dl (\w+\..*)$", section(page, "THREADS"), re.M)))
    if listed != said:
        bad.append(f"sesfs.7, order of locks: {said} is not {listed}")


def main(sesfs, root):
    root = pathlib.Path(root)
    page = {n: (root / "man" / n).read_text()
            for n in ("sesfs.1", "sesfs.conf.5", "sesfs.7")}
    commands, options = program_options(sesfs)
    check_page1(page["sesfs.1"], commands, options)
    check_page5(page["sesfs.conf.5"], (root / "fs/options.c").read_text(),
                options)
    check_page7(page["sesfs.7"], root)
    print("\n".join(bad) or "manual: as the program")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
