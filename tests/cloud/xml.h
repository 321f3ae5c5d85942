/* xml.h -- reads the small XML bodies that S3 requests carry. */
#ifndef CLOUD_XML_H
#define CLOUD_XML_H

#include "base.h"

/* Called at the end of each element, with its direct text. */
typedef void xml_leaf_fn(void *arg, const char *name, const char *text);

/* 0, or -EINVAL when it is not well-formed. */
int xml_walk(const char *p, size_t len, xml_leaf_fn *leaf,
    void *arg) MUST_CHECK;

#endif
