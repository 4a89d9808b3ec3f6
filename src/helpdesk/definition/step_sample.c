/*
 * The check of a step's own sample: what the step reads of an answer stands in it.
 */
#include <config.h>

#include "helpdesk/definition/step.h"

#include <string.h>

/* The sample under check, and how what is missing there is told. */
struct sample_check {
	struct scope scope;
	void (*tell)(struct problems *p, const struct node *at, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	struct problems *problems;
};

/* The node of the i-th alternative. */
static const struct node *alternative(const struct node *n, size_t i)
{
	return n->type == NODE_LIST ? n->items[i] : n;
}

static void check_places(const struct sample_check *c, const struct step_places *p, const struct node *n)
{
	for (size_t i = 0; i < p->n; i++) {
		CLEANUP(mem_freep) char *text = reference_scalar(p->items[i], &c->scope);

		if (!text)
			c->tell(c->problems, alternative(n, i), "the step's sample holds nothing at %s",
				reference_text(p->items[i]));
	}
}

static void check_emails(const struct sample_check *c, const struct email_places *p, const struct node *n)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct email_places one = {.emails = {p->emails[i]}, .n = 1};
		struct addresses found = {0};

		if (!email_places_read(&one, &c->scope, &found))
			c->tell(c->problems, alternative(n, i), "the step's sample holds no address at %s",
				reference_text(p->emails[i]));
		addresses_done(&found);
	}
}

/* A mark that never is true would leave `emails: primary` of a source without any effect. */
static void check_primary(const struct sample_check *c, const struct email_places *p, const struct node *n)
{
	CLEANUP(mem_freep) char *text = reference_scalar(p->primary, &c->scope);
	struct addresses found = {0};
	bool any = false;

	(void)email_places_read(p, &c->scope, &found);
	for (size_t i = 0; i < found.n; i++)
		any = any || found.items[i].primary;
	addresses_done(&found);
	if (!text)
		c->tell(c->problems, n, "the step's sample holds nothing at %s", reference_text(p->primary));
	else if (!any)
		c->tell(c->problems, n,
			"the step's sample holds nothing true at %s: expected true or 1 at the main address",
			reference_text(p->primary));
}

/* A `missing` that holds for a customer who is there would find nobody. */
static void check_missing(const struct sample_check *c, const struct step *s, const struct node *n)
{
	if (step_is_missing(s, 200, c->scope.item))
		c->tell(c->problems, n, "this holds for the step's sample too, which shows a customer who is there");
}

void step_check_sample(const struct step *s, const struct node *n, bool overlaid, struct problems *problems)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct sample_check c = {.tell = overlaid ? problems_warn : problems_error, .problems = problems};

	if (!s->sample || json_read(s->sample, strlen(s->sample), &answer, NULL) < 0)
		return;
	c.scope = (struct scope){.item = answer, .root = answer};
	check_missing(&c, s, node_get(n, "missing"));
	if (s->emails.n > 0)
		check_emails(&c, &s->emails, node_get(n, "emails"));
	if (s->emails.primary)
		check_primary(&c, &s->emails, node_get(n, "primary"));
	for (size_t i = 0; i < s->take_n; i++)
		check_places(&c, &s->take[i].from, node_get(node_get(n, "take"), s->take[i].name));
}
