"""sesfs check: each thing it looks at, well and in every way that it can be
not; what it calls that, and that the rest is tried all the same."""
import contextlib
import ctypes
import hashlib
import http.server
import json
import os
import platform
import pty
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
import warnings

from harness import KEY, SESFS, Skip, equal, main, need
from relay import Relay, Server

SOURCE = "s3://mail/in"
SECOND = KEY[:-12] + "000000000002"
FOREIGN = "arn:aws:kms:us-east-1:999999999999:key/" + "0" * 12
ALL = ["state", "fuse", "memlock", "dumpable", "region", "tls", "clock",
       "identity", "bucket", "owner", "list", "get", "key", "decrypt", "seal"]


def state(bench):
    return os.path.join(bench.work, "state")


def run(bench, *args, ok=(0, 1), source=SOURCE, common=True, **kw):
    """Its findings."""
    where = bench.common(state(bench)) if common else [
        "--state-dir", state(bench)]
    out = bench.sesfs("check", "--json", *where, *args, source, ok=ok, **kw)
    return json.loads(out)


def worst(report, name, cause=None):
    """The gravest finding of that name; of several the one with the cause."""
    order = ["skip", "ok", "warn", "MISSING"]
    found = [f for f in report if f["check"] == name]
    assert found, f"nothing is said of {name}: {report}"
    return max(found, key=lambda f: (order.index(f["result"]),
                                     f.get("cause") == cause))


def is_as(report, name, result, cause=None, says="", **members):
    f = worst(report, name, cause)
    equal((f["result"], f.get("cause")), (result, cause), str(f))
    assert says in f["detail"], f
    if result in ("warn", "MISSING") and cause not in ("queue-policy",):
        assert f.get("fix"), f"no way out is told: {f}"
    for member, want in members.items():
        equal(f.get(member), want, f"{member} of {f}")
    return f


def prepared(bench, count=2, **kw):
    bench.cloud.generate("mail", "in/", count, **kw)


def test_all_is_well(bench):
    prepared(bench)
    report = run(bench, "--expected-bucket-owner=123456789012", ok=(0,))
    for name in ALL:
        f = worst(report, name)
        assert f["result"] in ("ok", "warn"), f
    is_as(report, "region", "ok", says="us-east-1, by AWS_REGION")
    is_as(report, "tls", "ok", says="plain http, but to this machine")
    is_as(report, "clock", "ok", says="within a minute")
    is_as(report, "identity", "ok", says="user/test (from environment)")
    is_as(report, "bucket", "ok", says="mail in us-east-1")
    is_as(report, "owner", "ok", says="as expected")
    is_as(report, "list", "ok", says='2 objects under "in/"')
    is_as(report, "key", "ok", says=KEY)
    is_as(report, "decrypt", "ok", says="kms-gcm with " + KEY)
    is_as(report, "seal", "ok", says="makes a key and opens it again")
    for name in ("identity", "bucket", "list", "get", "key", "decrypt"):
        assert re.fullmatch("[0-9A-F]{16}", worst(report, name)["request_id"])
    assert not os.path.exists(state(bench)), "it has made something"
    equal(bench.cloud.count("s3.put"), 0, "objects written")


def test_what_it_prints(bench):
    """A line for each, plain; in colour on a terminal, unless NO_COLOR."""
    prepared(bench)
    args = ["check", *bench.common(state(bench)), SOURCE]
    out, err, _ = bench.sesfs(*args, both=True)
    names = [line.split()[1] for line in out.splitlines()
             if not line.startswith(" ")]
    equal(sorted(set(names)), sorted(ALL), "what is looked at")
    assert "\033" not in out and err == "", (out, err)
    for more, is_coloured in (({}, True), ({"NO_COLOR": "1"}, False),
                              ({"NO_COLOR": ""}, True),
                              ({"TERM": "dumb"}, False)):
        seen = on_terminal([SESFS, *args],
                           {**bench.env, "TERM": "xterm", **more})
        equal("\033[32mok      \033[0m identity" in seen, is_coloured,
              (more, seen))
        equal("\033" in seen, is_coloured, more)
    bench.cloud.set(deny="s3:GetObject")
    out, err, _ = bench.sesfs(*args, both=True, ok=(1,))
    assert re.search(r"^MISSING  get  .*AccessDenied.*\(request [0-9A-F]{16}.*\)"
                     "\n +-> allow s3:GetObject on the objects$", out,
                     re.M), out
    equal(err, "", "the log says nothing beside it")
    out, err, _ = bench.sesfs(*args, "--verbose", both=True, ok=(1,))
    assert "s3: get mail/in/" in err, "unless it is asked for"
    bench.sesfs("check", "--jbos", SOURCE, ok=(2,))


