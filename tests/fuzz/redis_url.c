/*
 * redis_url - what an admin writes into REDIS_URL.  What redis/redis.h promises: a target that can be connected to, or an error; and the
 * secret, which is the word between ':' and '@', in neither the error nor the printed form.
 */
#include <string.h>

#include "fuzz.h"
#include "redis/redis.h"

#define SECRET "hunter2hunter2"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = fuzz_string((struct text){ (const char *)data, size }), printed[1024];
	struct err e = { .code = ERR_NONE };
	struct redis_target t;

	if (redis_target_parse(&t, url, NULL, NULL, &e) == 0) {
		PROMISE((t.host[0] == '\0') != (t.path[0] == '\0'));
		PROMISE(t.host[0] == '\0' || (t.port > 0 && t.port <= 65535));
		PROMISE(t.db >= 0);
		redis_target_print(&t, printed, sizeof(printed));
		/* Where it is the name of the host, it is no secret. */
		if (strcmp(t.password, SECRET) == 0 && strstr(t.host, SECRET) == NULL && strstr(t.path, SECRET) == NULL)
			PROMISE(strstr(printed, SECRET) == NULL);
	} else {
		PROMISE(e.code != ERR_NONE && e.text[0] != '\0');
		if (strstr(url, ":" SECRET "@") != NULL)
			PROMISE(strstr(e.text, SECRET) == NULL);
	}
	free(url);
	return 0;
}
