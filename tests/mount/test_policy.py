"""`sesfs policy`: with exactly what it prints everything works; with any part
of it left out, what needs that part fails and says which it is, and nothing
else does. The cloud enforces it."""
import base64
import copy
import errno
import json
import os
import re
import shutil

from harness import (KEY, VECTORS, equal, is_served, main, raises, read,
                     sha256, until, wipe_page_cache)

ACCOUNT = "123456789012"
SECOND = (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/"
          "5ec0dd00-0000-4000-8000-000000000002")
SOURCE = "s3://mail/in"
# What SES does not write, by the clients that do.
OLD = ["go1-kms-gcm-instruction", "go1-kms-cbc-utf8",
       "rubyv3-kmsctx-commit-instruction"]
NEW = ["rubyv3-kmsctx-commit-tiny", "rubyv2-kmsctx-gcm-tiny"]


def install(bench, doc):
    bench.cloud.admin("policy", "policy", data=json.dumps(doc).encode())


def denials(bench):
    """What policy refused, by operation, since the counters were reset."""
    log = json.loads(bench.cloud.admin("get", "log", method="GET", n=4000))
    return sorted({r["op"] for r in log if r["fault"] == "denied"})


def put_vector(bench, prefix, name):
    with open(f"{VECTORS}/positive/{name}.json") as f:
        v = json.load(f)
    strip = len("x-amz-meta-")
    bench.cloud.put("mail", prefix + name, base64.b64decode(v["body_base64"]),
                    {k[strip:]: h for k, h in v["headers"].items()})
    if v["instruction_file"]:
        bench.cloud.put("mail", prefix + name + ".instruction",
                        v["instruction_file"]["body"].encode())
    return {prefix + name: v["plaintext_sha256"]}


def generated(bench, prefix, count, **kw):
    bench.cloud.generate("mail", prefix, count, **kw)
    return {o["key"]: o["sha256"]
            for o in bench.cloud.manifest("mail", prefix)}


class Reader:
    """A source, its options, and a state directory."""
    def __init__(self, bench, *args, source=SOURCE, name="r"):
        self.bench, self.source, self.name = bench, source, name
        self.args = list(args)
        self.state = os.path.join(bench.work, name + ".state")
        bench.common = lambda state: ["--state-dir", state]

    def run(self, command, *more, **kw):
        return self.bench.sesfs(command, "--state-dir", self.state,
                                *self.args, self.source, *more, **kw)

    def policy(self, *more):
        return json.loads(self.run("policy", *more))

    def mount(self, **kw):
        return self.bench.mount(self.source, *self.args, name=self.name, **kw)


def use_mount(bench, m, want, calls):
    """A first mount, a second one, and what one does with them."""
    cloud = bench.cloud
    m.sync()
    equal({k: sha256(read(p)) for k, p in m.by_key().items()}, want, "bytes")
    m.stop()
    cloud.reset_counters()
    m.start()
    by_key = m.by_key()
    equal({k: sha256(read(p)) for k, p in by_key.items()}, want,
          "bytes after a remount")
    equal(cloud.count("kms."), calls, "KMS calls of a remount")
    equal(cloud.count("s3.get"), 0, "GETs of a remount")
    for what in "keys", "cache":
        bench.sesfs("forget", m.path, what)
    bench.sesfs("warm", m.path)
    one = sorted(want)[0]
    wipe_page_cache(by_key[one])
    equal(sha256(read(by_key[one])), want[one], "read again")
    m.stop()


def use_commands(reader, want, seal):
    rows = [json.loads(x) for x in reader.run("ls", "--json").splitlines()]
    equal({r["key"] for r in rows}, set(want), "listed")
    assert any(r["subject"] for r in rows), rows
    assert reader.run("cat", sorted(want)[0])
    reader.run("verify")
    found = {f["check"]: f["result"]
             for f in json.loads(reader.run("check", "--json"))}
    for name in "identity", "bucket", "list", "get", "key", "decrypt":
        equal(found[name], "ok", f"check: {name}")
    equal(found["seal"], "ok" if seal else "warn", "check: seal")


