/* SPDX-License-Identifier: MIT */
/*
 * secret: secrets in the configuration itself, a file, a systemd credential or the environment, and snapshots of their
 * values.
 *
 * The main thread reads the values, at load and when a watched file changed; snapshots are immutable afterwards. Each
 * buffer that held a value is wiped before it is freed.
 */
#include <config.h>

#include "conf/secret.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/known_secrets.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

enum secret_part_kind {
	PART_PLAIN,
	PART_FILE,
	PART_CREDENTIAL,
	PART_ENV,
};

struct secret_part {
	enum secret_part_kind kind;
	char *text;     /* plain: the value; credential, environment: the name */
	char *path;     /* file: its path; credential: the file next to the configuration file */
	char *provided; /* credential: systemd's file; NULL: systemd provides none */
	bool by_unit;   /* credential: `provided` is named by the daemon's unit (secret_set_passed) */
	bool passed;    /* credential: systemd passes it to the daemon, and this process cannot read it */
	/* The fault last reported when secrets were read again, so that it is reported once; NULL: none. Main
	 * thread. */
	char *unreadable, *unusable;
};

struct secret {
	size_t index;
	struct secret_part parts[SECRET_VALUES_MAX];
	size_t n;
	bool optional; /* a missing file is no problem */
	char *where, *fix_hint;
	struct node *at; /* the place of the secret, for problems */
};

struct secret_slot {
	char *value; /* NULL: none */
	char *path;  /* the file that it was read from, or should have been; NULL: no file */
	bool fixed;
};

struct snapshot {
	struct secret_slot slots[SECRET_VALUES_MAX];
	const char *values[SECRET_VALUES_MAX]; /* of the slots that have a value */
	size_t slots_n, values_n;
};

struct secrets {
	struct snapshot *items;
	size_t n;
};

/* Set once, before there are threads. */
static const struct secret_passed *passed_list;
static size_t passed_n;

void secret_set_passed(const struct secret_passed *list, size_t n)
{
	passed_list = list;
	passed_n = n;
}

/* ---- places in the configuration --------------------------------------------------------------------------------- */

static bool part_read_credential(struct secret_part *p, const struct node *n, const struct secret_context *context,
				 struct problems *problems)
{
	CLEANUP(mem_freep) char *folder = path_join(context->folder, "credentials");
	const char *provided = getenv("CREDENTIALS_DIRECTORY");
	const struct secret_passed *passed = NULL;
	size_t len = strlen(n->text);

	if (len == 0 || len > 200 || n->text[0] == '.' || strspn(n->text, TEXT_ALNUM "._-@") != len) {
		problems_error(problems, n,
			       "the name of a credential is a file's name without folder: letters, digits, . _ -");
		return false;
	}
	for (size_t i = 0; !provided && !passed && i < passed_n; i++)
		if (text_is(passed_list[i].name, n->text))
			passed = &passed_list[i];
	p->kind = PART_CREDENTIAL;
	p->text = mem_str(n->text);
	p->path = path_join(folder, n->text);
	if (provided && provided[0] == '/')
		p->provided = path_join(provided, n->text);
	else if (passed && passed->path)
		p->provided = mem_str(passed->path);
	p->by_unit = passed && text_is(p->provided, passed->path);
	p->passed = passed && (!passed->path || (access(passed->path, R_OK) < 0 && errno == EACCES));
	return true;
}

static bool part_read_member(struct secret_part *p, const struct node *n, const struct secret_context *context,
			     struct problems *problems)
{
	static const char *const keys[] = {"credential", "file", "env"};
	struct node at = node_at_key(n);
	const char *near;

