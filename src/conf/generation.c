/* SPDX-License-Identifier: MIT */
/*
 * generation: one configuration with one snapshot of its secrets.
 *
 * Generations that differ only in their secrets share the configuration, which is freed with the last of them. Counters
 * are atomic. One lock guards the pointer to the current generation, for the time of a copy and a count.
 */
#include <config.h>

#include "conf/generation.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "conf/conf_internal.h"

struct shared_config {
	atomic_uint refs;
	struct config *config;
};

/* A struct generation with its private members. */
struct generation_private {
	struct generation public;
	atomic_uint refs;
	struct shared_config *shared;
	struct secrets *secrets;
};

static struct lock current_lock = LOCK_INIT;
static struct generation *current; /* under current_lock */
static atomic_uint_fast64_t last_number;

static struct generation_private *private_of(struct generation *g)
{
	return (struct generation_private *)(void *)g;
}

/* Takes ownership of the secrets and of one reference to shared. */
static struct generation *generation_new(struct shared_config *shared, struct secrets *secrets)
{
	struct generation_private *w = mem_new(1, sizeof(*w));

	atomic_init(&w->refs, 1);
	w->shared = shared;
	w->secrets = secrets;
	w->public.config = shared->config;
	w->public.secrets = secrets;
	w->public.number = atomic_fetch_add(&last_number, 1) + 1;
	return &w->public;
}

/* Klaviyo would refuse a public key or a password only at the first event, hours later. */
static void check_keys(const struct config *c, const struct secrets *secrets, struct problems *problems)
{
	for (size_t i = 0; i < c->accounts_n; i++) {
		const struct secret *s = c->accounts[i].api_key;
		const char *key = s ? secret_value(secrets, s) : NULL;

		if (key && strncmp(key, "pk_", 3) != 0)
			problems_warn(problems, secret_node(s),
				      "the value does not begin with pk_, as Klaviyo's private keys do (%s)",
				      secret_where(s));
	}
}

static const char *proof_fault(const void *ctx, const char *value)
{
	return proof_secret_fault(ctx, value);
}

/* Every webhook of the source would be refused with a secret that its method cannot use. */
static void check_proofs(const struct config *c, struct secrets *secrets, const struct secrets *before,
			 struct problems *problems)
{
	for (size_t i = 0; i < c->sources_n; i++) {
		const struct source *s = &c->sources[i];

		if (s->definition && s->auth_secret)
			secrets_check(secrets, s->auth_secret, before, proof_fault, definition_proof(s->definition),
				      problems);
	}
}

struct generation *generation_load(const char *file, struct problems *problems)
{
	return generation_load_prepared(file, NULL, NULL, problems);
}

struct generation *generation_load_prepared(const char *file, void (*prepare)(void *ctx, const struct config *c),
					    void *ctx, struct problems *problems)
{
	size_t errors = problems->errors;
	size_t from = problems->n;
	struct config *c = config_read(file, problems);
	struct shared_config *shared;
	struct secrets *secrets;

	if (!c)
		return NULL;
	if (prepare && problems->errors == errors)
		prepare(ctx, c);
	secrets = secrets_read(c->secrets, c->secrets_n, NULL, problems);
	check_proofs(c, secrets, NULL, problems);
	check_keys(c, secrets, problems);
	problems_sort(problems, from, file);
	if (problems->errors > errors) {
		secrets_free(secrets);
		config_free(c);
		return NULL;
	}
	shared = mem_new(1, sizeof(*shared));
	atomic_init(&shared->refs, 1);
	shared->config = c;
	return generation_new(shared, secrets);
}

struct generation *generation_refresh(const struct generation *g, struct problems *problems)
{
	const struct generation_private *w = (const struct generation_private *)(const void *)g;
	const struct config *c = g->config;
	struct secrets *secrets = secrets_read(c->secrets, c->secrets_n, w->secrets, problems);

	check_proofs(c, secrets, w->secrets, problems);
	if (secrets_same(secrets, w->secrets)) {
		secrets_free(secrets);
		return NULL;
	}
	check_keys(c, secrets, problems);
	atomic_fetch_add(&w->shared->refs, 1);
	return generation_new(w->shared, secrets);
}

struct generation *generation_ref(struct generation *g)
{
	atomic_fetch_add(&private_of(g)->refs, 1);
	return g;
}

void generation_unref(struct generation *g)
{
	struct generation_private *w;

	if (!g)
		return;
	w = private_of(g);
	if (atomic_fetch_sub(&w->refs, 1) > 1)
		return;
	secrets_free(w->secrets);
	if (atomic_fetch_sub(&w->shared->refs, 1) == 1) {
		config_free(w->shared->config);
		free(w->shared);
	}
	free(w);
}

struct generation *generation_current(void)
{
	struct generation *g;

	lock_acquire(&current_lock);
	g = current ? generation_ref(current) : NULL;
	lock_release(&current_lock);
	return g;
}

void generation_make_current(struct generation *g)
{
	struct generation *former;

	lock_acquire(&current_lock);
	former = current;
	current = g;
	lock_release(&current_lock);
	generation_unref(former);
}

int generation_may_follow(const struct generation *old, const struct generation *next, struct err *reterr)
{
	CLEANUP(mem_freep) char *names = settings_needing_restart(old->config, next->config);

	if (names)
		return err_set(reterr, -EINVAL, "%s: restart needed", names);
	return 0;
}
