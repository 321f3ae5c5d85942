/* Headers of good mail, broken mail and mail that lies. With "--json" as its
 * argument the program reads length-prefixed messages from standard input and
 * prints what it made of each: rfc822.py holds that against Python's email. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/crypto.h"
#include "crypto/maildate.h"
#include "crypto/rfc822.h"

static struct rfc822 out;

static const char *
parse(const char *msg, enum rfc822_field f)
{
	memset(&out, 0x55, sizeof(out));
	rfc822_parse((const uint8_t *)msg, strlen(msg), &out);
	return out.value[f];
}

/* Values of Subject. */
static const struct {
	const char *msg, *want;
} subjects[] = {
	{ "", "" },
	{ "\n", "" },
	{ "Subject: x\n\nbody", "x" },
	{ "Subject:x\r\n\r\nSubject: y", "x" },
	{ "SUBJECT : \t x \t \n", "x" },
	{ "Subject: x", "x" },
	{ "Subject:", "" },
	{ "Subject:\n x\n", "x" },
	{ "Subject: a\r\n b\r\n\tc\r\n\r\n", "a b c" },
	{ "Subject: a\n   \n b\n", "a    b" },
	/* the first counts; one without a colon is no field */
	{ "Subject: a\nSubject: b\n", "a" },
	{ "Subject\nSubject: b\n", "b" },
	{ "junk without colon\n folded: Subject: no\nSubject: b\n", "b" },
	{ "From x@y Thu Jul  2 11:14:52 2026\nSubject: b\n", "b" },
	{ " Subject: a\nSubject: b\n", "b" },
	{ "X-Subject: a\nSubjects: c\nSubject: b\n", "b" },
	{ "\nSubject: body\n", "" },
	{ "\r\nSubject: body\n", "" },
	/* not at a line's start */
	{ "X: \rSubject: a\nSubject: b\n", "b" },
	/* controls */
	{ "Subject: a\tb\x01" "c\x7f\n", "a bc" },
	{ "Subject: a\rb\n", "a b" },
	{ "Subject: a\r\r\n", "a" },
	{ "Subject: =?utf-8?q?a=00b=0Ac=C2=85d?=\n", "ab cd" },
	/* 8-bit */
	{ "Subject: \xc3\xb6\n", "\u00f6" },
	{ "Subject: \xf6\xc3\xb6\n", "\u00f6\u00c3\u00b6" },
	/* words */
	{ "Subject: =?utf-8?Q?a_=C3=B6?=\n", "a \u00f6" },
	{ "Subject: =?UTF-8?b?w7Y=?=\n", "\u00f6" },
	{ "Subject: =?UTF-8?b?w7Y?=\n", "\u00f6" },
	{ "Subject: =?utf-8?q?a?= =?utf-8?q?b?=\n c\n", "ab c" },
	{ "Subject: =?utf-8?q?a?=\r\n =?iso-8859-1?q?=F6?=\n", "a\u00f6" },
	{ "Subject: =?utf-8?q?=C3?= =?utf-8?q?=B6?=\n", "\u00f6" },
	{ "Subject: x=?utf-8?q?a?=y\n", "xay" },
	{ "Subject: =?utf-8?q?a b?=\n", "a b" },
	{ "Subject: =?utf-8?q?a\n", "=?utf-8?q?a" },
	{ "Subject: =?iso-8859-1?q?=E4=80?=\n", "\u00e4" },
	{ "Subject: =?windows-1252?q?=80=81=E4?=\n", "\u20ac\ufffd\u00e4" },
	{ "Subject: =?us-ascii?q?a=F6?=\n", "a\u00f6" },
	{ "Subject: =?us-ascii?q?a=C3=B6?=\n", "a\u00f6" },
	{ "Subject: =?utf-8?q?=F6x=C3?=\n", "\ufffdx\ufffd" },
	{ "Subject: =?utf-8?q?=ED=A0=80?=\n", "\ufffd\ufffd\ufffd" },
	{ "Subject: =?koi8-r?b?8NLJ18XU?=\n",
	    "\u041f\u0440\u0438\u0432\u0435\u0442" },
	{ "Subject: =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=\n", "\u65e5\u672c" },
	{ "Subject: =?Shift_JIS?b?k/qWew==?=\n", "\u65e5\u672c" },
	{ "Subject: =?gb2312?b?1tA=?= =?GB2312?b?zsQ=?=\n", "\u4e2d\u6587" },
	{ "Subject: =?windows-1255?b?+Q==?=\n", "\u05e9" },
	{ "Subject: =?euc-jp?b?xvzL?=\n", "\u65e5\ufffd" },
	{ "Subject: =?x-unknown?q?=C3=B6?=\n", "\u00f6" },
	{ "Subject: =?x-unknown?q?=F6?=\n", "\u00f6" },
	{ "Subject: =?../../x?q?=F6?=\n", "\u00f6" },
	{ "Subject: =?iso-2022-cn-ext?q?a?=\n", "a" },
};

