#include "iam_match.h"

#include <ctype.h>
#include <string.h>

#define ARN_PARTS 6

enum token { TOKEN_END, TOKEN_CHAR, TOKEN_ONE, TOKEN_RUN };

/* The next token before `end`, and the character that it is. */
static enum token
next(const char **p, const char *end, unsigned how, char *ret)
{
	const char *s = *p;

	if (s == end)
		return TOKEN_END;
	if (end - s >= 4 && s[0] == '$' && s[1] == '{' && s[3] == '}') {
		*p += 4;
		*ret = s[2];
		return TOKEN_CHAR;
	}
	(*p)++;
	*ret = *s;
	if ((how & IAM_WILD) && (*s == '*' || *s == '?'))
		return *s == '*' ? TOKEN_RUN : TOKEN_ONE;
	return TOKEN_CHAR;
}

bool
iam_is_pattern(const char *p)
{
	while ((p = strstr(p, "${")) != NULL) {
		if (p[2] == '\0' || strchr("*?$", p[2]) == NULL || p[3] != '}')
			return false;
		p += 4;
	}
	return true;
}

static bool
is_same(char a, char b, unsigned how)
{
	if (how & IAM_FOLD)
		return tolower((unsigned char)a) == tolower((unsigned char)b);
	return a == b;
}

static bool
matches_span(const char *p, const char *p_end, const char *s,
    const char *s_end, unsigned how)
{
	const char *after_run = NULL, *retry = NULL;

	for (;;) {
		const char *q = p;
		char c = '\0';
		enum token t = next(&q, p_end, how, &c);

		if (t == TOKEN_END && s == s_end)
			return true;
		if (t == TOKEN_RUN) {
			after_run = p = q;
			retry = s;
		} else if (t != TOKEN_END && s < s_end &&
		    (t == TOKEN_ONE || is_same(c, *s, how))) {
			p = q;
			s++;
		} else if (after_run == NULL || retry == s_end) {
			return false;
		} else {
			p = after_run;
			s = ++retry;
		}
	}
}

static const char *
end_of_part(const char *s, int part)
{
	return part < ARN_PARTS - 1 ? s + strcspn(s, ":") : s + strlen(s);
}

static bool
matches_arn(const char *p, const char *s, unsigned how)
{
	for (int i = 0; i < ARN_PARTS; i++) {
		const char *p_end = end_of_part(p, i);
		const char *s_end = end_of_part(s, i);

		if (!matches_span(p, p_end, s, s_end, how))
			return false;
		if (i == ARN_PARTS - 1)
			break;
		if (*p_end != ':' || *s_end != ':')
			return false;
		p = p_end + 1;
		s = s_end + 1;
	}
	return true;
}

bool
iam_matches(const char *pattern, const char *text, unsigned how)
{
	if (how & IAM_ARN)
		return matches_arn(pattern, text, how);
	return matches_span(pattern, pattern + strlen(pattern), text,
	    text + strlen(text), how);
}
