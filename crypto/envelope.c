#include "crypto/envelope.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/context.h"
#include "crypto/instruction.h"
#include "crypto/parse.h"

static bool
has_any(const struct fields *f, unsigned set)
{
	return (f->present & set) != 0;
}

static bool
has_all(const struct fields *f, unsigned set)
{
	return (f->present & set) == set;
}

/* The metadata leave room for an instruction file: no data key, and either
 * something of V3's or nothing but hints. */
static bool
wants_instruction(const struct fields *f)
{
	return !has_any(f, FIELDS_EDK) &&
	    (has_any(f, FIELDS_CDI) || !has_any(f, ~FIELDS_HINT));
}

bool
envelope_wants_instruction(const struct pair *meta, size_t meta_len)
{
	struct fields f;

	return fields_read(meta, meta_len, &f) == 0 && wants_instruction(&f);
}

/* Add the instruction file's fields to those of the headers. What commits to
 * the key (c, d, i) may come from the headers only, and beside them a file of
 * an older format would strip the commitment. */
static int
use_instruction(struct parse *p, const struct fields *file)
{
	if (has_any(file, FIELDS_CDI))
		return parse_refuse(p, INSTRUCTION_TAMPERED);
	if (has_any(&p->f, FIELDS_CDI) &&
	    has_any(file, FIELD_BIT(FIELD_KEY) | FIELD_BIT(FIELD_KEY_V2) |
		    FIELDS_V2_BESIDE))
		return parse_refuse(p, FORMAT_CONFLICT);
	p->from_file = file->present & ~p->f.present;
	fields_merge(&p->f, file);
	p->e->has_instruction = true;
	return 0;
}

static int
parse_plain(struct parse *p)
{
	if (!(p->policy->accept & ACCEPT_PLAIN))
		return parse_refuse(p, NOT_ENCRYPTED);
	p->e->format = "plain";
	return 0;
}

/* No encrypted data key anywhere. */
static int
parse_keyless(struct parse *p)
{
	if (p->e->has_instruction)
		return parse_refuse(p, INCOMPLETE_METADATA);
	if (has_all(&p->f, FIELDS_CDI))
		return parse_refuse(p, NO_INSTRUCTION_FILE);
	if (has_any(&p->f, ~FIELDS_HINT))
		return parse_refuse(p, INCOMPLETE_METADATA);
	if (has_any(&p->f, FIELDS_HINT))
		return parse_refuse(p, NO_INSTRUCTION_FILE);
	return parse_plain(p);
}

/* Step 1: which format, and is it one and whole. */
static int
recognise(struct parse *p)
{
	static const struct {
		enum field edk;
		unsigned need, never;
		int (*parse)(struct parse *p);
	} formats[] = {
		{ FIELD_3, FIELDS_CDI | FIELD_BIT(FIELD_W), FIELDS_V2_BESIDE,
		    parse_v3 },
		{ FIELD_KEY_V2, FIELDS_V2_BESIDE & ~FIELD_BIT(FIELD_TAG_LEN),
		    FIELDS_V3_BESIDE, parse_v2 },
		{ FIELD_KEY, FIELD_BIT(FIELD_IV) | FIELD_BIT(FIELD_MATDESC),
		    FIELDS_V3_BESIDE, NULL },
	};

	if (__builtin_popcount(p->f.present & FIELDS_EDK) > 1)
		return parse_refuse(p, FORMAT_CONFLICT);
	for (size_t i = 0; i < NELEMS(formats); i++) {
		if (!has_any(&p->f, FIELD_BIT(formats[i].edk)))
			continue;
		if (has_any(&p->f, formats[i].never))
			return parse_refuse(p, FORMAT_CONFLICT);
		if (!has_all(&p->f, formats[i].need))
			return parse_refuse(p, INCOMPLETE_METADATA);
		if (formats[i].parse == NULL) /* V1 never used KMS */
			return parse_refuse(p, UNSUPPORTED_WRAP);
		return formats[i].parse(p);
	}
	return parse_keyless(p);
}

/* Decimal digits only; anything else, and anything absurd, is a length that
 * no body has. */
static int64_t
declared_len(const char *text)
{
	int64_t n = 0;

	if (text == NULL)
		return -1;
	for (; *text >= '0' && *text <= '9' && n < INT64_MAX / 10 - 1; text++)
		n = n * 10 + (*text - '0');
	return *text == '\0' ? n : INT64_MAX;
}

static int
parse(struct parse *p, struct slice instruction)
{
	CLEANUP(instruction_drop) struct instruction in = { 0 };
	int r;

	if (instruction.ptr != NULL && wants_instruction(&p->f) &&
	    (p->policy->accept & ACCEPT_INSTRUCTION)) {
		if (instruction.len > ENVELOPE_META_MAX)
			return parse_refuse(p, TOO_LARGE);
		if (instruction_parse(instruction, &in) < 0)
			return parse_refuse(p, BAD_INSTRUCTION_FILE);
		if ((r = use_instruction(p, &in.fields)) < 0)
			return r;
	}
	p->e->declared_len = declared_len(p->f.value[FIELD_LEN]);
	return recognise(p);
}

/* Bytes of all names and values. */
static size_t
meta_size(const struct pair *meta, size_t meta_len)
{
	size_t size = 0;

	for (size_t i = 0; i < meta_len; i++)
		size += strlen(meta[i].name) + strlen(meta[i].value);
	return size;
}

int
envelope_parse(const struct pair *meta, size_t meta_len,
    struct slice instruction, const char *object_key, uint64_t body_len,
    const struct envelope_policy *policy, struct envelope **ret,
    enum refusal *ret_why)
{
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	struct parse p = {
		.object_key = object_key,
		.body_len = body_len,
		.policy = policy,
		.why = ret_why,
	};
	int r;

	*ret = NULL;
	*ret_why = REFUSAL_NONE;
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return -ENOMEM;
	p.e = e;
	if (meta_size(meta, meta_len) > ENVELOPE_META_MAX)
		return parse_refuse(&p, TOO_LARGE);
	if (fields_read(meta, meta_len, &p.f) < 0)
		return parse_refuse(&p, FORMAT_CONFLICT);
	if ((r = parse(&p, instruction)) < 0)
		return r;
	*ret = TAKE(e);
	return 0;
}

void
envelope_free(struct envelope *e)
{
	if (e == NULL)
		return;
	context_free(e->context, e->context_len);
	if (e->edk != NULL)
		sodium_memzero(e->edk, e->edk_len);
	free(e->edk);
	sodium_memzero(e, sizeof(*e));
	free(e);
}

const char *
envelope_context_get(const struct envelope *e, const char *name)
{
	return context_get(e->context, e->context_len, name);
}

bool
envelope_len_is(const struct envelope *e, uint64_t plain_len)
{
	return e->declared_len < 0 || (uint64_t)e->declared_len == plain_len;
}
