/*
 * serve_token: the admin token that the daemon makes where none is configured. Main thread. Blocks on files.
 */
#ifndef COMMAND_SERVE_TOKEN_H
#define COMMAND_SERVE_TOKEN_H

#include "conf/admin_token.h"
#include "conf/conf.h"

/* The news about it, which are told once the log is set up. */
struct serve_token {
	const struct config
		*former; /* at a reload: a file elsewhere is not made, as that needs a restart; NULL: the start */
	struct admin_token_found found;
	struct err fault; /* why there is none; code 0: there is one. The daemon works without, and refuses /api. */
};

/* For generation_load_prepared: makes the token's file where there is none, before it is read. ctx: struct serve_token.
 */
void serve_token_prepare(void *ctx, const struct config *c);
void serve_token_tell(const struct serve_token *t, const struct config *c);

#endif
