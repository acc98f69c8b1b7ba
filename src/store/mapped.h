/*
 * mapped - reading the log through a mapping without dying of it.  For db.c, around everything that makes SQLite read.
 *
 * A page that cannot be read (a bad sector, a file that was cut) is an error to pread(), but SIGBUS to who reads memory, which would end a
 * worker with all its streams. Between mapped_enter() and mapped_leave() such a page turns into zeros, and the latter says so: what was
 * read meanwhile is then worth nothing, and the connection has to be closed, for the zeros stay. Any other SIGBUS ends the process as ever,
 * also between the two: a page of other memory than the log's would be zeros for everybody who has it.
 *
 * And a mapping that lasts: by itself SQLite unmaps the file at the beginning of every snapshot that follows a commit.
 */
#ifndef STORE_MAPPED_H
#define STORE_MAPPED_H

#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>

struct mapped {
	sqlite3_file *file; /* borrowed */
	struct mapped *outer; /* the same thread's: statements run inside statements */
	volatile sig_atomic_t failed;
};

/*
 * Has `file`, which a connection has just opened to read, stay mapped while others commit to it, and be mapped anew once it has grown by a sixteenth: what lies
 * behind the mapping is read by pread() until then. Not for who writes. Any thread, before the first snapshot.
 */
void mapped_keep(sqlite3_file *file);

void mapped_install(void); /* takes SIGBUS, for the whole process; once is enough, more do no harm */
/* Borrows *m, and `file`, which the connection that is about to read has open (NULL: none), until mapped_leave(). Not to be held across threads. */
void mapped_enter(struct mapped *m, sqlite3_file *file);
bool mapped_leave(struct mapped *m); /* true: a page could not be read */

#endif
