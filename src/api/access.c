/*
 * access - see access.h.
 *
 * The address that counts is the one that the web server says its client has. Only when that is one of access.trusted_proxies does X-Forwarded-For
 * count, read from its end, where the nearest proxy wrote: what stands before the first address that is not ours may be invented.
 */
#include "api/access.h"

#include <stdlib.h>

#include "base/clock.h"
#include "publish/connections.h"

#define ADDRESSES_MAX 256

struct addresses {
	size_t n;
	struct address list[ADDRESSES_MAX];
};

struct access {
	struct addresses admins, proxies;
	bool reads_open, query_token, writes;
	int64_t rate, burst;
	const struct tokens *tokens;
};

/* Who it is: a role, and whether anything was shown at all. */
struct caller {
	bool has_token; /* whatever it is */
	bool has_address; /* one that can be understood */
	struct address address;
	bool at_home; /* its address is one of the admin's */
	enum role role;
};

static int
parse_addresses(const struct conf *conf, enum setting s, struct addresses *out, struct err *e)
{
	struct text rest = text_of(conf_str(conf, s)), word;

	while (conf_next_word(&rest, &word)) {
		if (out->n == ADDRESSES_MAX) {
			err_set(e, ERR_CONFIG, "%s.%s: more than %d addresses", settings[s].section, settings[s].key,
			    ADDRESSES_MAX);
			return -1;
		}
		if (address_parse(word, &out->list[out->n]) != 0) {
			err_set(e, ERR_CONFIG, "%s.%s: \"%.*s\" is neither an address nor a network such as 10.0.0.0/8",
			    settings[s].section, settings[s].key, (int)(word.n < 60 ? word.n : 60), word.p);
			return -1;
		}
		out->n++;
	}
	return 0;
}

static bool
is_among(const struct address *a, const struct addresses *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (address_within(a, &all->list[i]))
			return true;
	return false;
}

bool
access_writes_on(const struct conf *conf)
{
	return connections_wanted(conf);
}

bool
access_reads_open(const struct access *a)
{
	return a->reads_open;
}

struct access *
access_new(const struct conf *conf, const struct tokens *tokens, struct err *e)
{
	struct access *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the lists of addresses");
		return NULL;
	}
	a->reads_open = conf_int(conf, SETTING_ACCESS_READ) == 0;
	a->query_token = conf_int(conf, SETTING_ACCESS_QUERY_TOKEN) != 0;
	a->writes = access_writes_on(conf);
	a->rate = conf_int(conf, SETTING_ACCESS_RATE);
	a->burst = conf_int(conf, SETTING_ACCESS_BURST);
	a->tokens = tokens;
	if (!a->reads_open && !a->writes) {
		err_set(e, ERR_CONFIG, "access.read = token needs access.token_file: nobody could read");
		goto fail;
	}
	if (parse_addresses(conf, SETTING_ACCESS_ADMIN_ADDRESSES, &a->admins, e) == 0 &&
	    parse_addresses(conf, SETTING_ACCESS_TRUSTED_PROXIES, &a->proxies, e) == 0)
		return a;
fail:
	access_free(a);
	return NULL;
}

void
access_free(struct access *a)
{
	free(a);
}

int
access_check(const struct conf *conf, struct err *e)
{
	struct access *a = access_new(conf, NULL, e);

	if (a == NULL)
		return -1;
	access_free(a);
	return 0;
}

/* ---- whose request it is ---- */

/* Takes the last of a comma list off its end. */
static struct text
last_item(struct text *list)
{
	size_t at = list->n;
	struct text item;

	while (at > 0 && list->p[at - 1] != ',')
		at--;
	item = text_trim(text_cut(*list, at, list->n));
	*list = text_cut(*list, 0, at > 0 ? at - 1 : 0);
	return item;
}

/* -1: it has none that can be understood. What a trusted proxy did not write as an address belongs to nobody. */
static int
find_client(const struct access *a, struct request *request, struct address *out)
{
	struct text forwarded = request->forwarded_for;

	if (address_parse(request->remote_addr, out) != 0)
		return -1;
	while (is_among(out, &a->proxies) && forwarded.n > 0) {
		request->remote_addr = last_item(&forwarded);
		if (address_parse(request->remote_addr, out) != 0 || out->bits != 128) {
			request->remote_addr = TEXT("");
			return -1;
		}
	}
	return 0;
}

/* RFC 6750: "Bearer" and one word. Another scheme is no token. */
static struct text
bearer(struct text authorization)
{
	struct text rest = authorization, scheme;

	if (!text_split(&rest, ' ', &scheme) || !text_eq_nocase(scheme, TEXT("Bearer")))
		return TEXT("");
	return rest.p == NULL ? TEXT("") : text_trim(rest);
}

