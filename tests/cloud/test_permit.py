"""sesfs-cloud enforces IAM policies: who asks, for what, under which
conditions, and what it says when the answer is no: test_permit.py
SESFS-CLOUD."""
import json
import sys

from cloudtest import As, Cloud, assume, check, done, equal, take_xml

ACCOUNT = '123456789012'
USER = f'arn:aws:iam::{ACCOUNT}:user/test'
KMS = f'arn:aws:kms:us-east-1:{ACCOUNT}:key/'
KEY = KMS + '0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee'  # alias/aws/ses
SECOND = KMS + '5ec0dd00-0000-4000-8000-000000000002'  # alias/second
BUCKET = 'arn:aws:s3:::bkt'


def allow(*actions, on='*', **condition):
    s = {'Effect': 'Allow', 'Action': list(actions), 'Resource': on}
    return {**s, 'Condition': condition} if condition else s


def deny(*actions, on='*'):
    return {'Effect': 'Deny', 'Action': list(actions), 'Resource': on}


def install(cloud, *statements, status=200, **params):
    doc = {'Version': '2012-10-17', 'Statement': list(statements)}
    r = cloud.admin('policy', json.dumps(doc).encode(), **params)
    equal(r.status, status, r.body)
    return r.body.decode()


def refused(r, action, resource, who=USER, status=403, explicit=False):
    """The whole message, as AWS words it."""
    why = ('with an explicit deny in an identity-based policy' if explicit
           else f'because no identity-based policy allows the {action} action')
    text = r.body.decode().replace('&quot;', '"')
    equal(r.status, status, text)
    check(f'User: {who} is not authorized to perform: {action} on resource: '
          f'{resource} {why}' in text, f'{action}: {text}')


def get(cloud, key):
    return cloud.request('GET', '/bkt/' + key)


def listing(cloud, **query):
    return cloud.request('GET', '/bkt', [('list-type', '2'), *query.items()])


def objects(cloud):
    install(cloud, allow('s3:GetObject', on=BUCKET + '/in/*'))
    equal(get(cloud, 'in/k').status, 200)
    refused(get(cloud, 'out/k'), 's3:GetObject', f'"{BUCKET}/out/k"')
    equal(cloud.request('HEAD', '/bkt/in/k').status, 200)
    r = cloud.request('HEAD', '/bkt/out/k')
    equal((r.status, r.body), (403, b''))
    refused(cloud.request('PUT', '/bkt/in/k', body=b'x'), 's3:PutObject',
            f'"{BUCKET}/in/k"')
    refused(cloud.request('DELETE', '/bkt/in/k'), 's3:DeleteObject',
            f'"{BUCKET}/in/k"')
    refused(cloud.request('GET', '/'), 's3:ListAllMyBuckets',
            '"arn:aws:s3:::*"')
    # Who may not list does not learn what is not there.
    refused(get(cloud, 'in/none'), 's3:ListBucket', f'"{BUCKET}"')
    install(cloud, allow('s3:GetObject', on=BUCKET + '/in/*'),
            allow('s3:ListBucket', on=BUCKET))
    equal(get(cloud, 'in/none').status, 404)
    equal(get(cloud, 'out/none').status, 403)
    equal(cloud.request('GET', '/nosuch').code, 'NoSuchBucket')
    install(cloud, allow('*'), deny('s3:Get*', on=BUCKET + '/in/*'))
    refused(get(cloud, 'in/k'), 's3:GetObject', f'"{BUCKET}/in/k"',
            explicit=True)
    equal(get(cloud, 'out/k').status, 200)


def listings(cloud):
    install(cloud, allow('s3:GetObject'), allow(
        's3:ListBucket', on=BUCKET, StringLike={'s3:prefix': 'in/*'}))
    equal(listing(cloud, prefix='in/').status, 200)
    equal(listing(cloud, prefix='in/x').status, 200)
    for query in {}, {'prefix': ''}, {'prefix': 'i'}, {'prefix': 'out/'}:
        refused(listing(cloud, **query), 's3:ListBucket', f'"{BUCKET}"')
    equal(cloud.request('HEAD', '/bkt').status, 403, 'it has no prefix')
    # A key that is not there is judged as if it were the prefix.
    equal(get(cloud, 'in/none').status, 404)
    refused(get(cloud, 'out/none'), 's3:ListBucket', f'"{BUCKET}"')
    owner = {'s3:ResourceAccount': ACCOUNT}
    install(cloud, allow('s3:*', StringEquals=owner))
    equal(listing(cloud).status, 200)
    cloud.admin('bucket', bucket='bkt', owner='210987654321')
    equal(listing(cloud).status, 403)
    equal(get(cloud, 'in/k').status, 403)
    cloud.admin('bucket', bucket='bkt', owner=ACCOUNT)


