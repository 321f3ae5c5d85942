"""What tests of custody share: a caller of the cloud that is not sesfs, the
memory of a process, a TLS front for the cloud."""
import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import urllib.parse

from harness import VECTORS, need

STRIP = len("x-amz-meta-")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def chain(secret, *steps):
    key = b"AWS4" + secret.encode()
    for step in steps:
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key


class Caller:
    """Signed requests of our own, with the credentials of a Bench."""

    def __init__(self, bench):
        self.env, self.port = bench.env, bench.cloud.port

    def call(self, service, method, path, body=b"", headers=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        date, region = now.strftime("%Y%m%dT%H%M%SZ"), "us-east-1"
        h = {"host": f"127.0.0.1:{self.port}", "x-amz-date": date,
             "x-amz-content-sha256": digest(body), **(headers or {})}
        if self.env.get("AWS_SESSION_TOKEN"):
            h["x-amz-security-token"] = self.env["AWS_SESSION_TOKEN"]
        names = ";".join(sorted(h))
        canonical = "\n".join(
            [method, path, ""] + [f"{n}:{h[n]}" for n in sorted(h)]
            + ["", names, digest(body)])
        scope = [date[:8], region, service, "aws4_request"]
        text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope),
                          digest(canonical.encode())])
        key = chain(self.env["AWS_SECRET_ACCESS_KEY"], *scope)
        h["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.env['AWS_ACCESS_KEY_ID']}/"
            f"{'/'.join(scope)}, SignedHeaders={names}, Signature="
            + hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
        c = http.client.HTTPConnection("127.0.0.1", self.port)
        c.request(method, path, body, h)
        r = c.getresponse()
        data = r.read()
        c.close()
        if r.status != 200:
            raise AssertionError(f"{service} {method} {path}: {r.status} "
                                 f"{data!r}")
        return r, data

    def kms(self, target, **request):
        _, data = self.call(
            "kms", "POST", "/", json.dumps(request).encode(),
            {"content-type": "application/x-amz-json-1.1",
             "x-amz-target": "TrentService." + target})
        return json.loads(data)

    def decrypt(self, blob, context):
        return base64.b64decode(self.kms(
            "Decrypt", CiphertextBlob=base64.b64encode(blob).decode(),
            EncryptionContext=context)["Plaintext"])

    def keys(self, bucket, key):
        """What protects one object of the bucket, in the clear."""
        r, _ = self.call("s3", "HEAD", f"/{bucket}/"
                         + urllib.parse.quote(key, safe="/-._~"))
        headers = {k.lower()[STRIP:]: v for k, v in r.headers.items()
                   if k.lower().startswith("x-amz-meta-")}
        dek = self.decrypt(
            base64.b64decode(headers.get("x-amz-key-v2")
                             or headers["x-amz-3"]),
            json.loads(headers.get("x-amz-matdesc") or headers["x-amz-t"]))
        return {"data key": dek, "content key": content_key(headers, dek)}


def content_key(headers, data_key):
    """What decrypts the body: the data key, or what a committing object
    derives from it (HKDF-SHA512, one block)."""
    if "x-amz-i" not in headers:
        return data_key
    prk = hmac.new(base64.b64decode(headers["x-amz-i"]), data_key,
                   hashlib.sha512).digest()
    info = b"\x00\x73DERIVEKEY\x01"
    return hmac.new(prk, info, hashlib.sha512).digest()[:32]


def vector(name):
    """Key, body, metadata, plaintext, data key of an official client's
    object."""
    with open(f"{VECTORS}/positive/{name}.json") as f:
        v = json.load(f)
    return (v["object_key"], base64.b64decode(v["body_base64"]),
            {k[STRIP:]: h for k, h in v["headers"].items()},
            base64.b64decode(v["plaintext_base64"]),
            base64.b64decode(v["kms"]["plaintext_key_base64"]))


# --- the state directory ---

@contextlib.contextmanager
def index(state):
    """The database, changed only while no daemon has it."""
    db = sqlite3.connect(os.path.join(state, "index.db"), isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def meta(state, name):
    with index(state) as db:
        row = db.execute("SELECT value FROM meta WHERE "
                         "CAST(name AS TEXT) = ?",
                         (name,)).fetchone()
    return row and (row[0].encode() if isinstance(row[0], str) else row[0])


def root_record(state):
    """ARN and wrapped key of "seal.root"."""
    r = meta(state, "seal.root")
    n = int.from_bytes(r[2:4], "big")
    return r[4:4 + n].decode(), r[4 + n:]


def root_key(caller, state):
    uuid = meta(state, "seal.uuid").decode()
    return caller.decrypt(root_record(state)[1], {"sesfs:state": uuid})


# --- what to look for ---

def spellings(what, secret):
    """A key, as it is and as text."""
    b64 = base64.b64encode(secret).rstrip(b"=")
    return {what: secret, what + " in base64": b64,
            what + " in hex": secret.hex().encode(),
            what + " in HEX": secret.hex().upper().encode()}


def pick_text(message):
    """24 bytes that no other message is likely to have, from its middle."""
    middle = len(message) // 2
    for at in range(middle, len(message) - 24):
        text = message[at:at + 24]
        if len(set(text)) > 12 and b"\n" not in text:
            return text
    return None


def found(haystack, needles):
    return {what for what, needle in needles.items() if needle in haystack}


class Mapping:
    def __init__(self, head):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)", head)
        self.start, self.end = int(m[1], 16), int(m[2], 16)
        self.mode, self.name = m[3], m[4]
        self.flags, self.size = [], {}

    def __str__(self):
        return f"{self.start:x}-{self.end:x} {self.mode} {self.name}"


def mappings(pid):
    out = []
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                out.append(Mapping(line.rstrip("\n")))
            elif line.startswith("VmFlags:"):
                out[-1].flags = line.split()[1:]
            else:
                name, _, rest = line.partition(":")
                out[-1].size[name] = int(rest.split()[0])
    return out


def in_memory(pid, needles, locked):
    """Which needles are in the process, and where: {what: mapping}. locked:
    look into locked memory too. A file's own clean pages are not its."""
    hits = {}
    overlap = max(map(len, needles.values())) - 1
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for m in mappings(pid):
            if "lo" in m.flags and not locked:
                continue
            if (m.size["Rss"] + m.size["Swap"] == 0 or "r" not in m.mode
                    or m.name in ("[vvar]", "[vsyscall]")
                    or m.name.startswith("/") and "w" not in m.mode
                    and m.size["Anonymous"] == 0):
                continue
            tail = b""
            for at in range(m.start, m.end, 1 << 20):
                try:
                    mem.seek(at)
                    chunk = mem.read(min(1 << 20, m.end - at))
                except OSError:
                    break  # unmapped, or beyond the end of its file
                if chunk.count(0) == len(chunk):
                    tail = b""
                    continue
                for what in found(tail + chunk, needles):
                    hits.setdefault(what, str(m))
                tail = chunk[-overlap:]
    return hits


def in_files(top, needles):
    """Which needles are in files below top: {what: file}."""
    hits = {}
    for d, _, names in os.walk(top):
        for name in names:
            path = os.path.join(d, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    for what in found(f.read(), needles):
                        hits.setdefault(what, path)
    return hits


# --- TLS ---

class TlsFront:
    """The cloud behind https://localhost, with a CA of its own."""

    def __init__(self, bench):
        need("openssl")
        self.ca = os.path.join(bench.work, "ca.pem")
        key = os.path.join(bench.work, "ca.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", key, "-out", self.ca, "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.ca, key)
        self.port = bench.cloud.port
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"https://localhost:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(c,),
                                 daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError):
            client = self.context.wrap_socket(plain, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(server, client),
                             daemon=True).start()
            self.pump(client, server)

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
