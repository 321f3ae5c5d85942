#!/usr/bin/env python3
"""Hold our endpoints against those that AWS publishes with botocore.

usage: endpoint.py TEST_ENDPOINT

Every region of every partition, with and without FIPS and dual stack, and for
S3 with a bucket, an access point and an access point's alias, by two sources: the rules that SDKs follow (endpoint-rule-set-1.json) and the older
list of what there is (endpoints.json). Where one names a host, ours is to be
the same; where it says that there is none, so are we. Whatever Python here has
botocore, by itself or inside awscli, is asked."""

import glob
import gzip
import importlib
import json
import os
import subprocess
import sys

SERVICES = {  # ours: botocore's directory
    "s3": "s3", "kms": "kms", "sts": "sts", "sqs": "sqs",
    "portal.sso": "sso", "oidc": "sso-oidc",
}
NEVER_FIPS = ("portal.sso", "oidc")
FLAGS = [(fips, dual) for fips in (False, True) for dual in (False, True)]
# What AWS added after the botocore of Debian 12 was made: it may say that
# there is none, a later one must agree with us.
LATER_DUAL = ("us-iso-", "us-isob-")
ALIAS = "mail-mvm1yxkzcm4cbgs3nzy1puzb1fhyhuse1b-s3alias"
SKIP = 77


# ---- what botocore says; runs in any Python that has one ----

def load(path):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    with gzip.open(path + ".gz") as f:
        return json.load(f)


def buckets(service, partition, region):
    """What is asked for by each service: two ways to a bucket, or nothing."""
    if service != "s3":
        return ["-"]
    point = f"arn:{partition['id']}:s3:{region}:123456789012:accesspoint"
    return ["mail", ALIAS, point + "/mail", point + ":my-mail-2"]


def by_rules(rules, service, region, fips, dual, bucket):
    """(host, region to sign for); None when there is no such endpoint."""
    given = {"Region": region, "UseDualStack": dual,
             "UseFIPS": fips and service not in NEVER_FIPS}
    if bucket != "-":
        given["Bucket"] = bucket
    try:
        found = rules.resolve_endpoint(**given)
    except Exception as e:  # each package has a class of its own
        if type(e).__name__ != "EndpointResolutionError":
            raise
        return None
    scopes = found.properties.get("authSchemes") or [{}]
    return (found.url.removeprefix("https://"),
            scopes[0].get("signingRegion", region))


def name(template, service, region, suffix):
    return (template.replace("{service}", service)
            .replace("{region}", region).replace("{dnsSuffix}", suffix))


def by_list(partition):
    """(service, region, fips, dual, "-", host) of each that is listed."""
    for service in SERVICES:
        listed = partition["services"].get(service, {"endpoints": {}})
        levels = [partition["defaults"], listed.get("defaults", {})]
        for region, entry in listed["endpoints"].items():
            if region not in partition["regions"] or entry.get("deprecated"):
                continue
            plain = {}
            for level in [*levels, entry]:
                plain.update(level)
            yield (service, region, False, False, "-", name(
                plain["hostname"], service, region, partition["dnsSuffix"]))
            for variant in entry.get("variants", []):
                tags, made = sorted(variant["tags"]), {}
                for level in [*levels, entry]:
                    for v in level.get("variants", []):
                        if sorted(v["tags"]) == tags:
                            made.update(v)
                yield (service, region, "fips" in tags, "dualstack" in tags,
                       "-", name(made["hostname"], service, region, made.get(
                           "dnsSuffix", partition["dnsSuffix"])))


def publish():
    """Print everything that this Python's botocore knows."""
    for package in ("botocore", "awscli.botocore"):
        try:
            base = importlib.import_module(package)
            provider = importlib.import_module(package + ".endpoint_provider")
            break
        except ImportError:
            continue
    else:
        return
    data = os.path.join(os.path.dirname(base.__file__), "data")
    partitions = load(os.path.join(data, "partitions.json"))
    rows = []
    for service, directory in SERVICES.items():
        at = glob.glob(os.path.join(data, directory, "*"))[0]
        rules = provider.EndpointProvider(
            load(os.path.join(at, "endpoint-rule-set-1.json")), partitions)
        asked = [(service, region, fips, dual, bucket)
                 for p in partitions["partitions"] for region in p["regions"]
                 for fips, dual in FLAGS
                 for bucket in buckets(service, p, region)]
        rows += [(*a, by_rules(rules, *a)) for a in asked]
    listed = [row for p in load(os.path.join(
        data, "endpoints.json"))["partitions"] for row in by_list(p)]
    json.dump({"package": f"{package} {base.__version__}", "rules": rows,
               "list": listed}, sys.stdout)


# ---- and what we say ----

def ask(program, rows):
    """Our (host, region to sign for) of each row, None when refused."""
    lines = [f"{service} {region} {int(fips) + 2 * int(dual)} {bucket}\n"
             for service, region, fips, dual, bucket, _ in rows]
    run = subprocess.run([program, "--ask"], input="".join(lines), text=True,
                         check=True, stdout=subprocess.PIPE)
    answers = run.stdout.splitlines()
    if len(answers) != len(rows):
        sys.exit(f"{len(answers)} answers to {len(rows)} questions")
    return [None if a.startswith("! ") else tuple(a.split(" "))
            for a in answers]


def is_outdated(service, region, fips, *_):
    """Does the list say something else than the rules do in the same
    botocore? It is the rules that SDKs go by."""
    return service == "sqs" and fips and region.startswith("us-iso")


def hold(program, known):
    """The number of differences, each of them printed."""
    failed = 0
    rows = known["rules"]
    for row, got in zip(rows, ask(program, rows)):
        _, region, _, dual, _, want = row
        want = tuple(want) if want else None
        if region.startswith("aws-"):
            want = None  # no region: we ask for one
        if got == want or (want is None and dual
                           and region.startswith(LATER_DUAL)):
            continue
        print(f"{known['package']}: rules: {row[:5]}: got {got}, want {want}")
        failed += 1
    rows = [row for row in known["list"] if not is_outdated(*row)]
    for row, got in zip(rows, ask(program, rows)):
        if got != (row[5], row[1]):
            print(f"{known['package']}: list: {row}: got {got}")
            failed += 1
    print(f"{known['package']}: {len(known['rules'])} by rule, "
          f"{len(known['list'])} listed, {failed} differ")
    return failed


def main():
    if sys.argv[1] == "--publish":
        publish()
        return
    pythons = {os.path.realpath(p): p for p in (sys.executable,
                                                "/usr/bin/python3")}
    known = []
    for python in pythons.values():
        if not os.path.exists(python):
            continue
        run = subprocess.run([python, __file__, "--publish"], check=True,
                             stdout=subprocess.PIPE)
        if run.stdout:
            known.append(json.loads(run.stdout))
    if not known:
        print("no Python here has botocore")
        sys.exit(SKIP)
    failed = sum(hold(sys.argv[1], k) for k in known)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
