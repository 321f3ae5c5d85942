"""TLS, proxies and addresses, as a person meets them: what is refused, with
which words, and that nothing was sent by then."""
import base64
import contextlib
import errno
import os
import socket
import ssl
import warnings

import tlsserver
from harness import Skip, equal, main, need, until
from proxy import forget_proxies, proxy

LOCAL = "DNS:localhost,IP:127.0.0.1"


def prepare(b, mails=1):
    need("openssl")
    forget_proxies(b.env)
    b.cloud.generate("mail", "in/", mails)


def sync(b, url, *args, ok=(0,), **env):
    """`sesfs sync` of all services at this URL; a state directory of its
    own each time."""
    b.rounds = getattr(b, "rounds", 0) + 1
    state = os.path.join(b.work, f"state{b.rounds}")
    saved = dict(b.env)
    b.env.update({"AWS_ENDPOINT_URL": url, **env})
    try:
        return b.sesfs("sync", *b.common(state), *args, "s3://mail/in/",
                       ok=ok, both=True)
    finally:
        b.env.clear()
        b.env.update(saved)


def refused(b, server, url, want, *args, **env):
    """It fails, in one line with all of `want`, and nobody was asked for
    anything."""
    server.forget()
    _, err, code = sync(b, url, *args, ok=None, **env)
    assert code != 0, "it was accepted"
    lines = [li for li in err.splitlines() if want[0] in li]
    equal(len(lines), 1, f"lines with {want[0]!r} in {err!r}")
    for part in want:
        assert part in lines[0], f"{part!r} is not in {lines[0]!r}"
    equal(server.all("request"), [], "requests")


def can_serve(server, cert):
    """Does this machine's OpenSSL speak it at all, with itself?"""
    warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cert)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            with context.wrap_socket(s, server_hostname="localhost"):
                return server.connections() == 1
    except OSError:
        return False


def test_old_versions(b):
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    for version in ("TLSv1", "TLSv1_1"):
        with tlsserver.front(b, cert=cert, key=key, minimum="TLSv1",
                             maximum=version,
                             ciphers="ALL:@SECLEVEL=0") as server:
            if not can_serve(server, cert):
                raise Skip(f"this OpenSSL does not speak {version}")
            refused(b, server, f"https://localhost:{server.port}",
                    ["nothing newer than TLS 1.1", "needs TLS 1.2"],
                    "--ca-bundle", cert)
            # Once: that is not a matter of trying again.
            equal(server.connections(), 1, "connections")


def test_new_versions(b):
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    for limit, want in (({}, "TLSv1.3"), ({"maximum": "TLSv1_2"}, "TLSv1.2"),
                        ({"minimum": "TLSv1", "ciphers":
                          "ALL:@SECLEVEL=0"}, "TLSv1.3")):
        with tlsserver.front(b, cert=cert, key=key, **limit) as server:
            sync(b, f"https://localhost:{server.port}", "--ca-bundle", cert)
            equal(set(server.all("handshake")), {want}, "version")


def test_certificates(b):
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    other, other_key = tlsserver.certificate(b.work, "DNS:s3.example.com")
    old, old_key = tlsserver.certificate(b.work, LOCAL, days=-1)
    for name, used, used_key, bundle, want in (
            ("self-signed", cert, key, None,
             ["certificate", "give its issuer's certificate with "
              "--ca-bundle"]),
            ("another authority", cert, key, other,
             ["certificate", "give its issuer's certificate with "
              "--ca-bundle"]),
            ("expired", old, old_key, old,
             ["certificate has expired", "must be renewed", "clock"]),
            ("another name", other, other_key, other,
             ["localhost", "use a name that is in the server's "
              "certificate"])):
        with tlsserver.front(b, cert=used, key=used_key) as server:
            print("  ", name, flush=True)
            refused(b, server, f"https://localhost:{server.port}", want,
                    *(["--ca-bundle", bundle] if bundle else []))
            equal(server.connections(), 1, "connections")
    with tlsserver.front(b) as server:
        refused(b, server, f"https://localhost:{server.port}",
                ["this is not TLS; is it an http:// port?"])