	if (!text_is(n->key, "credential") && !text_is(n->key, "file") && !text_is(n->key, "env")) {
		near = text_nearest(n->key, keys, sizeof(keys) / sizeof(keys[0]));
		problems_error(problems, &at, "unknown key; %s%s%s{credential: NAME}, {file: PATH} or {env: NAME}",
			       near ? "did you mean " : "expected ", near ? near : "", near ? "? Expected " : "");
		return false;
	}
	if (n->type != NODE_SCALAR || n->text[0] == '\0') {
		problems_error(problems, n, "expected text, found %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return false;
	}
	if (text_is(n->key, "credential"))
		return part_read_credential(p, n, context, problems);
	if (text_is(n->key, "env")) {
		p->kind = PART_ENV;
		p->text = mem_str(n->text);
		return true;
	}
	p->kind = PART_FILE;
	p->path = path_join(context->folder, n->text);
	return true;
}

static bool part_read(struct secret_part *p, const struct node *n, const struct secret_context *context,
		      struct problems *problems)
{
	const char *wrong;

	if (n->type == NODE_MAP && n->n == 1)
		return part_read_member(p, n->items[0], context, problems);
	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected one of {credential: NAME}, {file: PATH}, {env: NAME}; found %s",
			       n->type == NODE_MAP ? (n->n == 0 ? "{}" : "several of them") : node_kind(n));
		return false;
	}
	wrong = secret_value_wrong(n->text, strlen(n->text));
	if (wrong) {
		problems_error(problems, n, "the secret %s%s", wrong,
			       n->text[0] == '\0' ? ": write {credential: NAME}, and put the secret into its file"
						  : "");
		return false;
	}
	if (context->exposed)
		problems_warn(
			problems, n,
			"a secret stands in a file that others can read: move the secret to {credential: NAME}, or "
			"let the daemon's user alone read the file (chmod 600; or chmod 640 with that user's group)");
	p->kind = PART_PLAIN;
	p->text = mem_str(n->text);
	return true;
}

static bool part_is_provided(const struct secret_part *p)
{
	return p->provided && (p->by_unit || access(p->provided, F_OK) == 0);
}

static void part_where(const struct secret_part *p, const struct node *at, struct buf *to)
{
	switch (p->kind) {
	case PART_PLAIN:
		buf_addf(to, "written in %s", at->file);
		break;
	case PART_FILE:
		buf_addf(to, "file %s", p->path);
		break;
	case PART_CREDENTIAL:
		buf_addf(to, "credential %s (%s)", p->text, part_is_provided(p) ? p->provided : p->path);
		break;
	case PART_ENV:
		buf_addf(to, "environment variable %s", p->text);
		break;
	}
}

static void part_fix_hint(const struct secret_part *p, const struct node *at, struct buf *to)
{
	switch (p->kind) {
	case PART_PLAIN:
		buf_addf(to, "the configuration %s, then reload", at->file);
		break;
	case PART_FILE:
		buf_addf(to, "the file %s, which is read again as soon as it changes", p->path);
		break;
	case PART_CREDENTIAL:
		if (part_is_provided(p))
			buf_addf(to, "the credential %s, which systemd passes, then restart", p->text);
		else
			buf_addf(to, "the credential %s (%s), which is read again as soon as it changes", p->text,
				 p->path);
		break;
	case PART_ENV:
		buf_addf(to, "the environment variable %s, then restart", p->text);
		break;
	}
}

struct secret *secret_new_optional(const char *path, size_t index)
{
	struct secret *s = mem_new(1, sizeof(*s));

	s->index = index;
	s->optional = true;
	s->n = 1;
	s->parts[0] = (struct secret_part){.kind = PART_FILE, .path = mem_str(path)};
	s->at = node_new(NODE_NULL, "", 0, 0);
	s->where = mem_fmt("file %s", path);
	return s;
}

struct secret *secret_new(const struct node *n, const struct secret_context *context, bool many, size_t index,
			  struct problems *problems)
{
	bool list = n->type == NODE_LIST;
	bool good = true;
	struct secret *s;
	struct buf where, fix_hint;

