/* gateway_harden - see gateway_harden.h. SECURITY.md tells what it is for. */
#include "gateway_harden.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/access.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "http/address.h"

#define PATH_SIZE 4096

/* A directory that is not there yet will be made later, and no rule can be added then: the nearest that it will be in stands for it. */
static const char *
existing(const char *dir, char parent[PATH_SIZE])
{
	char *slash;

	if (access(dir, F_OK) == 0 || (size_t)snprintf(parent, PATH_SIZE, "%s", dir) >= PATH_SIZE)
		return dir;
	do {
		slash = strrchr(parent, '/');
		/* Everything is not what was meant. */
		if (slash == NULL || slash == parent)
			return dir;
		*slash = '\0';
	} while (access(parent, F_OK) != 0);
	log_event(LOG_LEVEL_WARNING, "sandbox_wide", log_str("missing", dir), log_str("readable", parent));
	return parent;
}

/* A name has to be looked up each time: it may have moved. */
static void
allow_redis(struct sandbox *s, const struct redis_target *t)
{
	struct address address;

	if (t->host[0] == '\0')
		return;
	sandbox_connect(s, t->port);
	if (address_parse(text_of(t->host), &address) != 0)
		sandbox_resolve(s);
}

static int
enter(const struct conf *conf, const struct redis_target *redis, bool tell, struct err *e)
{
	struct sandbox s = { .n_read = 0 };
	char state_parent[PATH_SIZE], run_parent[PATH_SIZE];
	int abi = 0;

	if (conf_int(conf, SETTING_GATEWAY_SANDBOX) == 0) {
		if (tell)
			log_event(LOG_LEVEL_WARNING, "sandbox_off", log_str("why", "gateway.sandbox = no"));
		return 0;
	}
#ifdef TICKGATE_COVERAGE
	(void)redis;
	(void)s;
	(void)state_parent;
	(void)run_parent;
	(void)existing;
	(void)allow_redis;
	log_event(LOG_LEVEL_WARNING, "sandbox_off", log_str("why", "built for coverage, which writes files"));
	return abi;
#else
	sandbox_read(&s, existing(conf_str(conf, SETTING_PATHS_STATE_DIR), state_parent));
	sandbox_read(&s, existing(conf_str(conf, SETTING_PATHS_RUN_DIR), run_parent));
	if (redis != NULL)
		allow_redis(&s, redis);
	if (sandbox_enter(&s, &abi, e) != 0)
		return -1;
	if (abi == 0)
		log_event(LOG_LEVEL_WARNING, "sandbox_off", log_str("why", "this kernel has no Landlock"));
	else if (tell)
		log_event(LOG_LEVEL_INFO, "sandbox_on", log_int("landlock", abi));
	return 0;
#endif
}

int
gateway_harden(struct conf *conf, bool tell, struct connections **publish, struct herald **herald, struct err *e)
{
	struct connections_opts opts;
	char instance[INSTANCE_SIZE_HERALD] = "";
	bool writes = access_writes_on(conf);
	int rc = 0;

	*publish = NULL;
	sandbox_no_dumps(writes);
	if (writes) {
		rc = connections_settings(conf, &opts, e);
		if (rc == 0 && (*publish = connections_new(&opts, e)) == NULL)
			rc = -1;
	}
	herald_instance(conf_str(conf, SETTING_PATHS_RUN_DIR), instance);
	if (rc == 0)
		rc = enter(conf, writes ? &opts.target : NULL, tell, e);
	/* A thread is as free as who starts it: not before. */
	if (rc == 0 && herald != NULL)
		rc = herald_start(conf, instance, herald, e);
	explicit_bzero(&opts, sizeof(opts));
	conf_forget_secrets(conf);
	return rc;
}
