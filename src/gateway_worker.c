/*
 * gateway_worker - see gateway_worker.h. Walk 2 begins here: on to http/fcgi.c.
 *
 * Databases are opened here, in the request threads' contexts: SQLite's connections must not pass a fork.
 */
#include "gateway_worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "api/api.h"
#include "api/cache.h"
#include "base/log.h"
#include "gateway_harden.h"
#include "http/fcgi.h"
#include "live/live.h"

#define SLOW_DELIVERY_US 100000

struct worker {
	struct log_limit slow; /* the live thread's */
	const struct conf *conf;
	struct api_shared shared;
	struct counters_worker *own;
	struct cache *cache;
	struct api *live_api; /* the live thread's own */
};

static void
lengthy(void *arg)
{
	fcgi_lengthy(arg);
}

static void *
requests_start(void *arg, struct fcgi_thread *thread, struct err *e)
{
	struct worker *w = arg;
	struct api *api = api_new(w->conf, &w->shared, e);

	if (api == NULL)
		return NULL;
	api->cache = w->cache;
	api->lengthy = lengthy;
	api->lengthy_arg = thread;
	return api;
}

static void
requests_handle(void *context, struct request *request, struct reply *reply)
{
	api_handle(context, request, reply);
}

static void
requests_stop(void *context)
{
	api_free(context);
}

static void
count(void *arg, int status, int64_t took_us)
{
	struct worker *w = arg;
	counters_add(w->own, status, took_us);
}

/* A thousand waiting connections, and a few descriptors a thread. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
live_render(void *arg, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out)
{
	struct worker *w = arg;

	api_render(w->live_api, ask, epoch, after, checked, out);
}

static void
live_served(void *arg, int64_t took_us)
{
	struct worker *w = arg;

	counters_latency(w->own, LATENCY_DELIVERY, took_us);
	log_slow(
	    &w->slow, "slow_delivery", took_us, SLOW_DELIVERY_US, log_int("streams", w->own->gauges[GAUGE_STREAMS]));
}

static void
live_gone(void *arg, bool waiter, uint64_t address)
{
	struct worker *w = arg;

	api_gone(&w->shared, waiter, address);
}

/* The live thread sees the stop by itself, and says bye while the request threads finish; then it is waited for. */
static int
serve(struct worker *w, struct fcgi_opts *opts, struct err *e)
{
	struct live_opts live_opts = { .state_dir = conf_str(w->conf, SETTING_PATHS_STATE_DIR),
		.run_dir = conf_str(w->conf, SETTING_PATHS_RUN_DIR),
		.ring_bytes = (size_t)conf_int(w->conf, SETTING_LIVE_RING),
		.stop_fd = opts->stop_fd,
		.framed = true,
		.render = live_render,
		.on_served = live_served,
		.on_gone = live_gone,
		.arg = w };
	int rc = -1;

	if ((w->shared.live = live_new(&live_opts, e)) == NULL)
		return -1;
	if ((w->live_api = api_new(w->conf, &w->shared, e)) != NULL && live_start(w->shared.live, e) == 0) {
		rc = fcgi_serve(opts, e);
		live_stop(w->shared.live);
	}
	live_free(w->shared.live);
	api_free(w->live_api);
	return rc;
}

int
gateway_worker(struct conf *conf, int listener, struct counters *all, struct counters_worker *own,
    struct tokens *tokens, pid_t parent)
{
	struct worker w = { .conf = conf,
		.shared = { .counters = all, .own = own, .limits = &all->limits, .tokens = tokens },
		.own = own };
	struct fcgi_opts opts = { .listener = listener,
		.threads = (int)conf_int(conf, SETTING_GATEWAY_THREADS),
		.receive_timeout_ms = conf_int(conf, SETTING_GATEWAY_RECEIVE_TIMEOUT),
		.base_path = conf_str(conf, SETTING_GATEWAY_BASE_PATH),
		.thread_start = requests_start,
		.handle = requests_handle,
		.thread_stop = requests_stop,
		.arg = &w,
		.count = count };
	struct herald *herald = NULL;
	struct err e = { 0 };
	sigset_t stops;
	int rc;

	/*
	 * SIGKILL, not SIGTERM: without its parent a worker must end even when it is busy or stuck, or it would go on taking
	 * connections beside its successors. It has nothing to lose: it reads, and whose POST breaks off knows that he knows nothing.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		return EX_OSERR;
	raise_limit();
	if (tokens_seal(tokens, &e) != 0 || fcgi_init(&e) != 0 ||
	    gateway_harden(conf, true, &w.shared.publish, &herald, &e) != 0)
		goto failed;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	opts.stop_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	if (opts.stop_fd < 0) {
		err_sys(&e, "cannot take signals");
		goto failed;
	}
	if ((w.cache = cache_new((size_t)conf_int(conf, SETTING_GATEWAY_CACHE), &e)) == NULL)
		goto failed;
	rc = serve(&w, &opts, &e);
	cache_free(w.cache);
	herald_stop(herald);
	connections_free(w.shared.publish);
	if (rc == 0)
		return EX_OK;
failed:
	log_err(LOG_LEVEL_ERROR, "worker_failed", &e);
	return err_exit_status(&e);
}
