"""`sesfs policy`: what options make of the documents, and that the set-ups for
CloudFormation and Terraform hold together: what they refer to is there, and
their policies are those documents."""
import json
import os
import re
import shutil
import subprocess

from harness import KEY, equal, main

ACCOUNT = "123456789012"
OTHER = "210987654321"
SECOND = (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/"
          "5ec0dd00-0000-4000-8000-000000000002")
SOURCE = "s3://mail/in"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/events"
CONTEXT = "kms:EncryptionContext:"


def as_list(x):
    return x if isinstance(x, list) else [x]


def say(bench, *args, source=SOURCE, ok=(0,)):
    """Without a cloud or credentials."""
    bench.env.update(AWS_EC2_METADATA_DISABLED="true")
    for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
        bench.env.pop(name, None)
    out, err, code = bench.sesfs("policy", *args, source, ok=ok, both=True)
    return json.loads(out) if out.startswith("{") else out, err


def sids(doc):
    return [s["Sid"] for s in doc["Statement"]]


def test_offline(bench):
    """What is not known has a name, and a line that says so."""
    bench.env.pop("AWS_REGION")
    doc, err = say(bench)
    text = json.dumps(doc)
    assert "arn:aws:kms:REGION:ACCOUNT_ID:key/*" in text, text
    assert "ACCOUNT_ID stands for it" in err, err
    equal(err.count("\n"), 3, f"lines: why not, and for what: {err}")
    assert "REGION stands for it" in err, err
    equal(list(doc), ["iam", "kms", "bucket"], "documents")
    equal(list(doc["kms"]), ["account"], "keys")
    doc, err = say(bench, "--account", OTHER, "--region", "cn-north-1")
    assert f"{OTHER} stands for it" in err and "REGION" not in err, err
    text = json.dumps(doc)
    assert f"arn:aws-cn:kms:cn-north-1:{OTHER}:key/*" in text, text
    assert "arn:aws:" not in text, text
    access_point = f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/mail"
    doc, err = say(bench, source=f"s3://{access_point}/in")
    assert "BUCKET stands for it" in err, err
    equal([s["Resource"] for s in doc["iam"]["Statement"][:2]],
          [access_point, access_point + "/object/in/*"], "access point")
    assert "AccessPointsDecide" in sids(doc["bucket"]), doc