def keys(cloud):
    context = {'a:b': 'c', 'd': 'e'}
    blob = cloud.kms('Encrypt', KeyId=KEY, Plaintext='AAAA',
                     EncryptionContext=context).json()['CiphertextBlob']

    def decrypt(context=context, **more):
        return cloud.kms('Decrypt', CiphertextBlob=blob,
                         EncryptionContext=context, **more)

    install(cloud, allow('kms:Decrypt', on=KEY))
    equal(decrypt().status, 200, 'the key is found in the blob')
    equal(decrypt(KeyId=KEY).status, 200)
    equal(decrypt(KeyId='alias/aws/ses').status, 200)
    refused(decrypt(KeyId=SECOND), 'kms:Decrypt', SECOND, status=400)
    refused(cloud.kms('GenerateDataKey', KeyId=KEY, KeySpec='AES_256'),
            'kms:GenerateDataKey', KEY, status=400)
    refused(cloud.kms('DescribeKey', KeyId='alias/second'), 'kms:DescribeKey',
            SECOND, status=400)
    install(cloud, allow('kms:Decrypt', on=SECOND))
    refused(decrypt(), 'kms:Decrypt', KEY, status=400)
    refused(decrypt({}), 'kms:Decrypt', KEY, status=400)
    for condition, good in (
            ({'StringEquals': {'kms:EncryptionContext:a:b': 'c'}}, True),
            ({'StringEquals': {'kms:EncryptionContext:a:b': 'x'}}, False),
            ({'StringEquals': {'kms:EncryptionContext:x': 'c'}}, False),
            ({'Null': {'kms:EncryptionContext:a:b': 'false'}}, True),
            ({'Null': {'kms:EncryptionContext:x': 'false'}}, False),
            ({'ForAllValues:StringEquals': {
                'kms:EncryptionContextKeys': ['a:b', 'd']}}, True),
            ({'ForAllValues:StringEquals': {
                'kms:EncryptionContextKeys': ['a:b']}}, False),
            ({'ForAnyValue:StringEquals': {
                'kms:ResourceAliases': 'alias/aws/ses'}}, True),
            ({'ForAnyValue:StringEquals': {
                'kms:ResourceAliases': 'alias/second'}}, False)):
        install(cloud, allow('kms:Decrypt', **condition))
        equal(decrypt().status, 200 if good else 400, condition)
    install(cloud, allow('kms:*', StringEquals={
        'kms:RequestAlias': 'alias/aws/ses'}))
    equal(decrypt(KeyId='alias/aws/ses').status, 200)
    equal(decrypt(KeyId=f'arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/ses')
          .status, 200)
    equal(decrypt(KeyId=KEY).status, 400)
    equal(decrypt().status, 400)


def queues(cloud):
    def ask(operation, **members):
        return cloud.request('POST', '/', headers={
            'x-amz-target': 'AmazonSQS.' + operation,
            'content-type': 'application/x-amz-json-1.0'},
            body=json.dumps(members).encode(), service='sqs')

    arn = f'arn:aws:sqs:us-east-1:{ACCOUNT}:'
    url = ask('CreateQueue', QueueName='one').json()['QueueUrl']
    ask('CreateQueue', QueueName='two')
    install(cloud, allow('sqs:GetQueueAttributes', on=arn + 'one'))
    equal(ask('GetQueueAttributes', QueueUrl=url).status, 200)
    refused(ask('GetQueueAttributes', QueueUrl=url[:-3] + 'two'),
            'sqs:GetQueueAttributes', arn + 'two')
    refused(ask('SetQueueAttributes', QueueUrl=url, Attributes={}),
            'sqs:SetQueueAttributes', arn + 'one')


def callers(cloud):
    """A policy is a user's or a role's; who has none may do everything."""
    mail = take_xml(assume(cloud, 'mail'))
    install(cloud, allow('sts:AssumeRole', on=f'arn:aws:iam::{ACCOUNT}:role/'
                         'mail'))
    equal(get(cloud, 'in/k').status, 403)
    equal(cloud.sts().status, 200, 'needs no permission')
    equal(assume(cloud, 'mail').status, 200)
    refused(assume(cloud, 'external', ExternalId='ext-42'), 'sts:AssumeRole',
            f'arn:aws:iam::{ACCOUNT}:role/external')
    with As(cloud, mail):
        equal(get(cloud, 'in/k').status, 200)
    install(cloud, allow('s3:ListBucket'), principal='role/mail')
    with As(cloud, mail):
        equal(listing(cloud).status, 200)
        refused(get(cloud, 'in/k'), 's3:GetObject', f'"{BUCKET}/in/k"',
                who=f'arn:aws:sts::{ACCOUNT}:assumed-role/mail/a-name')
    equal(cloud.get_json('log', n=1)[0]['fault'], 'denied')


def strictness(cloud):
    for statement, says in (
            (allow('s3:GetObjekt'), 's3:GetObjekt'),
            (allow('s3:*', StringEquals={'s3:prefx': 'a'}), 's3:prefx'),
            (allow('s3:*', StringIs={'s3:prefix': 'a'}), 'StringIs')):
        text = install(cloud, statement, status=400)
        check('Statement 0' in text and says in text, text)
    install(cloud, principal='test', status=400)
    equal(cloud.admin('policy', b'{').status, 400)
    equal(get(cloud, 'in/k').status, 200, 'what is refused is not installed')


def main(program):
    for test in objects, listings, keys, queues, callers, strictness:
        with Cloud(program) as cloud:
            cloud.request('PUT', '/bkt')
            for key in 'in/k', 'out/k':
                equal(cloud.request('PUT', '/bkt/' + key, body=b'x').status,
                      200)
            test(cloud)
            equal(cloud.admin('reset').status, 200)
            equal(cloud.request('GET', '/').status, 200, 'reset')
    return done()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
