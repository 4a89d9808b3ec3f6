#include <config.h>

#include "command/serve_status.h"

#include <string.h>

#include "base/buf.h"
#include "base/known.h"
#include "base/text.h"

#define STATUS_MAX 4000 /* systemd takes one datagram; what does not fit is in `deskbridge status` */

static void add(struct buf *to, const char *what, const char *name, const char *reason)
{
	CLEANUP(mem_freep) char *clean = known_clean(reason);
	CLEANUP(mem_freep) char *text = mem_fmt("%s%s%s: %s; ", what, *name ? " " : "", name, clean);

	if (to->len + strlen(text) <= STATUS_MAX)
		buf_adds(to, text);
}

static void add_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	add(ctx, text_is(kind, "lookups") ? "lookups of" : kind, name, reason);
}

char *serve_status(struct pipeline *p, const char *listening)
{
	struct err why = {0};
	struct buf line;
	char *text;

	buf_init(&line, STATUS_MAX + 512);
	if (!pipeline_readiness(p, &why))
		add(&line, "not ready", "", why.text);
	pipeline_parked(p, add_parked, &line);
	buf_adds(&line, listening);
	text = mem_str(line.data);
	buf_done(&line);
	return text;
}
