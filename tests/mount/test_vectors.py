"""Objects that five official clients wrote, and their hostile relatives,
through a real mount: each good one reads back, each bad one is refused under
its name, none harms its neighbours, and what can be refused without KMS is."""
import base64
import glob
import json
import os

from harness import VECTORS, equal, main, read, sha256

# FORMATS checks 1-10 and 3: no KMS call is needed to know these.
NEEDS_KMS = {"KMS_REJECTED", "KMS_WRONG_KEY", "KMS_ACCESS", "BAD_DATA_KEY",
             "COMMITMENT_MISMATCH", "AUTH_FAILED", "LENGTH_MISMATCH"}
EXTRA = {"legacy-cbc": "+cbc", "instruction-file": "+instruction"}


def vectors():
    for f in sorted(glob.glob(f"{VECTORS}/*/*.json")):
        with open(f) as handle:
            yield json.load(handle)


def expected(v):
    if any(r.startswith("raw-") for r in v["requires"]):
        return "UNSUPPORTED_WRAP"
    return v.get("expected_error")


def needs_kms(v):
    error = expected(v)
    # A CBC body of odd length is bad padding before anyone asks for its key.
    return error in NEEDS_KMS or (error == "BAD_PADDING" and len(
        base64.b64decode(v["body_base64"])) % 16 == 0)


def put(cloud, bucket, v):
    """Under a folder of its own, so that keys do not meet."""
    key = f"{v['name']}/{v['object_key']}"
    strip = len("x-amz-meta-")
    cloud.put(bucket, key, base64.b64decode(v["body_base64"]),
              {k[strip:]: h for k, h in v["headers"].items()})
    i = v["instruction_file"]
    if i:
        body = i.get("body", "")
        cloud.put(bucket, key + ".instruction", body.encode(),
                  {k[strip:] if k.startswith("x-amz-meta-") else k: h
                   for k, h in (i.get("headers") or {}).items()
                   if k.startswith("x-amz-meta-")})
    return key


def refused(bench, m):
    out = bench.sesfs("ls", "--refused", "--json", *bench.common(m.state),
                      *m.args, m.source)
    rows = [json.loads(line) for line in out.splitlines() if line.strip()]
    return {r["key"]: r["reason"] for r in rows}


def run(bench, bucket, chosen, *accept):
    keys = {put(bench.cloud, bucket, v): v for v in chosen}
    bench.cloud.reset_counters()
    m = bench.mount(f"s3://{bucket}", "--accept",
                    ",".join(("+renamed",) + accept), name=bucket)
    m.sync()
    bad = {k: expected(v) for k, v in keys.items() if expected(v)}
    equal(refused(bench, m), bad, "refused objects")
    shown = {}
    for d in [""] + [d[1:] for d in os.listdir(m.path) if d.startswith(".")]:
        shown.update(m.by_key(d))
    equal(set(shown), set(keys) - set(bad), "shown objects")
    for key, path in shown.items():
        data = read(path)
        equal(len(data), keys[key]["plaintext_length"], key)
        equal(sha256(data), keys[key]["plaintext_sha256"], key)
    return m, keys


def without_extra(v):
    return not any(r in EXTRA for r in v["requires"])


def test_default_formats(bench):
    chosen = [v for v in vectors() if without_extra(v)]
    assert len(chosen) > 80
    run(bench, "default", chosen)


def test_formats_on_request(bench):
    chosen = [v for v in vectors() if not without_extra(v)]
    assert len(chosen) > 20
    run(bench, "requested", chosen, "+cbc", "+instruction")


def test_no_kms_call_in_vain(bench):
    chosen = [v for v in vectors() if expected(v) and not needs_kms(v)]
    assert len(chosen) > 35
    plain = [v for v in chosen if without_extra(v)]
    run(bench, "cheap", plain)
    equal(bench.cloud.count("kms.decrypt"), 0, "KMS calls")
    run(bench, "cheap2", [v for v in chosen if not without_extra(v)],
        "+cbc", "+instruction")
    equal(bench.cloud.count("kms.decrypt"), 0, "KMS calls")


def test_kms_says_no(bench):
    """The others are refused by what KMS answers, or after it."""
    chosen = [v for v in vectors()
              if expected(v) and needs_kms(v) and without_extra(v)]
    assert len(chosen) > 15
    run(bench, "asked", chosen)
    assert bench.cloud.count("kms.decrypt") >= len(chosen)


if __name__ == "__main__":
    main(globals(), "--load-vectors", VECTORS)
