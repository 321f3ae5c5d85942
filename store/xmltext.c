#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "store/wipe.h"
#include "store/xmltext.h"

#define DEPTH_MAX 16

struct state {
	const char *root;
	const struct xmltext_want *want;
	size_t want_len;
	unsigned depth;
	const struct xmltext_want *at; /* being filled, or NULL */
	size_t len;		       /* bytes in at->ret */
	bool is_wrong;
};

/* Entities are how a small document becomes a large one. */
static void
on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int has_internal)
{
	XML_StopParser((XML_Parser)arg, XML_FALSE);
}

XML_Parser
xmltext_parser(void)
{
	/* It sees session tokens. */
	static const XML_Memory_Handling_Suite memory = { malloc,
		wipe_realloc, wipe_free };
	XML_Parser p = XML_ParserCreate_MM(NULL, &memory, NULL);

	if (p == NULL)
		return NULL;
	XML_UseParserAsHandlerArg(p);
	XML_SetStartDoctypeDeclHandler(p, on_doctype);
	return p;
}

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attr)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);

	s->at = NULL;
	if (s->depth++ == 0 && strcmp(local_name(name), s->root) != 0)
		s->is_wrong = true;
	if (s->is_wrong || s->depth > DEPTH_MAX) {
		s->is_wrong = true;
		XML_StopParser((XML_Parser)arg, XML_FALSE);
		return;
	}
	for (size_t i = 0; i < s->want_len && s->depth > 1; i++)
		if (strcmp(local_name(name), s->want[i].name) == 0 &&
		    s->want[i].ret[0] == '\0') {
			s->at = &s->want[i];
			s->len = 0;
		}
}

static void
on_end(void *arg, const XML_Char *name)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);

	s->at = NULL;
	s->depth--;
}

static void
on_text(void *arg, const XML_Char *text, int len)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);
	size_t n = (size_t)len, room;

	if (s->at == NULL)
		return;
	room = s->at->size - 1 - s->len;
	n = n < room ? n : room;
	memcpy(s->at->ret + s->len, text, n);
	s->len += n;
	s->at->ret[s->len] = '\0';
}

int
xmltext_get(struct slice xml, const char *root,
    const struct xmltext_want *want, size_t want_len)
{
	struct state s = { .root = root, .want = want, .want_len = want_len };
	enum XML_Status status;
	XML_Parser p;

	for (size_t i = 0; i < want_len; i++)
		want[i].ret[0] = '\0';
	if (xml.len > INT32_MAX || (p = xmltext_parser()) == NULL)
		return -EPROTO;
	XML_SetUserData(p, &s);
	XML_UseParserAsHandlerArg(p);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	status = XML_Parse(p, (const char *)xml.ptr, (int)xml.len, 1);
	XML_ParserFree(p);
	if (status == XML_STATUS_OK && !s.is_wrong)
		return 0;
	for (size_t i = 0; i < want_len; i++)
		want[i].ret[0] = '\0';
	return -EPROTO;
}