/*
 * A proxy on this machine, trusted or not, that does not say whom it asks for makes everybody come from 127.0.0.1, which is an admin's address by default: so
 * what was passed on is not at home there. Who is really here can leave those headers out.
 */
static bool
is_at_home(const struct access *a, const struct request *request, const struct caller *caller)
{
	return caller->has_address && is_among(&caller->address, &a->admins) &&
	    !(request->forwarded && address_is_loopback(&caller->address));
}

static struct caller
find_caller(const struct access *a, struct request *request)
{
	struct caller caller = { .role = ROLE_NONE };
	struct text token = TEXT_NONE;

	caller.has_address = find_client(a, request, &caller.address) == 0;
	caller.at_home = is_at_home(a, request, &caller);
	if (request->authorization.p != NULL)
		token = bearer(request->authorization);
	else if (a->query_token && request->method != METHOD_POST)
		token = params_peek(request->query, Q_TOKEN, &request->pool);
	caller.has_token = token.p != NULL;
	if (caller.has_token && a->tokens != NULL)
		caller.role = tokens_role(a->tokens, token, NULL);
	return caller;
}

/* ---- the gate ---- */

static enum role
role_wanted(const struct access *a, const struct route *route, const struct request *request)
{
	if (request->method == METHOD_POST && (route->methods & METHOD_POST) != 0)
		return ROLE_PUBLISH;
	if ((route->policy & ROUTE_ADMIN) != 0)
		return ROLE_ADMIN;
	return a->reads_open || (route->policy & ROUTE_PUBLIC) != 0 ? ROLE_NONE : ROLE_READ;
}

/* 401 for whom a token would help, with what kind of; 403 for who has shown one that does not reach. */
static void
refuse(const struct access *a, const struct caller *caller, enum role wanted, struct reply *reply)
{
	if (!a->writes) {
		reply_problem(reply, PROBLEM_FORBIDDEN,
		    wanted == ROLE_PUBLISH ? "writes are off: no access.token_file is configured"
					   : "this route is for the addresses in access.admin_addresses only",
		    NULL);
	} else if (caller->role != ROLE_NONE) {
		reply_problem(reply, PROBLEM_FORBIDDEN,
		    wanted == ROLE_ADMIN
			? "this route is for tokens of role admin and the addresses in access.admin_addresses"
			: "this token may only read",
		    NULL);
		reply_header(
		    reply, "WWW-Authenticate", TEXT("Bearer realm=\"tickgate\", error=\"insufficient_scope\""));
	} else if (caller->has_token) {
		reply_problem(reply, PROBLEM_UNAUTHORIZED, "this token is not known", NULL);
		reply_header(reply, "WWW-Authenticate", TEXT("Bearer realm=\"tickgate\", error=\"invalid_token\""));
	} else {
		reply_problem(reply, PROBLEM_UNAUTHORIZED, "a token is needed: Authorization: Bearer …", NULL);
		reply_header(reply, "WWW-Authenticate", TEXT("Bearer realm=\"tickgate\""));
	}
}

/* What a balancer asks is asked often, and costs nothing. */
static bool
is_too_often(const struct access *a, struct limits *limits, const struct route *route, const struct caller *caller,
    struct reply *reply)
{
	int64_t wait_us;

	if (limits == NULL || a->rate == 0 || (route != NULL && (route->policy & ROUTE_PUBLIC) != 0))
		return false;
	wait_us =
	    limits_take(limits, caller->has_address ? &caller->address : NULL, a->rate, a->burst, clock_mono_us());
	if (wait_us > 0)
		reply_problem_later(reply, PROBLEM_RATE_LIMITED, (wait_us + 999999) / 1000000);
	return wait_us > 0;
}

bool
access_admit(const struct access *a, struct limits *limits, const struct route *route, struct request *request,
    struct reply *reply)
{
	struct caller caller;
	enum role wanted;

	request->token_in_query = a->query_token && request->method != METHOD_POST;
	/* A parked one was admitted when it came. */
	if (request->resume != NULL)
		return true;
	if (a->proxies.n > 0 && request->forwarded_twice) {
		reply_problem(reply, PROBLEM_MALFORMED_REQUEST, "X-Forwarded-For was sent twice", NULL);
		return false;
	}
	caller = find_caller(a, request);
	if (is_too_often(a, limits, route, &caller, reply))
		return false;
	if (route == NULL || request->method == METHOD_OPTIONS)
		return true;
	wanted = role_wanted(a, route, request);
	if (caller.role >= wanted || (wanted == ROLE_ADMIN && caller.at_home))
		return true;
	refuse(a, &caller, wanted, reply);
	return false;
}