	if (list && (!many || n->n == 0 || n->n > SECRET_VALUES_MAX)) {
		problems_error(problems, n,
			       many ? "expected 1 to %d secrets, found %zu"
				    : "expected one secret: a list (of up to %d; this one has %zu) is for what "
				      "webhooks and requests show to us",
			       SECRET_VALUES_MAX, n->n);
		return NULL;
	}
	s = mem_new(1, sizeof(*s));
	s->index = index;
	s->n = list ? n->n : 1;
	s->at = node_new_at(NODE_NULL, n);
	buf_init(&where, SECRET_SIZE_MAX);
	buf_init(&fix_hint, SECRET_SIZE_MAX);
	for (size_t i = 0; i < s->n; i++) {
		good = part_read(&s->parts[i], list ? n->items[i] : n, context, problems) && good;
		buf_adds(&where, i > 0 ? " or " : "");
		part_where(&s->parts[i], n, &where);
		buf_adds(&fix_hint, i > 0 ? "; or in " : "");
		part_fix_hint(&s->parts[i], n, &fix_hint);
	}
	s->where = buf_take(&where);
	s->fix_hint = buf_take(&fix_hint);
	if (!good) {
		secret_free(s);
		return NULL;
	}
	return s;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		mem_wipe_str(s->parts[i].text);
		free(s->parts[i].path);
		free(s->parts[i].provided);
		free(s->parts[i].unreadable);
		free(s->parts[i].unusable);
	}
	free(s->where);
	free(s->fix_hint);
	node_free(s->at);
	free(s);
}

const char *secret_where(const struct secret *s)
{
	return s->where ? s->where : "a place with an impossibly long name";
}

const char *secret_fix_hint(const struct secret *s)
{
	return s->fix_hint ? s->fix_hint : secret_where(s);
}

void secret_paths(const struct secret *s, void (*fn)(void *ctx, const char *path), void *ctx)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct secret_part *p = &s->parts[i];
		const char *path = p->passed ? NULL : part_is_provided(p) ? p->provided : p->path;

		if (path)
			fn(ctx, path);
	}
}

const struct node *secret_node(const struct secret *s)
{
	return s->at;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static int slot_read(const struct secret_part *p, struct secret_slot *slot, struct err *reterr)
{
	if (p->kind == PART_PLAIN) {
		slot->value = mem_str(p->text);
		return 0;
	}
	if (p->kind == PART_ENV)
		return secret_env_read(p->text, &slot->value, reterr);
	slot->fixed = p->passed || part_is_provided(p);
	if (p->passed)
		return 0;
	slot->path = mem_str(slot->fixed ? p->provided : p->path);
	return secret_file_read(slot->path, &slot->value, reterr);
}

static void snapshot_collect(struct snapshot *s)
{
	s->values_n = 0;
	for (size_t i = 0; i < s->slots_n; i++)
		if (s->slots[i].value)
			s->values[s->values_n++] = s->slots[i].value;
}

/* True where text differs from the last reported fault, which it replaces. text: NULL: there is no fault any more. */
static bool fault_changed(char **reported, const char *text)
{
	bool changed = !text_is(*reported, text);

	if (changed) {
		free(*reported);
		*reported = mem_str(text);
	}
	return changed;
}

static void snapshot_read(struct snapshot *to, struct secret *s, const struct snapshot *before,
			  struct problems *problems)
{
	to->slots_n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		const char *old = before ? before->slots[i].value : NULL;
		struct err err = {0};
		int r = slot_read(&s->parts[i], &to->slots[i], &err);

		if (r < 0 && s->optional && !old)
			continue; /* a missing optional secret */
		if (r < 0) {
			if (r == -ENOENT && s->optional)
				err_set(&err, r, "%s was deleted: a restart makes another", to->slots[i].path);
			if (!before)
				problems_error(problems, s->at, "%s", err.text);
			else if (fault_changed(&s->parts[i].unreadable, err.text))
				problems_warn(problems, s->at, "%s%s", err.text,
					      old ? "; until then the former secret stays in use" : "");
			to->slots[i].value = mem_str(old);
		} else if (fault_changed(&s->parts[i].unreadable, NULL)) {
			log_notice(NULL, "%s can be read again", to->slots[i].path);
		}
	}
	snapshot_collect(to);
}

