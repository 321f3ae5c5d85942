/* http_why.h -- why a transfer failed, as an error and in words.
 *
 * libcurl's words say what happened; where a person can do something about it,
 * what to do is added. */
#ifndef SESFS_STORE_HTTP_WHY_H
#define SESFS_STORE_HTTP_WHY_H

#include <curl/curl.h>

#include "store/http.h"

/* Of a handle whose transfer ended with code, not CURLE_OK. curl_text: what
 * libcurl wrote into the error buffer, "" for nothing. Returns the error of
 * http.h. No user or password of a proxy is in ret. */
int http_why(CURL *easy, CURLcode code, const char *curl_text,
    char ret[HTTP_WHY_MAX]) MUST_CHECK;

#endif