def on_terminal(args, env):
    master, slave = pty.openpty()
    p = subprocess.Popen(args, env=env, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(master, 65536):
            seen += chunk
    os.close(master)
    p.wait(180)
    return seen.decode()


def test_permissions(bench):
    """Each one that is missing is named, and the rest goes on."""
    prepared(bench)
    for action, name, result, code, skipped in (
            ("s3:ListBucket", "bucket", "MISSING", "AccessDenied",
             ["list", "get", "decrypt"]),
            ("s3:GetObject", "get", "MISSING", "AccessDenied", ["decrypt"]),
            ("kms:Decrypt", "decrypt", "MISSING", "AccessDeniedException",
             []),
            ("kms:Decrypt", "seal", "MISSING", "AccessDeniedException", []),
            ("kms:GenerateDataKey", "seal", "MISSING",
             "AccessDeniedException", []),
            ("kms:DescribeKey", "key", "warn", "AccessDeniedException", []),
            ("sts:GetCallerIdentity", "identity", "warn", "AccessDenied",
             [])):
        bench.cloud.set(deny=action)
        report = run(bench)
        f = is_as(report, name, result, "denied", code=code, missing=action)
        assert ("find the explicit deny" if name == "identity" else
                action) in f["fix"], f
        assert re.fullmatch("[0-9A-Fa-f]{16}", f["request_id"]), f
        for other in skipped:
            is_as(report, other, "skip", says="not tried: ")
        if action[:2] != "km":
            is_as(report, "seal", "ok")
        bench.cloud.set(allow=action)


def test_credentials(bench):
    prepared(bench)
    for settings, cause, code, advice in (
            ({"secret_key": "another"}, "secret-key",
             "SignatureDoesNotMatch", "; give the secret key that goes with"),
            ({"secret_key": "testsecret", "access_key": "another"},
             "access-key", "InvalidClientTokenId",
             "; give an access key that AWS knows"),
            ({"access_key": "test", "token_expired": "1"}, "expired",
             "ExpiredToken", "; log in again, or renew")):
        bench.cloud.set(**settings)
        report = run(bench, ok=(1,))
        is_as(report, "identity", "MISSING", cause, code=code,
              says="credentials from environment")
        is_as(report, "bucket", "MISSING", cause)
        equal(worst(report, "seal")["result"], "MISSING", cause)
        # Who does not ask the doctor is told by the log.
        _, err, _ = bench.sesfs("sync", *bench.common(state(bench)), SOURCE,
                                both=True, ok=(1,))
        assert advice in err, err
    bench.cloud.set(token_expired="0")
    for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
        del bench.env[name]
    bench.env["AWS_EC2_METADATA_DISABLED"] = "true"
    os.makedirs(bench.work + "/.aws")
    with open(bench.work + "/.aws/config", "w") as f:
        f.write("[sso-session corp]\n"
                "sso_start_url = https://corp.awsapps.com/start\n"
                "sso_region = us-east-1\n[profile sso]\nsso_session = corp\n"
                "sso_account_id = 123456789012\nsso_role_name = Mail\n")
    os.makedirs(bench.work + "/.aws/sso/cache")
    run_login = "run: aws sso login --profile sso"
    for args, says, fix in (
            ([], "tried environment", "see CREDENTIALS in sesfs(1)"),
            (["--profile=sso"], "nobody has logged in", run_login),
            (["--profile=sso"], "expired", run_login)):
        if says == "expired":
            bench.cloud.admin("logout", "sso-logout")
            cache = hashlib.sha1(b"corp").hexdigest() + ".json"
            with open(f"{bench.work}/.aws/sso/cache/{cache}", "wb") as f:
                f.write(bench.cloud.admin("login", "sso-login", life=-1,
                                          client_life=-1))
        report = run(bench, *args, ok=(1,))
        is_as(report, "identity", "MISSING", "credentials", says=says,
              fix=fix)
        for name in "bucket", "list", "get", "key", "seal":
            is_as(report, name, "skip", says="there are no credentials")
        report = run(bench, *args, common=False, ok=(1,))
        is_as(report, "key", "skip", says="there are no credentials")
        is_as(report, "tls", "ok")
        is_as(report, "clock", "ok")


BROKEN = """
[profile keys]
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile denied]
role_arn = arn:aws:iam::123456789012:role/chained
source_profile = keys
[profile code]
role_arn = arn:aws:iam::123456789012:role/mfa
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/test
[profile process]
credential_process = exit 3
[profile gone]
sso_session = gone
sso_account_id = 123456789012
sso_role_name = Mail
[profile web]
role_arn = arn:aws:iam::123456789012:role/mail
web_identity_token_file = ~/token
[profile instance]
role_arn = arn:aws:iam::123456789012:role/mail
credential_source = Ec2InstanceMetadata
[profile container]
role_arn = arn:aws:iam::123456789012:role/mail
credential_source = EcsContainer
"""


def test_credentials_refused(bench):
    """Whoever should give some does not: what to do depends on who."""
    prepared(bench)
    for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
        del bench.env[name]
    os.makedirs(bench.work + "/.aws")
    for name, text in (("/.aws/config", BROKEN), ("/token", "nonsense"),
                       ("/askpass", "#!/bin/sh\necho 000000\n")):
        with open(bench.work + name, "w") as f:
            f.write(text)
    os.chmod(bench.work + "/askpass", 0o755)
    bench.env.update(
        SESFS_ASKPASS=bench.work + "/askpass", HOME=bench.work,
        AWS_EC2_METADATA_SERVICE_ENDPOINT=bench.cloud.url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=bench.cloud.url
        + "/_container/locked", AWS_CONTAINER_AUTHORIZATION_TOKEN="no")
    bench.cloud.set(imds_role=0)
    for profile, says, fix in (
            ("denied", "not authorized to perform: sts:AssumeRole on "
             "resource: arn:aws:iam::123456789012:role/chained (request ",
             "allow sts:AssumeRole on the role, and see its trust policy"),
            ("code", "invalid MFA one time pass code", "give the code that "),
            ("process", "exit status 3", "run the command by hand"),
            ("gone", "there is no [sso-session gone] in " + bench.work,
             "mend sso_session, or run: aws configure sso-session"),
            ("web", "InvalidIdentityToken", "IAM must know the identity "),
            ("instance", "no role is attached to the instance", "see CRED"),
            ("container", "HTTP 401", "AWS_CONTAINER_AUTHORIZATION_TOKEN")):
        report = run(bench, "--profile", profile, ok=(1,))
        f = is_as(report, "identity", "MISSING", "credentials", says=says)
        assert fix in f["fix"], f
        if profile == "denied":
            equal(f["code"], "AccessDenied")
            assert f["request_id"] in f["detail"], f
        equal(f.get("missing"),
              "sts:AssumeRole" if profile == "denied" else None, f)


def test_bucket(bench):
    prepared(bench)
    report = run(bench, source="s3://nosuchbucket/in", ok=(1,))
    is_as(report, "bucket", "MISSING", "no-such-bucket", code="NoSuchBucket")
    is_as(report, "list", "skip")
    is_as(report, "seal", "ok")
    is_as(report, "bucket", "MISSING", "no-such-bucket",
          host_id="sesfs-cloud")
    is_as(run(bench, ok=(0,)), "owner", "warn", "owner-unset",
          fix="--expected-bucket-owner=123456789012, if it is yours")
    bench.cloud.admin("bucket", "bucket", bucket="mail", owner="9" * 12)
    report = run(bench, "--expected-bucket-owner=123456789012", ok=(1,))
    is_as(report, "owner", "MISSING", "wrong-owner",
          says="123456789012 does not own mail")
    is_as(report, "list", "skip")
    # A refusal that is not about the owner is not laid to the owner.
    bench.cloud.set(deny="s3:ListBucket")
    report = run(bench, "--expected-bucket-owner=123456789012", ok=(1,))
    f = is_as(report, "bucket", "MISSING", "denied", missing="s3:ListBucket")
    assert "--requester-pays" in f["fix"], f
    report = run(bench, "--requester-pays", ok=(1,))
    assert "--requester-pays" not in worst(report, "bucket")["fix"], report
    bench.cloud.set(allow="s3:ListBucket")
    bench.cloud.admin("bucket", "bucket", bucket="mail", owner="123456789012",
                      region="eu-west-1")
    report = run(bench, ok=(0,))
    is_as(report, "region", "warn", "region",
          says="the bucket is in eu-west-1, not us-east-1")
    is_as(report, "bucket", "ok", says="mail in eu-west-1")


def test_region(bench):
    """Which one, and by whom."""
    prepared(bench)
    os.makedirs(bench.work + "/.aws")
    with open(bench.work + "/.aws/config", "w") as f:
        f.write("[profile p]\nregion = us-east-1\n"
                "aws_access_key_id = test\n"
                "aws_secret_access_key = testsecret\n")
    with open(bench.work + "/sesfs.conf", "w") as f:
        f.write("[defaults]\nregion = us-east-1\n")
    del bench.env["AWS_REGION"]
    for args, env, common, by in (
            (["--region=us-east-1"], {"AWS_REGION": "eu-west-1"}, True,
             "--region"),
            (["--config", bench.work + "/sesfs.conf"],
             {"AWS_REGION": "eu-west-1"}, True, "sesfs.conf"),
            ([], {"AWS_DEFAULT_REGION": "us-east-1"}, True,
             "AWS_DEFAULT_REGION"),
            (["--profile=p"], {}, True, "the profile"),
            ([], {}, True, "the key's ARN"),
            ([], {}, False, "the endpoint URL")):
        was = dict(bench.env)
        bench.env.update(env)
        report = run(bench, *args, common=common, ok=(0,))
        is_as(report, "region", "ok", says="us-east-1, by " + by)
        bench.env = was


def test_sample(bench):
    """What can be said of a message, and when there is none."""
    cloud = bench.cloud
    prepared(bench, 1)
    report = run(bench, "--max-message-size=1K", ok=(0,))
    is_as(report, "get", "warn", "too-large")
    is_as(report, "decrypt", "skip")
    key = cloud.manifest("mail", "in/")[0]["key"]
    for i in range(3):
        cloud.put("mail", f"in/{i}", b"plain")
    report = run(bench, ok=(0,))
    is_as(report, "decrypt", "ok", says=key)
    cloud.flip("mail", key, 100)
    is_as(run(bench, ok=(0,)), "decrypt", "warn", "AUTH_FAILED")
    cloud.delete("mail", key)
    f = is_as(run(bench, ok=(1,)), "decrypt", "MISSING", "NOT_ENCRYPTED",
              says="3 of 3 that were tried are refused, in/0 is")
    assert "--accept=+plain" in f["fix"], f
    is_as(run(bench, "--accept=+plain", ok=(0,)), "decrypt", "ok",
          says="not needed")


def test_all_refused(bench):
    """Nothing that was tried can be read: each reason has its own way out."""
    for name, kw, args, cause, fix in (
            ("cbc", {"format": "cbc"}, [], "LEGACY_REFUSED", "--accept=+cbc"),
            ("ctx", {"format": "kmsctx-gcm"}, ["--accept=kms-gcm"],
             "POLICY_REFUSED", "--accept with its format"),
            ("other", {}, ["--account=999999999999"], "CONTEXT_MISMATCH",
             "--account with the account")):
        bench.cloud.generate("mail", name + "/", 2, **kw)
        f = is_as(run(bench, *args, source="s3://mail/" + name, ok=(1,)),
                  "decrypt", "MISSING", cause, says="2 of 2 that were tried")
        assert fix in f["fix"], f
    # Two reasons, and both are told.
    bench.cloud.put("mail", "cbc/0", b"plain")
    report = run(bench, source="s3://mail/cbc", ok=(1,))
    equal({(f["cause"], f["detail"][:6]) for f in report
           if f["check"] == "decrypt"},
          {("LEGACY_REFUSED", "2 of 3"), ("NOT_ENCRYPTED", "1 of 3")})


def test_archived(bench):
    for i in range(2):
        bench.cloud.admin("put", "put", data=b"x", bucket="mail",
                          key=f"in/{i}",
                          headers={"x-amz-storage-class": "GLACIER"})
    report = run(bench, ok=(0,))
    f = is_as(report, "get", "warn", "archived", says="(2) is archived")
    assert f["fix"].startswith("restore them"), f
    is_as(report, "decrypt", "skip")


def test_wrong_prefix(bench):
    """Nothing there: where there is something is said, if it may be seen."""
    for prefix in "in/", "other/deep/", "other/more/":
        bench.cloud.generate("mail", prefix, 1)
    bench.cloud.put("mail", "loose", b"x")
    right = "is the prefix right? "
    for source, fix in (
            ("s3://mail/nothing", right + 'there are keys under "in/", "", '
             '"other/"'),
            ("s3://mail/other/none", right + 'there are keys under '
             '"other/deep/", "other/more/"'),
            ("s3://mail/a/b/c", right + "mail may be yet to come")):
        report = run(bench, source=source, ok=(0,))
        f = is_as(report, "list", "warn", "empty", says="0 objects under",
                  fix=fix)
        assert "code" not in f and "request_id" not in f, f
        is_as(report, "get", "skip", says="no mail there")
        is_as(report, "decrypt", "skip")
    bench.cloud.admin("bucket", "bucket", bucket="void")
    is_as(run(bench, source="s3://void", ok=(0,)), "list", "warn", "empty",
          fix="is the bucket right? mail may be yet to come")


def test_keys(bench):
    cloud = bench.cloud
    prepared(bench)
    report = run(bench, "--kms-key=alias/aws/ses", common=False, ok=(0,))
    is_as(report, "key", "ok", says="alias/aws/ses is " + KEY)
    report = run(bench, common=False, ok=(0,))
    is_as(report, "key", "ok", says="every key of account 123456789012")
    is_as(report, "decrypt", "ok")
    is_as(report, "seal", "warn", "no-seal-key")
    report = run(bench, "--kms-key=alias/none", common=False, ok=(1,))
    is_as(report, "key", "MISSING", "no-such-key", code="NotFoundException",
          says="alias/none in us-east-1")
    # The right key, looked for where it is not.
    report = run(bench, "--kms-key=" + KEY.replace("us-east-1", "eu-west-1"),
                 common=False, ok=(1,))
    is_as(report, "key", "MISSING", "no-such-key", says="in eu-west-1",
          fix="mend the ARN: there is no such key, or it is deleted")
    is_as(report, "list", "ok")
    cloud.admin("kms", "kms", key=SECOND)
    report = run(bench, "--kms-key=" + SECOND, common=False, ok=(1,))
    is_as(report, "key", "ok")
    # What the metadata says of the key helps, though it is nobody's word.
    f = is_as(report, "decrypt", "MISSING", "wrong-key",
              code="IncorrectKeyException")
    assert "anybody may have written that) " + KEY in f["fix"], f
    cloud.admin("kms", "kms", key=SECOND, usage="GENERATE_VERIFY_MAC")
    report = run(bench, "--kms-key=" + SECOND, common=False, ok=(1,))
    is_as(report, "key", "MISSING", "key-usage",
          says="is a key HMAC_256 for GENERATE_VERIFY_MAC")
    is_as(report, "seal", "MISSING", "key-usage",
          code="InvalidKeyUsageException")
    enable = f"aws kms enable-key --key-id {KEY} --region us-east-1"
    cloud.admin("kms", "kms", key=KEY, enabled=0)
    report = run(bench, ok=(1,))
    is_as(report, "key", "MISSING", "key-disabled", says="is Disabled",
          fix=enable)
    for name in "decrypt", "seal":
        is_as(report, name, "MISSING", "key-disabled",
              code="DisabledException", fix=enable)
    cloud.admin("kms", "kms", key=KEY, enabled=1)


def test_no_seal(bench):
    """Wanted, so nothing is amiss."""
    prepared(bench)
    report = run(bench, "--seal-key=none", ok=(0,))
    is_as(report, "seal", "ok", says="none, as was asked for")


def test_throttled(bench):
    """KMS has no time: known within seconds, with whose quota it is."""
    prepared(bench)
    bench.cloud.set(kms_throttle=100)
    began = time.monotonic()
    report = run(bench, "--seal-key=none", ok=(1,))
    took = time.monotonic() - began
    assert took < 45, took
    for name in "key", "decrypt":
        f = is_as(report, name, "MISSING", "busy",
                  code="ThrottlingException")
        assert "quota" in f["fix"] and "--kms-rate" in f["fix"], f


def test_fips(bench):
    """--fips chooses endpoints and TLS, and check says what it does not."""
    prepared(bench)
    report = run(bench, "--fips", ok=(0,))
    f = is_as(report, "fips", "warn", "no-fips-module", says="XChaCha20")
    assert "openssl fipsinstall" in f["fix"], f
    f = worst(run(bench, "--fips", "--seal-key=none", ok=(0,)), "fips")
    assert "XChaCha20" not in f["detail"], f


def test_somebody_elses_key(bench):
    """With the account's keys for policy, what another's opens is told."""
    bench.cloud.admin("kms", "kms", key=FOREIGN)
    prepared(bench, key=FOREIGN)
    report = run(bench, common=False, ok=(1,))
    is_as(report, "decrypt", "MISSING", "key-not-trusted", says=FOREIGN)


def test_clock(bench):
    prepared(bench)
    for offset, says in ((300, "300 s slow; AWS refuses 15 minutes"),
                         (-300, "300 s fast; AWS refuses"),
                         (1200, "1200 s slow: AWS refuses what is signed"),
                         (-1200, "1200 s fast: AWS refuses what is signed")):
        bench.cloud.set(clock_offset=offset)
        report = run(bench, ok=(0,))
        f = worst(report, "clock")
        # The answer may come in the next second.
        seen = re.sub(r"^\d+", lambda m: str(round(int(m.group(0)), -1)),
                      f["detail"])
        assert seen.startswith(says), f
        equal((f["result"], f["cause"]), ("warn", "clock"), f)
        is_as(report, "decrypt", "ok")


def test_clock_of_a_mount(bench):
    """The log says how far it is off, and then that it is right again."""
    prepared(bench)
    m = bench.mount(SOURCE, "--verbose", name="m")
    for offset, says in ((1200, r"warning: .* is 1\d\d\d s slow; signing with"),
                         (0, "info: .*'s clock is right again")):
        bench.cloud.set(clock_offset=offset)
        m.sync()
        assert re.search(says, m.log()), m.log()
    assert len(re.findall("signing with AWS's", m.log())) == 1, m.log()


def test_network(bench):
    """Nobody listens, for one service or for all."""
    prepared(bench)
    nobody = "http://127.0.0.1:9"
    report = run(bench, "--endpoint-url", nobody, ok=(1,))
    is_as(report, "tls", "MISSING", "unreachable", says="S3 at 127.0.0.1:9")
    for name in "bucket", "list", "get":
        is_as(report, name, "skip", says="S3 cannot be reached")
    is_as(report, "seal", "ok")
    report = run(bench, "--kms-endpoint-url", nobody, ok=(1,))
    is_as(report, "tls", "MISSING", "unreachable", says="KMS in us-east-1")
    for name in "key", "decrypt", "seal":
        is_as(report, name, "skip", says="KMS in us-east-1 cannot be reached")
    is_as(report, "get", "ok")
    report = run(bench, "--sts-endpoint-url", nobody, ok=(0,))
    is_as(report, "tls", "warn", "unreachable", says="STS at")
    is_as(report, "identity", "skip", says="credentials are from environment")
    report = run(bench, "--sts-endpoint-url", nobody, common=False, ok=(1,))
    is_as(report, "key", "MISSING", "no-account")
    is_as(report, "decrypt", "skip")
    # Nothing says where, and a proxy that is not there is asked for AWS.
    for name in "AWS_REGION", "AWS_ENDPOINT_URL":
        del bench.env[name]
    bench.env["https_proxy"] = nobody
    report = run(bench, common=False, ok=(1,))
    is_as(report, "region", "MISSING", "region", says="looking in us-east-1")
    equal({f["detail"].split(" at ")[0] for f in report
           if f["check"] == "tls" and f["result"] == "MISSING"},
          {"S3", "KMS in us-east-1", "STS"}, "who cannot be reached")
    is_as(report, "clock", "skip")


def test_malformed_answer(bench):
    """No line of the log is pointed to: there is none."""
    prepared(bench)
    bench.cloud.set(sts_garbage=100)
    f = is_as(run(bench, ok=(0,)), "identity", "warn", "malformed")
    assert f["detail"].endswith(": what answered makes no sense"), f


class Shop(http.server.BaseHTTPRequestHandler):
    """Some server of the web."""

    def do_GET(self):
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def test_no_s3(bench):
    """What answers there has never heard of S3."""
    prepared(bench)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    report = run(bench, "--endpoint-url",
                 f"http://127.0.0.1:{server.server_port}", ok=(1,))
    server.shutdown()
    thread.join()
    server.server_close()
    f = is_as(report, "bucket", "MISSING", "malformed", code="HTTP 404")
    assert f["fix"].startswith("mend the endpoint URL: "), f


def certificate(path):
    need("openssl")
    cert, key = path + "/cert", path + "/key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=Test Authority", "-addext", "subjectAltName=DNS:localhost",
         "-days", "1", "-keyout", key, "-out", cert], check=True,
        capture_output=True)
    return cert, key