struct secrets *secrets_read(struct secret *const *all, size_t n, const struct secrets *before,
			     struct problems *problems)
{
	CLEANUP(mem_freep) const char **values = mem_new(n * SECRET_VALUES_MAX, sizeof(*values));
	struct secrets *snapshot = mem_new(1, sizeof(*snapshot));
	size_t values_n = 0;

	INSIST(!before || before->n == n);
	snapshot->items = mem_new(n, sizeof(*snapshot->items));
	snapshot->n = n;
	for (size_t i = 0; i < n; i++) {
		struct snapshot *one = &snapshot->items[i];

		snapshot_read(one, all[i], before ? &before->items[i] : NULL, problems);
		for (size_t k = 0; k < one->values_n; k++)
			values[values_n++] = one->values[k];
	}
	/* At once, also where the configuration is then refused: messages about it may hold the values. */
	known_secrets_add(values, values_n);
	return snapshot;
}

void secrets_check(struct secrets *snapshot, struct secret *s, const struct secrets *before, secret_fault_fn *fault,
		   const void *ctx, struct problems *problems)
{
	struct snapshot *now = &snapshot->items[s->index];

	for (size_t i = 0; i < now->slots_n; i++) {
		const char *wrong = now->slots[i].value ? fault(ctx, now->slots[i].value) : NULL;
		struct buf where;

		bool changed = fault_changed(&s->parts[i].unusable, wrong);
		if (!wrong)
			continue;
		buf_init(&where, SECRET_SIZE_MAX);
		part_where(&s->parts[i], s->at, &where);
		if (!before) {
			problems_error(problems, s->at, "the secret (%s) %s", where.data, wrong);
		} else {
			if (changed)
				problems_warn(problems, s->at,
					      "the secret (%s) %s; until then the former secret stays in use",
					      where.data, wrong);
			mem_wipe_str(now->slots[i].value);
			now->slots[i].value = mem_str(before->items[s->index].slots[i].value);
		}
		buf_done(&where);
	}
	snapshot_collect(now);
}

void secrets_free(struct secrets *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->n; i++) {
		for (size_t k = 0; k < snapshot->items[i].slots_n; k++) {
			mem_wipe_str(snapshot->items[i].slots[k].value);
			free(snapshot->items[i].slots[k].path);
		}
	}
	free(snapshot->items);
	free(snapshot);
}

bool secrets_same(const struct secrets *a, const struct secrets *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->items[i].values_n != b->items[i].values_n)
			return false;
		for (size_t k = 0; k < a->items[i].values_n; k++)
			if (strcmp(a->items[i].values[k], b->items[i].values[k]) != 0)
				return false;
	}
	return true;
}

const char *const *secret_values(const struct secrets *snapshot, const struct secret *s, size_t *ret_n)
{
	INSIST(s->index < snapshot->n);
	*ret_n = snapshot->items[s->index].values_n;
	return snapshot->items[s->index].values;
}

const char *secret_value(const struct secrets *snapshot, const struct secret *s)
{
	size_t n;
	const char *const *values = secret_values(snapshot, s, &n);

	return n > 0 ? values[0] : NULL;
}

/* True where a slot before the k-th of the i-th secret has the same file. */
static bool file_repeats(const struct secrets *snapshot, size_t i, size_t k)
{
	const char *path = snapshot->items[i].slots[k].path;

	for (size_t x = 0; x <= i; x++)
		for (size_t y = 0; y < snapshot->items[x].slots_n && (x < i || y < k); y++)
			if (text_is(snapshot->items[x].slots[y].path, path))
				return true;
	return false;
}

void secrets_files(const struct secrets *snapshot, void (*fn)(void *ctx, const char *path, bool fixed), void *ctx)
{
	for (size_t i = 0; i < snapshot->n; i++) {
		for (size_t k = 0; k < snapshot->items[i].slots_n; k++) {
			const struct secret_slot *slot = &snapshot->items[i].slots[k];

			if (slot->path && !file_repeats(snapshot, i, k))
				fn(ctx, slot->path, slot->fixed);
		}
	}
}
