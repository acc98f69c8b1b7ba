/* tokens - see tokens.h. */
#include "api/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

const char *const role_names[ROLE__MAX] = { "none", "read", "publish", "admin" };

/* What is shared: even while it is whole, odd while the parent writes. */
struct shared {
	_Atomic uint32_t version;
	struct token_list list;
};

struct tokens {
	struct shared *shared;
	int fd; /* -1: given back */
};

/* ---- the file ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int
parse_sha256(struct text t, uint8_t out[32])
{
	if (t.n != 64)
		return -1;
	for (size_t i = 0; i < 32; i++) {
		int high = hex_digit(t.p[2 * i]), low = hex_digit(t.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static bool
next_word(struct text *rest, struct text *word)
{
	size_t n = 0;

	*rest = text_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*word = text_cut(*rest, 0, n);
	*rest = text_cut(*rest, n, rest->n);
	return n > 0;
}

/* NULL, or what is wrong with the line. */
static const char *
parse_line(struct text line, struct token *out)
{
	struct text name, role, hash, more;

	if (!next_word(&line, &name) || !next_word(&line, &role) || !next_word(&line, &hash) || next_word(&line, &more))
		return "a line is: name role sha256";
	if (!text_printable(name, 1, TOKEN_NAME_MAX) || name.n > TOKEN_NAME_MAX)
		return "a name has 1 to 64 printable characters";
	for (out->role = ROLE_READ; out->role < ROLE__MAX; out->role++)
		if (text_eq(role, text_of(role_names[out->role])))
			break;
	if (out->role == ROLE__MAX)
		return "a role is read, publish or admin";
	if (parse_sha256(hash, out->sha256) != 0)
		return "a SHA-256 has 64 hexadecimal digits";
	memcpy(out->name, name.p, name.n);
	out->name[name.n] = '\0';
	return NULL;
}

static int
parse_all(const char *path, struct text rest, struct token_list *out, struct err *e)
{
	struct text line;

	*out = (struct token_list){ 0 };
	for (int n = 1; text_split(&rest, '\n', &line); n++) {
		const char *wrong;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = text_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		wrong = out->n == TOKENS_MAX ? "more than 256 tokens" : parse_line(line, &out->tokens[out->n]);
		if (wrong != NULL) {
			err_set(e, ERR_CONFIG, "%.200s:%d: %s", path, n, wrong);
			return -1;
		}
		out->n++;
	}
	return 0;
}

/* Whoever can write the file can let himself in: it must not be everybody. */
static int
check_file(int fd, const char *path, struct stat *st, struct err *e)
{
	if (fstat(fd, st) != 0) {
		err_sys(e, "%.200s", path);
		return -1;
	}
	if (!S_ISREG(st->st_mode) || st->st_size > TOKENS_FILE_MAX) {
		err_set(e, ERR_CONFIG, "%.200s: is no file, or has more than %d bytes", path, TOKENS_FILE_MAX);
		return -1;
	}
	if ((st->st_mode & S_IWOTH) != 0) {
		err_set(e, ERR_CONFIG, "%.200s: everybody may write it; chmod o-w", path);
		return -1;
	}
	return 0;
}

static int
read_with_stat(const char *path, struct token_list *out, struct stat *st, struct err *e)
{
	char *text = malloc(TOKENS_FILE_MAX);
	int fd = -1, rc = -1;
	ssize_t n;

	if (text == NULL) {
		err_set(e, ERR_MEMORY, "no memory for %.200s", path);
		goto out;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err_sys(e, "%.200s", path);
		e->code = errno == ENOENT ? ERR_MISSING : ERR_CONFIG;
		goto out;
	}
	if (check_file(fd, path, st, e) != 0)
		goto out;
	n = read(fd, text, TOKENS_FILE_MAX);
	if (n < 0)
		err_sys(e, "%.200s", path);
	else
		rc = parse_all(path, (struct text){ text, (size_t)n }, out, e);
out:
	if (fd >= 0)
		close(fd);
	free(text);
	return rc;
}

int
tokens_read(const char *path, struct token_list *out, struct err *e)
{
	struct stat st;

	return read_with_stat(path, out, &st, e);
}

/* ---- what the workers see ---- */

