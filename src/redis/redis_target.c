/*
 * redis_target - where Redis is, as redis-py's from_url() reads it: the same REDIS_URL serves both.  See redis.h.
 *
 * Kept from redis-py on purpose, odd as they are: a path that is no number is ignored, "/1/2" is database 12, the port 0 means 6379, user and password
 * before the @ stand over those in the query. Not kept: values in the query are decoded once, not twice (a bug of 4.3),
 * and parameters other than db, username and password are left aside, since they are about redis-py's own workings.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "redis/redis.h"

#define PORT_DEFAULT 6379

static int
refuse(struct err *e, const char *why)
{
	err_set(e, ERR_CONFIG, "redis URL: %s", why);
	return -1;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into out[256]. A '%' without two hex digits stands for itself, as in Python. */
static int
decode(struct text t, bool plus_is_blank, char out[256], const char *what, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c == '%' && i + 2 < t.n && hex(t.p[i + 1]) >= 0 && hex(t.p[i + 2]) >= 0) {
			c = (char)(hex(t.p[i + 1]) * 16 + hex(t.p[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		if (n == 255 || c == '\0') {
			err_set(e, ERR_CONFIG, "redis URL: the %s is %s", what, n == 255 ? "too long" : "not text");
			return -1;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

/* What is before the first byte of `set` in *rest, taken off it with that byte left at its beginning. */
static struct text
take_until(struct text *rest, const char *set)
{
	size_t n = 0;
	struct text t;

	while (n < rest->n && strchr(set, rest->p[n]) == NULL)
		n++;
	t = text_cut(*rest, 0, n);
	*rest = text_cut(*rest, n, rest->n);
	return t;
}

static int
parse_user(struct redis_target *t, struct text user, struct err *e)
{
	struct text name = take_until(&user, ":");

	if (name.n > 0 && decode(name, false, t->username, "user name", e) != 0)
		return -1;
	if (user.n > 1 && decode(text_cut(user, 1, user.n), false, t->password, "password", e) != 0)
		return -1;
	return 0;
}

/* host, host:port, [v6] or [v6]:port. Python's urlparse has the host in lower case. */
static int
parse_host(struct redis_target *t, struct text rest, struct err *e)
{
	struct text host;
	int64_t port = 0;

	if (rest.n > 0 && rest.p[0] == '[') {
		rest = text_cut(rest, 1, rest.n);
		host = take_until(&rest, "]");
		if (rest.n == 0)
			return refuse(e, "a [ without its ]");
		rest = text_cut(rest, 1, rest.n);
		if (rest.n > 0 && rest.p[0] != ':')
			return refuse(e, "something between ] and the port");
	} else {
		host = take_until(&rest, ":");
	}
	if (rest.n > 1 && (text_int64(text_cut(rest, 1, rest.n), &port) != 0 || port < 0 || port > 65535))
		return refuse(e, "the port is not a number from 1 to 65535");
	if (port != 0)
		t->port = (int)port;
	if (host.n > 0) {
		if (decode(host, false, t->host, "host", e) != 0)
			return -1;
		for (char *c = t->host; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c | 0x20);
	}
	return 0;
}

static int
parse_db(struct redis_target *t, const char *digits, struct err *e)
{
	int64_t db;

	if (text_int64(text_of(digits), &db) != 0 || db < 0 || db > INT_MAX)
		return refuse(e, "db is not a number");
	t->db = (int)db;
	return 0;
}

/* "/0", "/1/2", "/abc". */
static int
parse_db_path(struct redis_target *t, struct text path, struct err *e)
{
	char decoded[256], digits[256];
	size_t n = 0;

	if (decode(path, false, decoded, "path", e) != 0)
		return -1;
	for (const char *c = decoded; *c != '\0'; c++)
		if (*c != '/')
			digits[n++] = *c;
	digits[n] = '\0';
	if (n == 0 || strspn(digits, "0123456789") != n)
		return 0;
	return parse_db(t, digits, e);
}

/* db, and what user and password are missing. *has_db: it stands over the path. */
static int
parse_query(struct redis_target *t, struct text query, bool *has_db, struct err *e)
{
	struct text pair;

	while (text_split(&query, '&', &pair)) {
		struct text key = take_until(&pair, "=");
		struct text value = pair.n > 0 ? text_cut(pair, 1, pair.n) : pair;
		char text[256];

		if (value.n == 0) /* parse_qs() leaves these out */
			continue;
		if (text_eq(key, TEXT("db"))) {
			if (decode(value, true, text, "db", e) != 0 || parse_db(t, text, e) != 0)
				return -1;
			*has_db = true;
		} else if (text_eq(key, TEXT("username"))) {
			if (decode(value, true, t->username, "user name", e) != 0)
				return -1;
		} else if (text_eq(key, TEXT("password"))) {
			if (decode(value, true, t->password, "password", e) != 0)
				return -1;
		}
	}
	return 0;
}

static int
parse_unix(struct redis_target *t, struct text host, struct text path, struct err *e)
{
	t->host[0] = '\0';
	t->port = 0;
	if (path.n == 0 || path.p[0] != '/')
		return refuse(e, "unix:// needs three slashes and a path: unix:///run/redis/redis.sock");
	if (decode(path, false, t->path, "path", e) != 0)
		return -1;
	/* sun_path is shorter than t->path. */
	if (strlen(t->path) > 107)
		return refuse(e, "the path of the unix socket is longer than 107 bytes");
	if (host.n > 0)
		log_event(LOG_LEVEL_WARNING, "redis_url_host_ignored", log_text("host", host), log_str("path", t->path),
		    log_str("advice", "unix:// takes three slashes"));
	return 0;
}

static int
check_scheme(struct text scheme, bool *is_unix, struct err *e)
{
	*is_unix = text_eq_nocase(scheme, TEXT("unix"));
	if (*is_unix || text_eq_nocase(scheme, TEXT("redis")))
		return 0;
	if (text_eq_nocase(scheme, TEXT("rediss")))
		return refuse(e,
		    "rediss:// (TLS) is not supported: let stunnel or a tunnel end TLS beside tickgate, and "
		    "name its local port with redis://");
	return refuse(e, "must begin with redis:// or unix://");
}

static int
parse(struct redis_target *t, struct text rest, struct err *e)
{
	struct text scheme = take_until(&rest, ":"), authority, path, query = TEXT_NONE, host;
	bool is_unix, has_db = false;
	size_t at;

	if (!text_starts(rest, TEXT("://")))
		return refuse(e, "must begin with redis:// or unix://");
	if (check_scheme(scheme, &is_unix, e) != 0)
		return -1;
	rest = text_cut(rest, 3, rest.n);
	rest = take_until(&rest, "#");
	authority = take_until(&rest, "/?");
	path = take_until(&rest, "?");
	if (rest.n > 0)
		query = text_cut(rest, 1, rest.n);
	if (query.n > 0 && parse_query(t, query, &has_db, e) != 0)
		return -1;
	for (at = authority.n; at > 0 && authority.p[at - 1] != '@'; at--)
		;
	if (at > 0 && parse_user(t, text_cut(authority, 0, at - 1), e) != 0)
		return -1;
	host = text_cut(authority, at, authority.n);
	if (is_unix)
		return parse_unix(t, host, path, e);
	if (parse_host(t, host, e) != 0)
		return -1;
	return has_db ? 0 : parse_db_path(t, path, e);
}

static int
override(char out[256], const char *value, const char *what, struct err *e)
{
	if (value == NULL || value[0] == '\0')
		return 0;
	if (strlen(value) > 255) {
		err_set(e, ERR_CONFIG, "the redis %s is longer than 255 bytes", what);
		return -1;
	}
	strcpy(out, value);
	return 0;
}

int
redis_target_parse(struct redis_target *t, const char *url, const char *username, const char *password, struct err *e)
{
	*t = (struct redis_target){ .host = "localhost", .port = PORT_DEFAULT };
	if (parse(t, text_of(url), e) != 0 || override(t->username, username, "user name", e) != 0)
		return -1;
	return override(t->password, password, "password", e);
}

void
redis_target_print(const struct redis_target *t, char *out, size_t size)
{
	bool v6 = strchr(t->host, ':') != NULL;

	if (t->host[0] == '\0')
		snprintf(out, size, "unix://%s?db=%d", t->path, t->db);
	else
		snprintf(out, size, "redis://%s%s%s:%d/%d", v6 ? "[" : "", t->host, v6 ? "]" : "", t->port, t->db);
}
