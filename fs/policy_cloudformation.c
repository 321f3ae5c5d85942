#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/policy_fill.h"
#include "fs/policy_priv.h"

static const struct policy_words language = {
	.partition = "${AWS::Partition}",
	.region = "${AWS::Region}",
	.account = "${AWS::AccountId}",
	.key_arn = "${Key.Arn}",
	.queue_arn = "${Events.Arn}",
};

static const char *const template[] = {
"{ 'AWSTemplateFormatVersion': '2010-09-09',",
"  'Description': 'Mail that Amazon SES receives, encrypts and stores in a "
"bucket; a queue of what arrives; a policy for those who mount it with sesfs. "
"For a region where SES receives, and domains verified with SES whose MX record "
"is inbound-smtp.REGION.amazonaws.com. The receipt rule set has to be made the "
"active one by hand: aws ses set-active-receipt-rule-set. Another prefix of the "
"same bucket takes a rule and statements of policies added here by hand, not a "
"second stack.',",
"  'Parameters': {",
"    'Recipients': { 'Type': 'CommaDelimitedList', 'Default': '',",
"      'Description': 'Whose mail is stored: addresses, domains; none: all' },",
"    'MakeRuleSet': { 'Type': 'String', 'Default': 'true',",
"      'AllowedValues': ['true', 'false'],",
"      'Description': 'Make the rule set; false: add the rule to one that is "
"there' },",
"    'ReaderRole': { 'Type': 'String', 'Default': '',",
"      'Description': 'Role that mounts the mail; none: attach the policy "
"yourself' },",
"    'ReaderUser': { 'Type': 'String', 'Default': '',",
"      'Description': 'User who mounts the mail' } },",
"  'Conditions': {",
"    'HasRecipients': { 'Fn::Not': [{ 'Fn::Equals': [",
"      { 'Fn::Join': ['', { 'Ref': 'Recipients' }] }, ''] }] },",
"    'MakesRuleSet': { 'Fn::Equals': [{ 'Ref': 'MakeRuleSet' }, 'true'] },",
"    'HasReaderRole': { 'Fn::Not': [{ 'Fn::Equals': [",
"      { 'Ref': 'ReaderRole' }, ''] }] },",
"    'HasReaderUser': { 'Fn::Not': [{ 'Fn::Equals': [",
"      { 'Ref': 'ReaderUser' }, ''] }] } },",
"  'Resources': {",
"    'Key': { 'Type': 'AWS::KMS::Key',",
"      'DeletionPolicy': 'Retain', 'UpdateReplacePolicy': 'Retain',",
"      'Properties': { 'Description': 'Mail that SES received',",
"        'EnableKeyRotation': true, 'KeyPolicy': @KEY_POLICY@ } },",
"    'Alias': { 'Type': 'AWS::KMS::Alias', 'Properties': {",
"      'AliasName': @ALIAS@, 'TargetKeyId': { 'Ref': 'Key' } } },",
"    'Bucket': { 'Type': 'AWS::S3::Bucket', 'DependsOn': 'EventsPolicy',",
"      'DeletionPolicy': 'Retain', 'UpdateReplacePolicy': 'Retain',",
"      'Properties': { 'BucketName': @BUCKET@,",
"        'OwnershipControls': { 'Rules': [",
"          { 'ObjectOwnership': 'BucketOwnerEnforced' }] },",
"        'PublicAccessBlockConfiguration': { 'BlockPublicAcls': true,",
"          'BlockPublicPolicy': true, 'IgnorePublicAcls': true,",
"          'RestrictPublicBuckets': true },",
"        'NotificationConfiguration': { 'QueueConfigurations': [{",
"          'Event': 's3:ObjectCreated:*',",
"          'Filter': @FILTER@,",
"          'Queue': { 'Fn::GetAtt': ['Events', 'Arn'] } }] } } },",
"    'BucketPolicy': { 'Type': 'AWS::S3::BucketPolicy', 'Properties': {",
"      'Bucket': { 'Ref': 'Bucket' },",
"      'PolicyDocument': @BUCKET_POLICY@ } },",
"    'RuleSet': { 'Type': 'AWS::SES::ReceiptRuleSet',",
"      'Condition': 'MakesRuleSet', 'Properties': {",
"        'RuleSetName': @RULE_SET@ } },",
"    'Rule': { 'Type': 'AWS::SES::ReceiptRule', 'DependsOn': 'BucketPolicy',",
"      'Properties': { 'RuleSetName': { 'Fn::If': ['MakesRuleSet',",
"          { 'Ref': 'RuleSet' }, @RULE_SET@] },",
"        'Rule': { 'Name': @RULE@, 'Enabled': true, 'ScanEnabled': true,",
"          'TlsPolicy': 'Optional',",
"          'Recipients': { 'Fn::If': ['HasRecipients',",
"            { 'Ref': 'Recipients' }, { 'Ref': 'AWS::NoValue' }] },",
"          'Actions': [{ 'S3Action': {",
"            'BucketName': { 'Ref': 'Bucket' },",
"            'ObjectKeyPrefix': @PREFIX@,",
"            'KmsKeyArn': { 'Fn::GetAtt': ['Key', 'Arn'] } } }] } } },",
"    'Dead': { 'Type': 'AWS::SQS::Queue', 'Properties': {",
"      'QueueName': @DEAD_NAME@, 'MessageRetentionPeriod': 1209600,",
"      'SqsManagedSseEnabled': true } },",
"    'Events': { 'Type': 'AWS::SQS::Queue', 'Properties': {",
"      'QueueName': @NAME@, 'MessageRetentionPeriod': 1209600,",
"      'ReceiveMessageWaitTimeSeconds': 20, 'VisibilityTimeout': 60,",
"      'SqsManagedSseEnabled': true, 'RedrivePolicy': {",
"        'deadLetterTargetArn': { 'Fn::GetAtt': ['Dead', 'Arn'] },",
"        'maxReceiveCount': 5 } } },",
"    'EventsPolicy': { 'Type': 'AWS::SQS::QueuePolicy', 'Properties': {",
"      'Queues': [{ 'Ref': 'Events' }],",
"      'PolicyDocument': @QUEUE_POLICY@ } },",
"    'ReaderPolicy': { 'Type': 'AWS::IAM::ManagedPolicy', 'Properties': {",
"      'ManagedPolicyName': @NAME@,",
"      'Description': 'Mount the mail with sesfs',",
"      'Roles': { 'Fn::If': ['HasReaderRole', [{ 'Ref': 'ReaderRole' }],",
"        { 'Ref': 'AWS::NoValue' }] },",
"      'Users': { 'Fn::If': ['HasReaderUser', [{ 'Ref': 'ReaderUser' }],",
"        { 'Ref': 'AWS::NoValue' }] },",
"      'PolicyDocument': @READER_POLICY@ } } },",
"  'Outputs': {",
"    'KmsKey': { 'Value': { 'Fn::GetAtt': ['Key', 'Arn'] } },",
"    'QueueUrl': { 'Value': { 'Ref': 'Events' } } } }",
	NULL
};