def test_bundle(b):
    """The three ways to name one; and those that are none, said at the
    start."""
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    config = os.path.join(b.work, "config")
    with open(config, "w") as f:
        f.write(f"[default]\nca_bundle = {cert}\n")
    with tlsserver.front(b, cert=cert, key=key) as server:
        url = f"https://localhost:{server.port}"
        sync(b, url, "--ca-bundle", cert)
        sync(b, url, AWS_CA_BUNDLE=cert)
        sync(b, url, AWS_CONFIG_FILE=config)
        for path, want in ((os.path.join(b.work, "nonesuch"), "No such file"),
                           (b.work, "Is a directory"),
                           (key, "no PEM certificate in it"),
                           ("/dev/null", "no PEM certificate in it")):
            refused(b, server, url, [f"read CA bundle {path}: {want}"],
                    AWS_CA_BUNDLE=path)
            equal(server.all("handshake"), [], "connections")


def test_reuse(b):
    """A request needs no connection of its own: with --jobs there are as many
    for each service, and tickets for those that come later."""
    prepare(b, mails=30)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    with tlsserver.front(b, cert=cert, key=key) as server:
        sync(b, f"https://localhost:{server.port}", "--ca-bundle", cert,
             "--jobs=2")
        requests = len(server.all("request"))
        connections = len(server.all("handshake"))
        print(f"   {requests} requests, {connections} connections")
        assert requests >= 60, requests
        assert connections <= 2 * 3, connections


def test_ipv6(b):
    prepare(b)
    with contextlib.closing(socket.socket(socket.AF_INET6)) as s:
        try:
            s.bind(("::1", 0))
        except OSError as e:
            raise Skip(f"no IPv6 on loopback: {e}") from e
    cert, key = tlsserver.certificate(b.work, "IP:::1")
    with tlsserver.front(b, host="::1") as server:
        sync(b, f"http://[::1]:{server.port}")
        assert server.all("request"), "nothing came"
    with tlsserver.front(b, host="::1", cert=cert, key=key) as server:
        sync(b, f"https://[::1]:{server.port}", "--ca-bundle", cert)
        assert server.all("request"), "nothing came"


def test_plain(b):
    """Not encrypted: to this machine, or where it is allowed."""
    prepare(b)
    _, err, code = sync(b, "http://s3.example.com", ok=None)
    assert code == 2 and "is not encrypted; use https, or --allow-http" in (
        err), (code, err)
    sync(b, f"http://localhost:{b.cloud.port}")
    sync(b, f"http://[::ffff:127.0.0.1]:{b.cloud.port}", "--allow-http",
         AWS_EC2_METADATA_DISABLED="true")


def test_path(b):
    """An endpoint's own path stands first, and is signed: the cloud does find
    no fault with it but that there is no such bucket."""
    prepare(b)
    with tlsserver.front(b) as server:
        _, err, code = sync(b, f"http://localhost:{server.port}/gate/", ok=None)
        assert code != 0 and "NoSuchBucket" in err, (code, err)
        assert all(r.split(" ")[1].startswith("/gate/mail")
                   for r in server.all("request")), server.all("request")


# ---- proxies ----

NAME = "s3.sesfs.invalid"  # the proxy alone knows where that is