struct tokens *
tokens_new(struct err *e)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, ERR_MEMORY, "no memory for tokens");
		return NULL;
	}
	t->shared = MAP_FAILED;
	t->fd = memfd_create("tickgate-tokens", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (t->fd >= 0 && ftruncate(t->fd, sizeof(*t->shared)) == 0)
		t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
	/* Nobody can map it for writing any more but through the mapping that there is, which a worker gives back. */
	if (t->shared != MAP_FAILED &&
	    fcntl(t->fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0)
		return t;
	err_sys(e, "cannot share the tokens with the workers");
	tokens_free(t);
	return NULL;
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	if (t->shared != MAP_FAILED)
		munmap(t->shared, sizeof(*t->shared));
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

int
tokens_seal(struct tokens *t, struct err *e)
{
	void *again = mmap(NULL, sizeof(*t->shared), PROT_READ, MAP_SHARED, t->fd, 0);

	if (again == MAP_FAILED) {
		err_sys(e, "cannot see the tokens");
		return -1;
	}
	munmap(t->shared, sizeof(*t->shared));
	close(t->fd);
	t->shared = again;
	t->fd = -1;
	return 0;
}

void
tokens_set(struct tokens *t, const struct token_list *list)
{
	uint32_t version = atomic_load_explicit(&t->shared->version, memory_order_relaxed);

	atomic_store_explicit(&t->shared->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	t->shared->list = *list;
	atomic_store_explicit(&t->shared->version, version + 2, memory_order_release);
}

/* Every token is compared to its end, whatever was found before. */
static enum role
look_up(const struct token_list *list, const uint8_t digest[32], char name[TOKEN_NAME_MAX + 1])
{
	uint32_t n = list->n > TOKENS_MAX ? TOKENS_MAX : list->n, found = 0;
	unsigned role = ROLE_NONE;

	for (uint32_t i = 0; i < n; i++) {
		unsigned mask = 0u - (unsigned)(memeql_sec(list->tokens[i].sha256, digest, 32) & 1);

		role = (mask & list->tokens[i].role) | (~mask & role);
		found = (mask & i) | (~mask & found);
	}
	if (role >= ROLE__MAX)
		role = ROLE_NONE;
	if (name != NULL)
		snprintf(name, TOKEN_NAME_MAX + 1, "%s", role == ROLE_NONE ? "" : list->tokens[found].name);
	return (enum role)role;
}

enum role
tokens_role(const struct tokens *t, struct text token, char name[TOKEN_NAME_MAX + 1])
{
	struct sha256_ctx sha;
	uint8_t digest[SHA256_DIGEST_SIZE];
	uint32_t before, after;
	enum role role;

	if (token.n == 0 || token.n > TOKEN_MAX)
		return ROLE_NONE;
	sha256_init(&sha);
	sha256_update(&sha, token.n, (const uint8_t *)token.p);
	sha256_digest(&sha, sizeof(digest), digest);
	/* Again when the parent has changed the list meanwhile, which takes it microseconds, at most once a second. */
	do {
		before = atomic_load_explicit(&t->shared->version, memory_order_acquire);
		role = look_up(&t->shared->list, digest, name);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&t->shared->version, memory_order_relaxed);
	} while (before != after || before % 2 != 0);
	return role;
}

/* ---- for the parent ---- */

static int64_t
nanoseconds(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool
is_same(const struct token_file *f, const struct stat *st)
{
	return f->ino == (int64_t)st->st_ino && f->size == st->st_size && f->mtime_ns == nanoseconds(st->st_mtim) &&
	    f->ctime_ns == nanoseconds(st->st_ctim);
}

static void
remember(struct token_file *f, const struct stat *st)
{
	f->ino = (int64_t)st->st_ino;
	f->size = st->st_size;
	f->mtime_ns = nanoseconds(st->st_mtim);
	f->ctime_ns = nanoseconds(st->st_ctim);
	f->missing = false;
}

int
token_file_open(struct token_file *f, const char *path, struct tokens *t, struct err *e)
{
	static const struct token_list none;
	struct token_list *list;
	struct stat st = { 0 };
	int rc;

	*f = (struct token_file){ .path = path };
	if (path[0] == '\0') {
		tokens_set(t, &none);
		return 0;
	}
	list = malloc(sizeof(*list));
	if (list == NULL) {
		err_set(e, ERR_MEMORY, "no memory for tokens");
		return -1;
	}
	rc = read_with_stat(path, list, &st, e);
	if (rc == 0) {
		tokens_set(t, list);
		remember(f, &st);
		log_event(LOG_LEVEL_NOTICE, "tokens_read", log_str("file", path), log_int("tokens", list->n));
	}
	free(list);
	return rc;
}

static void
note_missing(struct token_file *f, struct tokens *t)
{
	static const struct token_list none;

	if (!f->missing) {
		f->missing = true;
		return;
	}
	if (f->ino == 0)
		return;
	f->ino = f->size = f->mtime_ns = f->ctime_ns = 0;
	tokens_set(t, &none);
	log_event(LOG_LEVEL_ERROR, "tokens_gone", log_str("file", f->path));
}

void
token_file_check(struct token_file *f, struct tokens *t)
{
	struct token_file before = *f;
	struct err e = { 0 };
	struct stat st;

	if (f->path[0] == '\0')
		return;
	if (stat(f->path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			note_missing(f, t);
		return;
	}
	f->missing = false;
	if (is_same(f, &st) || token_file_open(f, f->path, t, &e) == 0)
		return;
	/* What was valid stays valid; said once, since this state of the file is not looked at again. */
	*f = before;
	remember(f, &st);
	log_err(LOG_LEVEL_ERROR, "tokens_refused", &e);
}