static void
test_subjects(void)
{
	for (size_t i = 0; i < NELEMS(subjects); i++)
		CHECK_STR_AT(i, parse(subjects[i].msg, RFC822_SUBJECT),
		    subjects[i].want);
}

static const char ses_mail[] =
    "Return-Path: <alice@example.org>\r\n"
    "X-SES-Spam-Verdict: FAIL\r\n"
    "X-SES-Virus-Verdict: PASS\r\n"
    "From: =?utf-8?q?Al?= <alice@example.org>\r\n"
    "To: bob@example.com,\r\n carol@example.com\r\n"
    "Cc: dan@example.com\r\n"
    "X-SES-Spam-Verdict: PASS\r\n"
    "Date: Thu, 2 Jul 2026 11:14:52 +0200\r\n"
    "Message-ID: <1@example.org>\r\n"
    "In-Reply-To: <0@example.org>\r\n"
    "References: <a@example.org>\r\n\t<0@example.org>\r\n"
    "List-Id: The list <l.example.org>\r\n"
    "\r\n"
    "Subject: none\n";

static void
test_fields(void)
{
	static const struct {
		enum rfc822_field f;
		const char *name, *want;
	} rows[RFC822_FIELDS] = {
		{ RFC822_FROM, "from", "Al <alice@example.org>" },
		{ RFC822_TO, "to", "bob@example.com, carol@example.com" },
		{ RFC822_CC, "cc", "dan@example.com" },
		{ RFC822_SUBJECT, "subject", "" },
		{ RFC822_DATE, "date", "Thu, 2 Jul 2026 11:14:52 +0200" },
		{ RFC822_MESSAGE_ID, "message_id", "<1@example.org>" },
		{ RFC822_IN_REPLY_TO, "in_reply_to", "<0@example.org>" },
		{ RFC822_REFERENCES, "references",
		    "<a@example.org> <0@example.org>" },
		{ RFC822_LIST_ID, "list_id", "The list <l.example.org>" },
		{ RFC822_SPAM, "spam", "FAIL" },
		{ RFC822_VIRUS, "virus", "PASS" },
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		CHECK_STR_AT(i, parse(ses_mail, rows[i].f), rows[i].want);
		CHECK_STR_AT(i, rfc822_field_name(rows[i].f), rows[i].name);
	}
	CHECK_EQ(out.date_unix, 1782983692);
	CHECK_EQ(out.crlf_size, strlen(ses_mail) + 1);
}

static void
test_crlf_size(void)
{
	static const struct {
		const char *msg;
		uint64_t want;
	} rows[] = { { "", 0 }, { "\n", 2 }, { "\r\n", 2 }, { "\r", 1 },
		{ "a\nb\r\n\n\rc", 10 }, { "\r\r\n\n", 5 } };

	for (size_t i = 0; i < NELEMS(rows); i++) {
		parse(rows[i].msg, RFC822_FROM);
		CHECK_EQ_AT(i, out.crlf_size, rows[i].want);
	}
}

/* Too long is cut, at a character, and the fields behind it are still read. */
static void
test_long(void)
{
	static const char tail[] = "\nMessage-ID: <x>\n\n";
	static char msg[3 << 20];
	size_t n = 0;

	n += (size_t)sprintf(msg, "Subject: a");
	while (n < (2 << 20) - 2000)
		n += (size_t)sprintf(msg + n, "\u00e4");
	strcpy(msg + n, tail);
	/* The first megabyte is all that is read of a header. */
	CHECK_EQ(strlen(parse(msg, RFC822_SUBJECT)), 1023);
	CHECK_STR(out.value[RFC822_SUBJECT] + 1021, "\u00e4");
	CHECK_STR(out.value[RFC822_MESSAGE_ID], "");
	strcpy(msg + 500000, tail);
	CHECK_EQ(strlen(parse(msg, RFC822_SUBJECT)), 1023);
	CHECK_STR(out.value[RFC822_MESSAGE_ID], "<x>");
	/* a value of many lines */
	n = (size_t)sprintf(msg, "Subject: \u00e4");
	for (int i = 0; i < 20000; i++)
		n += (size_t)sprintf(msg + n, "\r\n \u00e4");
	strcpy(msg + n, tail);
	CHECK_EQ(strlen(parse(msg, RFC822_SUBJECT)), 1022);
	CHECK_STR(out.value[RFC822_SUBJECT] + 1017, "\u00e4 \u00e4");
	CHECK_STR(out.value[RFC822_MESSAGE_ID], "<x>");
	/* NUL bytes end nothing */
	memcpy(msg, "Subject: a\0b\0\nMessage-ID: <y>\n\n", 32);
	rfc822_parse((const uint8_t *)msg, 32, &out);
	CHECK_STR(out.value[RFC822_SUBJECT], "ab");
	CHECK_STR(out.value[RFC822_MESSAGE_ID], "<y>");
}

#define BAD INT64_MIN

