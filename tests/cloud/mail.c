#include "mail.h"

#include "stamp.h"

#include <assert.h>
#include <string.h>

/* From these lengths on a message gets the long set of SES headers, and an
 * attachment. Headers and text before the filler stay well below the first. */
#define FULL_LEN 4096
#define ATTACHMENT_LEN (24 * 1024)
#define BOUNDARY "=_sesfs_cloud_7c1f"

static const char *const words[] = { "the", "of", "and", "to", "in", "for",
	"is", "on", "that", "by", "this", "with", "you", "it", "not", "or",
	"be", "are", "from", "at", "as", "your", "all", "have", "new", "more",
	"an", "was", "we", "will", "home", "can", "us", "about", "if", "page",
	"my", "has", "search", "free", "but", "our", "one", "other", "do",
	"no", "information", "time", "they", "site", "he", "up", "may", "what",
	"which", "their", "news", "out", "use", "any", "there", "see", "only",
	"so", "his", "when", "contact", "here", "business", "who", "web",
	"also", "now", "help", "get", "view", "online", "first", "am", "been",
	"would", "how", "were", "services", "some", "these", "click", "its",
	"like", "service", "than", "find", "price", "date", "back", "top",
	"people", "had", "list", "name", "just", "over", "state", "year",
	"day", "into", "email", "two", "health", "world", "invoice", "order",
	"meeting", "draft", "contract", "shipment", "deadline", "budget",
	"review", "attached", "regards", "quarter", "customer", "release" };

static const struct {
	const char *name, *local;
} people[] = {
	{ "Alice Martin", "alice.martin" }, { "Bob Okafor", "bob" },
	{ "=?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?=", "j.mueller" },
	{ "\"Lopez, Maria\"", "maria.lopez" }, { "Chen Wei", "chen.wei" },
	{ "=?UTF-8?B?5bGx55Sw5aSq6YOO?=", "yamada" }, { "Billing", "billing" },
	{ "Support (no reply)", "no-reply" }, { "Dana Smith", "dsmith" },
	{ "=?ISO-8859-1?Q?Andr=E9_Dupont?=", "andre.dupont" },
	{ "Priya Raman", "priya" }, { "Newsletter", "newsletter" },
};

static const char *const domains[] = { "example.com", "example.org",
	"example.net", "mail.example.com", "shop.example.org",
	"lists.example.net" };

static const char *const folders[] = { "sales", "support", "info", "jobs" };

static const char *const utf8_subjects[] = {
	"=?UTF-8?B?UmVjaG51bmcgZsO8ciBOb3ZlbWJlciDigJMgZsOkbGxpZw==?=",
	"=?UTF-8?Q?R=C3=A9union_de_l=27=C3=A9quipe_=E2=9C=93?=",
	"=?UTF-8?B?5pel5pys6Kqe44Gu5Lu25ZCN?=",
	"=?UTF-8?Q?=D0=9F=D1=80=D0=B8=D0=B2=D0=B5=D1=82?= from Moscow",
	"=?UTF-8?B?8J+agCBMYXVuY2ggZGF5?=" };

static const char utf8_lines[] =
    "Gr\xc3\xbc\xc3\x9f""e aus K\xc3\xb6ln, \xe2\x82\xac 12,50 \xe2\x80\x94 "
    "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf "
    "\xf0\x9f\x93\xa7\r\n"
    "From the desk of nobody in particular\r\n"
    ".\r\n..two dots\r\n";

#define PICK(rng, list) (list)[rng_below(rng, NELEMS(list))]

/* What the parts share. */
struct draft {
	const struct mail_facts *f;
	struct rng rng;
	struct buf *out;
	size_t start; /* of the message in `out` */
	char from[64];
	bool utf8_body;
};

static size_t
written(const struct draft *d)
{
	return d->out->len - d->start;
}

static void
put_base64(struct draft *d, size_t len)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t v = 0;
	char *p;

	buf_reserve(d->out, len);
	p = d->out->p + d->out->len;
	for (size_t i = 0; i < len; i++, v >>= 6) {
		if (i % 10 == 0)
			v = rng_next(&d->rng);
		p[i] = abc[v & 63];
	}
	p[len] = '\0';
	d->out->len += len;
}

