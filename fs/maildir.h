/* maildir.h -- the names of a Maildir++ tree. Pure. */
#ifndef SESFS_FS_MAILDIR_H
#define SESFS_FS_MAILDIR_H

#include "crypto/base.h"

#define MAILDIR_NAME_MAX 128  /* bytes of a message's base name, with the zero */
#define MAILDIR_FOLDER_MAX 224 /* bytes of a folder's directory name, with it */

/* A message's base name: "<seconds>.<id>.sesfs,S=<size>[,W=<crlf_size>]". The
 * id is a hash of key and ETag, so the name is a function of the object alone
 * and no two objects share one. crlf_size 0: unknown, no W=. */
void maildir_name(const char *key, const char *etag, int64_t seconds,
    uint64_t size, uint64_t crlf_size, char ret[MAILDIR_NAME_MAX]);

/* The directory name (".Sales.2026") of the folder for a key directory
 * ("Sales/2026"): '/' becomes the hierarchy's '.', other '.' and control
 * characters '_', what is not ASCII modified UTF-7 (RFC 3501, 5.1.3). Several
 * key directories may meet in one name; with_hash appends a hash of key_dir
 * that keeps them apart. */
void maildir_folder(const char *key_dir, bool with_hash,
    char ret[MAILDIR_FOLDER_MAX]);

/* The part of a key between prefix and its last '/': "" when there is none or
 * the key is not under the prefix. ret: at least strlen(key) + 1 bytes. */
void maildir_key_dir(const char *prefix, const char *key, char *ret);

/* Letters after ":2," (flags and keywords) of a file name, or "". */
const char *maildir_flags(const char *name);

#endif
