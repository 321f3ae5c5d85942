"""Which hosts of AWS are asked, by the program itself: a proxy stands between,
says what it was asked for, and leads everything to the cloud."""
import contextlib
import json
import os

import test_creds
import tlsserver
from harness import equal, main, need
from proxy import forget_proxies, proxy

POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/ses-mail"
LISTED = ("--index=envelope",)  # no need of KMS

# What is mounted, where it is, options, more environment; the hosts.
SYNCS = {
    "plain": (
        "s3://mail/in/", "us-east-1", (), {},
        ["mail.s3.us-east-1.amazonaws.com", "kms.us-east-1.amazonaws.com"]),
    "dual stack": (
        "s3://mail/in/", "us-east-1", ("--dual-stack",), {},
        ["mail.s3.dualstack.us-east-1.amazonaws.com",
         "kms.us-east-1.api.aws"]),
    "FIPS": (
        "s3://mail/in/", "us-east-1", (), {"AWS_USE_FIPS_ENDPOINT": "true"},
        ["mail.s3-fips.us-east-1.amazonaws.com",
         "kms-fips.us-east-1.amazonaws.com"]),
    "both": (
        "s3://mail/in/", "us-east-1", ("--fips",),
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        ["mail.s3-fips.dualstack.us-east-1.amazonaws.com",
         "kms-fips.us-east-1.api.aws"]),
    "path style": (
        "s3://mail/in/", "us-east-1", ("--path-style",), {},
        ["s3.us-east-1.amazonaws.com", "kms.us-east-1.amazonaws.com"]),
    "dots": (
        "s3://mail.example/in/", "us-east-1", (), {},
        ["s3.us-east-1.amazonaws.com", "kms.us-east-1.amazonaws.com"]),
    "learnt region": (
        "s3://mail/in/", "eu-west-1", (), {},
        ["mail.s3.us-east-1.amazonaws.com", "mail.s3.eu-west-1.amazonaws.com",
         "kms.us-east-1.amazonaws.com"]),
    "access point": (
        f"s3://{POINT}/in/", "us-west-2", (), {},
        ["ses-mail-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
         "kms.us-east-1.amazonaws.com"]),
    "access point, FIPS": (
        f"s3://{POINT}/in/", "us-west-2", ("--fips",), {},
        ["ses-mail-123456789012.s3-accesspoint-fips.us-west-2.amazonaws.com",
         "kms-fips.us-east-1.amazonaws.com"]),
    "GovCloud": (
        "s3://mail/in/", "us-gov-west-1", (*LISTED,
                                           "--region=us-gov-west-1"), {},
        ["mail.s3.us-gov-west-1.amazonaws.com"]),
    "China": (
        "s3://mail/in/", "cn-north-1", (*LISTED, "--region=cn-north-1"), {},
        ["mail.s3.cn-north-1.amazonaws.com.cn"]),
}


def sans(hosts):
    return ",".join("DNS:" + h for h in sorted(hosts))


@contextlib.contextmanager
def aws(b, hosts):
    """A way to the cloud under AWS's names; the names asked for."""
    need("openssl")
    cert, key = tlsserver.certificate(b.work, sans(hosts))
    with tlsserver.front(b, cert=cert, key=key) as server:
        with proxy(server.port) as p:
            del b.env["AWS_ENDPOINT_URL"]
            forget_proxies(b.env)
            b.env.update(https_proxy=f"http://127.0.0.1:{p.server_port}",
                         AWS_CA_BUNDLE=cert)
            yield p.asked


def test_hosts(b):
    for bucket in ("mail", "mail.example"):
        b.cloud.generate(bucket, "in/", 1)
    hosts = {h for _, _, _, _, hosts in SYNCS.values() for h in hosts}
    with aws(b, hosts) as asked:
        for i, (name, (source, region, options, more, want)) in enumerate(
                SYNCS.items()):
            b.cloud.admin("bucket", "bucket", bucket="mail", region=region,
                          access_point="ses-mail-123456789012")
            saved = dict(b.env)
            b.env.update(more)
            asked.clear()
            b.sesfs("sync", *b.common(os.path.join(b.work, f"s{i}")),
                    *options, source)
            b.env.clear()
            b.env.update(saved)
            equal(set(asked), {h + ":443" for h in want}, name)


