"""sesfs-cloud under the AWS command line, which signs and parses by code of
Amazon's: test_awscli.py SESFS-CLOUD. Exits 77 when there is no `aws`."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from cloudtest import Cloud, check, done, equal

KEY = 'arn:aws:kms:us-east-1:123456789012:key/' \
      '0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee'
ODD_KEYS = ['a b', 'a+b', 'ü/ö', 'x&y<z>"', '日本/件名', '~tilde', "it's",
            'percent%41', 'slash/', 'two//slashes', './dot', 'eq=u?al#s',
            '*star', 'tab\there', '📧', 'k' * 1024, 'bell\a', 'A', 'a', '\x7f']


class Aws:
    def __init__(self, program, cloud, home):
        self.program, self.cloud, self.home = program, cloud, home

    def run(self, *args, secret='testsecret', access='test',
            region='us-east-1'):
        env = {'PATH': os.environ['PATH'], 'HOME': self.home,
               'AWS_ACCESS_KEY_ID': access, 'AWS_SECRET_ACCESS_KEY': secret,
               'AWS_DEFAULT_REGION': region, 'AWS_MAX_ATTEMPTS': '1',
               'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_PAGER': '',
               'LANG': 'C.UTF-8'}
        r = subprocess.run([self.program, '--endpoint-url',
                            self.cloud.endpoint, '--output', 'json', *args],
                           env=env, capture_output=True, text=True)
        return r.returncode, r.stdout, r.stderr

    def ok(self, *args, **kw):
        status, out, err = self.run(*args, **kw)
        equal(status, 0, f'{args}: {err}')
        try:
            return json.loads(out)
        except ValueError:
            return out

    def refused(self, code, *args, **kw):
        status, _, err = self.run(*args, **kw)
        check(status != 0, f'{args} was not refused')
        check(code in err, f'{args}: {code} not in: {err}')


def files(aws, path):
    with open(path + '/in', 'wb') as f:
        f.write(os.urandom(100000))
    name = 's3://first/dir/a b+c/ü&<x>.eml'
    aws.ok('s3', 'mb', 's3://first')
    aws.ok('s3', 'cp', path + '/in', name)
    check('ü&<x>.eml' in aws.ok('s3', 'ls', 's3://first', '--recursive'),
          'ls shows the file')
    check('PRE dir/' in aws.ok('s3', 'ls', 's3://first'), 'ls: the folder')
    aws.ok('s3', 'cp', name, path + '/out')
    with open(path + '/in', 'rb') as a, open(path + '/out', 'rb') as b:
        equal(b.read(), a.read(), 'what comes back')
    aws.ok('s3', 'rm', name)
    check('Contents' not in aws.ok('s3api', 'list-objects-v2', '--bucket',
                                   'first'), 'the bucket is empty')
    aws.ok('s3', 'rb', 's3://first')


def listings(aws, cloud):
    for key in ODD_KEYS:
        equal(cloud.admin('put', bucket='odd', key=key).status, 200)
    want = sorted(ODD_KEYS, key=lambda k: k.encode())
    for size in '3', '1000':
        out = aws.ok('s3api', 'list-objects-v2', '--bucket', 'odd',
                     '--page-size', size)
        equal([o['Key'] for o in out['Contents']], want, f'pages of {size}')
    out = aws.ok('s3api', 'list-objects', '--bucket', 'odd', '--page-size',
                 '3')
    equal([o['Key'] for o in out['Contents']], want, 'version 1')
    out = aws.ok('s3api', 'list-objects-v2', '--bucket', 'odd', '--delimiter',
                 '/', '--page-size', '2')
    equal([p['Prefix'] for p in out['CommonPrefixes']],
          sorted({k.split('/')[0] + '/' for k in ODD_KEYS if '/' in k},
                 key=lambda k: k.encode()), 'common prefixes')
    equal([o['Key'] for o in out['Contents']],
          [k for k in want if '/' not in k], 'keys beside them')
    out = aws.ok('s3api', 'list-objects-v2', '--bucket', 'odd',
                 '--start-after', 'a b', '--prefix', 'a')
    equal([o['Key'] for o in out['Contents']], ['a+b'], 'start-after')
    for key in 'a b', '日本/件名', 'two//slashes', 'percent%41':
        aws.ok('s3api', 'head-object', '--bucket', 'odd', '--key', key)


def objects(aws, path):
    with open(path + '/ten', 'wb') as f:
        f.write(b'0123456789')
    at = ['--bucket', 'objs', '--key', 'k']
    aws.ok('s3', 'mb', 's3://objs')
    put = aws.ok('s3api', 'put-object', *at, '--body', path + '/ten',
                 '--metadata', 'x-amz-iv=abc,empty=', '--content-type',
                 'message/rfc822')
    equal(put['ETag'], '"781e5e245d69b566979b86e28d23f2c7"')
    head = aws.ok('s3api', 'head-object', *at)
    equal((head['ContentLength'], head['ContentType'], head['Metadata']),
          (10, 'message/rfc822', {'x-amz-iv': 'abc', 'empty': ''}))
    part = aws.ok('s3api', 'get-object', *at, '--range', 'bytes=2-4',
                  path + '/part')
    equal(part['ContentRange'], 'bytes 2-4/10')
    with open(path + '/part', 'rb') as f:
        equal(f.read(), b'234')
    aws.ok('s3api', 'copy-object', '--bucket', 'objs', '--key', 'copy',
           '--copy-source', 'objs/k')
    equal(aws.ok('s3api', 'head-object', '--bucket', 'objs', '--key',
                 'copy')['Metadata']['x-amz-iv'], 'abc', 'metadata copied')
    aws.refused('PreconditionFailed', 's3api', 'get-object', *at, '--if-match', 'no',
                path + '/part')
    aws.refused('NoSuchKey', 's3api', 'get-object', '--bucket', 'objs',
                '--key', 'none', path + '/part')
    out = aws.ok('s3api', 'delete-objects', '--bucket', 'objs', '--delete',
                 'Objects=[{Key=k},{Key=copy}]')
    equal(sorted(d['Key'] for d in out['Deleted']), ['copy', 'k'])
    aws.refused('404', 's3api', 'head-object', *at)


def kms(aws, path):
    with open(path + '/plain', 'wb') as f:
        f.write(b'secret')
    made = aws.ok('kms', 'encrypt', '--key-id', 'alias/aws/ses', '--plaintext',
                  f'fileb://{path}/plain', '--encryption-context', 'a=1,b=2')
    equal(made['KeyId'], KEY)
    check(made['CiphertextBlob'].startswith('AQICAH'), 'looks like a blob')
    with open(path + '/blob', 'w') as f:
        f.write(made['CiphertextBlob'])
    subprocess.run(['base64', '-d', path + '/blob'], check=True,
                   stdout=open(path + '/raw', 'wb'))
    blob = ['kms', 'decrypt', '--ciphertext-blob', f'fileb://{path}/raw']
    out = aws.ok(*blob, '--encryption-context', 'b=2,a=1')
    equal((out['Plaintext'], out['KeyId']), ('c2VjcmV0', KEY))
    aws.ok(*blob, '--encryption-context', 'b=2,a=1', '--key-id', KEY)
    for wrong in 'a=1', 'a=1,b=2,c=3', 'a=1,b=3', 'A=1,b=2':
        aws.refused('InvalidCiphertextException', *blob,
                    '--encryption-context', wrong)
    aws.refused('IncorrectKeyException', *blob, '--encryption-context',
                'a=1,b=2', '--key-id', 'alias/second')
    aws.refused('NotFoundException', *blob, '--key-id', 'alias/none')
    out = aws.ok('kms', 'generate-data-key', '--key-id', 'alias/multi',
                 '--key-spec', 'AES_256')
    check('key/mrk-' in out['KeyId'] and len(out['Plaintext']) == 44,
          'a data key')
    out = aws.ok('kms', 'describe-key', '--key-id', 'alias/aws/ses')
    equal((out['KeyMetadata']['Arn'], out['KeyMetadata']['Enabled']),
          (KEY, True))
    aws.ok('kms', 'disable-key', '--key-id', KEY)
    aws.refused('DisabledException', *blob, '--encryption-context', 'a=1,b=2')
    aws.ok('kms', 'enable-key', '--key-id', KEY)


def sqs(aws, cloud):
    status, _, err = aws.run('sqs', 'create-queue', '--queue-name', 'mail')
    if cloud.get_json('log', n=1)[0]['op'] == 'sqs.other':
        return  # before botocore 1.31 it spoke another protocol
    equal(status, 0, err)
    url = aws.ok('sqs', 'get-queue-url', '--queue-name', 'mail')['QueueUrl']
    equal(url, cloud.endpoint + '/123456789012/mail')
    at = ['--queue-url', url]
    get = ['sqs', 'get-queue-attributes', *at, '--attribute-names']
    equal(aws.ok(*get, 'VisibilityTimeout', 'QueueArn')['Attributes'], {
        'VisibilityTimeout': '30',
        'QueueArn': 'arn:aws:sqs:us-east-1:123456789012:mail'})
    policy = '{"Version": "2012-10-17", "Statement": []}'
    aws.ok('sqs', 'set-queue-attributes', *at, '--attributes',
           json.dumps({'Policy': policy, 'VisibilityTimeout': '60'}))
    all_of_it = aws.ok(*get, 'All')['Attributes']
    equal((all_of_it['Policy'], all_of_it['VisibilityTimeout'],
           all_of_it['ApproximateNumberOfMessages']), (policy, '60', '0'))
    aws.refused('InvalidAttributeValue', 'sqs', 'set-queue-attributes', *at,
                '--attributes', json.dumps({'Policy': 'x'}))
    aws.refused('InvalidAttributeName', 'sqs', 'set-queue-attributes', *at,
                '--attributes', json.dumps({'QueueArn': 'x'}))
    aws.refused('NonExistentQueue', *get, 'All', region='eu-west-1')
    aws.refused('NonExistentQueue', 'sqs', 'get-queue-attributes',
                '--queue-url', url + '2')
    aws.refused('InvalidSignatureException', *get, 'All', secret='wrong')
    cloud.set(deny='sqs:GetQueueAttributes')
    aws.refused('AccessDenied', *get, 'All')
    cloud.set(allow='sqs:GetQueueAttributes')


def callers(aws, cloud):
    equal(aws.ok('sts', 'get-caller-identity')['Account'], '123456789012')
    ls = ['s3api', 'list-objects-v2', '--bucket', 'odd']
    aws.refused('SignatureDoesNotMatch', *ls, secret='wrong')
    aws.refused('InvalidAccessKeyId', *ls, access='someone')
    aws.refused('InvalidSignatureException', 'kms', 'list-keys',
                secret='wrong')
    aws.refused('SignatureDoesNotMatch', 'sts', 'get-caller-identity',
                secret='wrong')
    # It is told the region, signs for that, and asks again.
    aws.ok('s3api', 'get-object', '--bucket', 'odd', '--key', 'a', '/dev/null',
           region='ap-south-1')
    check({(400, 'ap-south-1'), (200, 'us-east-1')} <= {
        (e['status'], e['region']) for e in cloud.get_json('log', n=3)},
        'sent to the right region')
    cloud.admin('bucket', bucket='away', region='eu-west-1')
    out = aws.ok('s3api', 'get-bucket-location', '--bucket', 'away',
                 region='eu-west-1')
    equal(out['LocationConstraint'], 'eu-west-1')


def main():
    programs = {p for p in (shutil.which('aws'), '/usr/bin/aws')
                if p and os.access(p, os.X_OK)}
    if not programs:
        sys.exit(77)
    for program in sorted(programs):
        with tempfile.TemporaryDirectory() as path, \
                Cloud(sys.argv[1]) as cloud:
            aws = Aws(program, cloud, path)
            status, _, err = aws.run('--version')
            if status != 0:
                continue
            files(aws, path)
            listings(aws, cloud)
            objects(aws, path)
            kms(aws, path)
            sqs(aws, cloud)
            callers(aws, cloud)
    return done()


sys.exit(main())
