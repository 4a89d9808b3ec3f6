/* SPDX-License-Identifier: MIT */
/*
 * The floor for one connection, measured in the same run: SQLite commits one row of BYTES after the other, each synced
 * (WAL, synchronous=FULL), and does nothing else. Usage: commits FILE SECONDS [BYTES]. FILE must not exist. It prints
 * the commits per second.
 */
#include <config.h>

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREPARE                                                                             \
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4096;" \
	"CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB);"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(sqlite3 *db, int got, int wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "commits: %s\n", db ? sqlite3_errmsg(db) : sqlite3_errstr(got));
	exit(1);
}

int main(int argc, char **argv)
{
	double seconds = argc >= 3 ? strtod(argv[2], NULL) : 0;
	long bytes = argc == 4 ? strtol(argv[3], NULL, 10) : 1536;
	sqlite3_stmt *insert;
	uint64_t n = 0;
	double start;
	sqlite3 *db;
	char *body;

	if (argc > 4 || !(seconds > 0) || bytes < 1 || bytes > 1 << 20 || access(argv[1], F_OK) == 0) {
		fprintf(stderr, "usage: commits NEW-FILE SECONDS [BYTES]\n");
		return 2;
	}
	body = malloc((size_t)bytes);
	if (!body)
		return 1;
	memset(body, 'x', (size_t)bytes);
	must(NULL, sqlite3_open(argv[1], &db), SQLITE_OK);
	must(db, sqlite3_exec(db, PREPARE, NULL, NULL, NULL), SQLITE_OK);
	must(db, sqlite3_prepare_v2(db, "INSERT INTO rows (body) VALUES (?)", -1, &insert, NULL), SQLITE_OK);
	must(db, sqlite3_bind_blob(insert, 1, body, (int)bytes, SQLITE_STATIC), SQLITE_OK);
	start = now();
	while (now() - start < seconds) {
		must(db, sqlite3_step(insert), SQLITE_DONE);
		must(db, sqlite3_reset(insert), SQLITE_OK);
		n++;
	}
	printf("%.0f\n", (double)n / (now() - start));
	sqlite3_finalize(insert);
	sqlite3_close(db);
	free(body);
	return 0;
}
