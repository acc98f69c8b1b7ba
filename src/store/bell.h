/*
 * bell - tells whoever waits that the log has grown.
 *
 * A unix SEQPACKET socket; each ring is one datagram {epoch, after, head, time of the commit}, sent without blocking and dropped where a buffer is
 * full, since the next one says more. A small commit's rows go along (news.h), to save readers the reading: whoever was told of everything
 * before them needs nothing else, whoever was not finds all of it in the log. Without a bell one polls the database every 250 ms.
 *
 * One word goes the other way: a reader that has met damage in the log says so here, for the writer may never meet it itself.
 */
#ifndef STORE_BELL_H
#define STORE_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/news.h"

#define BELL_BYTES_MAX NEWS_BYTES_MAX
#define BELL_FILE "bell" /* in paths.run_dir */
#define BELL_PEERS_MAX 1024
#define BELL_BUFFER (2 * BELL_BYTES_MAX) /* asked for, for each peer; the kernel doubles it */

struct bell_ring {
	char epoch[16];
	int64_t head;
	int64_t after; /* the rows that go along are all those above it up to head; if none do, it is of no use */
	int64_t committed_us; /* when, by the monotonic clock, which all processes of a machine share */
};

struct bell; /* the subscriber's side */

/* Listens on `path` with mode 0660. A stale socket is replaced, a live one is ERR_BUSY. */
struct bell *bell_open(const char *path, struct err *e);
void bell_close(struct bell *b); /* unlinks too; NULL is fine */
void bell_accept(struct bell *b); /* takes in new peers; non-blocking */
/* Accepts, sends to all, drops the dead. `rows`: what goes along, at most NEWS_BYTES_MAX; may be none. */
void bell_ring(struct bell *b, const struct bell_ring *ring, struct text rows);
int bell_peers(const struct bell *b);
/* Has anyone doubted the log since the last call? Looks at every peer, drops the dead: for once a second. */
bool bell_doubted(struct bell *b);

/* The listeners' side: a non-blocking descriptor to poll, or -1. */
int bell_connect(const char *path, struct err *e);
/*
 * The oldest ring that waits. 1: *ring, and *rows (none: absent) in `bytes`, which has room for BELL_BYTES_MAX; 0: none waits; -1: the bell is gone.
 * A ring may have been dropped behind the last of several that wait, but not behind one that waits alone: a buffer takes two at least. Where a
 * system does not grant BELL_BUFFER, or has no memory, that may happen too; whoever relies on it still looks at the log after a second of silence.
 */
int bell_read(int fd, struct bell_ring *ring, char *bytes, struct text *rows);
/* Tells the subscriber that the log cannot be read. Never blocks, and may be lost: say it again while it is so. */
void bell_doubt(const char *path);

#endif
