#!/usr/bin/env python3
"""Hold our reading of ~/.aws/config and the environment against botocore's.

usage: awsconf.py TEST_AWSCONF

For each case, what `TEST_AWSCONF --ask` and botocore take for the region, the
endpoint of each service, and the switches that choose among endpoints. A
botocore from before endpoints could be configured (1.31) is no judge."""

import importlib
import json
import os
import subprocess
import sys
import tempfile

SERVICES = {"s3": "s3", "kms": "kms", "sts": "sts", "sqs": "sqs", "sso": "sso",
            "sso_oidc": "sso-oidc"}  # ours: botocore's
SKIP = 77
CONFIG = """
[default]
region = eu-west-1
[profile all]
endpoint_url = http://all
ca_bundle = /etc/ca.pem
[profile some]
services = some
region = us-west-2
[services some]
s3 =
  endpoint_url = http://s3.some
  addressing_style = path
sso_oidc =
  endpoint_url = http://oidc.some
kms =
  max_attempts = 3
[profile both]
services = some
endpoint_url = http://all
[profile ignoring]
services = some
endpoint_url = http://all
ignore_configured_endpoint_urls = true
[profile nonesuch]
services = nonesuch
endpoint_url = http://all
[profile sso]
services = two words
sso_region = ap-south-1
[services "two words"]
sso =
    endpoint_url = http://sso.two
S3 =
    endpoint_url = http://not-by-this-name
[profile switches]
use_fips_endpoint = true
use_dualstack_endpoint = True
region = us-gov-west-1
[profile off]
use_fips_endpoint = false
use_dualstack_endpoint = no
[profile inline]
endpoint_url = http://inline # a comment?
[profile nested]
s3 =
  endpoint_url = http://nested
  use_accelerate_endpoint = true
"""
CREDENTIALS = """
[both]
region = sa-east-1
[all]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = secret
"""
ALL = {"AWS_ENDPOINT_URL": "http://env"}
CASES = [(profile, {}) for profile in (
    None, "all", "some", "both", "ignoring", "nonesuch", "sso", "switches",
    "off", "inline", "nested")] + [
    ("both", ALL),
    ("both", {"AWS_ENDPOINT_URL_S3": "http://s3.env"}),
    ("both", {**ALL, "AWS_ENDPOINT_URL_SSO_OIDC": "http://oidc.env",
              "AWS_ENDPOINT_URL_KMS": ""}),
    ("both", {**ALL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}),
    ("both", {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}),
    ("both", {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"}),
    ("ignoring", {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}),
    (None, {"AWS_REGION": "us-east-2"}),
    (None, {"AWS_DEFAULT_REGION": "us-east-2"}),
    ("switches", {"AWS_USE_FIPS_ENDPOINT": "false",
                  "AWS_USE_DUALSTACK_ENDPOINT": "false"}),
    ("off", {"AWS_USE_FIPS_ENDPOINT": "true"}),
    ("all", {"AWS_CA_BUNDLE": "/tmp/env.pem"}),
]


# ---- what botocore says; runs in any Python that has one ----

def region_of(session):
    # Of the two variables botocore itself reads AWS_DEFAULT_REGION alone;
    # every other SDK, and awscli, AWS_REGION first.
    return os.environ.get("AWS_REGION") or session.get_config_variable(
        "region")


def answer(package):
    make = importlib.import_module(package + ".session").Session
    provider = importlib.import_module(
        package + ".configprovider").ConfiguredEndpointProvider
    session = make()
    said = {"region": region_of(session),
            "ca_bundle": session.get_config_variable("ca_bundle")}
    for ours, theirs in (("fips", "use_fips_endpoint"),
                         ("dual", "use_dualstack_endpoint")):
        said[ours] = str(bool(session.get_config_variable(theirs))).lower()
    off = session.get_config_variable("ignore_configured_endpoint_urls")
    for ours, theirs in SERVICES.items():
        try:
            said[ours] = None if off else provider(
                full_config=session.full_config,
                scoped_config=session.get_scoped_config(),
                client_name=theirs).provide()
        except Exception as e:  # each package has a class of its own
            if type(e).__name__ != "InvalidConfigError":
                raise
            return {"refused": "yes"}
    return said


def publish(work):
    """Print the answer to each case, or nothing when this is no judge."""
    for package in ("botocore", "awscli.botocore"):
        said = []
        try:
            for profile, more in CASES:
                env = environment(work, profile, more)
                os.environ.clear()
                os.environ.update(env)
                said.append(answer(package))
        except (ImportError, AttributeError):
            continue
        json.dump(said, sys.stdout)
        return


# ---- and what we say ----

def ask(program, env):
    run = subprocess.run([program, "--ask"], env=env, text=True, check=True,
                         stdout=subprocess.PIPE)
    pairs = (line.partition(" ")[::2] for line in run.stdout.splitlines())
    return {key: value or None for key, value in pairs}


def environment(work, profile, more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env.update(AWS_CONFIG_FILE=os.path.join(work, "config"), HOME=work,
               AWS_SHARED_CREDENTIALS_FILE=os.path.join(work, "credentials"),
               **more)
    if profile is not None:
        env["AWS_PROFILE"] = profile
    return env


def hold(program, python, work):
    """The number of differences; None when this Python is no judge."""
    run = subprocess.run([python, __file__, "--publish", work], check=True,
                         stdout=subprocess.PIPE)
    if not run.stdout:
        return None
    failed = 0
    for (profile, more), want in zip(CASES, json.loads(run.stdout)):
        got = ask(program, environment(work, profile, more))
        for key in sorted(set(want) | set(got)):
            if want.get(key) == got.get(key):
                continue
            print(f"{profile} {more}: {key}: got {got.get(key)!r}, botocore "
                  f"has {want.get(key)!r}")
            failed += 1
    return failed


def main():
    if sys.argv[1] == "--publish":
        publish(sys.argv[2])
        return
    pythons = {os.path.realpath(p): p for p in (sys.executable,
                                                "/usr/bin/python3")}
    with tempfile.TemporaryDirectory() as work:
        for name, text in (("config", CONFIG), ("credentials", CREDENTIALS)):
            with open(os.path.join(work, name), "w", encoding="utf-8") as f:
                f.write(text)
        results = [hold(sys.argv[1], p, work) for p in pythons.values()
                   if os.path.exists(p)]
    results = [r for r in results if r is not None]
    if not results:
        print("no Python here has a botocore that reads endpoint_url")
        sys.exit(SKIP)
    print(f"{len(CASES)} cases")
    sys.exit(1 if any(results) else 0)


if __name__ == "__main__":
    main()
