/*
 * tickgate-bench - START HERE: load for benchmarks, and judgement on what comes of it.
 *
 * follow.c holds streams, wait.c long-polls, get.c asks, publish.c is the producer and subscribe.c the bare subscriber to compare
 * with; load.h is what they share. bench/run.py makes benchmarks of them.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/* ---- what the commands share ---- */

void
load_symbol(struct buf *out, int64_t symbol)
{
	buf_printf(out, "S%04lld", (long long)symbol);
}

void
load_path(const struct load_options *o, struct buf *out, int64_t symbol, int64_t vary)
{
	struct text rest = text_of(o->path);

	while (rest.n > 0) {
		if (text_starts(rest, TEXT("{symbol}"))) {
			load_symbol(out, symbol);
			rest = text_cut(rest, 8, rest.n);
		} else if (text_starts(rest, TEXT("{vary}"))) {
			buf_add_int(out, vary);
			rest = text_cut(rest, 6, rest.n);
		} else {
			buf_add_char(out, *rest.p);
			rest = text_cut(rest, 1, rest.n);
		}
	}
}

int
load_limits(int64_t wanted, struct err *e)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		err_sys(e, "getrlimit");
		return -1;
	}
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		err_sys(e, "setrlimit");
		return -1;
	}
	if (limit.rlim_max != RLIM_INFINITY && (int64_t)limit.rlim_max < wanted + 32) {
		err_set(e, ERR_USAGE, "%lld connections need more descriptors than the limit of %lld",
		    (long long)wanted, (long long)limit.rlim_max);
		return -1;
	}
	return 0;
}

int
load_dial(const struct load_options *o, int64_t i, struct err *e)
{
	/* 127.0.0.1 first, then 127.0.0.2 …: each has some 28,000 ports of its own. */
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		err_sys(e, "socket");
		return -1;
	}
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % o->sources));
	/* The port is chosen at connect(), when the pair of addresses is known. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (o->sources > 1 && bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
		err_sys(e, "bind");
		close(fd);
		return -1;
	}
	if (connect(fd, (const struct sockaddr *)&o->server, sizeof(o->server)) != 0 && errno != EINPROGRESS) {
		err_sys(e, "connect");
		close(fd);
		return -1;
	}
	return fd;
}

bool
load_stdin_ended(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) > 0;
}

void
load_ready(void)
{
	puts("ready");
	fflush(stdout);
}

double
load_cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- main ---- */

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(const struct load_options *o, struct err *e);
} commands[] = {
	{ "follow",    follow_command },
	{ "wait",      wait_command },
	{ "get",       get_command },
	{ "publish",   publish_command },
	{ "subscribe", subscribe_command },
};
/* clang-format on */

int
main(int argc, char **argv)
{
	struct load_options o;
	struct err e = { .code = ERR_NONE };

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(options_usage, stdout);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(&o, argc, argv, &e) != 0)
		goto out;
	err_set(&e, ERR_USAGE, "no command \"%.60s\"; see tickgate-bench --help", o.command);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(o.command, commands[i].name) == 0) {
			e.code = ERR_NONE;
			if (commands[i].run(&o, &e) == 0)
				return 0;
			break;
		}
	}
out:
	fprintf(stderr, "tickgate-bench: %s\n", e.text);
	return err_exit_status(&e);
}
