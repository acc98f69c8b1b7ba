/*
 * tokens - who may do what, by a secret word: the file access.token_file, a line each: "name role sha256".
 *
 * The parent reads the file, and again when it has changed, and shows it to the workers in memory that they can only read: so a sandboxed worker needs no access
 * to the file, and a stolen one cannot give itself a token. Tokens themselves are nowhere: the file has their SHA-256. They are made of 256 random bits
 * (tickgate-token), which is why one round of a fast hash is enough.
 */
#ifndef API_TOKENS_H
#define API_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define TOKENS_MAX 256
#define TOKEN_NAME_MAX 64
#define TOKEN_MAX 512 /* characters; a longer one is none of ours */
#define TOKENS_FILE_MAX 65536

enum role { /* each may what the one before it may */
	ROLE_NONE,
	ROLE_READ,
	ROLE_PUBLISH,
	ROLE_ADMIN,
	ROLE__MAX
};
extern const char *const role_names[ROLE__MAX];

struct token {
	char name[TOKEN_NAME_MAX + 1]; /* for the log */
	uint8_t role;
	uint8_t sha256[32];
};

struct token_list {
	uint32_t n;
	struct token tokens[TOKENS_MAX];
};

/* -1 with file:line and what is wrong: a file with a fault counts for nothing, rather than for half. ERR_MISSING: there is no such file. */
int tokens_read(const char *path, struct token_list *out, struct err *e);

struct tokens; /* the shared copy */

/* Empty. To be made before the workers are forked; also right in a process alone. */
struct tokens *tokens_new(struct err *e);
void tokens_free(struct tokens *t);
void tokens_set(struct tokens *t, const struct token_list *list); /* the parent's */
int tokens_seal(struct tokens *t, struct err *e); /* in a worker: from now on it can only be read */

/*
 * The role of whoever knows `token`, ROLE_NONE for none; *name (may be NULL) gets its name. The time this takes depends on how many tokens there are,
 * not on which one is nearly right.
 */
enum role tokens_role(const struct tokens *t, struct text token, char name[TOKEN_NAME_MAX + 1]);

/* Watches the file for the parent. */
struct token_file {
	const char *path; /* borrowed; "": there is none */
	int64_t ino, size, mtime_ns, ctime_ns; /* of what was read last */
	bool missing; /* at the last look */
};

/* The first reading: must succeed. */
int token_file_open(struct token_file *f, const char *path, struct tokens *t, struct err *e);

/*
 * Once a second: reads a file that has changed. A faulty one changes nothing and is logged, once. One that is missing at two looks in a row (an editor may
 * be replacing it) takes all tokens away.
 */
void token_file_check(struct token_file *f, struct tokens *t);

#endif