def use_gone(bench, reader, key):
    """What is not in the bucket any more is known not to be: not a refusal."""
    bench.cloud.delete("mail", key)
    out, err, _ = reader.run("verify", ok=(1,), both=True)
    assert key in out + err and "AccessDenied" not in err, (out, err)


def use(bench, reader, want, seal=True, calls=1):
    install(bench, reader.policy()["iam"])
    out = reader.run("sync")
    assert f", {len(want)} looked at, 0 refused" in out, out
    use_mount(bench, reader.mount(), want, calls)
    use_commands(reader, want, seal)
    use_gone(bench, reader, sorted(want)[0])
    equal(denials(bench), [], "what was denied")


def test_key(bench):
    """The plain case: a prefix, one key; keys beside the prefix are closed."""
    want = generated(bench, "in/", 4)
    generated(bench, "out/", 1, seed=2)
    use(bench, Reader(bench, "--kms-key", KEY), want)
    reader = Reader(bench, "--kms-key", KEY, source="s3://mail/out", name="o")
    _, err, code = reader.run("sync", ok=(1,), both=True)
    assert "must allow s3:ListBucket" in err, err


def test_alias(bench):
    """A policy cannot name an alias; the condition does."""
    want = generated(bench, "", 3)
    use(bench, Reader(bench, "--kms-key", "alias/aws/ses", "--index",
                      "envelope", "--seal-key", "alias/second",
                      source="s3://mail"), want, calls=2)


def test_account(bench):
    """Any key of the account; owner and account of SES pinned; nothing
    sealed."""
    want = generated(bench, "in/", 3)
    use(bench, Reader(bench, "--account", ACCOUNT, "--region", "us-east-1",
                      "--expected-bucket-owner", ACCOUNT), want, seal=False,
        calls=len(want))


def test_formats(bench):
    """Whatever --accept takes, instruction files that there are and are not
    included; several keys."""
    want = generated(bench, "in/", 2)
    want.update(generated(bench, "in/", 2, seed=5, format="plain"))
    for name in OLD + NEW:
        want.update(put_vector(bench, "in/", name))
    use(bench, Reader(bench, "--accept", "+cbc,instruction,renamed,plain",
                      "--kms-key", KEY, "--kms-key", SECOND, "--kms-key",
                      "alias/multi"), want)


def test_rekey(bench):
    """It needs what both seal keys need; without the old one's it makes anew
    what was sealed."""
    generated(bench, "in/", 2)
    old = [Reader(bench, "--kms-key", KEY, name=n) for n in "ab"]
    new = [Reader(bench, "--kms-key", KEY, "--seal-key", SECOND, name=n)
           for n in "ab"]
    before, after = old[0].policy()["iam"], new[0].policy()["iam"]
    both = {**after, "Statement": before["Statement"] + after["Statement"]}
    install(bench, before)
    for r in old:
        r.run("sync")
    install(bench, both)
    _, err, _ = new[0].run("rekey", both=True)
    equal(err, "", "with both")
    install(bench, after)
    _, err, _ = new[1].run("rekey", both=True)
    assert "the policy must allow kms:Decrypt" in err, err
    assert "made anew" in err, err
    bench.cloud.reset_counters()
    for r in new:
        r.run("ls")
    equal(denials(bench), [], "what was denied")


def test_owner(bench):
    """Somebody else's bucket: AWS says as little as of any refusal."""
    generated(bench, "in/", 1)
    reader = Reader(bench, "--kms-key", KEY, "--expected-bucket-owner",
                    "210987654321")
    _, err, _ = reader.run("sync", ok=(1,), both=True)
    assert ("the policy must allow s3:ListBucket, and 210987654321 own the "
            "bucket") in err, err