static const struct {
	const char *text;
	int64_t want;
} dates[] = {
	{ "Thu, 2 Jul 2026 11:14:52 +0200", 1782983692 },
	{ "2 Jul 2026 11:14:52 +0200", 1782983692 },
	{ "Thu, 02 Jul 2026 09:14:52 -0000", 1782983692 },
	{ "Thu,02 July 2026 09:14:52 UT", 1782983692 },
	{ "thu 2 jul 26 9:14:52 gmt", 1782983692 },
	{ " Thu (x (y) \\) z), 2 Jul 2026 11:14:52 +0200 (CEST)", 1782983692 },
	{ "Thu, 2 Jul 2026 04:14:52 EST", 1782983692 },
	{ "Thu, 2 Jul 2026 05:14:52 edt", 1782983692 },
	{ "Thu, 2 Jul 2026 02:14:52 PDT", 1782983692 },
	{ "Thu, 2 Jul 2026 09:14:52 Z", 1782983692 },
	{ "Thu, 2 Jul 2026 09:14:52 A", 1782983692 },
	{ "Thu, 2 Jul 2026 09:14:52 CEST", 1782983692 },
	{ "Thu, 2 Jul 2026 09:14:52 +2", 1782983692 },
	{ "Thu, 2 Jul 2026 09:14:52", 1782983692 },
	{ "Thu, 2 Jul 2026 14:44 +0530", 1782983640 },
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0 },
	{ "Thu, 1 Jan 1970 00:00:00 +0100", -3600 },
	{ "31 Dec 69 23:59:59 +0000", -1 },
	{ "1 Jan 50 00:00 +0000", -631152000 },
	{ "1 Jan 49 00:00 +0000", 2493072000 },
	{ "1 Jan 099 00:00 +0000", 915148800 },
	{ "29 Feb 2024 00:00 +0000", 1709164800 },
	{ "29 Feb 2000 00:00 +0000", 951782400 },
	{ "31 Dec 9999 23:59:60 +0000", 253402300800 },
	{ "1 Jan 0001 00:00 +0000", -62135596800 },
	{ "", BAD },
	{ "now", BAD },
	{ "Thu, 2 Jul", BAD },
	{ "Thu, 2 Jul 2026", BAD },
	{ "29 Feb 2023 00:00 +0000", BAD },
	{ "29 Feb 1900 00:00 +0000", BAD },
	{ "31 Apr 2026 00:00 +0000", BAD },
	{ "0 Jan 2026 00:00 +0000", BAD },
	{ "32 Jan 2026 00:00 +0000", BAD },
	{ "1 Foo 2026 00:00 +0000", BAD },
	{ "1 Jan 2026 24:00 +0000", BAD },
	{ "1 Jan 2026 00:60 +0000", BAD },
	{ "1 Jan 2026 00:00:61 +0000", BAD },
	{ "1 Jan 2026 00.00 +0000", BAD },
	{ "1 Jan 2026 00:00:00x +0000", BAD },
	{ "1 Jan 20260 00:00 +0000", BAD },
	{ "1 Jan 0000 00:00 +0000", BAD },
	{ "99999999999999999999 Jan 2026 00:00 +0000", BAD },
	{ "(1 Jan 2026 00:00 +0000", BAD },
	{ "2026-07-02T09:14:52Z", BAD },
};

static void
test_dates(void)
{
	char msg[256];

	for (size_t i = 0; i < NELEMS(dates); i++) {
		snprintf(msg, sizeof(msg), "Date: %s\n\n", dates[i].text);
		parse(msg, RFC822_DATE);
		CHECK_EQ_AT(i, out.date_unix, dates[i].want);
	}
	CHECK_EQ(out.value[RFC822_DATE][0], '2');
	parse("Subject: x\n\n", RFC822_DATE);
	CHECK_EQ(out.date_unix, BAD);
}

static void
print_json(void)
{
	json_t *o = json_object();
	char *text;

	for (unsigned f = 0; f < RFC822_FIELDS; f++)
		json_object_set_new(o, rfc822_field_name((enum rfc822_field)f),
		    json_string(out.value[f]));
	if (out.date_unix != INT64_MIN)
		json_object_set_new(o, "date_unix",
		    json_integer(out.date_unix));
	json_object_set_new(o, "crlf_size",
	    json_integer((json_int_t)out.crlf_size));
	text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	puts(text != NULL ? text : "null");
	free(text);
	json_decref(o);
}

static int
serve_json(void)
{
	uint8_t *msg;
	size_t len;

	while (scanf("%zu", &len) == 1 && getchar() == '\n') {
		if ((msg = malloc(len + 1)) == NULL ||
		    fread(msg, 1, len, stdin) != len)
			return 1;
		rfc822_parse(msg, len, &out);
		print_json();
		free(msg);
	}
	return !feof(stdin);
}

int
main(int argc, char **argv)
{
	if (crypto_init(CRYPTO_AUTO) < 0)
		return 1;
	if (argc > 1 && strcmp(argv[1], "--json") == 0)
		return serve_json();
	test_subjects();
	test_fields();
	test_crlf_size();
	test_long();
	test_dates();
	return check_done();
}
