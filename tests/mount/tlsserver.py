"""A server before the cloud that speaks TLS as it is told to, and says what it
saw: a program of its own, so that OPENSSL_CONF can choose for it what Python
cannot. And the certificates to do it with."""
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import relay
from harness import DEADLINE, until


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Front(relay.Relay):
    def before(self):
        say(request=f"{self.command} {self.path}")
        return False


class FrontServer(relay.Server):
    context = None

    def finish_request(self, request, client_address):
        """In a thread of the connection's own."""
        if self.context is None:
            say(handshake="plain")
            super().finish_request(request, client_address)
            return
        try:
            request = self.context.wrap_socket(request, server_side=True)
        except OSError as e:  # ssl.SSLError is one
            say(refused=str(e))
            return
        with request:
            say(handshake=request.version(), cipher=request.cipher()[0])
            super().finish_request(request, client_address)


def make_context(o):
    warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(o["cert"], o["key"])
    for side in ("minimum", "maximum"):
        if side in o:
            setattr(context, side + "_version", ssl.TLSVersion[o[side]])
    if "ciphers" in o:
        context.set_ciphers(o["ciphers"])
    if "group" in o:
        context.set_ecdh_curve(o["group"])
    return context


def serve(o):
    class Here(FrontServer):
        address_family = socket.AF_INET6 if ":" in o["host"] else (
            socket.AF_INET)

    server = Here((o["host"], 0), Front)
    server.cloud_port = o["cloud_port"]
    if "cert" in o:
        server.context = make_context(o)
    say(port=server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:  # until whoever began this is gone
        say(mark=line.strip())


class Running:
    """The program as the test sees it: its port, and what it has said."""

    def __init__(self, process):
        self.process, self.said = process, []
        self.port = None
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            what = json.loads(line)
            if "port" in what:
                self.port = what["port"]
            else:
                self.said.append(what)

    def settle(self):
        """Hear everything that it has said by now."""
        mark = str(time.monotonic_ns())
        self.process.stdin.write(mark + "\n")
        self.process.stdin.flush()
        until("the front's mark", lambda: {"mark": mark} in self.said)

    def all(self, kind):
        self.settle()
        return [w[kind] for w in self.said if kind in w]

    def forget(self):
        self.settle()
        self.said.clear()

    def connections(self):
        """How many there were, well or badly begun; there must be some."""
        def begun():
            return self.all("refused") + self.all("handshake")
        until("a connection", begun)
        return len(begun())


@contextlib.contextmanager
def front(bench, openssl_conf=None, host="127.0.0.1", **options):
    """A Running server before the bench's cloud."""
    options.update(host=host, cloud_port=bench.cloud.port)
    env = dict(os.environ)
    if openssl_conf is not None:
        env["OPENSSL_CONF"] = openssl_conf
    process = subprocess.Popen(
        [sys.executable, __file__, json.dumps(options)], env=env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    running = Running(process)
    try:
        until("the front to start", lambda: running.port
              or process.poll() is not None)
        if running.port is None:
            raise AssertionError("the front did not start")
        yield running
    finally:
        process.stdin.close()
        process.wait(DEADLINE)
        running.thread.join()
        process.stdout.close()


def certificate(work, names, days=30):
    """Files (certificate, key) of a new self-signed one; names as in
    "DNS:localhost,IP:::1"."""
    at = tempfile.mkdtemp(dir=work)
    cert, key, request = (os.path.join(at, n) for n in ("c", "k", "r"))
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sesfs-test",
         "-addext", "subjectAltName=" + names, "-keyout", key, "-out",
         request], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days",
         str(days), "-copy_extensions", "copy", "-out", cert], check=True,
        capture_output=True)
    return cert, key


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