static void
ses_headers(struct draft *d)
{
	const struct mail_facts *f = d->f;
	const char *host = PICK(&d->rng, domains);
	unsigned net = rng_below(&d->rng, 256);
	char at[STAMP_LEN];

	stamp_mail(f->at_unix, 0, at);
	buf_fmt(d->out, "Return-Path: <%s>\r\n"
	    "Received: from %s (%s [192.0.2.%u])\r\n"
	    " by inbound-smtp.%s.amazonaws.com with SMTP id %s\r\n"
	    " for %s@inbox.example.com;\r\n %s (UTC)\r\n"
	    "X-SES-Spam-Verdict: %s\r\nX-SES-Virus-Verdict: %s\r\n", d->from,
	    host, host, net, f->region, f->id, PICK(&d->rng, folders), at,
	    f->is_spam ? "FAIL" : "PASS", f->has_virus ? "FAIL" : "PASS");
	if (f->len < FULL_LEN)
		return;
	buf_fmt(d->out, "Received-SPF: pass (spfCheck: domain of %s designates "
	    "192.0.2.%u as permitted sender) client-ip=192.0.2.%u; "
	    "envelope-from=%s; helo=%s;\r\n"
	    "Authentication-Results: amazonses.com;\r\n"
	    " spf=pass (spfCheck: domain of %s designates 192.0.2.%u as "
	    "permitted sender) client-ip=192.0.2.%u; helo=%s;\r\n"
	    " dkim=pass header.i=@%s;\r\n dmarc=%s header.from=%s;\r\n"
	    "X-SES-RECEIPT: ", host, net, net, d->from, host, host, net, net,
	    host, host, f->is_spam ? "fail" : "pass", host);
	put_base64(d, 340);
	buf_fmt(d->out, "\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; "
	    "b=");
	put_base64(d, 171);
	buf_fmt(d->out, "=; c=relaxed/simple; "
	    "s=224i4yxa5dv7c2xz3womw6peuasteono; d=amazonses.com; t=%lld; v=1; bh=",
	    (long long)f->at_unix);
	put_base64(d, 43);
	buf_str(d->out, "=; h=From:To:Cc:Bcc:Subject:Date:Message-ID:"
	    "MIME-Version:Content-Type:X-SES-RECEIPT;\r\n");
}

static void
put_subject(struct draft *d)
{
	uint32_t kind = rng_below(&d->rng, 10);
	uint32_t n = 2 + rng_below(&d->rng, 6);

	buf_str(d->out, "Subject: ");
	buf_str(d->out, d->f->is_spam ? "*** WIN *** " : "");
	buf_str(d->out, kind < 3 ? "Re: " : "");
	if (kind == 9 || kind == 8) {
		buf_str(d->out, PICK(&d->rng, utf8_subjects));
	} else {
		for (uint32_t i = 0; i < n; i++)
			buf_fmt(d->out, "%s%s", i > 0 ? " " : "",
			    PICK(&d->rng, words));
	}
	buf_str(d->out, "\r\n");
	if (kind < 3)
		buf_fmt(d->out, "In-Reply-To: <%u.%u@%s>\r\n",
		    rng_below(&d->rng, 1000000), kind,
		    PICK(&d->rng, domains));
}

static void
own_headers(struct draft *d, const char *from_name)
{
	static const int zones[] = { 0, 0, 60, 120, -300, -480, 330, 540 };
	uint32_t to = rng_below(&d->rng, NELEMS(people));
	char at[STAMP_LEN];

	stamp_mail(d->f->at_unix - 1 - rng_below(&d->rng, 20),
	    PICK(&d->rng, zones), at);
	buf_fmt(d->out, "From: %s <%s>\r\nTo: %s <%s@inbox.example.com>\r\n",
	    from_name, d->from, people[to].name, people[to].local);
	put_subject(d);
	buf_fmt(d->out, "Date: %s\r\nMessage-ID: <%.20s.%llu@%s>\r\n"
	    "MIME-Version: 1.0\r\n", at, d->f->id,
	    (unsigned long long)(rng_next(&d->rng) >> 20),
	    strchr(d->from, '@') + 1);
}

/* Words, in lines, until exactly `len` more bytes are there: 0, or enough for
 * a line end. */
