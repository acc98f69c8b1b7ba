/* The herald against a stand-in for Redis: what is said of errors, how often, and of which not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "event/decode.h"
#include "publish/herald.h"

#define SAID_MAX 64

static char path[64];
static int listener;
static struct {
	pthread_mutex_t lock;
	int n;
	char said[SAID_MAX][2048];
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
note(const char *message)
{
	pthread_mutex_lock(&heard.lock);
	snprintf(heard.said[heard.n++ % SAID_MAX], sizeof(heard.said[0]), "%.2000s", message);
	pthread_mutex_unlock(&heard.lock);
}

static int
n_heard(void)
{
	int n;

	pthread_mutex_lock(&heard.lock);
	n = heard.n;
	pthread_mutex_unlock(&heard.lock);
	return n;
}

/* One client, until it goes: each command is answered as Redis would, messages are kept. */
static void
serve(FILE *in, int out)
{
	char line[4096], words[4][4096] = { "", "", "", "" };

	while (fgets(line, sizeof(line), in) != NULL && line[0] == '*') {
		int n = atoi(line + 1);
		const char *answer = "+OK\r\n";

		for (int i = 0; i < n; i++) {
			if (fgets(line, sizeof(line), in) == NULL || fgets(words[i < 4 ? i : 3], 4096, in) == NULL)
				return;
			words[i < 4 ? i : 3][strcspn(words[i < 4 ? i : 3], "\r\n")] = '\0';
		}
		if (strcmp(words[0], "PUBLISH") == 0) {
			note(words[2]);
			answer = "+QUEUED\r\n";
		} else if (strcmp(words[0], "EXEC") == 0) {
			answer = "*1\r\n:1\r\n";
		}
		if (write(out, answer, strlen(answer)) < 0)
			return;
	}
}

static void *
stand_in(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		FILE *in = fdopen(fd, "r");

		serve(in, fd);
		fclose(in);
	}
	return NULL;
}

static struct conf conf;
static pthread_t thread;

static int
make(void **state)
{
	static const struct conf_program program = { .name = "test" };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char url[128], tokens[] = "access.token_file=/nonexistent";
	char name[] = "test", option[] = "-o", *argv[] = { name, option, url, option, tokens, NULL };
	enum conf_action action;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "/tmp/tickgate-herald-%d", (int)getpid());
	snprintf(url, sizeof(url), "publish.url=unix://%s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(listener, 4) != 0 ||
	    pthread_create(&thread, NULL, stand_in, NULL) != 0)
		return -1;
	return conf_load(&conf, &program, 5, argv, &action, NULL);
}

static int
drop(void **state)
{
	(void)state;
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	conf_fini(&conf);
	return unlink(path);
}

static void
wait_for(int n)
{
	for (int i = 0; i < 1000 && n_heard() < n; i++)
		poll(NULL, 0, 10);
	assert_int_equal(n_heard(), n);
}

/* What the subscriber makes of it. */
static void
assert_own_echo(const char *message, const char *instance, bool own)
{
	struct decoder *d = decoder_new(SCALE_AUTO, instance, NULL);
	struct source_channel from = { TEXT("tickstock:errors"), KIND_ERROR, NULL };
	struct event ev = EVENT_INIT;
	struct reject rej;

	assert_non_null(d);
	decode_message(d, &from, text_of(message), 1700000000000000);
	if (own) {
		assert_int_equal(decode_next(d, &ev, &rej), DECODE_REJECT);
		assert_int_equal(rej.reason, REJECT_OWN_ECHO);
	} else {
		assert_int_equal(decode_next(d, &ev, &rej), DECODE_EVENT);
		assert_int_equal(ev.severity, SEVERITY_ERROR);
		assert_true(text_eq(ev.component, TEXT("tickgate")));
		assert_true(text_eq(ev.source, TEXT("tickgate")));
	}
	decoder_free(d);
}

static void
test_errors_are_said_a_few_a_minute(void **state)
{
	char instance[INSTANCE_SIZE_HERALD];
	struct herald *h = NULL;

	(void)state;
	herald_instance("/tmp", instance);
	assert_int_equal(herald_start(&conf, instance, &h, NULL), 0);
	assert_non_null(h);
	log_event(LOG_LEVEL_WARNING, "no_error");
	log_event(LOG_LEVEL_ERROR, "first", log_str("why", "a \"quote\""));
	wait_for(1);
	assert_non_null(strstr(heard.said[0], "\"message\":\"first "));
	assert_own_echo(heard.said[0], instance, true);
	assert_own_echo(heard.said[0], "another", false);
	for (int i = 2; i <= 6; i++) {
		log_event(LOG_LEVEL_ERROR, "again");
		wait_for(i);
	}
	/* More than six in a minute are counted, not said. */
	for (int i = 0; i < 100; i++)
		log_event(LOG_LEVEL_ERROR, "too_often");
	herald_stop(h);
	assert_int_equal(n_heard(), 6);
	/* And after its end nobody hears. */
	log_event(LOG_LEVEL_ERROR, "unheard");
	assert_int_equal(n_heard(), 6);
}

static void
test_who_we_are(void **state)
{
	char a[INSTANCE_SIZE_HERALD], b[INSTANCE_SIZE_HERALD];

	(void)state;
	herald_instance("/tmp", a);
	herald_instance("/tmp/../tmp/", b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 16);
	herald_instance("/", b);
	assert_string_not_equal(a, b);
}

/* systemd's unit of the gateway hides what that of the subscriber shows (ProcSubset=pid): here Landlock does. */
static void
test_who_we_are_without_proc(void **state)
{
	char a[INSTANCE_SIZE_HERALD], b[INSTANCE_SIZE_HERALD];
	struct sandbox sandbox = { 0 };
	int abi = 0, status = 1;
	pid_t pid;

	(void)state;
	herald_instance("/tmp", a);
	pid = fork();
	if (pid == 0) {
		sandbox_read(&sandbox, "/etc");
		if (sandbox_enter(&sandbox, &abi, NULL) != 0 || abi == 0)
			_exit(2);
		herald_instance("/tmp", b);
		_exit(strcmp(a, b) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip(); /* this kernel has no Landlock */
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_errors_are_said_a_few_a_minute, make, drop),
		cmocka_unit_test(test_who_we_are),
		cmocka_unit_test(test_who_we_are_without_proc),
	};

	log_init(LOG_LEVEL_INFO, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
