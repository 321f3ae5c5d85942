"""Which library does the arithmetic, told by one that ends who calls it."""
import os
import subprocess

from custody import vector
from harness import (VECTORS, Skip, equal, main, need, read, sha256,
                     wipe_page_cache)

FORMATS = ("kms-gcm", "kmsctx-gcm", "commit")
VECTORS_USED = ("ses-shape-attach1m", "rubyv3-kmsctx-commit-attach64k",
                "rubyv2-kmsctx-gcm-utf8", "go1-kms-cbc-utf8",
                "rubyv1-kms-cbc-len17")
COUNT = 4  # of each format


def trap():
    path = os.environ.get("SESFS_TRAP", "")
    if not os.path.exists(path):
        raise Skip("SESFS_TRAP names no module to preload")
    return path


def fill(bench):
    """Returns the digests of all messages by key."""
    c = bench.cloud
    want = {}
    for f in FORMATS:
        c.generate("mail", f"in/{f}/", COUNT, format=f, seed=len(f))
    for name in VECTORS_USED:
        key, body, headers, plain, _ = vector(name)
        c.put("mail", f"in/{name}/{key}", body, headers)
        want[f"in/{name}/{key}"] = sha256(plain)
    for o in c.manifest("mail", "in/"):
        want.setdefault(o["key"], o.get("sha256"))
    equal(len(want), COUNT * len(FORMATS) + len(VECTORS_USED), "messages")
    return want


def digests(m):
    out = {}
    for d in os.listdir(m.path):
        if d.startswith("."):
            for key, p in m.by_key(d[1:]).items():
                wipe_page_cache(p)
                out[key] = sha256(read(p))
    return out


def use(bench, want, crypto):
    m = bench.mount("s3://mail/in", "--accept", "+cbc", "--crypto", crypto,
                    name="m-" + crypto)
    m.sync()
    equal(digests(m), want, "bytes by " + crypto)
    bench.sesfs("ls", "--json", *bench.common(m.state), *m.args, m.source)
    m.stop()
    m.start()
    equal(digests(m), want, "bytes after a remount, by " + crypto)
    m.stop()


def test_same(bench):
    """All choices read the same."""
    want = fill(bench)
    for crypto in ("auto", "sodium", "openssl"):
        use(bench, want, crypto)


def test_openssl_alone(bench):
    """--crypto=openssl: mail and requests without libsodium's AES, SHA and
    HMAC."""
    want = fill(bench)
    bench.env["LD_PRELOAD"] = trap()
    use(bench, want, "openssl")
    # and the trap is one
    _, err, code = bench.sesfs(
        "sync", *bench.common(bench.work + "/sodium"), "--crypto", "sodium",
        "s3://mail/in", ok=None, both=True)
    assert code != 0 and "trapped: crypto_" in err, (code, err)


CONFIG = """
openssl_conf = init
.include {include}
[init]
providers = providers
alg_section = algorithms
[providers]
fips = fips_sect
base = base
[base]
activate = 1
[algorithms]
default_properties = fips=yes
"""


def fips_config(bench):
    """A configuration of OpenSSL with nothing but its FIPS provider."""
    need("openssl")
    out = subprocess.run(["openssl", "version", "-m"], check=True,
                         capture_output=True, text=True).stdout
    module = os.path.join(out.partition('"')[2].partition('"')[0], "fips.so")
    if not os.path.exists(module):
        raise Skip(f"OpenSSL's FIPS provider is not installed ({module})")
    include, path = bench.work + "/fipsmodule.cnf", bench.work + "/openssl.cnf"
    subprocess.run(["openssl", "fipsinstall", "-out", include, "-module",
                    module], check=True, capture_output=True)
    with open(path, "w") as f:
        f.write(CONFIG.format(include=include))
    return path


def test_fips(bench):
    """The same when there are no algorithms but a FIPS provider's."""
    path = fips_config(bench)
    want = fill(bench)
    bench.env["OPENSSL_CONF"] = path
    if os.path.exists(os.environ.get("SESFS_TRAP", "")):
        bench.env["LD_PRELOAD"] = trap()
    use(bench, want, "openssl")


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