def check(b, *args):
    """What `sesfs check` found, by name."""
    text = b.sesfs("check", "--json", "--seal-key=none", "--state-dir",
                   os.path.join(b.work, "state"), *args, "s3://mail/in/",
                   ok=None)
    return {n["check"]: n for n in json.loads(text)}


def test_region_of_the_bucket(b):
    """Nobody says which region: it is the bucket's, for STS and KMS too, or
    that in the name of AWS's own host."""
    b.cloud.generate("mail", "in/", 1)
    b.cloud.admin("bucket", "bucket", bucket="mail", region="eu-west-1")
    learnt = ["mail.s3.us-east-1.amazonaws.com",
              "mail.s3.eu-west-1.amazonaws.com"]
    told = ["s3.eu-west-1.amazonaws.com"]
    rest = ["sts.eu-west-1.amazonaws.com", "kms.eu-west-1.amazonaws.com"]
    with aws(b, learnt + told + rest) as asked:
        del b.env["AWS_REGION"]
        for args, hosts in (([], learnt),
                            ([f"--endpoint-url=https://{told[0]}"], told)):
            asked.clear()
            notes = check(b, *args)
            equal(notes["identity"]["result"], "ok", notes)
            equal(notes["bucket"]["result"], "ok", notes)
            assert "eu-west-1" in notes["bucket"]["detail"], notes
            equal({h.partition(":")[0] for h in asked} - {rest[1]},
                  {*hosts, rest[0]}, "hosts")


def test_logins(b):
    """Where credentials come from: STS by FIPS like all others, IAM Identity
    Center, which has no such endpoints, by its own."""
    test_creds.prepare(b, mails=1)
    s3 = ["mail.s3-fips.us-east-1.amazonaws.com",
          "kms-fips.us-east-1.amazonaws.com"]
    logins = {"role": ["sts-fips.us-east-1.amazonaws.com"],
              "sso": ["oidc.us-east-1.amazonaws.com",
                      "portal.sso.us-east-1.amazonaws.com"]}
    with aws(b, s3 + [h for hosts in logins.values() for h in hosts]) as asked:
        for profile, hosts in logins.items():
            test_creds.login(b, life=60)  # so short that it is refreshed
            b.env["AWS_PROFILE"] = profile
            asked.clear()
            b.sesfs("sync", *b.common(os.path.join(b.work, profile)),
                    "--fips", "s3://mail/in/")
            equal(set(asked), {h + ":443" for h in s3 + hosts}, profile)


def test_owner_and_payer(b):
    """What the two options are for, against a bucket that wants them."""
    b.cloud.generate("mail", "in/", 1)
    b.cloud.admin("bucket", "bucket", bucket="mail", requester_pays=1,
                  owner="210987654321")
    for i, (options, good) in enumerate((
            (["--requester-pays"], True), ([], False),
            (["--requester-pays", "--expected-bucket-owner=210987654321"],
             True),
            (["--requester-pays", "--expected-bucket-owner=123456789012"],
             False))):
        _, err, code = b.sesfs(
            "sync", *b.common(os.path.join(b.work, f"s{i}")), *options,
            "s3://mail/in/", ok=None, both=True)
        equal(code == 0, good, f"{options}: {err}")
        assert good or "AccessDenied" in err, err


def test_none(b):
    """What AWS does not have is not asked for under an invented name."""
    b.cloud.generate("mail", "in/", 1)
    with aws(b, ["s3.us-east-1.amazonaws.com"]) as asked:
        for option, region, want in (
                ("--fips", "cn-north-1", "AWS has no FIPS endpoint of S3"),
                ("--dual-stack", "aws-global", "stands for all regions")):
            _, err, code = b.sesfs(
                "sync", *b.common(os.path.join(b.work, "no")), option,
                f"--region={region}", "s3://mail/in/", ok=None, both=True)
            assert code != 0 and want in err, (code, err)
        equal(asked, [], "hosts")


if __name__ == "__main__":
    main(globals())
