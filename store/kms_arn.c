#include <string.h>

#include "store/kms_arn.h"

static bool
take_part(const char **s, char *ret, size_t size)
{
	size_t n = strcspn(*s, ":");

	if ((*s)[n] != ':' || n == 0 || n >= size)
		return false;
	memcpy(ret, *s, n);
	ret[n] = '\0';
	*s += n + 1;
	return true;
}

bool
kms_arn_parse(const char *s, struct kms_arn *ret)
{
	char service[8];

	memset(ret, 0, sizeof(*ret));
	if (strncmp(s, "arn:", 4) != 0)
		return false;
	s += 4;
	if (!take_part(&s, ret->partition, sizeof(ret->partition)) ||
	    !take_part(&s, service, sizeof(service)) ||
	    strcmp(service, "kms") != 0 ||
	    !take_part(&s, ret->region, sizeof(ret->region)) ||
	    !take_part(&s, ret->account, sizeof(ret->account)))
		return false;
	ret->is_alias = strncmp(s, "alias/", 6) == 0;
	if (!ret->is_alias && strncmp(s, "key/", 4) != 0)
		return false;
	s += ret->is_alias ? 6 : 4;
	if (s[0] == '\0' || strlen(s) >= sizeof(ret->id))
		return false;
	strcpy(ret->id, s);
	return true;
}

bool
kms_arn_matches(const char *want, const char *got)
{
	struct kms_arn w, g;

	if (!kms_arn_parse(got, &g) || g.is_alias)
		return false;
	if (strncmp(want, "alias/", 6) == 0)
		return want[6] != '\0';
	if (strncmp(want, "arn:", 4) != 0)
		return strcmp(want, g.id) == 0;
	if (!kms_arn_parse(want, &w) ||
	    strcmp(w.partition, g.partition) != 0 ||
	    strcmp(w.account, g.account) != 0)
		return false;
	if (!w.is_alias && strcmp(w.id, g.id) != 0)
		return false;
	/* A multi-region key is one key wherever it is. */
	return strcmp(w.region, g.region) == 0 ||
	    (!w.is_alias && strncmp(g.id, "mrk-", 4) == 0);
}
