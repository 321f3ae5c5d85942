#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/check.h"

#define SAMPLES_MAX 5 /* fetched until one is not refused */

/* What was fetched and cannot be used. */
struct refused {
	const char *key;
	enum refusal why;
};

/* ---- refusals ---- */

/* What would let messages in that are refused for that. */
static const char *
advice(const struct check *k, enum refusal why)
{
	switch (why) {
	case NOT_ENCRYPTED:
		return "a KMS key in the receipt rule, for mail to come; "
		    "--accept=+plain takes mail that anybody may have written";
	case LEGACY_REFUSED:
		return "--accept=+cbc takes it, though nothing proves it whole";
	case NO_INSTRUCTION_FILE:
		return "--accept=+instruction, if an encryption client wrote "
		    "its keys to .instruction files";
	case POLICY_REFUSED:
		return "--accept with its format; see FORMATS in sesfs(7)";
	case CONTEXT_MISMATCH:
		return k->c->account != NULL ? "--account with the account for "
		    "which SES received it" : "see REFUSALS in sesfs(7)";
	case BAD_MESSAGE_ID:
		return "--accept=+renamed, if somebody has renamed the objects";
	case TOO_LARGE:
		return "--max-message-size";
	default:
		return "see REFUSALS in sesfs(7)";
	}
}

/* Instruction files are not read here. */
static bool
may_be_read(const struct check *k, enum refusal why)
{
	return why == NO_INSTRUCTION_FILE &&
	    (k->c->accept & ACCEPT_INSTRUCTION) != 0;
}

/* What was fetched is good for the listing's sake, but none of it can be
 * decrypted: once for each reason. */
static void
note_refused(struct check *k, const struct refused *refused, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum refusal why = refused[i].why;
		size_t same = 0, first = i;

		for (size_t j = 0; j < n; j++) {
			same += refused[j].why == why;
			first = refused[j].why == why && j < first ? j : first;
		}
		if (first != i)
			continue;
		check_note(k, &(struct check_finding){ "decrypt",
		    may_be_read(k, why) ? CHECK_WARN : CHECK_MISSING,
		    refusal_name(why), NULL, advice(k, why) }, "%zu of %zu "
		    "that were tried are refused, %s is %s", same, n,
		    refused[i].key, refusal_name(why));
	}
}

/* ---- fetching ---- */

/* Fetch an object, and keep it when it is one that policy takes. Returns
 * whether the search is over; *why: the refusal when not. */
static bool
try_sample(struct check *k, const char *key, enum refusal *why)
{
	const struct envelope_policy policy = { k->c->accept, k->c->account };
	static const struct check_call call = { "get", CHECK_MISSING,
		"s3:GetObject", "the objects", NULL };
	struct s3_object o;
	int r = s3_get(k->g.s3, key, NULL, k->c->max_message_size, &o);

	if (r == -EMSGSIZE) {
		*why = TOO_LARGE;
		return false;
	}
	s3_object_free(&k->sample);
	if (r < 0) {
		check_failed(k, &call, r, "%s", key);
		return true;
	}
	k->sample = o;
	snprintf(k->sample_key, sizeof(k->sample_key), "%s", key);
	return envelope_parse(o.meta, o.meta_len, (struct slice){ NULL, 0 },
	    key, o.len, &policy, &k->envelope, why) == 0;
}

static void
note_untried(struct check *k, size_t archived)
{
	if (archived > 0)
		check_note(k, &(struct check_finding){ "get", CHECK_WARN,
		    "archived", NULL, "restore them, or keep mail out of "
		    "archive classes" }, "not tried: of the first objects all "
		    "mail (%zu) is archived", archived);
	else
		check_skip(k, "get", "no mail there to try it with");
}

void
check_get(struct check *k, const struct s3_page *page)
{
	struct refused refused[SAMPLES_MAX];
	size_t tried = 0, archived = 0, large = 0;
	bool is_over = false;

	for (size_t i = 0; i < page->n && tried < SAMPLES_MAX && !is_over;
	     i++) {
		const struct s3_item *item = &page->item[i];
		struct refused *at = &refused[tried];

		if (!source_key_is_mail(item->key))
			continue;
		if (item->is_archived) {
			archived++;
			continue;
		}
		*at = (struct refused){ item->key, REFUSAL_NONE };
		is_over = try_sample(k, item->key, &at->why);
		tried++;
		large += !is_over && at->why == TOO_LARGE;
	}
	if (tried == 0)
		note_untried(k, archived);
	else if (k->sample.body != NULL)
		check_ok(k, "get", "%" PRIu64 " bytes of %s", k->sample.len,
		    k->sample_key);
	else if (!is_over)
		check_note(k, &(struct check_finding){ "get", CHECK_WARN,
		    "too-large", NULL, "--max-message-size" }, "%zu of %zu are "
		    "larger than allowed", large, tried);
	if (k->sample.body != NULL && k->envelope == NULL)
		note_refused(k, refused, tried);
}
