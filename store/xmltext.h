/* xmltext.h -- the text of a few elements of a small XML reply.
 *
 * For errors and for replies of a handful of fields. Pure; a document type
 * declaration, deep nesting or a syntax error is refused. */
#ifndef SESFS_STORE_XMLTEXT_H
#define SESFS_STORE_XMLTEXT_H

#include "crypto/base.h"

struct xmltext_want {
	const char *name; /* of the element, at any depth */
	char *ret;	  /* "" when absent; text above `size` is cut */
	size_t size;	  /* bytes of ret with the zero */
};

/* Fill every want from the first element of its name. root: what the document
 * element must be called. Returns 0; -EPROTO when it is no such XML. */
int xmltext_get(struct slice xml, const char *root,
    const struct xmltext_want *want, size_t want_len) MUST_CHECK;

/* An expat parser for replies: no document type, no parameter entities. NULL
 * when memory ran out. */
struct XML_ParserStruct *xmltext_parser(void) MUST_CHECK;

#endif
