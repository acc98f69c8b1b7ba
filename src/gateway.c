/*
 * tickgate.fcgi - answers requests from the log.  START HERE for walk 2, a request; on to gateway_worker.c.
 *
 * The parent holds the listener and the shared counters, forks the workers and replaces those that die. It answers nothing itself and opens no
 * database. Run as a plain CGI program, it answers one request and ends.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "gateway_harden.h"
#include "gateway_listener.h"
#include "gateway_worker.h"
#include "http/cgi.h"
#include "http/cors.h"

#define SECOND_US INT64_C(1000000)
#define STOP_PATIENCE_US (10 * SECOND_US)
#define BACKOFF_MIN_US (SECOND_US / 20)
#define BACKOFF_MAX_US (SECOND_US * 9 / 10) /* replaced within a second, whatever it dies of */
#define NEVER INT64_MAX

struct slot {
	pid_t pid; /* 0: not running */
	bool stopping, replace;
	int64_t started_us, backoff_us;
	int64_t due_us; /* not running: start it then; stopping: kill it then */
};

struct gateway {
	struct conf_program program;
	int argc;
	char **argv;
	struct conf conf;
	const char *listen, *workers; /* --listen, --workers; borrowed from argv */
	int listener;
	unsigned n;
	struct counters *counters;
	struct tokens *tokens;
	struct token_file token_file;
	int64_t looked_us; /* at the token file */
	struct slot slots[COUNTERS_WORKERS_MAX];
	bool stopping;
	int64_t watchdog_us, watchdog_due_us; /* systemd's; 0 and NEVER: there is none */
};

static void
on_extra(void *arg, const char *option, const char *value)
{
	struct gateway *g = arg;

	if (strcmp(option, "--listen") == 0)
		g->listen = value;
	else
		g->workers = value;
}

/* True in the child, whose exit status is then in *status. */
static bool
start_worker(struct gateway *g, unsigned i, int *status)
{
	struct slot *s = &g->slots[i];
	struct counters_worker *c = &g->counters->workers[i];
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		*status = gateway_worker(&g->conf, g->listener, g->counters, c, g->tokens, parent);
		return true;
	}
	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "fork_failed", log_str("error", strerror(errno)));
		s->due_us = clock_mono_us() + BACKOFF_MAX_US;
		return false;
	}
	*s = (struct slot){ .pid = pid, .started_us = clock_mono_us(), .backoff_us = s->backoff_us, .due_us = NEVER };
	c->pid = pid;
	c->started_us = clock_real_us();
	c->starts++;
	log_event(LOG_LEVEL_INFO, "worker_started", log_int("worker", i), log_int("pid", pid));
	return false;
}

static void
worker_ended(struct gateway *g, unsigned i, int status)
{
	struct slot *s = &g->slots[i];
	int64_t now_us = clock_mono_us();
	bool asked = s->stopping;

	log_event(asked ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, asked ? "worker_stopped" : "worker_died",
	    log_int("worker", i), log_int("pid", s->pid),
	    log_int("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	counters_ended(g->counters, i);
	/* At once after a good life; slower and slower when it dies young. */
	if (asked || now_us - s->started_us > SECOND_US)
		s->backoff_us = 0;
	else
		s->backoff_us = s->backoff_us == 0       ? BACKOFF_MIN_US
		    : s->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US
							 : s->backoff_us * 2;
	s->pid = 0;
	s->stopping = false;
	s->replace = false;
	s->due_us = now_us + s->backoff_us;
}

static void
reap(struct gateway *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < g->n; i++)
			if (g->slots[i].pid == pid)
				worker_ended(g, i, status);
}

static void
stop_worker(struct slot *s)
{
	s->stopping = true;
	s->due_us = clock_mono_us() + STOP_PATIENCE_US;
	kill(s->pid, SIGTERM);
}

/* Starts and kills what is due, and asks the next one that is to be replaced to stop: one at a time. True in a child. */
static bool
tend(struct gateway *g, int *status)
{
	int64_t now_us = clock_mono_us();
	bool missing = false;

	for (unsigned i = 0; i < g->n; i++) {
		struct slot *s = &g->slots[i];

		if (s->pid == 0 && !g->stopping && s->due_us <= now_us && start_worker(g, i, status))
			return true;
		if (s->stopping && s->due_us <= now_us) {
			kill(s->pid, SIGKILL);
			s->due_us = NEVER;
		}
		missing |= s->pid == 0 || s->stopping;
	}
	for (unsigned i = 0; i < g->n && !missing && !g->stopping; i++)
		if (g->slots[i].replace) {
			stop_worker(&g->slots[i]);
			missing = true;
		}
	return false;
}

static void
begin_stop(struct gateway *g)
{
	if (g->stopping)
		return;
	g->stopping = true;
	notify_send("STOPPING=1");
	log_event(LOG_LEVEL_NOTICE, "stopping", log_int("workers", g->n));
	for (unsigned i = 0; i < g->n; i++)
		if (g->slots[i].pid != 0 && !g->slots[i].stopping)
			stop_worker(&g->slots[i]);
}

static void
reload(struct gateway *g)
{
	struct err e = { 0 };
	struct buf restart = { .max = 4096 };

	notify_reloading();
	if (conf_reload(&g->conf, &g->program, g->argc, g->argv, &restart, &e) != 0) {
		log_err(LOG_LEVEL_ERROR, "reload_failed", &e);
	} else {
		log_set_level((enum log_level)(conf_int(&g->conf, SETTING_LOG_LEVEL) + LOG_LEVEL_ERROR));
		log_event(LOG_LEVEL_NOTICE, "reloaded", log_text("needs_restart", buf_text(&restart)));
		for (unsigned i = 0; i < g->n; i++)
			g->slots[i].replace = g->slots[i].pid != 0;
	}
	notify_send("READY=1");
	buf_fini(&restart);
}

static bool
any_running(const struct gateway *g)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->slots[i].pid != 0)
			return true;
	return false;
}