def test_documents(bench):
    """What options make of them."""
    mrk = "mrk-1234abcd12ab34cd56ef1234567890ab"
    doc, _ = say(bench, "--kms-key", KEY, "--kms-key", mrk, "--kms-key",
                 f"arn:aws:kms:eu-west-1:{OTHER}:alias/x", "--kms-key",
                 "alias/aws/ses", "--account", ACCOUNT, "--rule", "set/rule",
                 "--queue", QUEUE, "--expected-bucket-owner", OTHER,
                 "--accept", "kms-gcm,cbc")
    iam = {s["Sid"]: s for s in doc["iam"]["Statement"]}
    equal(list(iam), [
        "ListMail", "ReadMail", "DecryptMailOfSes", "DecryptMailOfSes2",
        "DecryptMailOfSes3", "SealState", "DescribeKeysInCheck",
        "DescribeKeysInCheck2", "DescribeKeysInCheck3", "CheckQueue"],
        "statements; nothing for older clients with --account")
    equal(iam["DecryptMailOfSes"]["Resource"],
          [KEY, f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{mrk}"], "keys")
    equal(iam["DecryptMailOfSes2"]["Resource"],
          f"arn:aws:kms:eu-west-1:{OTHER}:key/*", "account of an alias")
    equal(iam["DecryptMailOfSes"]["Condition"]["StringEquals"],
          {CONTEXT + "aws:ses:source-account": ACCOUNT,
           CONTEXT + "aws:ses:rule-name": "rule"}, "the rule")
    equal(iam["ListMail"]["Condition"]["StringEquals"],
          {"s3:ResourceAccount": OTHER}, "the owner")
    equal(list(doc["kms"]), [KEY, mrk,
                             f"arn:aws:kms:eu-west-1:{OTHER}:alias/x"],
          "key policies, but none for AWS's own key")
    equal(sids(doc["kms"][KEY]),
          ["AccountAdministersKey", "SesEncryptsMail", "DecryptMailOfSes",
           "SealState"], "of the key that also seals")
    foreign = doc["kms"][f"arn:aws:kms:eu-west-1:{OTHER}:alias/x"]
    equal(foreign["Statement"][0]["Principal"]["AWS"],
          f"arn:aws:iam::{OTHER}:root", "who administers")
    equal(foreign["Statement"][2]["Principal"]["AWS"],
          f"arn:aws:iam::{ACCOUNT}:root", "who decrypts")
    equal(sids(doc["bucket"]), [
        "SesStoresMail", "OtherAccountListsMail", "OtherAccountReadsMail",
        "NothingWithoutTls"], "bucket of another account")
    rule = (f"arn:aws:ses:us-east-1:{ACCOUNT}:receipt-rule-set/set:"
            "receipt-rule/rule")
    for s in doc["bucket"]["Statement"][0], doc["kms"][KEY]["Statement"][1]:
        equal(s["Condition"], {"StringEquals": {"aws:SourceAccount": ACCOUNT},
                               "ArnLike": {"aws:SourceArn": rule}}, "SES")
    equal(doc["queue"]["Statement"][0]["Resource"],
          f"arn:aws:sqs:us-east-1:{ACCOUNT}:events", "queue")


def statement(doc, sid):
    return {s["Sid"]: s for s in doc["Statement"]}[sid]


def test_other_account(bench):
    """Mail of another account: SES writes for its owner, who reads is let in
    by key and bucket. What is guessed is one line."""
    _ = bench.cloud
    key = f"arn:aws:kms:us-east-1:{OTHER}:key/{KEY.rsplit('/')[-1]}"
    known = ["--expected-bucket-owner", OTHER]
    owner_line = "--expected-bucket-owner"
    account_line = "SES receives: a key is of {}, the bucket of {};"
    for keys, args, ses, owner, lines in (
            ([KEY], [], ACCOUNT, ACCOUNT, []),
            ([], [], ACCOUNT, ACCOUNT, []),
            ([key], known, OTHER, OTHER, []),
            ([key], [], OTHER, OTHER, [owner_line]),
            ([key], ["--account", ACCOUNT, *known], ACCOUNT, OTHER, []),
            ([], ["--account", OTHER, *known], OTHER, OTHER, []),
            ([], known, OTHER, OTHER, [account_line.format(ACCOUNT, OTHER)]),
            (["alias/x"], known, OTHER, OTHER,
             [account_line.format(ACCOUNT, OTHER)]),
            ([KEY], known, ACCOUNT, OTHER,
             [account_line.format(ACCOUNT, OTHER)]),
            ([key, KEY], known, OTHER, OTHER,
             [account_line.format(ACCOUNT, OTHER)]),
            ([KEY, key], [], ACCOUNT, ACCOUNT,
             [account_line.format(OTHER, ACCOUNT)])):
        what = f"{keys} {args}"
        out, err, _ = bench.sesfs("policy", *args, *(
            x for k in keys for x in ("--kms-key", k)), SOURCE, both=True)
        doc = json.loads(out)
        equal(err.count("\n"), len(lines), f"lines for {what}: {err}")
        for line in lines:
            assert line in err and "stands for it (--" in err, (what, err)
        policy = doc["kms"][keys[0] if keys else "account"]
        for s in (statement(policy, "SesEncryptsMail"),
                  statement(doc["bucket"], "SesStoresMail")):
            equal(s["Condition"]["StringEquals"]["aws:SourceAccount"], ses,
                  what)
            assert f":{ses}:receipt-rule-set" in s["Condition"]["ArnLike"][
                "aws:SourceArn"], (what, s)
        for s in (statement(policy, "DecryptMailOfSes"),
                  statement(doc["iam"], "DecryptMailOfSes")):
            equal(s["Condition"]["StringEquals"][
                CONTEXT + "aws:ses:source-account"], ses, what)
        reader = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        equal(statement(policy, "DecryptMailOfSes")["Principal"], reader, what)
        others = [s for s in doc["bucket"]["Statement"]
                  if s["Sid"].startswith("OtherAccount")]
        equal([(s["Action"], s["Principal"]) for s in others],
              [(a, reader) for a in ("s3:ListBucket", "s3:GetObject")
               if owner != ACCOUNT], what)


def test_manual(bench):
    """PERMISSIONS of sesfs(1) names every action, and no other."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "man",
                           "sesfs.1")) as f:
        text = re.search(r"^.Sh PERMISSIONS$(.*?)^.Sh ", f.read(),
                         re.M | re.S)[1]
    doc, _ = say(bench, "--kms-key", KEY, "--queue", QUEUE)
    actions = {a for s in doc["iam"]["Statement"] for a in as_list(
        s["Action"])}
    named = set(re.findall(r"\b(?:s3|kms|sqs):[A-Z]\w+", text))
    equal(named - {"kms:ResourceAliases"}, actions, "actions")


def test_refused(bench):
    for args, says in (
            (["--terraform", "--cloudformation"], "exclude each other"),
            (["--terraform", "--kms-key", KEY], "alias/NAME"),
            (["--cloudformation", "--kms-key", "alias/aws/ses"],
             "alias/NAME"),
            (["--rule", "name"], "SET/RULE"),
            (["--rule", "a/b/c"], "SET/RULE"),
            (["--rule", "a/b-"], "SET/RULE"),
            (["--queue", "https://example.com/x"], "--queue")):
        out, err = say(bench, *args, ok=(2,))
        equal(out, "", "standard output")
        assert says in err and err.count("\n") == 1, (args, err)
    for language in "--terraform", "--cloudformation":
        for given in (["--queue", QUEUE], ["--region", "eu-west-1"],
                      ["--account", OTHER],
                      ["--expected-bucket-owner", OTHER]):
            out, err = say(bench, language, *given, ok=(2,))
            equal(out, "", "standard output")
            assert (f"{language} " in err and f"leave {given[0]} away" in err
                    and err.count("\n") == 1), (language, given, err)
    access_point = f"s3://arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/mail"
    _, err = say(bench, "--terraform", source=access_point, ok=(2,))
    assert "rather than an access point" in err, err
    _, err = say(bench, source="s3://mail/\udcff", ok=(1,))
    assert "not UTF-8" in err, err


def test_size(bench):
    """IAM would not take it: said here rather than there."""
    few, many = ([x for i in range(n) for x in ("--kms-key", f"alias/a{i}")]
                 for n in (3, 12))
    for args, warns in (few, False), (many, True):
        doc, err = say(bench, "--account", ACCOUNT, *args)
        size = len(json.dumps(doc["iam"], separators=(",", ":")))
        equal(size > 6144, warns, f"{size} characters")
        equal(f"{size} characters" in err, warns, err)
    many = [x for i in range(65) for x in ("--kms-key", f"alias/a{i}")]
    _, err = say(bench, "--terraform", *many, ok=(2,))
    assert "more than 64 keys" in err, err


# A prefix that is a trap in every language.
ODD = "a*b?c${d}%{e}\"'\\/"
ODD_IAM = "a${*}b${?}c${$}{d}%{e}\"'\\/"
SETUP = ("--kms-key", "alias/mail", "--kms-key", SECOND, "--rule", "set/rule")


def same_documents(bench, source, reader, key_policy, bucket, queue):
    """A set-up's policies, its references replaced, are those that are
    printed for the key it makes."""
    doc, _ = say(bench, "--kms-key", KEY, *SETUP[2:], "--account", ACCOUNT,
                 "--queue", QUEUE, source=source)
    doc = json.loads(json.dumps(doc).replace("StringEqualsIfExists", "x"))
    for name, got, want in (("reader", reader, doc["iam"]),
                            ("key", key_policy, doc["kms"][KEY]),
                            ("bucket", bucket, doc["bucket"]),
                            ("queue", queue, doc["queue"])):
        for s in want["Statement"]:
            s.get("Condition", {}).pop("x", None)  # of --account alone
        equal(got, want, name)


VALUES = {"AWS::Partition": "aws", "AWS::Region": "us-east-1",
          "AWS::AccountId": ACCOUNT, "Key.Arn": KEY,
          "Events.Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:events"}
ATTRIBUTES = {("AWS::KMS::Key", "Arn"), ("AWS::SQS::Queue", "Arn")}
NEEDS = {
    "AWS::KMS::Key": {"KeyPolicy"},
    "AWS::KMS::Alias": {"AliasName", "TargetKeyId"},
    "AWS::S3::Bucket": {"BucketName"},
    "AWS::S3::BucketPolicy": {"Bucket", "PolicyDocument"},
    "AWS::SES::ReceiptRuleSet": {"RuleSetName"},
    "AWS::SES::ReceiptRule": {"RuleSetName", "Rule"},
    "AWS::SQS::Queue": {"QueueName"},
    "AWS::SQS::QueuePolicy": {"Queues", "PolicyDocument"},
    "AWS::IAM::ManagedPolicy": {"PolicyDocument"},
}


class Template:
    """A template of CloudFormation: what it refers to must be there."""
    def __init__(self, doc):
        self.doc = doc
        self.resources = doc["Resources"]
        self.seen = set()
        for name, r in self.resources.items():
            assert NEEDS[r["Type"]] <= set(r["Properties"]), name
            assert name.isalnum(), name
            assert r.get("Condition") in {None, *doc["Conditions"]}, name
        assert len(doc["Description"]) <= 1024, "what AWS takes"
        for c in doc["Conditions"].values():
            self.value(c)
        for o in doc["Outputs"].values():
            self.value(o["Value"])
        for name in self.resources:
            self.visit(name, ())

    def visit(self, name, path):
        assert name not in path, f"in a circle: {path} {name}"
        r, self.seen = self.resources[name], set()
        self.value(r["Properties"])
        for other in self.seen | set(as_list(r.get("DependsOn", []))):
            self.visit(other, path + (name,))

    def refer(self, name):
        if "." in name:
            name, attribute = name.split(".")
            assert (self.resources[name]["Type"], attribute) in ATTRIBUTES
        if name in self.resources:
            self.seen.add(name)
        else:
            assert name in self.doc["Parameters"] or name in {
                *VALUES, "AWS::NoValue"}, name

    def value(self, v):
        """It, with everything resolved that is known here."""
        if isinstance(v, list):
            return [self.value(x) for x in v]
        if not isinstance(v, dict):
            return v
        name = next(iter(v), "")
        if name != "Ref" and not name.startswith("Fn::"):
            return {k: self.value(x) for k, x in v.items()}
        equal(len(v), 1, f"members beside {name}")
        return {"Ref": self.ref, "Fn::GetAtt": self.get_att,
                "Fn::Sub": self.sub, "Fn::If": self.either,
                "Fn::Join": self.value, "Fn::Not": self.value,
                "Fn::Equals": self.value}[name](v[name])

    def ref(self, name):
        self.refer(name)
        return VALUES.get(name, name)

    def get_att(self, pair):
        self.refer(".".join(pair))
        return VALUES.get(".".join(pair), pair[0])

    def sub(self, text):
        def one(m):
            if m[1].startswith("!"):
                return "${" + m[1][1:] + "}"
            self.refer(m[1])
            return VALUES[m[1]]
        return re.sub(r"\$\{([^}]*)\}", one, text)

    def either(self, three):
        assert three[0] in self.doc["Conditions"], three
        return self.value(three[1:])

    def policy(self, name, member="PolicyDocument"):
        self.seen = set()
        return self.value(self.resources[name]["Properties"][member])


def test_cloudformation(bench):
    for source, prefix in ((SOURCE, "in/"), ("s3://mail", ""),
                           ("s3://mail/" + ODD, ODD)):
        doc, _ = say(bench, "--cloudformation", *SETUP, source=source)
        t = Template(doc)
        props = {n: r["Properties"] for n, r in t.resources.items()}
        action = props["Rule"]["Rule"]["Actions"][0]["S3Action"]
        equal(action["ObjectKeyPrefix"], prefix or {"Ref": "AWS::NoValue"},
              "prefix")
        equal(props["Alias"]["AliasName"], "alias/mail", "alias")
        equal((props["RuleSet"]["RuleSetName"], props["Rule"]["RuleSetName"],
               t.resources["RuleSet"]["Condition"]),
              ("set", {"Fn::If": ["MakesRuleSet", {"Ref": "RuleSet"}, "set"]},
               "MakesRuleSet"), "the rule set, if it is there already too")
        assert "MX record" in doc["Description"]
        assert "prefix of the same bucket" in doc["Description"]
        same_documents(bench, source, t.policy("ReaderPolicy"),
                       t.policy("Key", "KeyPolicy"),
                       t.policy("BucketPolicy"), t.policy("EventsPolicy"))
        assert (ODD_IAM in json.loads(json.dumps(t.policy("BucketPolicy")))
                ["Statement"][0]["Resource"]) == (prefix == ODD)


class Hcl:
    """Terraform's language, as far as the set-up needs it."""
    TOKEN = re.compile(r'\s*(?:(#[^\n]*)|("(?:[^"\\]|\\.)*")|([\w.]+)'
                       r'|([{}\[\](),=?:])|$)')

    def __init__(self, text):
        self.tokens, self.at, end = [], 0, 0
        while end < len(text.rstrip()):
            m = self.TOKEN.match(text, end)
            assert m and m.end() > end, text[end:end + 60]
            end = m.end()
            if m[1] is None and m[0].strip():
                self.tokens.append(m[0].strip())
        self.blocks, self.words = {}, set()
        while self.at < len(self.tokens):
            self.block(self.blocks)

    def take(self, want=None):
        token = self.tokens[self.at]
        assert want in (None, token), (want, self.tokens[self.at - 5:self.at])
        self.at += 1
        return token

    def peek(self):
        return self.tokens[self.at]

    def block(self, into):
        """kind "label"... { body }, or name = value."""
        name = [self.take()]
        while self.peek().startswith('"'):
            name.append(json.loads(self.take()))
        if self.peek() == "=":
            self.take()
            into[name[0]] = self.value()
            return
        self.take("{")
        body = into[tuple(name)] = {}
        while self.peek() != "}":
            self.block(body)
        self.take("}")

    def value(self):
        token = self.take()
        if token.startswith('"'):
            return self.string(token)
        if token == "[":
            return self.items("]", self.value)
        if token == "{":
            return dict(self.items("}", self.pair))
        if self.peek() == "(":
            self.take()
            v = self.value()
            self.take(")")
            return v
        if self.peek() == "?":
            self.take(), self.value(), self.take(":"), self.value()
        if "." in token:
            self.words.add(token)
        return token

    def pair(self):
        name = self.take()
        self.take("=")
        return (json.loads(name) if name[0] == '"' else name), self.value()

    def items(self, end, one):
        ret = []
        while self.peek() != end:
            ret.append(one())
            if self.peek() == ",":
                self.take()
        self.take(end)
        return ret

    def string(self, token):
        def one(m):
            if m[0][:2] == m[0][0] * 2:
                return m[0][1:]
            self.words.add(m[2])
            return {"partition": "aws", "region": "us-east-1", "account_id":
                    ACCOUNT, "aws_kms_key.mail.arn": KEY,
                    "aws_sqs_queue.events.arn": VALUES["Events.Arn"]}[
                        m[2] if m[2].startswith("aws_")
                        else m[2].rsplit(".")[-1]]
        return re.sub(r"([$%]{1,2})\{([^}]*)\}", one, json.loads(token))


def brackets(text):
    """How many it opens more than it closes, outside of strings."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return sum(text.count(c) for c in "([{") - sum(
        text.count(c) for c in ")]}")


def aligned(text):
    """The text, with `=` where `terraform fmt` has it: below each other for
    assignments of one line that follow each other, else after one blank."""
    ret, run = [], []

    def close():
        width = max((len(name) for name, _ in run), default=0)
        ret.extend(f"{name:{width}} = {value}" for name, value in run)
        run.clear()

    for line in text.split("\n"):
        m = re.match(r'( *(?:\w+|"[^"]*")) *= (.*)$', line)
        if m and brackets(m[2]) == 0:
            run.append(m.groups())
            continue
        close()
        ret.append(f"{m[1]} = {m[2]}" if m else line)
    close()
    return "\n".join(ret)


def test_terraform_is_formatted(bench):
    for source in SOURCE, "s3://mail/" + ODD:
        text, _ = say(bench, "--terraform", *SETUP, source=source)
        equal(text, aligned(text), "as terraform fmt aligns it")
        if shutil.which("terraform"):
            p = subprocess.run(["terraform", "fmt", "-"], input=text,
                               capture_output=True, text=True, check=True,
                               timeout=60)
            equal(text, p.stdout, "as terraform fmt prints it")
        depth = 0
        for line in text.splitlines():
            depth += min(brackets(line), 0) and -1
            equal(len(line) - len(line.lstrip()), 2 * depth if line else 0,
                  f"indent of {line!r}")
            depth += brackets(line) > 0
        equal(depth, 0, "at the end")


def test_terraform(bench):
    for source, prefix in ((SOURCE, "in/"), ("s3://mail", ""),
                           ("s3://mail/" + ODD, ODD)):
        text, _ = say(bench, "--terraform", *SETUP, source=source)
        t = Hcl(text)
        declared = {".".join(b if b[0] == "data" else b[1:])
                    for b in t.blocks if b[0] in ("data", "resource")}
        declared |= {"var." + b[1] for b in t.blocks if b[0] == "variable"}
        for word in t.words - {"each.value"}:
            assert any(word == d or word.startswith(d + ".")
                       for d in declared), word

        def resource(kind, name="mail", blocks=t.blocks):
            return blocks["resource", kind, name]

        rule = resource("aws_ses_receipt_rule")
        equal(rule[("s3_action",)]["object_key_prefix"], prefix or "null",
              "prefix")
        equal((rule["name"], rule["rule_set_name"],
               resource("aws_ses_receipt_rule_set")["rule_set_name"],
               resource("aws_ses_active_receipt_rule_set")["rule_set_name"]),
              ("rule", "set", "set", "set"), "names")
        equal(resource("aws_ses_receipt_rule_set")["count"],
              "var.make_rule_set", "a rule set that is there already")
        for r in rule, resource("aws_ses_active_receipt_rule_set"):
            assert "aws_ses_receipt_rule_set.mail" in r["depends_on"], r
        assert "MX record" in text and "prefix of the same bucket" in text
        same_documents(bench, source,
                       resource("aws_iam_policy", "reader")["policy"],
                       resource("aws_kms_key")["policy"],
                       resource("aws_s3_bucket_policy")["policy"],
                       resource("aws_sqs_queue_policy", "events")["policy"])


if __name__ == "__main__":
    main(globals())
