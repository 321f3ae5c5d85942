"""Temporary credentials of sesfs-cloud: what each source demands, and that
what it hands out is good everywhere until it ends: test_identity.py
SESFS-CLOUD."""
import json
import sys
import urllib.parse

from cloudtest import (NONE, ROLE, As, Cloud, assume, check, done, equal,
                       take_xml)

MFA = 'arn:aws:iam::123456789012:mfa/test'


def take_json(reply):
    o = reply.json()
    return [o[n] for n in ('AccessKeyId', 'SecretAccessKey', 'Token')]


def is_good(cloud, keys, arn):
    """For all three services; wrongly used, for none; ended, expired."""
    with As(cloud, keys):
        r = cloud.sts()
        check(arn in r.body.decode(), f'{arn}: {r.body}')
        equal(cloud.kms('DescribeKey', KeyId='alias/aws/ses').status, 200)
        equal(cloud.request('GET', '/').status, 200)
    for wrong, code in (([keys[0], 'x' * 40, keys[2]],
                         'SignatureDoesNotMatch'),
                        ([keys[0], keys[1], None], 'InvalidAccessKeyId'),
                        ([keys[0], keys[1], 'x' + keys[2]], 'InvalidToken')):
        with As(cloud, wrong):
            equal(cloud.request('GET', '/').code, code, 'wrongly used')
    cloud.set(end_sessions='1')
    with As(cloud, keys):
        equal(cloud.request('GET', '/').code, 'ExpiredToken')
        equal(cloud.kms('DescribeKey', KeyId='alias/aws/ses').code,
              'ExpiredTokenException')
        equal(cloud.sts().code, 'ExpiredToken')


def sts(cloud):
    is_good(cloud, take_xml(assume(cloud, 'mail')),
            'arn:aws:sts::123456789012:assumed-role/mail/a-name')
    for code, role, form in (
            ('AccessDenied', 'nobody', {}),
            ('AccessDenied', 'chained', {}),
            ('AccessDenied', 'external', {}),
            ('AccessDenied', 'external', {'ExternalId': 'ext-4'}),
            ('AccessDenied', 'mfa', {}),
            ('AccessDenied', 'mfa', {'SerialNumber': MFA,
                                     'TokenCode': '654321'}),
            ('ValidationError', 'mail', {'DurationSeconds': '899'}),
            ('ValidationError', 'mail', {'DurationSeconds': '43201'}),
            ('ValidationError', 'mail', {'RoleSessionName': 'a b'}),
            ('ValidationError', 'mail', {'RoleSessionName': NONE}),
            ('InvalidAction', 'mail', {'Version': NONE})):
        equal(assume(cloud, role, **form).code, code, f'{role} {form}')
    equal(assume(cloud, 'external', ExternalId='ext-42').status, 200)
    code = {'SerialNumber': MFA, 'TokenCode': '123456'}
    equal(assume(cloud, 'mfa', **code).status, 200)
    equal(assume(cloud, 'mfa', **code).code, 'AccessDenied', 'once only')
    with As(cloud, take_xml(assume(cloud, 'mail'))):
        equal(assume(cloud, 'chained').status, 200)
        equal(assume(cloud, 'chained', DurationSeconds='3601').code,
              'ValidationError', 'chained roles last an hour')
    check(assume(cloud, 'mail', signed=False).status != 200, 'unsigned')
    cloud.set(deny='sts:AssumeRole')
    equal(assume(cloud, 'mail').code, 'AccessDenied')
    cloud.set(allow='*')


def web(cloud):
    def ask(role='web', **form):
        return assume(cloud, role, 'AssumeRoleWithWebIdentity', signed=False,
                      **{'WebIdentityToken': 'web-identity-token', **form})

    is_good(cloud, take_xml(ask()), 'assumed-role/web/a-name')
    equal(ask('mail').code, 'AccessDenied')
    equal(ask(WebIdentityToken='x').code, 'InvalidIdentityToken')
    cloud.set(web_token_expired='1')
    equal(ask().code, 'ExpiredTokenException')
    cloud.set(web_token_expired='0', web_token='new')
    equal(ask().code, 'InvalidIdentityToken')
    equal(ask(WebIdentityToken='new').status, 200)


