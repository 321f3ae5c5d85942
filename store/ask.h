/* ask.h -- a line from the person who started us.
 *
 * Asked by the program that SESFS_ASKPASS names, else on the terminal, as long
 * as there is one that is ours (a daemon in the background has none), else by
 * SSH_ASKPASS when there is a display. Such a program gets the question as its
 * argument and prints the answer, as those of ssh(1) do. */
#ifndef SESFS_STORE_ASK_H
#define SESFS_STORE_ASK_H

#include "store/creds.h"

#define ASK_MAX 64 /* bytes of an answer with the zero */

/* Ask. Returns 0; -ENOTTY when there is nobody to ask; -ECANCELED when there
 * was no proper answer; with the reason and what to do in `why`. */
int ask(const struct awsconf *conf, const char *question, char ret[ASK_MAX],
    char why[CREDS_WHY_MAX]) MUST_CHECK;

#endif
