"""A small S3 client that owes nothing to sesfs: SigV4 with hmac, objects put
and got in parallel."""
import datetime
import hashlib
import hmac
import http.client
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from harness import DEADLINE


def quote(text):
    return urllib.parse.quote(text, safe="/-_.~", errors="strict")


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3:
    def __init__(self, port, access="test", secret="testsecret",
                 region="us-east-1"):
        self.host = f"127.0.0.1:{port}"
        self.access, self.secret, self.region = access, secret, region
        self.local = threading.local()

    def sign(self, method, path, headers, body):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        body_hash = hashlib.sha256(body).hexdigest()
        headers = {**headers, "host": self.host, "x-amz-date": stamp,
                   "x-amz-content-sha256": body_hash}
        names = ";".join(sorted(headers))
        canonical = "\n".join(
            [method, path, "",
             *(f"{k}:{headers[k].strip()}" for k in sorted(headers)), "",
             names, body_hash])
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(
            canonical.encode()).hexdigest()])
        key = b"AWS4" + self.secret.encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = digest(key, part)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope},"
            f"SignedHeaders={names},Signature={digest(key, text).hex()}")
        return headers

    def request(self, method, bucket, key=None, body=b"", headers=None):
        path = "/" + bucket + ("" if key is None else "/" + quote(key))
        signed = self.sign(method, path, headers or {}, body)
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(
                self.host, timeout=DEADLINE)
        c = self.local.connection
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in signed.items():
            c.putheader(name, value)
        c.putheader("content-length", str(len(body)))
        c.endheaders(body)
        reply = c.getresponse()
        data = reply.read()
        if reply.status // 100 != 2:
            raise AssertionError(f"{method} {path}: {reply.status} "
                                 f"{data[:500]!r}")
        return {k.lower(): v for k, v in reply.getheaders()}, data

    def copy_from(self, other, bucket, pairs, to_bucket, threads=8):
        """Bring objects with their metadata from another server; pairs of
        their key there and here."""
        def one(pair):
            headers, body = other.request("GET", bucket, pair[0])
            self.request("PUT", to_bucket, pair[1], body,
                         {k: v for k, v in headers.items()
                          if k.startswith("x-amz-meta-")})
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(one, pairs):
                pass
