"""Our reading of ~/.aws and the environment against Amazon's own: for each way
to log in, `sesfs check` and `aws sts get-caller-identity` must name the same
identity, or both fail."""
import hashlib
import json
import os
import shutil
import subprocess

import harness
from harness import Skip, equal

ROLE = "role_arn = arn:aws:iam::123456789012:role/"
SSO = "sso_account_id = 123456789012\nsso_role_name = Mail\n"
CONFIG = f"""
[default]
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile keys]
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile stale]
aws_access_key_id = no
aws_secret_access_key = no
[profile role]
{ROLE}mail
source_profile = keys
role_session_name = alice
[profile own]
{ROLE}mail
source_profile = own
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile chain]
{ROLE}chained
source_profile = role
[profile haskeysandrole]
{ROLE}nobody
source_profile = nonesuch
aws_access_key_id = test
aws_secret_access_key = testsecret
[profile overkeys]
{ROLE}mail
source_profile = haskeysandrole
[profile external]
{ROLE}external
external_id = ext-42
source_profile = stale
duration_seconds = 900
[profile neither]
{ROLE}mail
[profile both]
{ROLE}mail
source_profile = keys
credential_source = Environment
[profile a]
{ROLE}mail
source_profile = b
[profile b]
{ROLE}mail
source_profile = a
[profile byenv]
{ROLE}mail
credential_source = Environment
[profile byecs]
{ROLE}mail
credential_source = EcsContainer
[profile byec2]
{ROLE}mail
credential_source = Ec2InstanceMetadata
[profile "quoted name"]
credential_process = "%(work)s/process" 'one two' "three"
[profile broken]
credential_process = exit 3
[profile web]
{ROLE}web
web_identity_token_file = %(work)s/token
role_session_name = pod
[profile overweb]
{ROLE}mail
source_profile = web
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
[profile sso]
sso_session = corp
{SSO}
[profile ssodiffers]
sso_session = corp
sso_region = eu-west-1
{SSO}
[profile oversso]
{ROLE}mail
source_profile = sso
[profile legacy]
sso_start_url = https://old.awsapps.com/start
sso_region = us-east-1
{SSO}
[profile nothing]
output = json
"""
CREDENTIALS = """
[stale]
aws_access_key_id = test
aws_secret_access_key = testsecret
[onlyhere]
aws_access_key_id = test
aws_secret_access_key = testsecret
"""
PROCESS = """#!/bin/sh
[ "$1" = 'one two' ] && [ "$2" = three ] || exit 1
echo '{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "testsecret"}'
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "%(work)s/token",
       "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web",
       "AWS_ROLE_SESSION_NAME": "pod"}
OPEN = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "%(url)s/_container/open"}
LOCKED = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "%(url)s/_container/locked"}
EC2 = {"AWS_EC2_METADATA_DISABLED": "false",
       "AWS_EC2_METADATA_SERVICE_ENDPOINT": "%(url)s/"}

# Is the profile an option, or AWS_PROFILE, or None; more environment; the end
# of the ARN that is wanted, None when it must fail.
CASES = [
    ("option", "keys", KEYS, "user/test"),
    ("env", "role", {}, "assumed-role/mail/alice"),
    ("option", "role", {**KEYS, "AWS_ACCESS_KEY_ID": "no"},
     "assumed-role/mail/alice"),
    ("env", "role", KEYS, "user/test"),
    (None, None, {}, "user/test"),
    ("env", "own", {}, "assumed-role/mail/"),
    ("env", "chain", {}, "assumed-role/chained/"),
    ("env", "overkeys", {}, "assumed-role/mail/"),
    ("env", "external", {}, "assumed-role/external/"),
    ("env", "onlyhere", {}, "user/test"),
    ("env", "neither", {}, None),
    ("env", "both", {}, None),
    ("env", "a", {}, None),
    ("option", "byenv", KEYS, "assumed-role/mail/"),
    ("env", "byecs", OPEN, "assumed-role/mail/"),
    ("env", "byec2", EC2, "assumed-role/mail/"),
    ("env", "quoted name", {}, "user/test"),
    ("env", "broken", {}, None),
    ("env", "web", {}, "assumed-role/web/pod"),
    ("env", "overweb", {}, "assumed-role/mail/"),
    (None, None, WEB, "assumed-role/web/pod"),
    ("option", "keys", WEB, "user/test"),
    ("env", "sso", {}, "assumed-role/AWSReservedSSO_Mail_"),
    ("env", "ssodiffers", {}, None),
    ("env", "oversso", {}, "assumed-role/mail/"),
    ("env", "legacy", {}, "assumed-role/AWSReservedSSO_Mail_"),
    ("env", "nothing", OPEN, "assumed-role/container/"),
    ("env", "nothing", LOCKED, None),
    ("env", "nothing", {**LOCKED, "AWS_CONTAINER_AUTHORIZATION_TOKEN":
                        "container-token"}, "assumed-role/container/"),
    ("env", "nothing", EC2, "assumed-role/instance/"),
    ("env", "nothing", {}, None),
]


def login(b, name):
    text = b.cloud.admin("login", "sso-login", life=3600)
    path = os.path.join(b.work, ".aws", "sso", "cache",
                        hashlib.sha1(name.encode()).hexdigest() + ".json")
    with open(path, "wb") as f:
        f.write(text)


def prepare(b):
    for name in KEYS:
        del b.env[name]
    b.env["AWS_EC2_METADATA_DISABLED"] = "true"
    b.env["AWS_MAX_ATTEMPTS"] = "1"
    b.env["AWS_DEFAULT_REGION"] = "us-east-1"  # version 1 knows this alone
    os.makedirs(os.path.join(b.work, ".aws", "sso", "cache"))
    for name, text in ((".aws/config", CONFIG % {"work": b.work}),
                       (".aws/credentials", CREDENTIALS),
                       ("process", PROCESS),
                       ("token", "web-identity-token")):
        with open(os.path.join(b.work, name), "w") as f:
            f.write(text)
    os.chmod(os.path.join(b.work, "process"), 0o700)
    b.cloud.generate("mail", "in/", 1)


def arn_of_aws(program, env, option):
    p = subprocess.run(
        [program, "sts", "get-caller-identity", "--output", "json",
         *(["--profile", option] if option else [])],
        env={**env, "AWS_PAGER": ""}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=harness.DEADLINE)
    if p.returncode != 0:
        return None, p.stderr
    return json.loads(p.stdout)["Arn"], p.stderr


def arn_of_sesfs(b, env, option):
    p = subprocess.run(
        [harness.SESFS, "check", "--json",
         *b.common(os.path.join(b.work, "state")),
         *(["--profile", option] if option else []), "s3://mail/in/"],
        env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=harness.DEADLINE)
    for note in json.loads(p.stdout):
        if note["check"] == "identity" and note["result"] == "ok":
            return note["detail"].split(" ")[0], p.stderr
    return None, p.stdout + p.stderr


def who(arn):
    """Without the name of a session that was not given one."""
    if arn is None or arn.endswith(("/alice", "/pod")):
        return arn
    return arn if ":user/" in arn else arn.rpartition("/")[0]


def test_same_identity(b):
    program = shutil.which("aws")
    if program is None:
        raise Skip("aws is not installed")
    prepare(b)
    for how, profile, more, want in CASES:
        login(b, "https://old.awsapps.com/start" if profile == "legacy"
              else "corp")
        at = {"work": b.work, "url": b.cloud.url}
        env = {**b.env, **{k: v % at for k, v in more.items()}}
        if how == "env":
            env["AWS_PROFILE"] = profile
        option = profile if how == "option" else None
        name = f"{how} {profile} {sorted(more)}"
        ours, why = arn_of_sesfs(b, env, option)
        assert (ours is None) == (want is None) and (
            ours is None or want in ours), f"{name}: {ours}, {why}"
        # A refresh token is good once, whoever uses it.
        theirs, why = arn_of_aws(program, env, option)
        equal(who(ours), who(theirs), f"{name}: {why}")


if __name__ == "__main__":
    harness.main(globals())
