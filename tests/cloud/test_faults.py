"""Every fault, refusal and command of sesfs-cloud, seen from outside:
test_faults.py SESFS-CLOUD."""
import base64
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from cloudtest import Cloud, check, done, equal

KEY = 'arn:aws:kms:us-east-1:123456789012:key/' \
      '0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee'
FOREIGN = 'arn:aws:kms:us-east-1:999999999999:key/' \
          'deadbeef-0000-4000-8000-000000000bad'
BODY = bytes(range(256)) * 40


def get(c, key='k', **kw):
    return c.request('GET', '/bkt/' + key, **kw)


def errors(c):
    """Each service's own words for each kind of error."""
    ask = {'s3': lambda: get(c), 'kms': lambda: c.kms('ListKeys'),
           'sts': c.sts}
    want = {
        ('s3', 'throttle'): (503, 'SlowDown'),
        ('s3', '500'): (500, 'InternalError'),
        ('s3', '503'): (503, 'ServiceUnavailable'),
        ('kms', 'throttle'): (400, 'ThrottlingException'),
        ('kms', '500'): (500, 'KMSInternalException'),
        ('kms', '503'): (503, 'ServiceUnavailable'),
        ('sts', 'throttle'): (400, 'Throttling'),
        ('sts', '500'): (500, 'InternalFailure'),
        ('sts', '503'): (503, 'ServiceUnavailable'),
    }
    for (service, kind), (status, code) in want.items():
        name = f'{service}_{kind}'
        c.set(**{name: 100})
        r = ask[service]()
        equal((r.status, r.code), (status, code), name)
        c.set(**{name: 0})
        equal(ask[service]().status, 200, f'{name} off')
    c.set(s3_throttle=100, retry_after_ms=1234)
    equal(get(c).headers['x-amz-retry-after'], '1234')
    c.admin('reset')