/* Says that this loop turns, when that is due. The workers are its own to watch over. */
static void
tell_watchdog(struct gateway *g)
{
	int64_t now_us = clock_mono_us();

	if (g->watchdog_due_us > now_us)
		return;
	notify_send("WATCHDOG=1");
	g->watchdog_due_us = now_us + g->watchdog_us;
}

/* Sleeps until a signal or until something is due. */
static int
next_signal(const struct gateway *g, const sigset_t *signals)
{
	int64_t due_us = g->watchdog_due_us, wait_us;
	struct timespec ts;

	for (unsigned i = 0; i < g->n; i++)
		if ((g->slots[i].stopping || !g->stopping) && g->slots[i].due_us < due_us)
			due_us = g->slots[i].due_us;
	if (g->token_file.path[0] != '\0' && g->looked_us + SECOND_US < due_us)
		due_us = g->looked_us + SECOND_US;
	if (due_us == NEVER)
		return sigwaitinfo(signals, NULL);
	wait_us = due_us - clock_mono_us();
	if (wait_us < 0)
		wait_us = 0;
	ts = (struct timespec){ .tv_sec = wait_us / SECOND_US, .tv_nsec = wait_us % SECOND_US * 1000 };
	return sigtimedwait(signals, NULL, &ts);
}

/* Not oftener than once a second: a file may be in the middle of being replaced. */
static void
look_at_tokens(struct gateway *g)
{
	if (clock_mono_us() < g->looked_us + SECOND_US)
		return;
	token_file_check(&g->token_file, g->tokens);
	g->looked_us = clock_mono_us();
}

static int
supervise(struct gateway *g)
{
	sigset_t signals;
	int status = EX_OK;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (tend(g, &status))
		return status;
	notify_send("READY=1");
	g->watchdog_us = notify_watchdog_us();
	g->watchdog_due_us = g->watchdog_us == 0 ? NEVER : 0;
	log_event(LOG_LEVEL_NOTICE, "ready", log_int("workers", g->n));
	while (!g->stopping || any_running(g)) {
		switch (next_signal(g, &signals)) {
		case SIGTERM:
		case SIGINT:
			begin_stop(g);
			break;
		case SIGHUP:
			if (!g->stopping)
				reload(g);
			break;
		default: /* SIGCHLD, or something is due */
			break;
		}
		reap(g);
		look_at_tokens(g);
		tell_watchdog(g);
		if (tend(g, &status))
			return status;
	}
	log_event(LOG_LEVEL_NOTICE, "stopped");
	return EX_OK;
}

static void
cgi_handle(void *app, struct request *request, struct reply *reply)
{
	api_handle(app, request, reply);
}

static void
cgi_render(void *arg, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out)
{
	struct api **api = arg;

	api_render(*api, ask, epoch, after, checked, out);
}

static void
cgi_gone(void *arg, bool waiter, uint64_t address)
{
	/* Nobody counts. */
	(void)arg;
	(void)waiter;
	(void)address;
}

/* A process alone: nobody shares anything with it. */
static int
run_cgi(struct gateway *g, struct err *e)
{
	struct api_shared shared = { .tokens = g->tokens };
	struct live_opts live_opts = { .state_dir = conf_str(&g->conf, SETTING_PATHS_STATE_DIR),
		.run_dir = conf_str(&g->conf, SETTING_PATHS_RUN_DIR),
		.ring_bytes = (size_t)conf_int(&g->conf, SETTING_LIVE_RING),
		.stop_fd = -1,
		.alone = true,
		.render = cgi_render,
		.on_gone = cgi_gone };
	struct api *api = NULL;
	int rc = -1;

	live_opts.arg = &api;
	if (gateway_harden(&g->conf, false, &shared.publish, NULL, e) != 0)
		goto out;
	if ((shared.live = live_new(&live_opts, e)) == NULL || (api = api_new(&g->conf, &shared, e)) == NULL)
		goto out;
	signal(SIGPIPE, SIG_IGN);
	rc = cgi_serve(cgi_handle, api, conf_str(&g->conf, SETTING_GATEWAY_BASE_PATH), e);
	/* Until a stream or a wait that was asked for has ended; at once if none was. */
	live_run(shared.live);
	api_free(api);
out:
	live_free(shared.live);
	connections_free(shared.publish);
	return rc;
}