def test_proxy(b):
    prepare(b)
    cert, key = tlsserver.certificate(b.work, f"DNS:{NAME},{LOCAL}")
    secret = "hunter2-of-the-proxy"
    want = "Basic " + base64.b64encode(f"mail:{secret}".encode()).decode()
    with tlsserver.front(b, cert=cert, key=key) as server:
        with proxy(server.port, want=want) as p:
            at = f"127.0.0.1:{p.server_port}"
            _, err, _ = sync(b, f"https://{NAME}", "--ca-bundle", cert,
                             "--log=stderr", "--debug",
                             https_proxy=f"http://mail:{secret}@{at}")
            equal(set(p.asked), {f"{NAME}:443"}, "what the proxy was asked")
            assert server.all("request"), "nothing came"
            assert secret not in err and want not in err, err
            p.asked.clear()
            refused(b, server, f"https://{NAME}",
                    ["407", "the proxy wants a user and password"],
                    "--ca-bundle", cert, https_proxy=f"http://{at}")
            equal(len(p.asked), 1, "requests to the proxy")
        with proxy(server.port, status=403) as p:
            at = f"http://127.0.0.1:{p.server_port}"
            refused(b, server, f"https://{NAME}",
                    ["403", "the proxy refuses"], "--ca-bundle", cert,
                    HTTPS_PROXY=at)
            p.asked.clear()
            # Loopback never goes through one, nor does what no_proxy names.
            sync(b, f"https://localhost:{server.port}", "--ca-bundle", cert,
                 https_proxy=at)
            equal(p.asked, [], "requests to the proxy")


def test_proxy_url(b):
    """One that libcurl does not take is not repeated by us, who would tell its
    password."""
    prepare(b)
    secret = "S3cret"
    for rest in ("{}@proxy.example:99999", "{} x@proxy.example:80",
                 "{}@pro xy", "{}#x@127.0.0.1:3128", "{}/x@127.0.0.1:3128"):
        url = "http://bob:" + rest.format(secret)
        _, err, code = sync(b, f"https://{NAME}", ok=None, https_proxy=url)
        assert code != 0 and "(https_proxy) cannot be read" in err, err
        assert secret not in err and "bob" not in err, err
    for url in (f"bob:{secret}@[::1", f"foo://bob:{secret}@proxy.example:80"):
        _, err, code = sync(b, f"https://{NAME}", ok=None, https_proxy=url)
        assert code != 0 and "the proxy's URL (https_proxy)" in err, err
        assert secret not in err and "bob" not in err, err
        b.env.update(https_proxy=url, AWS_ENDPOINT_URL=f"https://{NAME}")
        out, err, _ = b.sesfs("check", *b.common(b.work + "/checked"),
                              "--json", "s3://mail/in/", ok=None, both=True)
        b.env.update(https_proxy="")
        assert "the proxy's URL (https_proxy)" in out, out
        assert secret not in out + err, out + err


def test_proxy_by_tls(b):
    """Its certificate counts like any other, by the same bundle."""
    prepare(b)
    cert, key = tlsserver.certificate(b.work, f"DNS:{NAME}")
    its, its_key = tlsserver.certificate(b.work, LOCAL)
    both = os.path.join(b.work, "both.pem")
    with open(both, "w") as f:
        for path in (cert, its):
            with open(path) as part:
                f.write(part.read())
    with tlsserver.front(b, cert=cert, key=key) as server:
        with proxy(server.port, pair=(its, its_key)) as p:
            at = f"https://localhost:{p.server_port}"
            sync(b, f"https://{NAME}", "--ca-bundle", both, https_proxy=at)
            equal(set(p.asked), {f"{NAME}:443"}, "what the proxy was asked")
            p.asked.clear()
            refused(b, server, f"https://{NAME}",
                    ["give its issuer's certificate with --ca-bundle"],
                    "--ca-bundle", cert, https_proxy=at)
            equal(p.asked, [], "requests to the proxy")


