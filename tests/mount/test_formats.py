"""What policy lets in, object by object: formats on request, pinned accounts,
bound names, several KMS keys in several regions."""
import base64
import errno
import json
import os
import subprocess

from harness import (KEY, VECTORS, equal, main, raises, read, sha256,
                     wipe_page_cache)

ELSEWHERE = ("arn:aws:kms:eu-west-1:123456789012:key/"
             "e0000000-0000-4000-8000-000000000003")
FOREIGN = ("arn:aws:kms:us-east-1:999999999999:key/"
           "deadbeef-0000-4000-8000-000000000bad")
PLAIN = b"From: a@example.org\r\nSubject: in the clear\r\n\r\nnot secret\r\n"


def vector(name):
    with open(f"{VECTORS}/positive/{name}.json") as f:
        return json.load(f)


def put(cloud, bucket, key, v):
    strip = len("x-amz-meta-")
    cloud.put(bucket, key, base64.b64decode(v["body_base64"]),
              {k[strip:]: h for k, h in v["headers"].items()})
    i = v["instruction_file"]
    if i:
        cloud.put(bucket, key + ".instruction", i["body"].encode())


def reasons(bench, m):
    out = bench.sesfs("ls", "--refused", "--json", *bench.common(m.state),
                      *m.args, m.source)
    return {r["key"]: r["reason"]
            for r in map(json.loads, out.splitlines())}


def remount(m, *args):
    m.stop()
    m.args = list(args)
    m.start()
    m.sync()


def test_plain(bench):
    """Off by default; on, object by object, and sealed in the cache."""
    c = bench.cloud
    c.generate("mail", "in/", 3, seed=1)
    c.generate("mail", "in/", 4, seed=2, format="plain")
    c.put("mail", "in/clear", PLAIN)
    m = bench.mount("s3://mail/in")
    m.sync()
    equal(len(m.mails()), 3, "shown")
    equal(set(reasons(bench, m).values()), {"NOT_ENCRYPTED"}, "reasons")
    remount(m, "--accept", "+plain")
    equal(len(m.mails()), 8, "shown with +plain")
    by_key = m.by_key()
    equal(read(by_key["in/clear"]), PLAIN, "plain mail")
    equal(os.getxattr(by_key["in/clear"], "user.sesfs.format"), b"plain",
          "format")
    found = subprocess.run(["grep", "-rl", "not secret", m.state],
                           capture_output=True, text=True, check=False)
    equal(found.stdout, "", "plain text in the state directory")
    # From the cache, without S3.
    remount(m, "--accept", "+plain")
    c.reset_counters()
    for p in m.mails():
        wipe_page_cache(p)
        read(p)
    equal(c.count("s3.get"), 0, "GETs of cached mail")
    # A policy that became stricter holds for what is shown already.
    remount(m)
    raises(errno.EBADMSG, read, by_key["in/clear"])


def test_instruction(bench):
    """Fetched once, never shown as mail."""
    names = ["go1-kms-gcm-instruction", "rubyv2-kmsctx-gcm-instruction",
             "rubyv3-kmsctx-commit-instruction"]
    c = bench.cloud
    for n in names:
        put(c, "mail", n, vector(n))
    m = bench.mount("s3://mail", "--accept", "+instruction,renamed")
    m.sync()
    by_key = m.by_key()
    equal(set(by_key), set(names), "shown")
    equal(c.count("s3.get"), 2 * len(names), "GETs: bodies and their files")
    for n in names:
        equal(sha256(read(by_key[n])), vector(n)["plaintext_sha256"], n)
    # With every key forgotten, the cached file serves again.
    bench.sesfs("forget", m.path, "keys")
    c.reset_counters()
    for n in names:
        wipe_page_cache(by_key[n])
        read(by_key[n])
    equal(c.count("s3.get"), 0, "GETs after forgetting the keys")


