#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/policy_fill.h"
#include "fs/policy_priv.h"

static const struct policy_words language = {
	.partition = "${data.aws_partition.current.partition}",
	.region = "${data.aws_region.current.region}",
	.account = "${data.aws_caller_identity.current.account_id}",
	.key_arn = "${aws_kms_key.mail.arn}",
	.queue_arn = "${aws_sqs_queue.events.arn}",
};

static const char *const program[] = {
"# Mail that Amazon SES receives, encrypts and stores in a bucket; a queue of",
"# what arrives; a policy for those who mount it with sesfs. For the region of",
"# the provider, which must be one where SES receives, for domains verified with",
"# SES whose MX record is inbound-smtp.REGION.amazonaws.com.",
"#",
"# It makes the bucket: another prefix of the same bucket takes a rule and",
"# statements of policies added here by hand, not a second program.",
"",
"terraform {",
"  required_providers {",
"    aws = {",
"      source  = 'hashicorp/aws'",
"      version = '>= 6.0'",
"    }",
"  }",
"}",
"",
"variable 'recipients' {",
"  description = 'Whose mail is stored: addresses, domains; none: all'",
"  type        = list(string)",
"  default     = []",
"}",
"",
"variable 'make_rule_set' {",
"  description = 'Make the rule set; false: add the rule to one that is there'",
"  type        = bool",
"  default     = true",
"}",
"",
"variable 'activate_rule_set' {",
"  description = 'Make the rule set the active one; only one ever is'",
"  type        = bool",
"  default     = false",
"}",
"",
"variable 'reader_roles' {",
"  description = 'Roles that mount the mail'",
"  type        = set(string)",
"  default     = []",
"}",
"",
"variable 'reader_users' {",
"  description = 'Users who mount the mail'",
"  type        = set(string)",
"  default     = []",
"}",
"",
"data 'aws_caller_identity' 'current' {}",
"",
"data 'aws_partition' 'current' {}",
"",
"data 'aws_region' 'current' {}",
"",
"# Without this key no mail can be read, ever.",
"resource 'aws_kms_key' 'mail' {",
"  description         = 'Mail that SES received'",
"  enable_key_rotation = true",
"  policy = jsonencode(@KEY_POLICY@)",
"",
"  lifecycle {",
"    prevent_destroy = true",
"  }",
"}",
"",
"resource 'aws_kms_alias' 'mail' {",
"  name          = @ALIAS@",
"  target_key_id = aws_kms_key.mail.key_id",
"}",
"",
"resource 'aws_s3_bucket' 'mail' {",
"  bucket = @BUCKET@",
"",
"  lifecycle {",
"    prevent_destroy = true",
"  }",
"}",
"",
"resource 'aws_s3_bucket_ownership_controls' 'mail' {",
"  bucket = aws_s3_bucket.mail.id",
"",
"  rule {",
"    object_ownership = 'BucketOwnerEnforced'",
"  }",
"}",
"",
"resource 'aws_s3_bucket_public_access_block' 'mail' {",
"  bucket                  = aws_s3_bucket.mail.id",
"  block_public_acls       = true",
"  block_public_policy     = true",
"  ignore_public_acls      = true",
"  restrict_public_buckets = true",
"}",
"",
"resource 'aws_s3_bucket_policy' 'mail' {",
"  bucket = aws_s3_bucket.mail.id",
"  policy = jsonencode(@BUCKET_POLICY@)",
"  depends_on = [aws_s3_bucket_public_access_block.mail]",
"}",
"",
"resource 'aws_ses_receipt_rule_set' 'mail' {",
"  count         = var.make_rule_set ? 1 : 0",
"  rule_set_name = @RULE_SET@",
"}",
"",
"resource 'aws_ses_active_receipt_rule_set' 'mail' {",
"  count         = var.activate_rule_set ? 1 : 0",
"  rule_set_name = @RULE_SET@",
"  depends_on    = [aws_ses_receipt_rule_set.mail]",
"}",
"",
"# kms_key_arn makes SES encrypt before it stores.",
"resource 'aws_ses_receipt_rule' 'mail' {",
"  name          = @RULE@",
"  rule_set_name = @RULE_SET@",
"  recipients    = var.recipients",
"  enabled       = true",
"  scan_enabled  = true",
"  tls_policy    = 'Optional'",
"",
"  s3_action {",
"    position          = 1",
"    bucket_name       = aws_s3_bucket.mail.id",
"    object_key_prefix = @PREFIX@",
"    kms_key_arn       = aws_kms_key.mail.arn",
"  }",
"",
"  depends_on = [aws_s3_bucket_policy.mail, aws_ses_receipt_rule_set.mail]",
"}",
"",
"resource 'aws_sqs_queue' 'dead' {",
"  name                      = @DEAD_NAME@",
"  message_retention_seconds = 1209600",
"  sqs_managed_sse_enabled   = true",
"}",
"",
"resource 'aws_sqs_queue' 'events' {",
"  name                       = @NAME@",
"  message_retention_seconds  = 1209600",
"  receive_wait_time_seconds  = 20",
"  visibility_timeout_seconds = 60",
"  sqs_managed_sse_enabled    = true",
"",
"  redrive_policy = jsonencode({",
"    deadLetterTargetArn = aws_sqs_queue.dead.arn",
"    maxReceiveCount     = 5",
"  })",
"}",
"",
"resource 'aws_sqs_queue_policy' 'events' {",
"  queue_url = aws_sqs_queue.events.id",
"  policy = jsonencode(@QUEUE_POLICY@)",
"}",
"",
"resource 'aws_s3_bucket_notification' 'mail' {",
"  bucket = aws_s3_bucket.mail.id",
"",
"  queue {",
"    queue_arn     = aws_sqs_queue.events.arn",
"    events        = ['s3:ObjectCreated:*']",
"    filter_prefix = @PREFIX@",
"  }",
"",
"  depends_on = [aws_sqs_queue_policy.events]",
"}",
"",
"resource 'aws_iam_policy' 'reader' {",
"  name        = @NAME@",
"  description = 'Mount the mail with sesfs'",
"  policy = jsonencode(@READER_POLICY@)",
"}",
"",
"resource 'aws_iam_role_policy_attachment' 'reader' {",
"  for_each   = var.reader_roles",
"  role       = each.value",
"  policy_arn = aws_iam_policy.reader.arn",
"}",
"",
"resource 'aws_iam_user_policy_attachment' 'reader' {",
"  for_each   = var.reader_users",
"  user       = each.value",
"  policy_arn = aws_iam_policy.reader.arn",
"}",
"",
"output 'kms_key' {",
"  value = aws_kms_key.mail.arn",
"}",
"",
"output 'queue_url' {",
"  value = aws_sqs_queue.events.id",
"}",
	NULL
};

