#include "check.h"
#include "fs/maildir.h"

static const struct {
	const char *key_dir, *folder;
} folders[] = {
	{ "Sales", ".Sales" },
	{ "Sales/2026", ".Sales.2026" },
	{ "a.b", ".a_b" },
	{ "a//b", ".a._.b" },
	{ "/a", "._.a" },
	{ "R&D", ".R&-D" },
	{ "\xc3\x9c" "ber", ".&ANw-ber" },
	/* RFC 3501, 5.1.3 */
	{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8"
	  "\xaa\x9e", ".~peter.mail.&U,BTFw-.&ZeVnLIqe-" },
	{ "\xf0\x9f\x98\x80x", ".&2D3eAA-x" },
	{ "bad\xff" "byte", ".bad_byte" },
	{ "ctl\n\x7f", ".ctl__" },
	{ "INBOX", "._INBOX" },
	{ "inbox/x", "._inbox.x" },
	{ "inboxes", ".inboxes" },
	{ "notmuch", "._notmuch" },
	{ "UIDVALIDITY", "._UIDVALIDITY" },
	{ "mbsyncstate/lock", "._mbsyncstate.lock" },
	{ "isyncuidmap/db", "._isyncuidmap.db" },
	{ "a/notmuch", ".a.notmuch" },
};

static const struct {
	const char *prefix, *key, *dir;
} dirs[] = {
	{ "", "a", "" },
	{ "", "d/a", "d" },
	{ "", "d/e/a", "d/e" },
	{ "d/", "d/a", "" },
	{ "d/", "d/e/a", "e" },
	{ "d/", "d//a", "" },
	{ "d/", "x/a", "" },
	{ "emails", "emailsabc", "" },
	{ "emails", "emails/x/abc", "/x" },
};

static void
test_names(void)
{
	char a[MAILDIR_NAME_MAX], b[MAILDIR_NAME_MAX];

	maildir_name("inbound/x", "etag", 1700000000, 1234, 1250, a);
	CHECK(strncmp(a, "1700000000.", 11) == 0);
	CHECK_STR(a + 11 + 32, ".sesfs,S=1234,W=1250");
	maildir_name("inbound/x", "etag", 1700000000, 1234, 1250, b);
	CHECK_STR(a, b);
	maildir_name("inbound/x", "etag2", 1700000000, 1234, 1250, b);
	CHECK(strcmp(a, b) != 0);
	maildir_name("inbound/xe", "tag", 1700000000, 1234, 1250, b);
	CHECK(strcmp(a, b) != 0);
	maildir_name("k", "e", -5, UINT64_MAX, UINT64_MAX, b);
	CHECK(strlen(b) < MAILDIR_NAME_MAX - 1);
	CHECK(strncmp(b, "0.", 2) == 0);
	maildir_name("k", "e", 1, 0, 0, b);
	CHECK_STR(b + 2 + 32, ".sesfs,S=0");
}

static void
test_long_folders(void)
{
	char key[1025], a[MAILDIR_FOLDER_MAX], b[MAILDIR_FOLDER_MAX];

	memset(key, 'x', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	maildir_folder(key, false, a);
	CHECK_EQ(strlen(a), MAILDIR_FOLDER_MAX - 1);
	key[sizeof(key) - 2] = 'y';
	maildir_folder(key, false, b);
	CHECK(strcmp(a, b) != 0);

	maildir_folder("a.b", true, a);
	maildir_folder("a_b", true, b);
	CHECK(strcmp(a, b) != 0);
	CHECK(strncmp(a, ".a_b_", 5) == 0);
}

int
main(void)
{
	char ret[1100];

	for (size_t i = 0; i < NELEMS(folders); i++) {
		maildir_folder(folders[i].key_dir, false, ret);
		CHECK_STR_AT(i, ret, folders[i].folder);
	}
	for (size_t i = 0; i < NELEMS(dirs); i++) {
		maildir_key_dir(dirs[i].prefix, dirs[i].key, ret);
		CHECK_STR_AT(i, ret, dirs[i].dir);
	}
	CHECK_STR(maildir_flags("1.x.sesfs,S=1:2,FS"), "FS");
	CHECK_STR(maildir_flags("1.x.sesfs,S=1:2,"), "");
	CHECK_STR(maildir_flags("1.x.sesfs,S=1"), "");
	CHECK_STR(maildir_flags("a:b"), "");
	test_names();
	test_long_folders();
	return check_done();
}