def test_cbc(bench):
    names = ["go1-kms-cbc-utf8", "rubyv1-kms-cbc-zero", "go1-kms-cbc-len16"]
    for n in names:
        put(bench.cloud, "mail", n, vector(n))
    m = bench.mount("s3://mail")
    m.sync()
    equal(reasons(bench, m), {n: "LEGACY_REFUSED" for n in names}, "refused")
    remount(m, "--accept", "+cbc")
    by_key = m.by_key()
    for n in names:
        equal(os.stat(by_key[n]).st_size, vector(n)["plaintext_length"], n)
        equal(sha256(read(by_key[n])), vector(n)["plaintext_sha256"], n)


def test_envelope_only(bench):
    """--index envelope: sizes without a KMS call; CBC needs one."""
    c = bench.cloud
    c.generate("mail", "in/", 12, seed=4)
    m = bench.mount("s3://mail/in", "--index", "envelope", "--seal-key",
                    "none")
    m.sync()
    equal(c.count("kms."), 0, "KMS calls")
    equal(c.count("s3.get"), 0, "GETs")
    equal(c.count("s3.head"), 12, "HEADs")
    want = {o["key"]: o for o in c.manifest("mail")}
    for key, path in m.by_key().items():
        equal(os.stat(path).st_size, want[key]["plain_size"], key)
        assert ",W=" not in path
        equal(sha256(read(path)), want[key]["sha256"], key)


def test_account_and_name(bench):
    """A pinned account; a copy under another name."""
    c = bench.cloud
    c.generate("mail", "in/", 2, seed=4)
    v = vector("ses-shape-tiny")
    put(c, "mail", "in/" + v["object_key"].split("/")[-1], v)
    put(c, "mail", "in/0copy00000000000000000000000000000000001", v)
    m = bench.mount("s3://mail/in")
    m.sync()
    equal(reasons(bench, m),
          {"in/0copy00000000000000000000000000000000001": "CONTEXT_MISMATCH"},
          "a copy")
    equal(len(m.mails()), 3, "shown")
    remount(m, "--accept", "+renamed")
    equal(len(m.mails()), 4, "shown with +renamed")
    n = bench.mount("s3://mail/in", "--account", "999999999999", name="other")
    n.sync()
    equal(set(reasons(bench, n).values()), {"CONTEXT_MISMATCH"}, "account")
    equal(n.mails(), [], "shown for another account")
    p = bench.mount("s3://mail/in", "--account", "123456789012", name="own")
    p.sync()
    equal(len(p.mails()), 3, "shown for the right account")


def test_keys_and_regions(bench):
    """Each key is called in its own region; a key not named is not used."""
    c = bench.cloud
    c.generate("mail", "in/", 5, seed=1)
    c.generate("mail", "in/", 5, seed=2, key=ELSEWHERE)
    m = bench.mount("s3://mail/in")
    m.sync()
    equal(len(m.mails()), 5, "with the one key")
    assert set(reasons(bench, m).values()) <= {"KMS_WRONG_KEY",
                                               "KMS_REJECTED"}
    remount(m, "--kms-key", ELSEWHERE)
    equal(len(m.mails()), 10, "with both keys")
    arns = {os.getxattr(p, "user.sesfs.kms-key").decode() for p in m.mails()}
    equal(arns, {KEY, ELSEWHERE}, "keys")
    for p in m.mails():
        read(p)


def test_account_default(bench):
    """No --kms-key: any key of the caller's own account, no other."""
    c = bench.cloud
    c.generate("mail", "in/", 3, seed=1)
    c.generate("mail", "in/", 3, seed=2, key=FOREIGN)
    bench.common = lambda state: ["--state-dir", state]
    m = bench.mount("s3://mail/in")
    m.sync()
    equal(len(m.mails()), 3, "shown")
    equal(set(reasons(bench, m).values()), {"KMS_WRONG_KEY"}, "reasons")
    equal(c.count("sts.identity"), 1, "identity asked")


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