@contextlib.contextmanager
def tls_server(bench, cert, key, version=None):
    """The cloud, with TLS before it. Yields its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if version is not None:
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 1.1 is old: that is the point
            context.minimum_version = context.maximum_version = version
    server = Server(("127.0.0.1", 0), Relay)
    server.handle_error = lambda *_: None
    server.cloud_port = bench.cloud.port
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_tls(bench):
    prepared(bench)
    cert, key = certificate(bench.work)
    with tls_server(bench, cert, key) as url:
        report = run(bench, "--endpoint-url", url, "--ca-bundle", cert,
                     ok=(0,))
        f = worst([f for f in report if "S3 at" in f["detail"]], "tls")
        assert re.search("TLSv1.3 TLS_[A-Z0-9_]+, certificate issued by Test "
                         f"Authority, trusting {cert}", f["detail"]), f
        is_as(report, "decrypt", "ok")
        report = run(bench, "--endpoint-url", url, ok=(1,))
        f = is_as(report, "tls", "MISSING", "tls-certificate",
                  says="S3 at localhost")
        assert "--ca-bundle" in f["fix"], f
        is_as(report, "bucket", "skip")
    with tls_server(bench, cert, key, ssl.TLSVersion.TLSv1_2) as url:
        report = run(bench, "--endpoint-url", url, "--ca-bundle", cert,
                     ok=(0,))
        assert any("TLSv1.2 " in f["detail"] for f in report), report
    with tls_server(bench, cert, key, ssl.TLSVersion.TLSv1_1) as url:
        report = run(bench, "--endpoint-url", url, "--ca-bundle", cert,
                     ok=(1,))
        is_as(report, "tls", "MISSING", "tls", says="S3 at localhost")
    # Something else than TLS.
    report = run(bench, "--endpoint-url",
                 bench.cloud.url.replace("http", "https"), ok=(1,))
    is_as(report, "tls", "MISSING", "tls")
    report = run(bench, "--ca-bundle", bench.work + "/none", ok=(1,))
    is_as(report, "aws", "MISSING", "setting", says="read CA bundle "
          + bench.work + "/none: No such file")


POLICY = json.dumps({"Statement": [{
    "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": "arn:aws:sqs:us-east-1:123456789012:mail",
    "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:mail"},
                  "StringEquals": {"aws:SourceAccount": "123456789012"}}}]})


def test_queue(bench):
    cloud = bench.cloud
    prepared(bench)
    url = f"{cloud.url}/123456789012/mail"
    cloud.admin("queue", "queue", queue="mail", policy=POLICY, waiting=7,
                visibility=90)
    report = run(bench, "--queue", url, ok=(0,))
    equal([f["result"] for f in report if f["check"] == "queue"],
          ["ok", "ok"], report)
    said = [f["detail"] for f in report if f["check"] == "queue"]
    equal(said, ["arn:aws:sqs:us-east-1:123456789012:mail, 90 s to deal with "
                 "a message, about 7 waiting",
                 "its policy lets S3 send from mail"], "of the queue")
    for policy, missing, says in (
            ("", "sqs:SendMessage", "does not let S3 send from mail"),
            (POLICY.replace("s3:*:*:mail", "s3:*:*:other"),
             "sqs:SendMessage", "does not let S3 send from mail"),
            (POLICY.replace("ArnLike", "ForAnyValue:ArnLike"), None,
             "cannot be told")):
        cloud.admin("queue", "queue", queue="mail", policy=policy)
        is_as(run(bench, "--queue", url, ok=(0,)), "queue", "warn",
              "queue-policy", says=says, missing=missing)
    cloud.admin("queue", "queue", queue="mail", policy=POLICY, kms_key=KEY)
    report = run(bench, "--queue", url, ok=(0,))
    assert "encrypted under " + KEY in str(report), report
    cloud.admin("queue", "queue", queue="mail", kms_key="alias/aws/sqs")
    is_as(run(bench, "--queue", url, ok=(0,)), "queue", "warn", "queue-key",
          says="S3 cannot send to it")
    cloud.admin("queue", "queue", queue="mail", kms_key="")
    cloud.set(deny="sqs:GetQueueAttributes")
    is_as(run(bench, "--queue", url, ok=(1,)), "queue", "MISSING", "denied",
          code="AccessDeniedException", missing="sqs:GetQueueAttributes")
    cloud.set(allow="sqs:GetQueueAttributes")
    is_as(run(bench, "--queue", url + "2", ok=(1,)), "queue", "MISSING",
          "no-such-queue", code="QueueDoesNotExist")
    # What passes is tried again.
    for fault in "throttle", "500", "503", "reset", "truncate":
        cloud.set(**{"sqs_" + fault: 100, "fault_limit": 1})
        report = run(bench, "--queue", url, ok=(0,))
        assert "7 waiting" in str(report), (fault, report)
        cloud.set(**{"sqs_" + fault: 0, "fault_limit": -1})
    # By its true name, through an endpoint of one's own.
    true = "https://sqs.us-east-1.amazonaws.com/123456789012/mail"
    report = run(bench, "--queue", true, "--sqs-endpoint-url", cloud.url)
    assert "7 waiting" in str(report), report
    is_as(run(bench, "--queue", true, "--sqs-endpoint-url",
              "http://127.0.0.1:9", ok=(1,)), "queue", "skip",
          says="SQS in us-east-1 cannot be reached")
    cloud.admin("queue", "queue", queue="mail", policy="*",
                region="eu-west-1")
    report = run(bench, "--queue", true.replace("us-east-1", "eu-west-1"),
                 "--sqs-endpoint-url", cloud.url)
    assert any(f["check"] == "queue" and f.get("cause") == "region"
               for f in report), report
    del bench.env["AWS_ENDPOINT_URL"]
    for bad in (true + ".fifo", "arn:aws:sqs:us-east-1:123456789012:mail",
                "http://example.com/123456789012/mail", true + "?x"):
        _, err, _ = bench.sesfs("check", "--queue", bad, SOURCE, both=True,
                                ok=(2,))
        assert err.startswith("sesfs: --queue: "), err


# ---- this machine ----

def test_state_directory(bench):
    prepared(bench)
    d = state(bench)
    os.mkdir(d, 0o700)
    is_as(run(bench, "--cache-size=1000T", ok=(0,)), "state", "warn", "room")
    for spoil, mend, cause, says in (
            (lambda: os.chmod(d, 0o777), lambda: os.chmod(d, 0o700), "mode",
             "has mode 0777"),
            (lambda: os.chown(d, 65534, 65534), lambda: os.chown(d, 0, 0),
             "owner", "belongs to uid 65534")):
        spoil()
        is_as(run(bench, ok=(1,)), "state", "MISSING", cause, says=says)
        mend()
    os.rmdir(d)
    with open(d, "w"):
        pass
    is_as(run(bench, ok=(1,)), "state", "MISSING", "not-a-directory")
    os.unlink(d)
    m = bench.mount(SOURCE, name="m")
    report = json.loads(bench.sesfs(
        "check", "--json", *bench.common(m.state), SOURCE))
    is_as(report, "state", "warn", "locked",
          says=f"in use by sesfs (pid {m.process.pid})")
    # What is of another source, and what is no index at all.
    m.stop()
    out = bench.sesfs("check", "--json", *bench.common(m.state),
                      "s3://mail/other", ok=(1,))
    f = is_as(json.loads(out), "state", "MISSING", "other-source",
              says="belongs to s3://mail/in/")
    equal(f["fix"], "give each source a --state-dir of its own", "what to do")
    with open(m.state + "/index.db", "r+b") as f:
        f.write(b"this is no database")
    report = json.loads(bench.sesfs("check", "--json", *bench.common(m.state),
                                    SOURCE))
    assert any(f.get("cause") == "index" for f in report), report
    os.unlink(m.state + "/index.db")
    m.start()
    # A mount of something as the place for the state of something else.
    report = json.loads(bench.sesfs(
        "check", "--json", *bench.common(m.path), SOURCE, ok=(0, 1)))
    assert any(f.get("cause") == "file-system" and "FUSE" in f["detail"]
               for f in report), report


def in_namespace(bench, setup, *args, before="", env=None, ok=(0, 1)):
    """Its findings after a few lines of shell that only it sees."""
    need("unshare")
    script = f"set -e\n{setup}\nexec {before} \"$@\""
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", bench.work + "/sesfs",
         "check", "--json", *args, SOURCE], env={**bench.env, **(env or {})},
        capture_output=True, text=True, timeout=300, check=False)
    if "unshare failed" in p.stderr:
        raise Skip("no mount namespace can be made")
    assert p.returncode in ok, (p.returncode, p.stderr, p.stdout)
    return json.loads(p.stdout)


def test_state_file_system(bench):
    prepared(bench)
    shutil.copy(SESFS, bench.work + "/sesfs")
    d = state(bench)
    os.mkdir(d, 0o700)
    for options, result, cause, says in (
            ("size=64k", "MISSING", "full", "less than an index needs"),
            ("ro", "MISSING", "read-only", "Read-only file system"),
            ("size=20000m", "warn", "file-system", "tmpfs")):
        report = in_namespace(
            bench, f"mount -t tmpfs -o mode=0700,{options} none {d}",
            *bench.common(d))
        is_as(report, "state", result, cause, says=says)
    # One that is to be made where nothing can be made.
    report = in_namespace(bench, f"mount -t tmpfs -o ro none {d}",
                          *bench.common(d + "/a/b"))
    is_as(report, "state", "MISSING", "read-only", says=d)


def test_audit_file(bench):
    """Where its lines go: is there, can be made, or why not."""
    need("setpriv")
    prepared(bench)
    shutil.copy(SESFS, bench.work + "/sesfs")
    place = bench.work + "/audits"
    file = place + "/audit"
    assert not [f for f in run(bench) if f["check"] == "audit"]
    is_as(run(bench, "--audit", file, ok=(1,)), "audit", "MISSING",
          "no-directory", says=file)
    os.mkdir(place)
    is_as(run(bench, "--audit", file), "audit", "ok", says=file)
    equal(os.listdir(place), [], "made by the check")
    with open(file, "w") as f:
        f.write("{}\n")
    is_as(run(bench, "--audit", file), "audit", "ok", says="free")
    equal(os.path.getsize(file), 3, "bytes")
    is_as(run(bench, "--audit", place, ok=(1,)), "audit", "MISSING",
          "not-a-file")
    os.mkfifo(place + "/fifo")
    is_as(run(bench, "--audit", place + "/fifo", ok=(1,)), "audit", "MISSING",
          "not-a-file", says="no regular file")
    for options, cause in (("size=64k", "full"), ("ro", "read-only")):
        report = in_namespace(
            bench, f"mount -t tmpfs -o {options} none {place}",
            *bench.common(state(bench)), "--audit", file)
        is_as(report, "audit", "MISSING", cause)
    os.chmod(bench.work, 0o755)
    for mode, result, cause in ((0o644, "MISSING", "permission"),
                                (0o666, "ok", None)):
        os.chmod(file, mode)
        report = in_namespace(bench, ":", *bench.common(state(bench)),
                              "--audit", file, before=NOBODY)
        is_as(report, "audit", result, cause)


def test_audit_journal(bench):
    """Systemd's, as far as a socket makes one."""
    prepared(bench)
    shutil.copy(SESFS, bench.work + "/sesfs")
    journal = "/run/systemd/journal"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(bench.work + "/socket")
    made = (f"mount -t tmpfs none /run && mkdir -p {journal} && "
            f"touch {journal}/socket && "
            f"mount --bind {bench.work}/socket {journal}/socket")

    def is_found(setup, result, cause):
        report = in_namespace(bench, setup, *bench.common(state(bench)),
                              "--audit=journal")
        is_as(report, "audit", result, cause, says="journal")

    is_found("mount -t tmpfs none /run", "MISSING", "no-journal")
    is_found(made, "ok", None)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            client.sendto(b"x", bench.work + "/socket")
    is_found(made, "MISSING", "busy")
    server.close()
    is_found(made, "MISSING", "no-journal")