/* A quoted string. References in it are Terraform's own, if it is a pattern;
 * anything else that looks like one is text. */
static void
quote(FILE *f, const char *s, bool is_pattern)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		bool is_marked = (*s == '$' || *s == '%') && s[1] == '{' &&
		    !(is_pattern && policy_is_reference(s));

		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned)*s);
		else
			fprintf(f, is_marked ? "%c%c" : "%c", *s, *s);
	}
	fputc('"', f);
}

static void
line(FILE *f, unsigned indent)
{
	fprintf(f, "\n%*s", (int)indent, "");
}

static void write_value(FILE *f, json_t *v, unsigned indent);

/* The longest name from `at` on, up to the first value of several lines: what
 * `terraform fmt` aligns together. */
static size_t
longest_name(json_t *o, void *at)
{
	size_t ret = 0, len;

	for (; at != NULL; at = json_object_iter_next(o, at)) {
		if (!json_is_string(json_object_iter_value(at)))
			break;
		len = strlen(json_object_iter_key(at));
		ret = len > ret ? len : ret;
	}
	return ret;
}

static void
write_object(FILE *f, json_t *o, unsigned indent)
{
	size_t width = 0;
	const char *name;
	json_t *v;

	fputc('{', f);
	for (void *at = json_object_iter(o); at != NULL;
	    at = json_object_iter_next(o, at)) {
		name = json_object_iter_key(at);
		v = json_object_iter_value(at);
		if (!json_is_string(v))
			width = 0;
		else if (width == 0)
			width = longest_name(o, at);
		line(f, indent + 2);
		quote(f, name, false);
		fprintf(f, "%*s = ",
		    width > 0 ? (int)(width - strlen(name)) : 0, "");
		write_value(f, v, indent + 2);
	}
	line(f, indent);
	fputc('}', f);
}

static void
write_array(FILE *f, json_t *a, unsigned indent)
{
	json_t *v;
	size_t i;

	fputc('[', f);
	json_array_foreach (a, i, v) {
		line(f, indent + 2);
		write_value(f, v, indent + 2);
		fputc(',', f);
	}
	line(f, indent);
	fputc(']', f);
}

static void
write_value(FILE *f, json_t *v, unsigned indent)
{
	if (json_is_object(v))
		write_object(f, v, indent);
	else if (json_is_array(v))
		write_array(f, v, indent);
	else
		quote(f, json_string_value(v), true);
}

static int
value(void *arg, FILE *f, const char *name, unsigned indent)
{
	const struct policy_view *view = arg;
	const char *word = policy_word(view, name);
	json_t *doc = word == NULL ? policy_document(view, name) : NULL;

	if (word == NULL && doc == NULL)
		return -ENOMEM;
	if (doc != NULL)
		write_value(f, doc, indent);
	else if (*word == '\0')
		fputs("null", f);
	else
		quote(f, word, false);
	json_decref(doc);
	return 0;
}

int
policy_terraform(const struct policy_setup *s, FILE *out)
{
	struct policy_view view;

	policy_see(s, &language, &view);
	return policy_fill(out, program, value, &view);
}
