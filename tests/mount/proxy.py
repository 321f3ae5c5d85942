"""An HTTP proxy, for what is sent by CONNECT."""
import contextlib
import http.server
import select
import socket
import ssl
import sys
import threading

import relay


class Proxy(http.server.BaseHTTPRequestHandler):
    """CONNECT, and nothing else; wherever to, the server's `peer` is meant."""

    def do_CONNECT(self):
        self.server.asked.append(self.path)
        given = self.headers.get("Proxy-Authorization")
        if self.server.want is not None and given != self.server.want:
            self.send_error(407)
            return
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if self.server.portal:
            self.send_response_only(200)
            self.end_headers()
            self.wfile.write(b"HTTP/1.1 302 Found\r\n"
                             b"Location: http://login/\r\n\r\n")
            return
        with socket.create_connection(self.server.peer) as peer:
            self.send_response_only(200)
            self.end_headers()
            self.shovel(peer)

    def shovel(self, peer):
        while True:
            for s in select.select([self.connection, peer], [], [])[0]:
                data = s.recv(65536)
                if not data:
                    return
                (peer if s is self.connection else self.connection).sendall(
                    data)

    def log_message(self, *_):
        pass


class Server(relay.Server):
    def handle_error(self, request, client_address):
        """Who does not trust us hangs up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def forget_proxies(env):
    """What the machine's own environment says of them is not to count."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        env.pop(name, None)
        env.pop(name.upper(), None)


@contextlib.contextmanager
def proxy(peer, want=None, status=200, pair=None, group=None, portal=False):
    """want: the Proxy-Authorization it asks for; pair: certificate and key, to
    be spoken to by TLS; group: the only one it does that with; portal: wherever
    to, a page to log in comes."""
    server = Server(("127.0.0.1", 0), Proxy)
    server.peer, server.want, server.status = ("127.0.0.1", peer), want, status
    server.asked, server.portal = [], portal
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        if group is not None:
            context.set_ecdh_curve(group)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