static int
count_workers(struct gateway *g, struct err *e)
{
	int64_t n = conf_int(&g->conf, SETTING_GATEWAY_WORKERS), max = settings[SETTING_GATEWAY_WORKERS].max;

	if (g->workers != NULL && (text_int64(text_of(g->workers), &n) != 0 || n < 1 || n > max)) {
		err_set(e, ERR_USAGE, "--workers must be 1 to %lld", (long long)max);
		return -1;
	}
	g->n = (unsigned)n;
	return 0;
}

/* For conf_load(). */
static int
check_settings(void *arg, const struct conf *c, struct err *e)
{
	struct gateway *g = arg;
	struct connections_opts publish;

	if (g->workers != NULL && count_workers(g, e) != 0)
		return -1;
	if (cors_check(text_of(conf_str(c, SETTING_CORS_ORIGINS)), e) != 0)
		return -1;
	if (access_check(c, e) != 0)
		return -1;
	return access_writes_on(c) ? connections_settings(c, &publish, e) : 0;
}

static int
open_tokens(struct gateway *g, struct err *e)
{
	g->tokens = tokens_new(e);
	g->looked_us = clock_mono_us();
	return g->tokens == NULL
	    ? -1
	    : token_file_open(&g->token_file, conf_str(&g->conf, SETTING_ACCESS_TOKEN_FILE), g->tokens, e);
}

static int
make_quota(struct gateway *g, struct err *e)
{
	int64_t places = conf_int(&g->conf, SETTING_LIVE_MAX_STREAMS) + conf_int(&g->conf, SETTING_LIVE_MAX_WAITERS);

	if (conf_int(&g->conf, SETTING_LIVE_MAX_PER_ADDRESS) == 0)
		return 0;
	g->counters->quota = quota_new(g->n, places, e);
	return g->counters->quota == NULL ? -1 : 0;
}

static int
serve(struct gateway *g, int *status, struct err *e)
{
	const char *where = g->listen != NULL ? g->listen : conf_str(&g->conf, SETTING_GATEWAY_LISTEN);

	if (count_workers(g, e) != 0)
		return -1;
	g->listener = gateway_listener(where, (mode_t)conf_int(&g->conf, SETTING_GATEWAY_SOCKET_MODE),
	    (int)conf_int(&g->conf, SETTING_GATEWAY_BACKLOG), e);
	if (g->listener < 0)
		return -1;
	g->counters = counters_new(g->n, e);
	if (g->counters == NULL || make_quota(g, e) != 0)
		return -1;
	log_event(LOG_LEVEL_NOTICE, "starting", log_str("version", PACKAGE_VERSION), log_int("workers", g->n));
	*status = supervise(g);
	quota_free(g->counters->quota);
	counters_free(g->counters);
	return 0;
}

int
main(int argc, char **argv)
{
	static const char *const extra[] = { "--listen", "PATH|HOST:PORT", "listen for FastCGI here (gateway.listen)",
		"--workers", "N", "this many worker processes (gateway.workers)", NULL };
	struct gateway *g = calloc(1, sizeof(*g));
	enum conf_action action = CONF_DONE;
	struct err e = { 0 };
	int status = EX_OK, rc, fd;
	bool cgi;

	/* Descriptors 0 to 2 must be something, or a connection would get their numbers (and the log). */
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd > 2)
		close(fd);
	log_init(LOG_LEVEL_INFO, "tickgate.fcgi");
	if (g == NULL)
		return EX_OSERR;
	*g = (struct gateway){ .argc = argc, .argv = argv };
	g->program = (struct conf_program){ .name = "tickgate.fcgi",
		.summary = "answers HTTP requests from tickgate's log, by FastCGI or CGI",
		.mask = SETTING_FOR_GATEWAY,
		.extra = extra,
		.on_extra = on_extra,
		.check = check_settings,
		.arg = g };
	/*
	 * A query without '=' is handed to a CGI program as its command line (RFC 3875, 4.4), so a stranger writes it: it is not
	 * read. Such a program is set by its file and its environment.
	 */
	cgi = cgi_wanted();
	rc = conf_load(&g->conf, &g->program, cgi ? 1 : argc, argv, &action, &e);
	if (rc == 0 && action == CONF_RUN) {
		log_set_level((enum log_level)(conf_int(&g->conf, SETTING_LOG_LEVEL) + LOG_LEVEL_ERROR));
		/* The parent answers nobody, but keeps what workers forget, to give it to the next ones. */
		sandbox_no_dumps(conf_has_secrets(&g->conf));
		rc = open_tokens(g, &e);
		if (rc == 0)
			rc = cgi ? run_cgi(g, &e) : serve(g, &status, &e);
	}
	if (rc != 0) {
		log_err(LOG_LEVEL_ERROR, "failed", &e);
		status = err_exit_status(&e);
	}
	tokens_free(g->tokens);
	conf_fini(&g->conf);
	free(g);
	return status;
}