def test_nothing_but_a_proxy(b):
    """A network that lets nobody out is none: a mount begins with what it
    knows, and says what is in the way. Who is not trusted is another matter."""
    prepare(b)
    cert, key = tlsserver.certificate(b.work, f"DNS:{NAME}")
    m = b.mount("s3://mail/in/", "--cache-size=0")
    m.sync()
    m.stop()
    b.env["AWS_ENDPOINT_URL"] = f"https://{NAME}"
    for options, want in (({"portal": True}, "this is not TLS"),
                          ({"status": 403}, "the proxy refuses"),
                          ({"status": 407}, "the proxy wants a user"),
                          ({"status": 429}, "cannot be reached now"),
                          ({"status": 503}, "cannot be reached now")):
        with proxy(1, **options) as p:
            print("  ", options, flush=True)
            b.env["https_proxy"] = f"http://127.0.0.1:{p.server_port}"
            open(m.log_path, "w").close()
            m.start()
            assert want in m.log(), m.log()
            assert "mail cannot be reached now" in m.log(), m.log()
            mails = [os.path.join(at, f) for at, _, files in os.walk(m.path)
                     for f in files if ",S=" in f]
            equal(len(mails), 1, "mails")
            if "portal" in options:
                try:
                    open(mails[0], "rb").read()
                except OSError as e:
                    equal(e.errno, errno.ETIMEDOUT, "errno of a mail")
                else:
                    raise AssertionError("it was read")
            m.stop()
    with tlsserver.front(b, cert=cert, key=key) as server:
        with proxy(server.port) as p:
            b.env["https_proxy"] = f"http://127.0.0.1:{p.server_port}"
            m.start(wait=False)
            until("the mount to end", lambda: m.process.poll() is not None)
            assert "--ca-bundle" in m.log(), m.log()
            m.process = None


# ---- FIPS ----

def only(b, name, suite):
    """An OPENSSL_CONF with one TLS 1.3 suite."""
    path = os.path.join(b.work, name + ".cnf")
    with open(path, "w") as f:
        f.write("openssl_conf = init\n[init]\nssl_conf = ssl\n"
                "[ssl]\nsystem_default = all\n"
                f"[all]\nCiphersuites = {suite}\n")
    return path


def test_fips(b):
    """What --fips leaves out is accepted without it."""
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    chacha = only(b, "chacha", "TLS_CHACHA20_POLY1305_SHA256")
    none = "no cipher or group in common; --fips allows AES-GCM"
    for name, conf, options, good in (
            ("ChaCha20 alone, 1.3", chacha, {"minimum": "TLSv1_3"}, False),
            ("ChaCha20 alone, 1.2", None, {
                "maximum": "TLSv1_2", "ciphers":
                "ECDHE-ECDSA-CHACHA20-POLY1305"}, False),
            ("CBC alone", None, {
                "maximum": "TLSv1_2", "ciphers":
                "ECDHE-ECDSA-AES128-SHA256"}, False),
            ("X25519 alone", None, {"group": "X25519"}, False),
            ("AES-GCM, 1.2", None, {
                "maximum": "TLSv1_2", "ciphers":
                "ECDHE-ECDSA-AES128-GCM-SHA256"}, True),
            ("P-384 alone", None, {"group": "secp384r1"}, True),
            ("all", None, {}, True)):
        with tlsserver.front(b, openssl_conf=conf, cert=cert, key=key,
                             **options) as server:
            url = f"https://localhost:{server.port}"
            print("  ", name, flush=True)
            sync(b, url, "--ca-bundle", cert)
            assert server.all("request"), "nothing came"
            if good:
                server.forget()
                sync(b, url, "--fips", "--ca-bundle", cert)
                assert all("GCM" in c for c in server.all("cipher"))
            else:
                refused(b, server, url, [none], "--fips", "--ca-bundle",
                        cert)


def test_fips_by_proxy(b):
    """A proxy that TLS is spoken with is held to the same groups. It refuses
    to go on: whether it was asked is what counts."""
    prepare(b)
    cert, key = tlsserver.certificate(b.work, LOCAL)
    for group, args, good in (("X25519", [], True),
                              ("X25519", ["--fips"], False),
                              ("secp384r1", ["--fips"], True)):
        with proxy(1, status=403, pair=(cert, key), group=group) as p:
            at = f"https://localhost:{p.server_port}"
            print("  ", group, *args, flush=True)
            _, err, code = sync(b, "", "--region=us-east-1", "--ca-bundle",
                                cert, *args,
                                ok=None, https_proxy=at)
            assert code != 0, "the proxy did not refuse"
            equal(bool(p.asked), good, err)
            equal("no cipher or group in common; --fips" in err, not good, err)


if __name__ == "__main__":
    main(globals())