/* A string with references, for Fn::Sub, which takes `${!X}` for `${X}`. */
static json_t *
substitution(const char *s)
{
	char *text = malloc(2 * strlen(s) + 1), *at = text;
	json_t *ret;

	if (text == NULL)
		return NULL;
	for (; *s != '\0'; s++) {
		*at++ = *s;
		if (s[0] == '$' && s[1] == '{' && !policy_is_reference(s)) {
			*at++ = *++s;
			*at++ = '!';
		}
	}
	*at = '\0';
	ret = json_pack("{s:s}", "Fn::Sub", text);
	free(text);
	return ret;
}

static bool
has_reference(const char *s)
{
	for (; *s != '\0'; s++)
		if (policy_is_reference(s))
			return true;
	return false;
}

/* A copy in which strings with references are such substitutions; NULL: out of
 * memory. */
static json_t *
substituted(json_t *v)
{
	const char *name;
	json_t *part, *ret;
	bool ok = true;
	size_t i;

	if (json_is_string(v))
		return has_reference(json_string_value(v)) ?
		    substitution(json_string_value(v)) :
		    json_string(json_string_value(v));
	ret = json_is_object(v) ? json_object() : json_array();
	json_object_foreach (v, name, part)
		ok &= json_object_set_new(ret, name, substituted(part)) == 0;
	json_array_foreach (v, i, part)
		ok &= json_array_append_new(ret, substituted(part)) == 0;
	if (ok)
		return ret;
	json_decref(ret);
	return NULL;
}

static json_t *
no_value(void)
{
	return json_pack("{s:s}", "Ref", "AWS::NoValue");
}

/* Of events: those of the prefix, if there is one. */
static json_t *
filter(const char *prefix)
{
	return *prefix == '\0' ? no_value() :
	    json_pack("{s:{s:[{s:s, s:s}]}}", "S3Key", "Rules", "Name",
		"prefix", "Value", prefix);
}

static int
value(void *arg, FILE *f, const char *name, unsigned indent)
{
	const struct policy_view *view = arg;
	const char *word = policy_word(view, name);
	json_t *doc, *v;
	int r;

	if (strcmp(name, "FILTER") == 0) {
		v = filter(view->f.prefix);
	} else if (word == NULL) {
		doc = policy_document(view, name);
		v = doc != NULL ? substituted(doc) : NULL;
		json_decref(doc);
	} else if (*word == '\0') {
		v = no_value();
	} else {
		v = json_string(word);
	}
	r = json_dumpf(v, f, JSON_ENCODE_ANY);
	json_decref(v);
	return r < 0 ? -ENOMEM : 0;
}

int
policy_cloudformation(const struct policy_setup *s, FILE *out)
{
	struct policy_view view;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *doc;
	int r;

	if (f == NULL)
		return -ENOMEM;
	policy_see(s, &language, &view);
	r = policy_fill(f, template, value, &view);
	if (fclose(f) != 0)
		r = -ENOMEM;
	doc = r == 0 ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (r == 0 && json_dumpf(doc, out, JSON_INDENT(2)) < 0 && !ferror(out))
		r = -ENOMEM;
	if (r == 0)
		fputc('\n', out);
	json_decref(doc);
	free(text);
	return r;
}
