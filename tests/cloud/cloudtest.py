"""A running sesfs-cloud, and a signing client of its own, for tests.

Standard library only. A third writing of SigV4, so that the emulator's is not
only tested against itself."""
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROLE = 'arn:aws:iam::123456789012:role/'
NONE = object()
failures = 0


def check(ok, what):
    global failures
    if not ok:
        failures += 1
        frame = sys._getframe(1)
        print(f'{frame.f_code.co_filename}:{frame.f_lineno}: {what}')


def equal(got, want, what=''):
    global failures
    if got != want:
        failures += 1
        frame = sys._getframe(1)
        print(f'{frame.f_code.co_filename}:{frame.f_lineno}: {what}\n'
              f'\tgot  {got!r}\n\twant {want!r}')


def done():
    return 1 if failures else 0


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """The error code, from XML or JSON; '' when there is none."""
        text = self.body.decode('utf-8', 'replace')
        if '<Code>' in text:
            return text.split('<Code>')[1].split('<')[0]
        if text.startswith('{'):
            return json.loads(text).get('__type', '')
        return ''

    def json(self):
        return json.loads(self.body)


def quote(s, safe='-._~'):
    return urllib.parse.quote(s, safe=safe)


class Cloud:
    access_key, secret_key, token = 'test', 'testsecret', None
    region = 'us-east-1'
    bucket = None  # named in the host when set
    ca = None  # certificate; TLS when set

    def __init__(self, program, *args):
        self.dir = tempfile.TemporaryDirectory()
        port_file = self.dir.name + '/port'
        self.process = subprocess.Popen(
            [program, '--port-file', port_file, '--die-with-parent', *args],
            stdout=subprocess.DEVNULL)
        while not os.path.exists(port_file):
            if self.process.poll() is not None:
                raise SystemExit('sesfs-cloud did not start')
            time.sleep(0.01)
        with open(port_file) as f:
            self.port = int(f.read())
        self.endpoint = f'http://127.0.0.1:{self.port}'

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        equal(self.process.wait(60), 0, 'exit status of sesfs-cloud')
        self.dir.cleanup()

    def connect(self):
        if not self.ca:
            return http.client.HTTPConnection('127.0.0.1', self.port,
                                              timeout=60)
        return http.client.HTTPSConnection(
            'localhost', self.port, timeout=60,
            context=ssl.create_default_context(cafile=self.ca))

    def raw(self, method, target, headers=None, body=b''):
        headers = {'Host': self.host(), **(headers or {})}
        with contextlib.closing(self.connect()) as con:
            con.putrequest(method, target, skip_host=True,
                           skip_accept_encoding=True)
            for name, value in headers.items():
                con.putheader(name, value)
            if body or method in ('PUT', 'POST'):
                con.putheader('Content-Length', str(len(body)))
            con.endheaders(body)
            r = con.getresponse()
            return Reply(r.status, r.headers, r.read())

    def admin(self, command, body=b'', headers=None, method='POST', **params):
        target = f'/_cloud/{command}?' + urllib.parse.urlencode(params)
        return self.raw(method, target, headers, body)

    def set(self, **params):
        r = self.admin('set', **params)
        equal(r.status, 200, r.body)

    def get_json(self, command, **params):
        return self.admin(command, method='GET', **params).json()

    def host(self):
        prefix = self.bucket + '.' if self.bucket else ''
        name = 'localhost' if prefix or self.ca else '127.0.0.1'
        return f'{prefix}{name}:{self.port}'

    def sign(self, method, path, query, headers, payload, service):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = now.strftime('%Y%m%dT%H%M%SZ')
        signed = {'host': self.host(), 'x-amz-date': stamp,
                  **{k.lower(): v for k, v in headers.items()}}
        if service == 's3':
            signed['x-amz-content-sha256'] = payload
        if self.token:
            signed['x-amz-security-token'] = self.token
        names = ';'.join(sorted(signed))
        canonical = '\n'.join(
            [method, quote(path, '-._~/'),
             '&'.join(f'{quote(k)}={quote(v)}' for k, v in sorted(query)),
             *(f'{k}:{" ".join(signed[k].split())}' for k in sorted(signed)),
             '', names, payload])
        scope = f'{stamp[:8]}/{self.region}/{service}/aws4_request'
        to_sign = '\n'.join(['AWS4-HMAC-SHA256', stamp, scope, hashlib.sha256(
            canonical.encode()).hexdigest()])
        key = ('AWS4' + self.secret_key).encode()
        for part in scope.split('/') + [to_sign]:
            key = hmac.new(key, part.encode(), 'sha256').digest()
        del signed['host']
        signed['Authorization'] = (
            f'AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, '
            f'SignedHeaders={names}, Signature={key.hex()}')
        return signed

    def request(self, method, path, query=(), headers=None, body=b'',
                service='s3', payload=None):
        payload = payload or hashlib.sha256(body).hexdigest()
        target = quote(path, '-._~/')
        if query:
            target += '?' + '&'.join(f'{quote(k)}={quote(v)}'
                                     for k, v in query)
        return self.raw(method, target, self.sign(
            method, path, query, headers or {}, payload, service), body)

    def kms(self, operation, **members):
        return self.request('POST', '/', headers={
            'x-amz-target': 'TrentService.' + operation,
            'content-type': 'application/x-amz-json-1.1'},
            body=json.dumps(members).encode(), service='kms')

    def sts(self):
        return self.request(
            'POST', '/', body=b'Action=GetCallerIdentity&Version=2011-06-15',
            service='sts')


def assume(cloud, role, action='AssumeRole', signed=True, **form):
    form = {'Action': action, 'Version': '2011-06-15', 'RoleArn': ROLE + role,
            'RoleSessionName': 'a-name', **form}
    body = urllib.parse.urlencode({k: v for k, v in form.items()
                                   if v is not NONE}).encode()
    if signed:
        return cloud.request('POST', '/', body=body, service='sts')
    return cloud.raw('POST', '/', {
        'Content-Type': 'application/x-www-form-urlencoded'}, body)


def take_xml(reply):
    text = reply.body.decode()
    return [text.split(f'<{n}>')[1].split('<')[0] for n in (
        'AccessKeyId', 'SecretAccessKey', 'SessionToken')]


class As:
    """Ask as somebody else for a while."""
    def __init__(self, cloud, keys):
        self.cloud, self.keys = cloud, keys

    def __enter__(self):
        c = self.cloud
        c.access_key, c.secret_key, c.token = self.keys

    def __exit__(self, *exc):
        c = self.cloud
        c.access_key, c.secret_key, c.token = 'test', 'testsecret', None