static void
put_text(struct draft *d, size_t len)
{
	size_t end = d->out->len + len, column = 0, n;
	uint64_t v = 0;
	const char *w;

	assert(len != 1);
	buf_reserve(d->out, len + 64);
	for (unsigned i = 0; d->out->len + 2 < end; i++, v >>= 7) {
		if (i % 9 == 0)
			v = rng_next(&d->rng);
		w = words[(v & 127) % NELEMS(words)];
		n = strlen(w);
		memcpy(d->out->p + d->out->len, w, n);
		d->out->len += n;
		column += n + 1;
		if (column > 66) {
			memcpy(d->out->p + d->out->len, "\r\n", 2);
			d->out->len += 2;
			column = 0;
		} else {
			d->out->p[d->out->len++] = ' ';
		}
	}
	/* What ran over is cut. */
	d->out->len = end;
	if (len >= 3 && d->out->p[end - 3] == '\r')
		d->out->p[end - 3] = ' ';
	if (len >= 2)
		memcpy(d->out->p + end - 2, "\r\n", 2);
	d->out->p[end] = '\0';
}

static void
put_body_start(struct draft *d)
{
	buf_fmt(d->out, "Content-Type: text/plain; charset=%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    d->utf8_body ? "UTF-8" : "us-ascii",
	    d->utf8_body ? "8bit" : "7bit");
	if (d->utf8_body)
		buf_str(d->out, utf8_lines);
}

/* Text and HTML, text takes what is left over. */
static void
put_alternative(struct draft *d)
{
	static const char html[] = "\r\n--" BOUNDARY "\r\n"
	    "Content-Type: text/html; charset=us-ascii\r\n\r\n"
	    "<html><body><p>See the plain text.</p></body></html>\r\n"
	    "--" BOUNDARY "--\r\n";

	buf_str(d->out, "Content-Type: multipart/alternative;\r\n"
	    "\tboundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\n");
	put_body_start(d);
	put_text(d, d->f->len - written(d) - strlen(html));
	buf_str(d->out, html);
}

/* A short text and one attachment, whose whole lines take the space; the rest
 * that makes no line is an epilogue. */
static void
put_attachment(struct draft *d)
{
	static const char end[] = "--" BOUNDARY "--\r\n";
	size_t left;

	buf_str(d->out, "Content-Type: multipart/mixed;\r\n"
	    "\tboundary=\"" BOUNDARY "\"\r\n\r\n"
	    "This is a multi-part message.\r\n--" BOUNDARY "\r\n");
	put_body_start(d);
	put_text(d, 200 + rng_below(&d->rng, 800));
	buf_str(d->out, "\r\n--" BOUNDARY "\r\n"
	    "Content-Type: application/pdf;\r\n"
	    "\tname*=UTF-8''Angebot%20%E2%82%AC.pdf\r\n"
	    "Content-Disposition: attachment; filename=\"offer.pdf\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	left = d->f->len - written(d) - strlen(end);
	for (; left >= 78 && left != 79; left -= 78) {
		put_base64(d, 76);
		buf_add(d->out, "\r\n", 2);
	}
	buf_str(d->out, end);
	put_text(d, left);
}

void
mail_write(const struct mail_facts *f, struct buf *ret)
{
	struct draft d = { .f = f, .rng = f->rng, .out = ret,
		.start = ret->len };
	uint32_t who = rng_below(&d.rng, NELEMS(people));
	struct arena a = { 0 };

	assert(f->len >= MAIL_MIN && f->len <= MAIL_MAX);
	buf_reserve(ret, f->len + 128);
	strncpy(d.from, arena_fmt(&a, "%s@%s", people[who].local,
	    PICK(&d.rng, domains)), sizeof d.from - 1);
	arena_free(&a);
	ses_headers(&d);
	own_headers(&d, people[who].name);
	d.utf8_body = f->len >= FULL_LEN && rng_below(&d.rng, 4) == 0;
	if (f->len >= ATTACHMENT_LEN) {
		put_attachment(&d);
	} else if (f->len >= FULL_LEN && rng_below(&d.rng, 3) == 0) {
		put_alternative(&d);
	} else {
		put_body_start(&d);
		assert(written(&d) < f->len);
		put_text(&d, f->len - written(&d));
	}
	assert(written(&d) == f->len);
}