def test_access_point(bench):
    """It has an ARN of its own, and so have the objects behind it."""
    want = generated(bench, "in/", 2)
    bench.cloud.admin("bucket", "bucket", bucket="mail",
                      access_point=f"mail-point-{ACCOUNT}")
    bench.env["AWS_ENDPOINT_URL_S3"] = f"http://localhost:{bench.cloud.port}"
    point = f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/mail-point"
    reader = Reader(bench, "--kms-key", KEY, source=f"s3://{point}/in")
    use(bench, reader, want)
    bucket = Reader(bench, "--kms-key", KEY).policy()["iam"]
    install(bench, bucket)
    reader.state += ".new"
    _, err, _ = reader.run("sync", ok=(1,), both=True)
    assert f's3:ListBucket on resource: "{point}"' in err, err


# ---- one thing less ----

QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/events"

# What check finds out without AWS.
THIS_MACHINE = ("state", "fuse", "memlock", "dumpable")

# What does not work without a permission, from nothing (a first pass, what
# another process makes of it, check, a mount) and with all known and cached
# (verify, cat).
NEEDED = {
    ("ListMail", "s3:ListBucket"): {"sync", "mount", "check"},
    ("ReadMail", "s3:GetObject"): {"sync", "mount", "check", "verify"},
    ("DecryptMailOfSes", "kms:Decrypt"): {"sync", "mount", "check"},
    ("DecryptMailOfNewClients", "kms:Decrypt"): {"other"},
    ("SealState", "kms:GenerateDataKey"): {"again", "check"},
    ("SealState", "kms:Decrypt"): {"again", "check"},
    ("DescribeKeysInCheck", "kms:DescribeKey"): {"check"},
    ("CheckQueue", "sqs:GetQueueAttributes"): {"check"},
}


def as_list(x):
    return x if isinstance(x, list) else [x]


def less(doc, i, **members):
    """Statement i with other members, or not at all."""
    doc = copy.deepcopy(doc)
    if members:
        doc["Statement"][i].update(members)
    else:
        del doc["Statement"][i]
    return doc


def parts(doc):
    """Of each statement the part that is taken away: (what, the permissions
    that go with it, the policy that is left)."""
    for i, s in enumerate(doc["Statement"]):
        actions = as_list(s["Action"])
        for a in actions:
            rest = [x for x in actions if x != a]
            yield f"without {a}", [(s["Sid"], a)], less(
                doc, i, **({"Action": rest} if rest else {}))
        every = [(s["Sid"], a) for a in actions]
        yield "for another resource", every, less(doc, i, Resource=[
            re.sub(r"(/?\*)?$", r"x\1", r, count=1)
            for r in as_list(s["Resource"])])
        for operator, keys in s.get("Condition", {}).items():
            for key, was in keys.items():
                wrong = copy.deepcopy(s["Condition"])
                wrong[operator][key] = "true" if was == "false" else "other"
                yield f"for another {key}", every, less(doc, i,
                                                        Condition=wrong)


class Trial:
    """What does not work under a policy, and what was said about it."""
    def __init__(self, bench, want, other):
        self.bench, self.want, self.other = bench, want, other
        self.failed, self.said, self.named = set(), "", set()

    def run(self, reader, command, *more):
        out, err, code = reader.run(command, *more, ok=None, both=True)
        self.said += err
        return out, code

    def expect(self, step, good):
        if not good:
            self.failed.add(step)

    def from_nothing(self, reader):
        _, code = self.run(reader, "sync")
        rows = self.run(reader, "ls", "--brief", "--json")[0].splitlines()
        listed = {json.loads(r)["key"] for r in rows}
        self.expect("sync", code == 0 and set(self.want) <= listed)
        self.expect("other", not listed or set(self.other) <= listed)
        rows = self.run(reader, "ls", "--refused", "--json")[0].splitlines()
        self.refused = {json.loads(r)["reason"] for r in rows}
        self.bench.cloud.reset_counters()
        _, code = self.run(reader, "ls", "--json")
        self.expect("again", not listed or
                    code == 0 and self.bench.cloud.count("kms.") == 1)

    def check(self, reader):
        out, _ = self.run(reader, "check", "--json", "--queue", QUEUE)
        bad = [f for f in json.loads(out) if f["result"] != "ok"
               and f["check"] not in THIS_MACHINE]
        self.expect("check", not bad)
        self.named |= {f["missing"] for f in bad if "missing" in f}

    def mount(self, reader):
        m = reader.mount(wait=False)
        try:
            until("the mount or its end", lambda: is_served(m.path)
                  or m.process.poll() is not None)
            ready = m.process.poll() is None
            if ready:
                m.sync(ok=(0, 1))
            self.expect("mount", ready and set(m.by_key()) >= set(self.want))
        finally:
            self.said += m.log()
            m.abandon()

    def with_all_known(self, reader):
        self.expect("verify", self.run(reader, "verify")[1] == 0)
        for key in self.want:
            self.expect("cat", self.run(reader, "cat", key)[1] == 0)


