"""Includes go fs -> store -> crypto, never up and never in a circle.

usage: check_layers.py SOURCE-ROOT

crypto/ knows only the C library, libsodium, libcrypto and jansson, and does no
I/O, reads no clock and no settings. Prints each line that is against it.
"""
import pathlib
import re
import sys

OURS = {  # folder: the folders it may include
    "crypto": {"crypto"},
    "store": {"crypto", "store"},
    "fs": {"crypto", "store", "fs"},
}
THEIRS = {  # library: what its headers begin with
    "libsodium": ("sodium.h",),
    "libcrypto": ("openssl/",),
    "jansson": ("jansson.h",),
    "libcurl": ("curl/",),
    "SQLite": ("sqlite3.h",),
    "expat": ("expat.h",),
    "libfuse": ("fuse",),
    "libmicrohttpd": ("microhttpd.h",),
}
LIBRARIES = {
    "crypto": {"libsodium", "libcrypto", "jansson"},
    "store": {"libsodium", "jansson", "libcurl", "SQLite", "expat"},
    "fs": {"libsodium", "jansson", "libfuse"},
}
# Not linked: what is asked of the libssl that libcurl may have brought along, and
# the numbers by which that names what is wrong with a certificate.
ALLOWED = {("store/tls.c", "openssl/ssl.h"),
           ("store/tls_seen.c", "openssl/ssl.h"),
           ("store/tls_seen.c", "openssl/x509.h"),
           ("store/http_why.c", "openssl/x509_vfy.h")}
# Of the C library, what bytes in, bytes out may need.
PURE = {"assert.h", "ctype.h", "errno.h", "iconv.h", "limits.h", "malloc.h",
        "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
        "strings.h", "time.h"}
IMPURE_CALL = re.compile(
    r"(?<![\w>.])(fopen|open|socket|getenv|clock_gettime|gettimeofday|time|printf"
    r"|fprintf|syslog|pthread_create)\s*\(")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def without_comments(text):
    """Comments and strings blanked, lines kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def library_of(header):
    for name, begins in THEIRS.items():
        if header.startswith(begins):
            return name
    return None


def check_ours(root, folder, header):
    part = header.split("/")[0]
    if "/" not in header:
        return "name the folder: \"%s/...\"" % folder
    if part not in OURS[folder]:
        return f"{folder}/ may not include {part}/"
    if not (root / header).is_file():
        return "no such file"
    return None


def check_theirs(name, folder, header):
    lib = library_of(header)
    if (name, header) in ALLOWED:
        return None
    if lib is not None and lib not in LIBRARIES[folder]:
        return f"{folder}/ does without {lib}"
    if folder == "crypto" and lib is None and header not in PURE:
        return "crypto/ is pure: is this header?"
    return None


def cycle(graph):
    """A list of nodes that come back to the first, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for to in sorted(graph.get(node, ())):
            found = visit(to)
            if found:
                return found
        done.add(path.pop())
        return None

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return None


def main(root):
    root, bad, headers = pathlib.Path(root), [], {}
    for folder in OURS:
        files = sorted(root.glob(folder + "/*.[ch]"))
        assert files, folder + "/ has no files"
        for path in files:
            name = f"{folder}/{path.name}"
            text = path.read_text()
            for n, line in enumerate(text.splitlines(), 1):
                m = INCLUDE.match(line)
                if not m:
                    continue
                why = (check_ours(root, folder, m.group(1)) if m.group(1)
                       else check_theirs(name, folder, m.group(2)))
                if why:
                    bad.append(f"{name}:{n}: {line.strip()}: {why}")
                if m.group(1) and path.suffix == ".h":
                    headers.setdefault(name, set()).add(m.group(1))
            if folder == "crypto":
                lines = without_comments(text).splitlines()
                bad += [f"{name}:{n}: crypto/ is pure: {line.strip()}"
                        for n, line in enumerate(lines, 1)
                        if IMPURE_CALL.search(line)]
    round_trip = cycle(headers)
    if round_trip:
        bad.append("headers in a circle: " + " -> ".join(round_trip))
    print("\n".join(bad) or "layers: as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
