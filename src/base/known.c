#include <config.h>

#include "base/known.h"

#include <stdbool.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/mask.h"
#include "base/mem.h"

static struct lock adding = LOCK_INIT; /* held by one known_add() at a time */
static struct lock lock = LOCK_INIT;   /* over the pointer */
static struct strikes *secrets;

/* Takes next over; returns what was there, to be dropped without the lock. */
static struct strikes *replace(struct strikes *next)
{
	struct strikes *former;

	lock_acquire(&lock);
	former = secrets;
	secrets = next;
	lock_release(&lock);
	return former;
}

struct strikes *known_secrets(void)
{
	struct strikes *s;

	lock_acquire(&lock);
	s = strikes_ref(secrets);
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

void known_add(const char *const *values, size_t n)
{
	lock_acquire(&adding);
	CLEANUP(strikes_unrefp) struct strikes *former = known_secrets();
	CLEANUP(mem_freep) const char **all = mem_new(n + strikes_count(former), sizeof(*all));
	size_t all_n = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_among(all, all_n, values[i]))
			all[all_n++] = values[i];
	for (size_t i = 0; i < strikes_count(former) && all_n < n + KNOWN_FORMER_MAX; i++)
		if (!is_among(all, all_n, strikes_value(former, i)))
			all[all_n++] = strikes_value(former, i);
	strikes_unref(replace(strikes_new(all, all_n)));
	lock_release(&adding);
}

void known_forget(void)
{
	strikes_unref(replace(NULL));
}

char *known_strike(const char *text)
{
	CLEANUP(strikes_unrefp) struct strikes *s = known_secrets();

	return strike(s, text);
}

char *known_json(struct json_object *o)
{
	CLEANUP(strikes_unrefp) struct strikes *s = known_secrets();

	json_strike(o, s);
	return json_shown(o, false);
}

char *known_clean(const char *text)
{
	CLEANUP(mem_freep) char *struck = known_strike(text), *masked = mask_text(struck);

	return escape_text(masked);
}