def imds(cloud):
    ttl = 'X-aws-ec2-metadata-token-ttl-seconds'
    roles = '/latest/meta-data/iam/security-credentials/'

    def get(path, token=None):
        return cloud.raw('GET', path, token and {
            'X-aws-ec2-metadata-token': token})

    def token(**headers):
        return cloud.raw('PUT', '/latest/api/token', {
            k.replace('_', '-'): v for k, v in headers.items()})

    equal(get(roles).status, 401, 'version 1')
    equal(get(roles, 'x').status, 401)
    for bad in '0', '21601', 'x':
        equal(token(**{ttl: bad}).status, 400, bad)
    equal(token().status, 400)
    equal(token(**{ttl: '60', 'X-Forwarded-For': 'x'}).status, 403)
    t = token(**{ttl: '60'}).body.decode()
    equal(get(roles, t).body, b'instance')
    equal(get('/latest/meta-data/placement/region', t).body, b'us-east-1')
    is_good(cloud, take_json(get(roles + 'instance', t)),
            'assumed-role/instance/')
    equal(get(roles + 'other', t).status, 404)
    cloud.set(imds_role='0')
    equal(get(roles, t).status, 404)
    cloud.admin('reset')
    cloud.set(clock_offset=61)
    equal(get(roles, t).status, 401, 'a token that ended')
    cloud.admin('reset')


def container(cloud):
    is_good(cloud, take_json(cloud.raw('GET', '/_container/open')),
            'assumed-role/container/')
    path = '/_container/locked'
    equal(cloud.raw('GET', path).status, 401)
    equal(cloud.raw('GET', path, {'Authorization': 'x'}).status, 401)
    equal(cloud.raw('GET', path, {
        'Authorization': 'container-token'}).status, 200)
    cloud.set(id_garbage='100')
    try:
        cloud.raw('GET', '/_container/open').json()
        check(False, 'whole after all')
    except ValueError:
        pass
    cloud.admin('reset')


def sso(cloud):
    def ask(token, role='Mail', account='123456789012'):
        return cloud.raw(
            'GET', f'/federation/credentials?role_name={role}&account_id='
            f'{account}', token and {'x-amz-sso_bearer_token': token})

    def create(login, **more):
        o = {'grantType': 'refresh_token', **{n: login[n] for n in (
            'clientId', 'clientSecret', 'refreshToken')}, **more}
        return cloud.raw('POST', '/token', {
            'Content-Type': 'application/json'}, json.dumps(o).encode())

    login = cloud.admin('sso-login').json()
    c = ask(login['accessToken']).json()['roleCredentials']
    is_good(cloud, [c['accessKeyId'], c['secretAccessKey'],
                    c['sessionToken']], 'AWSReservedSSO_Mail_')
    check(c['expiration'] > 10 ** 12, 'in milliseconds')
    equal(ask(None).status, 400)
    equal(ask('x').status, 401)
    equal(ask(login['accessToken'], role='Other').status, 403)
    equal(create(login, grantType='password').json()['error'],
          'unsupported_grant_type')
    equal(create(login, clientSecret='x').json()['error'], 'invalid_client')
    new = create(login).json()
    equal(ask(new['accessToken']).status, 200)
    equal(create(login).json()['error'], 'invalid_grant', 'used up')
    cloud.set(clock_offset=3601)
    equal(ask(new['accessToken']).status, 401, 'a token that ended')
    cloud.set(clock_offset=86401)
    equal(create({**login, **new}).json()['error'], 'invalid_client')
    cloud.admin('reset')
    cloud.admin('sso-logout')
    equal(ask(new['accessToken']).status, 401)


def main():
    with Cloud(sys.argv[1]) as cloud:
        for test in sts, web, imds, container, sso:
            test(cloud)
    return done()


sys.exit(main())