NOBODY = "setpriv --reuid 65534 --clear-groups --no-new-privs"


def test_ordinary_user(bench):
    """FUSE and locked memory, for one who is not root."""
    if os.getuid() != 0:
        raise Skip("needs root to become another user")
    need("setpriv", "fusermount3")
    prepared(bench)
    shutil.copy(SESFS, bench.work + "/sesfs")
    home, node = bench.work + "/home", bench.work + "/fuse"
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 229))
    os.chmod(node, 0o666)
    conf = bench.work + "/fuse.conf"
    with open(conf, "w") as f:
        f.write("# user_allow_other\nuser_allow_others\n")
    with open(conf + ".yes", "w") as f:
        f.write("mount_max = 1000\n  user_allow_other\n")
    bind = f"mount --bind {node} /dev/fuse\n"
    deny = bind + f"mount --bind {conf} /etc/fuse.conf"
    args = ["--state-dir", home + "/state", "--kms-key", KEY]
    env = {"HOME": home}
    for setup, more, before, result, cause in (
            (bind, [], NOBODY, "ok", None),
            (deny, [], NOBODY, "ok", None),
            (deny, ["--allow-other"], NOBODY, "MISSING", "user-allow-other"),
            (bind + f"mount --bind {conf}.yes /etc/fuse.conf",
             ["--allow-other"], NOBODY, "ok", None),
            (f"chmod 600 {node}\n" + bind, [], NOBODY, "MISSING",
             "permission"),
            (f"chmod 666 {node}\n" + bind, [], NOBODY + " env PATH=/none",
             "MISSING", "no-fusermount3"),
            ("mount -t tmpfs none /dev", [], NOBODY, "MISSING", "no-fuse"),
            # Root needs neither.
            (deny, ["--allow-other"], "env PATH=/none", "ok", None)):
        report = in_namespace(bench, setup, *args, *more, before=before,
                              env=env)
        is_as(report, "fuse", result, cause)
    report = in_namespace(bench, bind + "ulimit -l 64", *args, env=env,
                          before=NOBODY)
    is_as(report, "memlock", "warn", "memlock", says="64.0 KiB")
    is_as(report, "decrypt", "ok")


def without_dumpable():
    """In the child: setting PR_SET_DUMPABLE succeeds and does nothing."""
    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte),
                    ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort),
                    ("filter", ctypes.POINTER(Filter))]
    number = {"x86_64": 157, "aarch64": 167}[platform.machine()]
    load, equals, give = 0x20, 0x15, 0x06
    lines = (Filter * 6)(
        (load, 0, 0, 0), (equals, 0, 3, number),  # prctl
        (load, 0, 0, 16), (equals, 0, 1, 4),      # PR_SET_DUMPABLE
        (give, 0, 0, 0x00050000), (give, 0, 0, 0x7fff0000))
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(6, lines)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(
            22, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def test_dumpable(bench):
    if platform.machine() not in ("x86_64", "aarch64"):
        raise Skip("the number of prctl is not known here")
    prepared(bench)
    report = run(bench, preexec_fn=without_dumpable)
    f = worst(report, "dumpable")
    assert f["result"] in ("warn", "MISSING"), f
    equal(f["cause"], "dumpable", f)
    is_as(run(bench), "dumpable", "ok", says="no core dumps")


if __name__ == "__main__":
    main(globals())
