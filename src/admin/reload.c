/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "admin/reload.h"

#include <string.h>

#include "base/json.h"
#include "base/known_secrets.h"
#include "http/server.h"

struct reload_private {
	struct admin_reload public;
	struct http_exchange *exchange;
};

static const struct {
	unsigned status;
	const char *reason;
} kinds[] = {
	[ADMIN_RELOAD_TAKEN] = {200, NULL},
	[ADMIN_RELOAD_WRONG] = {422, "configuration"},
	[ADMIN_RELOAD_RESTART] = {409, "restart"},
	[ADMIN_RELOAD_STOPPING] = {503, "stopping"},
};

static struct json_object *verdict_body(const struct admin_verdict *v)
{
	struct json_object *body = json_object_new_object();
	struct json_object *rows = json_object_new_array();
	size_t n = v->problems ? v->problems->n : 0;

	json_set_bool(body, "taken", v->kind == ADMIN_RELOAD_TAKEN);
	json_set_str(body, "config", v->config);
	json_set_int(body, "generation", (int64_t)v->generation);
	json_set_str(body, "error", v->error);
	json_set_str(body, "reason", kinds[v->kind].reason);
	for (size_t i = 0; i < n; i++) {
		const struct problem *p = &v->problems->items[i];
		struct json_object *row = json_object_new_object();

		json_set_str(row, "file", p->file);
		json_set_int(row, "line", p->line);
		json_set_int(row, "column", p->column);
		json_set_str(row, "path", p->path);
		json_set_str(row, "text", p->text);
		json_set_bool(row, "warning", p->warning);
		json_set_bool(row, "notice", p->notice);
		json_object_array_add(rows, row);
	}
	json_object_object_add(body, "problems", rows);
	json_set_int(body, "more", v->problems ? (int64_t)(v->problems->errors + v->problems->warnings - n) : 0);
	return body;
}

void admin_reload_answer(struct admin_reload *asked, const struct admin_verdict *v)
{
	struct reload_private *w = (struct reload_private *)(void *)asked;
	CLEANUP(json_putp) struct json_object *body = verdict_body(v);
	CLEANUP(mem_freep) char *text = known_secrets_json(body);
	struct http_answer answer = {
		.status = kinds[v->kind].status, .type = "application/json", .body = text, .body_len = strlen(text)};

	http_resume(w->exchange, &answer);
	free(w);
}

void admin_reload_begin(const struct admin_reloader *reloader, struct http_exchange *x)
{
	struct reload_private *w = mem_new(1, sizeof(*w));

	w->exchange = x;
	http_suspend(x);
	reloader->ask(reloader->ctx, &w->public);
}