def each_part(bench, is_chosen, *args):
    """Whatever is taken away from the policy is missed, and named."""
    want = generated(bench, "in/", 2)
    other = {}
    for name in NEW:
        other.update(put_vector(bench, "in/", name))
    known = Reader(bench, *args, name="known")
    printed = known.policy("--queue", QUEUE)
    full = printed["iam"]
    bench.cloud.admin("queue", "queue", queue="events",
                      policy=json.dumps(printed["queue"]))
    install(bench, full)
    known.run("sync")
    equal({(s["Sid"], a) for s in full["Statement"]
           for a in as_list(s["Action"])}, set(NEEDED), "permissions")
    cases = [x for x in parts(full) if is_chosen(x[0])]
    assert cases, full
    for n, (what, missing, doc) in enumerate([("all", [], full), *cases]):
        install(bench, doc)
        t = Trial(bench, want, other)
        reader = Reader(bench, *args, name=f"t{n}")
        t.from_nothing(reader)
        t.check(reader)
        fails = set().union(*(NEEDED[m] for m in missing))
        if what.startswith(("all", "without")):
            t.mount(Reader(bench, *args, name=f"m{n}"))
        else:
            fails.discard("mount")
        shutil.copytree(known.state, reader.state + ".known")
        reader.state += ".known"
        t.with_all_known(reader)
        what = f"{what}: {missing}"
        equal(t.failed, fails, what)
        equal(t.refused, {"KMS_ACCESS"} if any(
            sid.startswith("DecryptMail") for sid, _ in missing) else set(),
            what + ": why mail is not shown")
        named = t.named.union(re.findall(r"the policy must allow (\S+)$",
                                         t.said, re.M))
        assert bool(named) == bool(missing), (what, t.said)
        assert named <= {action for _, action in missing}, (what, named)


def test_each_part(bench):
    each_part(bench, lambda what: True, "--kms-key", KEY,
              "--expected-bucket-owner", ACCOUNT)


def test_errno(bench):
    """What a program sees of it, when nothing is cached or sealed."""
    want = generated(bench, "in/", 2)
    args = ("--kms-key", KEY, "--seal-key", "none", "--cache-size", "0",
            "--index", "envelope")
    full = Reader(bench, *args).policy()["iam"]
    for what, missing, doc in parts(full):
        number = {("ReadMail", "s3:GetObject"): errno.EACCES,
                  ("DecryptMailOfSes", "kms:Decrypt"): errno.EKEYREJECTED,
                  }.get(missing[0])
        if number is None or not what.startswith("without"):
            continue
        install(bench, full)
        m = Reader(bench, *args, name=missing[0][0]).mount()
        m.sync()
        paths = list(m.by_key().values())
        equal(len(paths), len(want), "messages")
        install(bench, doc)
        for p in paths:
            raises(number, read, p)
        assert f"the policy must allow {missing[0][1]}" in m.log(), m.log()
        # Allowed again, it works again.
        install(bench, full)
        until("the messages", lambda: reads(paths))
        m.stop()


def reads(paths):
    try:
        return all(read(p) for p in paths)
    except OSError:
        return False


def test_each_alias(bench):
    each_part(bench, lambda what: "ResourceAliases" in what,
              "--kms-key", "alias/aws/ses", "--expected-bucket-owner",
              ACCOUNT)


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
