#include <inttypes.h>
#include <string.h>

#include "fs/control.h"
#include "fs/progress.h"
#include "fs/status.h"
#include "fs/text.h"

static double
real(const json_t *obj, const char *name)
{
	return json_number_value(json_object_get(obj, name));
}

static const char *
string(const json_t *obj, const char *name)
{
	const char *s = json_string_value(json_object_get(obj, name));

	return s != NULL ? s : "";
}

static void
print_label(FILE *f, const char *label)
{
	fprintf(f, "%-11s ", label);
}

static void
print_text(FILE *f, const char *label, const char *text)
{
	print_label(f, label);
	text_print(f, text, SIZE_MAX);
	fputc('\n', f);
}

/* Has everything been looked at, and nothing opened? */
static bool
has_opened_none(const json_t *doc, const json_t *o)
{
	const json_t *sync = json_object_get(doc, "sync");

	return control_u64(o, "ready") == 0 &&
	    control_u64(o, "refused") + control_u64(o, "pending") > 0 &&
	    strcmp(string(sync, "phase"), "idle") == 0;
}

static void
print_objects(FILE *f, const json_t *doc)
{
	const json_t *o = json_object_get(doc, "objects");
	char size[32];

	print_label(f, "messages");
	fprintf(f, "%" PRIu64 " shown (%s), %" PRIu64 " to look at, %" PRIu64
	    " refused\n", control_u64(o, "ready"),
	    progress_size(control_u64(o, "plain_bytes"), size),
	    control_u64(o, "pending"), control_u64(o, "refused"));
	if (json_is_integer(json_object_get(doc, "next_try_in_s")))
		fprintf(f, "%-11s what could not be had is tried again in "
		    "%s\n", "", progress_time(control_u64(doc,
		    "next_try_in_s"), size));
	if (has_opened_none(doc, o))
		fprintf(f, "%-11s not one could be opened; sesfs check says "
		    "what is missing\n", "");
}

static void
print_refused(FILE *f, const json_t *doc)
{
	const json_t *reasons =
	    json_object_get(json_object_get(doc, "objects"), "by_reason");
	const json_t *list = json_object_get(doc, "refused"), *entry;
	const char *name;
	json_t *n;
	size_t i;

	/* jansson's iteration does not change what it walks. */
	json_object_foreach((json_t *)(uintptr_t)reasons, name, n)
		fprintf(f, "  %-22s %" JSON_INTEGER_FORMAT "\n", name,
		    json_integer_value(n));
	json_array_foreach(list, i, entry) {
		fputs("    ", f);
		text_print(f, string(entry, "key"), SIZE_MAX);
		fprintf(f, "  %s\n", string(entry, "reason"));
	}
	if (json_is_false(json_object_get(doc, "refused_is_complete")))
		fputs("    ... (status --all, or ls --refused, names more)\n",
		    f);
}

static void
print_sync(FILE *f, const json_t *s)
{
	const char *phase = string(s, "phase");
	char t[32], u[32];

	print_label(f, "sync");
	if (strcmp(phase, "idle") != 0)
		fprintf(f, "%s: %" PRIu64 " listed, %" PRIu64 " of %" PRIu64
		    " looked at, %" PRIu64 " failed", phase,
		    control_u64(s, "listed"), control_u64(s, "done"),
		    control_u64(s, "todo"), control_u64(s, "failed"));
	else
		fprintf(f, "last %s, next in %s",
		    json_is_string(json_object_get(s, "last_pass")) ?
			string(s, "last_pass") :
			"never",
		    progress_time(control_u64(s, "next_pass_in_s"), t));
	if (json_is_string(json_object_get(s, "last_error")))
		fprintf(f, "; last error: %s", string(s, "last_error"));
	fputc('\n', f);
	print_label(f, "listing");
	fprintf(f, "every %s, $%.2f a month\n",
	    progress_time(control_u64(s, "poll_s"), u),
	    real(s, "list_usd_per_month"));
}

/* Name and value of every member that is not zero, on one line. */
static void
print_counts(FILE *f, const char *label, const json_t *obj)
{
	const char *name;
	json_t *n;
	int shown = 0;

	print_label(f, label);
	json_object_foreach((json_t *)(uintptr_t)obj, name, n)
		if (json_integer_value(n) != 0)
			fprintf(f, "%s%s %" JSON_INTEGER_FORMAT,
			    shown++ > 0 ? ", " : "", name,
			    json_integer_value(n));
	fputs(shown > 0 ? "\n" : "none\n", f);
}

