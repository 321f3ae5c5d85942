"""A server between sesfs and the cloud, for what the cloud itself cannot do."""
import contextlib
import http.client
import http.server
import threading


class Relay(http.server.BaseHTTPRequestHandler):
    """Hands everything on; a subclass decides first, in before()."""
    protocol_version = "HTTP/1.1"
    server_version = sys_version = ""

    def before(self):
        """True: it has been answered."""
        return False

    def handle_all(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.before():
            return
        peer = http.client.HTTPConnection("127.0.0.1", self.server.cloud_port)
        peer.putrequest(self.command, self.path, skip_host=True,
                        skip_accept_encoding=True)
        for name, value in self.headers.items():
            peer.putheader(name, value)
        peer.endheaders(body)
        reply = peer.getresponse()
        self.answer(reply.status, reply.getheaders(), reply.read())
        peer.close()

    def answer(self, status, headers, body):
        self.send_response_only(status)
        names = [n.lower() for n, _ in headers]
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_all

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


@contextlib.contextmanager
def relayed(bench, server, *variables):
    """Have the services of these endpoint variables go through a server."""
    server.cloud_port = bench.cloud.port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    bench.env.update(dict.fromkeys(variables, url))
    try:
        yield server
    finally:
        for name in variables:
            del bench.env[name]
        server.shutdown()
        thread.join()
        server.server_close()
