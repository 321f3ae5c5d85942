/* Key directories as folder names: any bytes make a name that can be one. */
#include <stdlib.h>
#include <string.h>

#include "fs/maildir.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char folder[MAILDIR_FOLDER_MAX], name[MAILDIR_NAME_MAX];
	char *key = malloc(len + 1), *dir = malloc(len + 1);

	MUST(key != NULL && dir != NULL);
	memcpy(key, data, len);
	key[len] = '\0';
	maildir_key_dir("", key, dir);
	MUST(strlen(dir) <= strlen(key));
	for (int with_hash = 0; with_hash < 2; with_hash++) {
		maildir_folder(dir, with_hash, folder);
		MUST(folder[0] == '.' && strchr(folder, '/') == NULL);
		MUST(strlen(folder) < MAILDIR_FOLDER_MAX);
		for (const char *p = folder; *p != '\0'; p++)
			MUST((unsigned char)*p >= 0x20 &&
			    (unsigned char)*p < 0x7f);
	}
	maildir_name(key, dir, (int64_t)len, len, len, name);
	MUST(strlen(name) <= 120 && strchr(name, '/') == NULL);
	(void)maildir_flags(key);
	free(key);
	free(dir);
	return 0;
}