static void
print_cost(FILE *f, const json_t *doc)
{
	char in[32], out[32];

	print_label(f, "traffic");
	fprintf(f, "%s in, %s out, %" PRIu64 " retries, %" PRIu64
	    " throttled, %" PRIu64 " failed; about $%.4f\n",
	    progress_size(control_u64(doc, "bytes_in"), in),
	    progress_size(control_u64(doc, "bytes_out"), out),
	    control_u64(doc, "retries"), control_u64(doc, "throttled"),
	    control_u64(doc, "failed_requests"), real(doc, "cost_usd"));
}

static void
print_kms(FILE *f, const json_t *k)
{
	double rate = real(k, "rate"), limit = real(k, "rate_limit");

	print_label(f, "KMS rate");
	fprintf(f, "%.*f calls a second at most%s, %" PRIu64 " waiting\n",
	    rate < 10 ? 1 : 0, rate,
	    rate < limit ? ", as it says that it is asked too often" : "",
	    control_u64(k, "waiting"));
}

static void
print_store(FILE *f, const json_t *doc)
{
	const json_t *c = json_object_get(doc, "cache");
	const json_t *k = json_object_get(doc, "keys");
	const json_t *p = json_object_get(doc, "ahead");
	const json_t *s = json_object_get(doc, "seal");
	char a[32], b[32];

	print_label(f, "cache");
	fprintf(f, "%s of %s in %" PRIu64 " objects, %" PRIu64 " hits, %"
	    PRIu64 " misses\n", progress_size(control_u64(c, "bytes"), a),
	    progress_size(control_u64(c, "limit"), b),
	    control_u64(c, "objects"), control_u64(c, "hits"),
	    control_u64(c, "misses"));
	print_label(f, "read ahead");
	fprintf(f, "%" PRIu64 " messages (%s), of which %" PRIu64 " were "
	    "read since\n", control_u64(p, "fetched"),
	    progress_size(control_u64(p, "fetched_bytes"), a),
	    control_u64(p, "read"));
	print_label(f, "keys");
	fprintf(f, "%" PRIu64 " of %" PRIu64 " held for %s at most, %s; from "
	    "memory %" PRIu64 ", seal %" PRIu64 ", KMS %" PRIu64 "\n",
	    control_u64(k, "used"), control_u64(k, "slots"),
	    progress_time(control_u64(k, "ttl_s"), a),
	    json_is_true(json_object_get(k, "locked")) ? "locked in memory" :
							 "NOT locked (swap)",
	    control_u64(k, "from_ring"), control_u64(k, "from_seal"),
	    control_u64(k, "from_kms"));
	print_label(f, "seal");
	fprintf(f, "%s%s", string(s, "state"),
	    *string(s, "key") != '\0' ? ", " : "");
	text_print(f, string(s, "key"), SIZE_MAX);
	fputc('\n', f);
}

static void
print_audit(FILE *f, const json_t *a)
{
	if (!json_is_object(a))
		return;
	print_label(f, "audit");
	text_print(f, string(a, "to"), SIZE_MAX);
	fprintf(f, ", %" PRIu64 " lines, %" PRIu64 " could not be written\n",
	    control_u64(a, "lines"), control_u64(a, "failed"));
}

void
status_print(FILE *f, const json_t *doc)
{
	char t[32];

	print_text(f, "source", string(doc, "source"));
	print_text(f, "mounted on", string(doc, "mountpoint"));
	print_text(f, "state in", string(doc, "state_dir"));
	print_label(f, "daemon");
	fprintf(f, "sesfs %s, pid %" PRIu64 ", up %s%s\n",
	    string(doc, "version"), control_u64(doc, "pid"),
	    progress_time(control_u64(doc, "uptime_s"), t),
	    json_is_true(json_object_get(doc, "read_only")) ? ", read-only" :
							      "");
	print_objects(f, doc);
	print_refused(f, doc);
	print_sync(f, json_object_get(doc, "sync"));
	print_counts(f, "requests", json_object_get(doc, "requests"));
	print_cost(f, doc);
	print_kms(f, json_object_get(doc, "kms"));
	print_store(f, doc);
	print_audit(f, json_object_get(doc, "audit"));
	print_counts(f, "fuse", json_object_get(doc, "fuse"));
}
