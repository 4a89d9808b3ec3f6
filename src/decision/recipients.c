#include <config.h>

#include "base/mask.h"
#include "decision/decide_parts.h"

#include <stdlib.h>
#include <string.h>

/*
 * Whom a transition goes to. The webhook's own addresses pass the account's choice and the lists of the configuration;
 * those reached were through that when their opening came and are not asked again, whatever the configuration says by
 * now.
 */

static bool matches_any(const struct strings *patterns, const char *email)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (email_pattern_matches(patterns->items[i], email))
			return true;
	return false;
}

void decide_account(struct deciding *d, struct buf *explain)
{
	const struct source_policy *s = d->in->source;
	struct json_object *facts = decide_facts(d);
	struct scope scope = *d->scope;
	size_t i;

	scope.properties = facts;
	for (i = 0; i < s->accounts_n; i++) {
		const struct account_choice *c = &s->accounts[i];

		if (!c->when || matcher_explain(c->when, &scope, explain))
			break;
	}
	d->account = i < s->accounts_n ? s->accounts[i].account : NULL;
	if (explain)
		decide_say(d, "account: %s%s", d->account ? d->account->name : "none",
			   i < s->accounts_n ? "" : ", as no choice of the source holds");
	json_object_put(facts);
}

static struct person *add_person(struct deciding *d, const char *account, const struct account_policy *configured,
				 const char *email)
{
	struct people *p = &d->people;

	MEM_ROOM(p->items, p->n);
	p->items[p->n] = (struct person){
		.account = account,
		.configured = configured,
		.email = email,
		.is_test = matches_any(&d->in->source->test_emails, email),
	};
	return &p->items[p->n++];
}

static void add_flag(struct person *p, const char *flag)
{
	MEM_ROOM(p->flags, p->flags_n);
	MEM_ROOM(p->counts, p->flags_n);
	p->counts[p->flags_n] = 0;
	p->flags[p->flags_n++] = flag;
}

/* With `emails: primary` only the primary one counts, or the first where none is marked. */
static bool is_wanted(const struct deciding *d, size_t which)
{
	const struct addresses *a = &d->signal->addresses;
	size_t primary = 0;

	if (!d->in->source->emails_primary)
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].primary) {
			primary = i;
			break;
		}
	return which == primary;
}

size_t decide_people_own(struct deciding *d)
{
	const struct source_policy *s = d->in->source;
	const struct addresses *a = &d->signal->addresses;
	char masked[MASK_EMAIL_MAX];
	size_t ignored = 0;

	if (a->n > 0 && d->in->explain)
		decide_account(d, d->in->explain);
	for (size_t i = 0; i < a->n; i++) {
		const char *email = a->items[i].email;

		if (!is_wanted(d, i)) {
			decide_say(d, "%s: not the primary address, left out", mask_email(email, masked));
			continue;
		}
		if (matches_any(&s->ignore_emails, email) || !d->account) {
			decide_note(d, "%s %s", mask_email(email, masked),
				    d->account ? "is in ignore_emails" : "has no account");
			decide_say(d, "%s: %s, nothing is sent", masked,
				   d->account ? "in ignore_emails" : "the account is none");
			ignored++;
			continue;
		}
		struct person *p = add_person(d, d->account->name, d->account, email);

		for (size_t f = 0; f < s->flags.n; f++)
			add_flag(p, s->flags.items[f]);
	}
	return ignored;
}

void decide_people_reached(struct deciding *d)
{
	const struct reached_list *reached = &d->out.reached;

	for (size_t i = 0; i < reached->n; i++) {
		const struct reached *r = &reached->items[i];
		struct person *p = NULL;

		for (size_t k = 0; k < d->people.n && !p; k++)
			if (strcmp(d->people.items[k].account, r->account) == 0 &&
			    strcmp(d->people.items[k].email, r->email) == 0)
				p = &d->people.items[k];
		if (!p)
			p = add_person(d, r->account, d->in->view.account(d->in->view.ctx, r->account), r->email);
		add_flag(p, r->flag);
	}
}

void decide_people_done(struct people *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].flags);
		free(p->items[i].counts);
	}
	free(p->items);
	*p = (struct people){0};
}
