"""Mail behind an S3 access point."""
import os
import subprocess

import harness
from harness import equal

POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/ses-mail"


def prepare(b, **bucket):
    b.cloud.generate("mail", "in/", 3)
    b.cloud.admin("bucket", "bucket", bucket="mail", region="us-west-2",
                  access_point="ses-mail-123456789012", **bucket)
    # A name of its own before an address is no name.
    b.env["AWS_ENDPOINT_URL_S3"] = f"http://localhost:{b.cloud.port}"


def refused(b, want, source, *args):
    out, err, code = b.sesfs("sync", *b.common(os.path.join(b.work, "no")),
                             *args, source, ok=None, both=True)
    assert code != 0, "it was accepted"
    equal(sum(want in line for line in err.splitlines()), 1,
          f"lines with {want!r} in {err!r}")


def test_mount(b):
    """The request is signed for the ARN's region, whatever region is set: the
    cloud takes no other. The host is NAME-ACCOUNT.HOST."""
    prepare(b)
    m = b.mount(f"s3://{POINT}/in/", "--region=us-east-1",
                "--expected-bucket-owner=123456789012")
    m.sync()
    keys = {o["key"] for o in b.cloud.manifest("mail", "in/")}
    equal(set(m.by_key()), keys, "keys")
    for key, path in m.by_key().items():
        equal(harness.read(path), b.cloud.plain("mail", key), key)
    equal(m.status()["source"], f"s3://{POINT}/in/", "source")


def test_owner(b):
    prepare(b, owner="999999999999")
    refused(b, "AccessDenied", f"s3://{POINT}/in/",
            "--expected-bucket-owner=123456789012")


def test_unknown(b):
    prepare(b)
    refused(b, "there is no such bucket", f"s3://{POINT}2/in/")


def test_refused(b):
    """What cannot be is said before anything is sent."""
    prepare(b)
    b.cloud.reset_counters()
    source = f"s3://{POINT}/in/"
    refused(b, "--path-style cannot go with an access point", source,
            "--path-style")
    refused(b, "an access point needs a host name there, not 127.0.0.1",
            source, f"--endpoint-url={b.cloud.url}")
    refused(b, "cn-north-1 is not of the access point's partition", source,
            "--region=cn-north-1")
    refused(b, "Multi-Region Access Points are not supported",
            "s3://arn:aws:s3::123456789012:accesspoint/mail.mrap")
    refused(b, "S3 Object Lambda access points are not supported",
            f"s3://{POINT.replace(':s3:', ':s3-object-lambda:')}")
    refused(b, "region is not of its partition",
            f"s3://{POINT.replace('arn:aws:', 'arn:aws-cn:')}")
    equal(b.cloud.count("s3."), 0, "requests")


def test_one_state(b):
    """Both ways to write the ARN are one mailbox: one state directory."""
    prepare(b)
    b.env["XDG_STATE_HOME"] = os.path.join(b.work, "xdg")
    for point in (POINT, POINT.replace("accesspoint/", "accesspoint:")):
        subprocess.run([harness.SESFS, "sync", "--kms-key", harness.KEY,
                        f"s3://{point}/in"], env=b.env, check=True,
                       capture_output=True)
    equal(len(os.listdir(os.path.join(b.work, "xdg", "sesfs"))), 1,
          "state directories")


if __name__ == "__main__":
    harness.main(globals())
