#include "xml.h"

#include "buf.h"

#include <errno.h>
#include <expat.h>

struct walk {
	xml_leaf_fn *leaf;
	void *arg;
	struct buf text;
};

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct walk *w = arg;

	buf_clear(&w->text);
}

static void
on_text(void *arg, const XML_Char *s, int len)
{
	struct walk *w = arg;

	buf_add(&w->text, s, (size_t)len);
}

static void
on_end(void *arg, const XML_Char *name)
{
	struct walk *w = arg;

	w->leaf(w->arg, name, w->text.p != NULL ? w->text.p : "");
	buf_clear(&w->text);
}

int
xml_walk(const char *p, size_t len, xml_leaf_fn *leaf, void *arg)
{
	struct walk w = { leaf, arg, { 0 } };
	XML_Parser parser = XML_ParserCreate("UTF-8");
	enum XML_Status status;

	XML_SetUserData(parser, &w);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	status = XML_Parse(parser, p, (int)len, XML_TRUE);
	XML_ParserFree(parser);
	buf_free(&w.text);
	return status == XML_STATUS_OK ? 0 : -EINVAL;
}