def broken(c):
    """Replies that do not arrive whole."""
    for service, ask in (('s3', lambda: get(c)),
                         ('kms', lambda: c.kms('ListKeys')), ('sts', c.sts)):
        c.set(**{service + '_reset': 100})
        try:
            ask()
            check(False, 'no reset')
        except (ConnectionResetError, http.client.RemoteDisconnected) as e:
            equal(type(e), ConnectionResetError, service)
        c.set(**{service + '_reset': 0, service + '_truncate': 100})
        try:
            ask()
            check(False, 'not cut short')
        except http.client.IncompleteRead as e:
            check(e.expected > 0, 'something was missing')
            if service == 's3':
                equal(e.partial, BODY[:len(BODY) // 2], 'the first half')
        c.admin('reset')
    c.set(s3_bitflip=100)
    r = get(c)
    equal(r.headers['ETag'], '"' + hashlib.md5(BODY).hexdigest() + '"')
    equal(len(r.body), len(BODY))
    equal(sum(bin(a ^ b).count('1') for a, b in zip(r.body, BODY)), 1, 'bits')
    equal(c.request('GET', '/bkt', [('list-type', '2')]).status, 200)
    c.admin('reset')
    equal(get(c).body, BODY)


def late(c):
    """A late reply takes no thread: others are served meanwhile."""
    c.set(s3_latency_ms=50, jitter_ms=20)
    start = time.monotonic()
    equal(get(c).body, BODY)
    check(time.monotonic() - start >= 0.05, 'too early')
    c.set(s3_latency_ms=2000, jitter_ms=0)
    finished = []
    threads = [threading.Thread(target=lambda: finished.append(get(c).status))
               for _ in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    equal(c.kms('ListKeys').status, 200)
    equal(c.admin('counters', method='GET').status, 200)
    equal(finished, [], 'eight wait, and nobody for them')
    for t in threads:
        t.join()
    equal(finished, [200] * 8)
    c.admin('reset')
    c.set(kms_stall=100, stall_seconds=1)
    start = time.monotonic()
    equal(c.kms('ListKeys').status, 200)
    check(time.monotonic() - start >= 1, 'too early')
    equal(c.get_json('log', n=1)[0]['fault'], 'stall')
    c.admin('reset')


def dice(c):
    c.set(s3_500=30, seed=7)
    first = [get(c).status for _ in range(200)]
    check(30 <= first.count(500) <= 90, f'{first.count(500)} of 200 at 30 %')
    c.set(seed=7)
    equal([get(c).status for _ in range(200)], first, 'same seed')
    c.set(s3_500=100, fault_limit=2)
    equal([get(c).status for _ in range(4)], [500, 500, 200, 200])
    c.set(s3_500=0.0, fault_limit=-1)
    equal([get(c).status for _ in range(20)], [200] * 20)
    c.set(kms_rate=5)
    codes = [c.kms('ListKeys').code for _ in range(60)]
    check('ThrottlingException' in codes and '' in codes, 'some throttled')
    c.admin('reset')


def denied(c):
    blob = c.kms('Encrypt', KeyId=KEY, Plaintext='AAAA').json()
    c.set(deny='kms:Decrypt')
    equal(c.kms('Decrypt', CiphertextBlob=blob['CiphertextBlob']).code,
          'AccessDeniedException')
    equal(c.kms('ListKeys').status, 200)
    c.set(allow='kms:Decrypt')
    equal(c.kms('Decrypt', CiphertextBlob=blob['CiphertextBlob']).status, 200)
    c.set(deny='s3:GetObject')
    r = get(c)
    equal((r.status, r.code), (403, 'AccessDenied'))
    check(b's3:GetObject' in r.body, 'the action is named')
    equal(c.request('HEAD', '/bkt/k').status, 403)
    c.set(allow='s3:GetObject')
    equal(get(c, 'none').status, 404)
    c.set(deny='s3:ListBucket')
    equal(get(c, 'none').status, 403, 'who may not list learns nothing')
    equal(c.request('GET', '/bkt', [('list-type', '2')]).status, 403)
    c.set(allow='*')
    equal(c.get_json('log', n=1)[0]['fault'], 'denied')


def callers(c):
    c.set(clock_offset=3600)
    r = get(c)
    equal((r.status, r.code), (403, 'RequestTimeTooSkewed'))
    ahead = time.mktime(time.strptime(r.headers['Date'],
                                      '%a, %d %b %Y %H:%M:%S GMT')) - \
        time.mktime(time.gmtime())
    check(3500 < ahead < 3700, f'Date is {ahead} s ahead')
    equal(c.kms('ListKeys').code, 'InvalidSignatureException')
    c.set(clock_offset=-600)
    equal(get(c).status, 200)
    c.admin('reset')

    c.set(session_token='tok')
    equal(get(c).code, 'InvalidAccessKeyId')
    c.token = 'kot'
    equal((get(c).status, get(c).code), (400, 'InvalidToken'))
    c.token = 'tok'
    equal(get(c).status, 200)
    c.set(token_expired=1)
    equal((get(c).status, get(c).code), (400, 'ExpiredToken'))
    equal(c.kms('ListKeys').code, 'ExpiredTokenException')
    c.set(token_expired=0, session_token='', secret_key='new')
    c.token = None
    equal((get(c).status, get(c).code), (403, 'SignatureDoesNotMatch'))
    c.secret_key = 'new'
    equal(get(c).status, 200)
    c.secret_key = 'testsecret'
    c.set(secret_key='testsecret')

    equal((c.raw('GET', '/bkt/k').status), 403, 'not signed')
    equal(get(c, payload='UNSIGNED-PAYLOAD').status, 200)
    r = c.request('PUT', '/bkt/x', body=b'1', payload=hashlib.sha256(
        b'2').hexdigest())
    equal((r.status, r.code), (400, 'XAmzContentSHA256Mismatch'))


def buckets(c):
    c.admin('bucket', bucket='away', region='eu-west-1')
    c.admin('put', bucket='away', key='k')
    r = c.request('GET', '/away/k')
    equal((r.status, r.code, r.headers['x-amz-bucket-region']),
          (301, 'PermanentRedirect', 'eu-west-1'))
    r = c.request('HEAD', '/away')
    equal((r.status, r.headers['x-amz-bucket-region']), (301, 'eu-west-1'))
    c.region = 'ap-south-1'
    r = c.request('GET', '/away/k')
    equal((r.status, r.code), (400, 'AuthorizationHeaderMalformed'))
    check(b'<Region>eu-west-1</Region>' in r.body, 'the region is named')
    c.region = 'eu-west-1'
    equal(c.request('GET', '/away/k').status, 200)
    c.region = 'us-east-1'

    owner = 'x-amz-expected-bucket-owner'
    equal(get(c, headers={owner: '123456789012'}).status, 200)
    equal(get(c, headers={owner: '210987654321'}).code, 'AccessDenied')
    c.admin('bucket', bucket='bkt', requester_pays=1)
    equal(get(c).status, 403)
    r = get(c, headers={'x-amz-request-payer': 'requester'})
    equal((r.status, r.headers['x-amz-request-charged']), (200, 'requester'))
    c.admin('bucket', bucket='bkt', requester_pays=0)
    equal(c.request('GET', '/none/k').code, 'NoSuchBucket')


def objects(c):
    etag = '"' + hashlib.md5(BODY).hexdigest() + '"'
    rows = [({'if-match': etag}, 200), ({'if-match': '"x"'}, 412),
            ({'if-none-match': etag}, 304), ({'if-none-match': '"x"'}, 200),
            ({'if-modified-since': 'Sat, 01 Jan 2050 00:00:00 GMT'}, 304),
            ({'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT'}, 412),
            ({'if-match': etag, 'if-unmodified-since':
              'Sat, 01 Jan 2000 00:00:00 GMT'}, 200),
            ({'range': 'bytes=0-0'}, 206), ({'range': 'bytes=-5'}, 206),
            ({'range': 'bytes=99999-'}, 416), ({'range': 'nonsense'}, 200)]
    for headers, status in rows:
        equal(get(c, headers=headers).status, status, headers)
    equal(get(c, headers={'range': 'bytes=-5'}).body, BODY[-5:])
    equal(get(c, headers={'range': 'bytes=10230-'}).body, BODY[10230:])

    new = {'if-none-match': '*'}
    equal(c.request('PUT', '/bkt/new', headers=new, body=b'1').status, 200)
    equal(c.request('PUT', '/bkt/new', headers=new, body=b'1').status, 412)
    equal(c.request('PUT', '/bkt/new', headers={'if-match': '"x"'},
                    body=b'1').status, 412)
    equal(c.request('DELETE', '/bkt/new').status, 204)
    equal(c.request('DELETE', '/bkt/new').status, 204, 'twice')

    c.admin('put', BODY, {'x-amz-storage-class': 'GLACIER'}, bucket='bkt',
            key='ice')
    equal(get(c, 'ice').code, 'InvalidObjectState')
    equal(c.request('HEAD', '/bkt/ice').headers['x-amz-storage-class'],
          'GLACIER')
    big = {'x-amz-meta-a': 'x' * 2048}
    equal(c.request('PUT', '/bkt/m', headers=big).code, 'MetadataTooLarge')
    equal(c.request('PUT', '/bkt/' + 'k' * 1025).code, 'KeyTooLongError')
    c.admin('put', b'', {'x-amz-meta-t': 'ö'.encode(), 'x-amz-meta-e': ''},
            bucket='bkt', key='meta')
    r = get(c, 'meta')
    equal(r.headers['x-amz-meta-t'], '=?UTF-8?B?w4PCtg==?=', 'as S3 does')
    equal(r.headers['x-amz-meta-e'].strip(), '', 'empty is there')
    equal(c.raw('GET', '/bkt/%zz').code, 'InvalidURI')
    date = 'Sun, 09 Sep 2001 01:46:40 GMT'
    c.admin('put', b'', {'Last-Modified': date}, bucket='bkt', key='old')
    equal(get(c, 'old').headers['Last-Modified'], date)
    for key in 'ice', 'meta', 'old':
        c.admin('delete', bucket='bkt', key=key)


def listings(c):
    for key in 'a/1', 'a/2', 'b', 'ctl\x01', 'sp ce+':
        c.admin('put', bucket='lst', key=key)

    def ls(**q):
        return c.request('GET', '/lst', [('list-type', '2'), *(
            (k.replace('_', '-'), v) for k, v in q.items())]).body.decode()

    check('<Key>ctl&#x1;</Key>' in ls(), 'a reference no XML reader takes')
    text = ls(encoding_type='url')
    check('<Key>ctl%01</Key>' in text and '<Key>sp+ce%2B</Key>' in text and
          '<Key>a/1</Key>' in text, 'url-encoded')
    text = ls(max_keys='1', delimiter='/')
    check('<Prefix>a/</Prefix></CommonPrefixes>' in text and
          '<IsTruncated>true' in text, text)
    token = text.split('<NextContinuationToken>')[1].split('<')[0]
    text = ls(max_keys='1', delimiter='/', continuation_token=token)
    check('<Key>b</Key>' in text and '<KeyCount>1<' in text, text)
    equal('<Owner>' in ls(), False)
    equal('<Owner>' in ls(fetch_owner='true'), True)
    check('InvalidArgument' in ls(continuation_token='!'), 'not a token')
    check('<IsTruncated>false' in ls(max_keys='0'), 'none asked for')
    equal(c.request('POST', '/lst', [('delete', '')],
                    body=b'<Delete/>').code, 'InvalidRequest')


def kms(c):
    blob = c.kms('GenerateDataKey', KeyId=FOREIGN, KeySpec='AES_256',
                 EncryptionContext={'a': 'b'}).json()
    ask = {'CiphertextBlob': blob['CiphertextBlob'],
           'EncryptionContext': {'a': 'b'}}
    r = c.kms('Decrypt', **ask).json()
    equal((r['KeyId'], r['Plaintext']), (FOREIGN, blob['Plaintext']))
    equal(c.kms('Decrypt', KeyId=KEY, **ask).code, 'IncorrectKeyException')
    equal(len(base64.b64decode(blob['CiphertextBlob'])), 184)
    equal(c.get_json('log', n=1)[0]['kms_key'], KEY)
    equal(json.loads(c.get_json('log', n=1)[0]['kms_context']), {'a': 'b'})
    raw = bytearray(base64.b64decode(blob['CiphertextBlob']))
    for i in 0, 10, 60, 125, 130, 150, 183:
        raw[i] ^= 1
        equal(c.kms('Decrypt', **{**ask, 'CiphertextBlob': base64.b64encode(
            raw).decode()}).code, 'InvalidCiphertextException', i)
        raw[i] ^= 1
    mrk = KEY.split('key/')[0] + 'key/mrk-1234abcd12ab34cd56ef1234567890ab'
    blob = c.kms('Encrypt', KeyId=mrk, Plaintext='AAAA').json()
    c.region = 'eu-west-1'
    r = c.kms('Decrypt', CiphertextBlob=blob['CiphertextBlob']).json()
    equal(r['KeyId'], mrk.replace('us-east-1', 'eu-west-1'), 'a replica')
    equal(c.kms('Decrypt', **ask).code, 'InvalidCiphertextException')
    equal(c.kms('DescribeKey', KeyId=KEY).code, 'NotFoundException')
    c.region = 'us-east-1'
    c.admin('kms', key=KEY, enabled=0)
    equal(c.kms('GenerateDataKey', KeyId=KEY, KeySpec='AES_256').code,
          'DisabledException')
    c.admin('kms', key=KEY, enabled=1)
    made = c.kms('CreateKey').json()['KeyMetadata']['Arn']
    equal(c.kms('CreateAlias', AliasName='alias/mine',
                TargetKeyId=made).status, 200)
    equal(c.kms('DescribeKey', KeyId='alias/mine').json()['KeyMetadata'][
        'Arn'], made)
    equal(c.kms('Decrypt', CiphertextBlob='?').code, 'ValidationException')
    equal(c.kms('Nonsense').code, 'UnknownOperationException')


def commands(c):
    equal(c.admin('set', colour='red').status, 400)
    equal(c.admin('set', s3_500=101).status, 400)
    equal(c.admin('set', deny='s3:Nothing').status, 400)
    equal(c.admin('nonsense').status, 400)
    equal(c.admin('flip', method='GET', bucket='bkt', key='k').status, 405)
    equal(c.admin('flip', bucket='bkt', key='none').status, 404)
    equal(c.admin('generate', bucket='gen', count=5, seed=9, prefix='in/',
                  setup=1).status, 200)
    rows = c.get_json('manifest', bucket='gen')
    equal(len(rows), 6)
    key = rows[1]['key']
    at = {'bucket': 'gen', 'key': key}
    plain = c.admin('plain', method='GET', **at).body
    equal(hashlib.sha256(plain).hexdigest(), rows[1]['sha256'])
    before = c.request('GET', '/gen/' + key)
    equal((len(before.body), before.headers['ETag'], len(plain)),
          (rows[1]['size'], '"' + rows[1]['etag'] + '"',
           rows[1]['plain_size']))
    equal(c.admin('flip', offset=3, **at).status, 200)
    after = c.request('GET', '/gen/' + key)
    equal([i for i in range(len(before.body))
           if before.body[i] != after.body[i]], [3])
    check(after.headers['ETag'] != before.headers['ETag'], 'another ETag')
    equal(after.headers['x-amz-meta-x-amz-iv'],
          before.headers['x-amz-meta-x-amz-iv'])
    c.admin('meta', name='x-amz-iv', value='junk', **at)
    c.admin('meta', name='x-amz-tag-len', **at)
    c.admin('truncate', size=7, **at)
    c.admin('touch', mtime=1000000000, **at)
    r = c.request('GET', '/gen/' + key)
    equal((r.headers['x-amz-meta-x-amz-iv'], r.headers[
        'x-amz-meta-x-amz-tag-len'], len(r.body), r.headers['Last-Modified']),
        ('junk', None, 7, 'Sun, 09 Sep 2001 01:46:40 GMT'))
    equal(c.admin('plain', method='GET', **at).body, plain)
    c.admin('reset-counters')
    get(c), get(c), c.kms('ListKeys'), c.sts()
    n = c.get_json('counters')
    equal((n['s3.get'], n['kms.other'], n['sts.identity'], n['total']),
          (2, 1, 1, 4))
    log = c.get_json('log', n=3)
    equal([e['op'] for e in log], ['s3.get', 'kms.other', 'sts.identity'])
    equal((log[0]['bucket'], log[0]['key'], log[0]['status']),
          ('bkt', 'k', 200))


def curl(c):
    """libcurl's signer is someone else's too."""
    program = shutil.which('curl')
    if not program:
        return
    empty = hashlib.sha256(b'').hexdigest()
    out = subprocess.run(
        [program, '-sf', '--aws-sigv4', 'aws:amz:us-east-1:s3', '-u',
         'test:testsecret', '-H', 'x-amz-content-sha256: ' + empty,
         c.endpoint + '/bkt/k'], capture_output=True)
    equal((out.returncode, out.stdout), (0, BODY))


def hosts(c):
    c.bucket = 'bkt'
    equal(c.request('GET', '/k').body, BODY, 'bucket in the host')
    equal(c.request('GET', '/', [('list-type', '2')]).status, 200)
    c.bucket = None


def tls(program):
    with tempfile.TemporaryDirectory() as path:
        cert, key = path + '/cert', path + '/key'
        made = shutil.which('openssl') and subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
             '-subj', '/CN=localhost', '-addext',
             'subjectAltName=DNS:localhost', '-days', '1', '-keyout', key,
             '-out', cert], capture_output=True).returncode == 0
        if not made:
            return
        with Cloud(program, '--tls-cert', cert, '--tls-key', key) as c:
            c.ca = cert
            c.admin('put', BODY, bucket='bkt', key='k')
            equal(get(c).body, BODY, 'over TLS')


def hostile(c):
    """Bytes that are no HTTP, and a stop while replies are due."""
    for junk in (b'\0\1\2\3\r\n\r\n', b'GET\r\n\r\n', b'GET /%00 HTTP/1.1\r\n'
                 b'Host: x\r\n\r\n', b'PUT /bkt/x HTTP/1.1\r\n'
                 b'Content-Length: 10\r\n\r\n1'):
        with socket.create_connection(('127.0.0.1', c.port)) as s:
            s.sendall(junk)
    equal(get(c).body, BODY)
    c.set(s3_latency_ms=60000)
    host = f'127.0.0.1:{c.port}'
    target = f'GET /bkt/k HTTP/1.1\r\nHost: {host}\r\n\r\n'.encode()
    open_ones = [socket.create_connection(('127.0.0.1', c.port))
                 for _ in range(4)]
    for s in open_ones:
        s.sendall(target)
    return open_ones


def main():
    with Cloud(sys.argv[1]) as c:
        c.admin('put', BODY, bucket='bkt', key='k')
        for test in (errors, broken, late, dice, denied, callers, buckets,
                     objects, listings, kms, commands, curl, hosts):
            test(c)
        open_ones = hostile(c)
    for s in open_ones:
        s.close()
    tls(sys.argv[1])
    return done()


sys.exit(main())
