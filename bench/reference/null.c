/*
 * null - the ceiling for a FastCGI program: answers every request with the same bytes, read from a file at the start.
 *
 * As the tutorial of libfcgi's threaded example has it, with processes and threads like tickgate.fcgi: null FILE [WORKERS [THREADS]], the
 * listener on descriptor 0. The file holds the whole answer, headers and all.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *answer;
static int answer_n;

static void *
answer_requests(void *arg)
{
	FCGX_Request r;

	FCGX_InitRequest(&r, 0, 0);
	while (FCGX_Accept_r(&r) == 0) {
		FCGX_PutStr(answer, answer_n, r.out);
		FCGX_Finish_r(&r);
	}
	return arg;
}

static int
work(int threads)
{
	pthread_t id;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || FCGX_Init() != 0)
		return 1;
	for (int i = 1; i < threads; i++)
		if (pthread_create(&id, NULL, answer_requests, NULL) != 0)
			return 1;
	answer_requests(NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	int workers = argc > 2 ? atoi(argv[2]) : 2, threads = argc > 3 ? atoi(argv[3]) : 8;
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;

	if (f == NULL || (answer = malloc(1 << 20)) == NULL) {
		fprintf(stderr, "usage: null FILE [WORKERS [THREADS]]\n");
		return 64;
	}
	answer_n = (int)fread(answer, 1, 1 << 20, f);
	fclose(f);
	for (int i = 0; i < workers; i++)
		if (fork() == 0)
			_exit(work(threads));
	while (wait(NULL) > 0)
		;
	return 0;
}
