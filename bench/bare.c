/* SPDX-License-Identifier: MIT */
/*
 * The floor for deskbridge's intake, measured in the same run: a libmicrohttpd server that reads a body and answers
 * 200, and does nothing else. Usage: bare PORT [close]. With `close` it answers 401 and closes the connection, as
 * deskbridge does where the proof is wrong. It ends with its standard input.
 */
#include <config.h>

#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct MHD_Response *answer;
static unsigned status = MHD_HTTP_OK;

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *size, void **state)
{
	static int seen;

	(void)ctx;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, status, answer);
}

int main(int argc, char **argv)
{
	static char body[] = "{\"status\":\"accepted\",\"webhook\":\"0000000000000001\"}";
	bool closes = argc == 3 && strcmp(argv[2], "close") == 0;
	long port = argc == 2 || closes ? strtol(argv[1], NULL, 10) : 0;
	struct MHD_Daemon *d;

	if (port < 1 || port > 65535) {
		fprintf(stderr, "usage: bare PORT [close]\n");
		return 2;
	}
	answer = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_PERSISTENT);
	if (closes) {
		status = MHD_HTTP_UNAUTHORIZED;
		if (MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES)
			return 1;
	}
	d = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, (uint16_t)port, NULL, NULL, handle, NULL,
			     MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT, 2048u, MHD_OPTION_END);
	if (!d) {
		fprintf(stderr, "bare: cannot listen on port %ld\n", port);
		return 1;
	}
	while (getchar() != EOF)
		;
	MHD_stop_daemon(d);
	MHD_destroy_response(answer);
	return 0;
}
