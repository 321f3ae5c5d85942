"""sesfs(1) explains what sesfs says when something is wrong.

usage: check_diagnostics.py SOURCE-ROOT

Every text that is given to log_err(), log_warn(), cmd_fail() or bad() in fs/
and store/, or to no() of fs/option.c, which stands after an option's name, has an entry under DIAGNOSTICS, and every entry is such a text. In
an entry a word in capitals stands for what is filled in, and "..." at its end
for whatever follows: it is then about all texts that begin so. Of a format
that is nothing but what is filled in, the texts count that the call may put
there. The findings of sesfs check have their names and causes there.
"""
import pathlib
import re
import sys

CALL = re.compile(r"\b(?:(?:log_err|log_warn)(?:_about)?|cmd_fail|bad)\(")
VALUE = re.compile(r"\bno\(why, ")  # what is wrong with an option's value
STRING = r'"(?:[^"\\]|\\.)*"'
LITERAL = re.compile(rf"{STRING}(?:\s*(?:{STRING}|PRI\w+))*")
SPEC = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?"
                  r"(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")
FILLED = "\0"  # what is filled in
WORD = r"[A-Z][A-Z0-9]*"
ESCAPES = {r"\(dq": '"', r"\(aq": "'", r"\-": "-", r"\&": "", r"\e": "\\"}


def arguments(text, at):
    """What stands between the parenthesis that ends at `at` and its
    partner."""
    depth = 1
    for m in re.compile(rf"{STRING}|[()]").finditer(text, at):
        depth += {"(": 1, ")": -1}.get(m.group(0), 0)
        if depth == 0:
            return text[at:m.start()]
    return ""


def joined(literal):
    """A literal of several pieces as one text."""
    pieces = re.findall(rf"{STRING}|PRI\w+", literal)
    text = "".join("d" if p.startswith("PRI") else p[1:-1] for p in pieces)
    return SPEC.sub(FILLED, text.replace('\\"', '"')).replace("%%", "%")


def has_words(text):
    return re.search("[a-z]", text) is not None


def texts(source):
    """What the calls of a source file may say."""
    for call in CALL.finditer(source):
        found = [joined(m.group(0)) for m in LITERAL.finditer(
            arguments(source, call.end()))]
        if not found:
            continue  # the function itself
        if has_words(found[0]):
            yield found[0]
        else:
            yield from filter(has_words, found[1:])


def value_texts(source):
    """What fs/option.c says of the value of an option."""
    for call in VALUE.finditer(source):
        text = LITERAL.search(arguments(source, call.end()))
        yield f"{FILLED}: {joined(text.group(0))}"


def pattern(entry):
    """What an entry stands for."""
    text = entry.removesuffix(" ...")
    pieces = re.split(f"({WORD})", text)
    for i, piece in enumerate(pieces):
        pieces[i] = (f"(?:{FILLED}+|{piece})" if i % 2 else re.escape(piece))
    return re.compile("".join(pieces) + (r"\Z" if text == entry else ""))


def entries(page):
    section = re.search(r"^\.Sh DIAGNOSTICS$(.*?)^\.Sh ", page, re.M | re.S)
    for line in re.findall(r'^\.It "(.*)"$', section.group(1), re.M):
        for escape, char in ESCAPES.items():
            line = line.replace(escape, char)
        yield line


def findings(root):
    """Names and causes in the sources of sesfs check."""
    source = "".join(p.read_text() for p in (root / "fs").glob("check_*.c"))
    source += (root / "fs/cmd_check.c").read_text()
    names = set(re.findall(r'check_(?:ok|skip)\(k, "([a-z]+)"', source))
    names |= set(re.findall(r'check_call \w+ = \{ "([a-z]+)"', source))
    names |= set(re.findall(r'\{ "([a-z]+)",\s*CHECK_', source))
    causes = set(re.findall(r'CHECK_(?:WARN|MISSING),\s*"([a-z0-9-]+)"',
                            source))
    for words in re.findall(r"\.cause = ([^;,]+)[;,]|err == EROFS \? (.*?),",
                            source):
        causes |= set(re.findall(r'"([a-z0-9-]+)"', " ".join(words)))
    for table in ("fs/check_cause.c", "store/awscause.c"):
        causes |= set(re.findall(r'\{ "([a-z-]+)",\s',
                                 (root / table).read_text()))
    return names, causes


def compare(what, have, explained):
    return [f"sesfs.1, findings: {what} {x} is missing"
            for x in sorted(have - explained)] + \
           [f"sesfs.1, findings: {what} {x} does not exist"
            for x in sorted(explained - have)]


def check_findings(root, page):
    text = re.search(r"^\.Ss Findings of check$(.*?)^\.S[hs] ", page,
                     re.M | re.S).group(1)
    names, causes = findings(root)
    said = re.findall(r"^\.Li ([a-z0-9 ,-]+?)[ .,)]*$", text, re.M)
    return compare("name", names, set(re.findall(r"^\.It Li (\w+)$", text,
                                                 re.M))) + \
        compare("cause", causes, {w for line in said
                                  for w in re.split(" , ", line)} - {"code"})


def main(root):
    root = pathlib.Path(root)
    said = {}
    for folder in ("store", "fs"):
        for path in sorted((root / folder).glob("*.c")):
            for text in texts(path.read_text()):
                said.setdefault(text, path.relative_to(root))
    option = pathlib.Path("fs/option.c")
    values = set(value_texts((root / option).read_text()))
    assert len(values) > 10, "the texts about values were not found"
    said.update(dict.fromkeys(values, option))
    page = (root / "man/sesfs.1").read_text()
    explained = list(entries(page))
    patterns = {e: pattern(e) for e in explained}
    assert len(said) > 100, "the texts were not found"
    bad = [f"{path}: not in DIAGNOSTICS of sesfs.1: "
           + text.replace(FILLED, "%") for text, path in said.items()
           if not any(p.match(text) for p in patterns.values())]
    bad += [f"sesfs.1, DIAGNOSTICS: nothing says: {e}"
            for e, p in patterns.items() if not any(map(p.match, said))]
    bad += [f"sesfs.1, DIAGNOSTICS: twice: {e}" for e in patterns
            if explained.count(e) > 1]
    bad += check_findings(root, page)
    print("\n".join(bad) or f"diagnostics: {len(said)} texts, "
          f"{len(explained)} entries")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
