/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/known_secrets.h"

#include <stdbool.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/mask.h"
#include "base/mem.h"

static struct lock adding = LOCK_INIT; /* held during known_secrets_add(), so that additions do not overlap */
static struct lock lock = LOCK_INIT;   /* over the pointer `secrets` */
static struct redactor *secrets;

/* Takes ownership of next. Returns the former redactor, which the caller releases without the lock. */
static struct redactor *replace(struct redactor *next)
{
	struct redactor *former;

	lock_acquire(&lock);
	former = secrets;
	secrets = next;
	lock_release(&lock);
	return former;
}

struct redactor *known_secrets_get(void)
{
	struct redactor *s;

	lock_acquire(&lock);
	s = redactor_ref(secrets);
	lock_release(&lock);
	return s;
}

static bool is_among(const char *const *values, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(values[i], value) == 0)
			return true;
	return false;
}

void known_secrets_add(const char *const *values, size_t n)
{
	size_t all_n = 0;

	lock_acquire(&adding);
	CLEANUP(redactor_unrefp) struct redactor *former = known_secrets_get();
	CLEANUP(mem_freep) const char **all = mem_new(n + redactor_count(former), sizeof(*all));

	for (size_t i = 0; i < n; i++)
		if (!is_among(all, all_n, values[i]))
			all[all_n++] = values[i];
	for (size_t i = 0; i < redactor_count(former) && all_n < n + KNOWN_SECRETS_FORMER_MAX; i++)
		if (!is_among(all, all_n, redactor_value(former, i)))
			all[all_n++] = redactor_value(former, i);
	redactor_unref(replace(redactor_new(all, all_n)));
	lock_release(&adding);
}

void known_secrets_forget(void)
{
	redactor_unref(replace(NULL));
}

char *known_secrets_redact(const char *text)
{
	CLEANUP(redactor_unrefp) struct redactor *s = known_secrets_get();

	return redact(s, text);
}

char *known_secrets_json(struct json_object *o)
{
	CLEANUP(redactor_unrefp) struct redactor *s = known_secrets_get();

	json_redact(o, s);
	return json_printable(o, false);
}

char *known_secrets_clean(const char *text)
{
	CLEANUP(mem_freep) char *redacted = known_secrets_redact(text);
	CLEANUP(mem_freep) char *masked = mask_text(redacted);

	return escape_text(masked);
}
