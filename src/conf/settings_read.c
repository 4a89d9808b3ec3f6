/* SPDX-License-Identifier: MIT */
/*
 * settings_read: reads one value into its member, by the row's type.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/address.h"

#define LIST_MAX 1000         /* items of a list of texts */
#define TEXT_SETTING_MAX 4096 /* bytes of one text */
#define SHOWN_MAX 40          /* bytes of a wrong value in a message */

/* ---- one value --------------------------------------------------------------------------------------------------- */

/* Returns the text as shown in a message: short, and no e-mail address. */
static const char *value_in_message(const char *text, char out[64])
{
	if (strchr(text, '@') || strlen(text) > SHOWN_MAX)
		return "something else";
	(void)snprintf(out, 64, "\"%s\"", text);
	return out;
}

static void put_integer(const struct setting *s, void *base, int64_t value)
{
	void *at = (char *)base + s->offset;

	if (s->owner == SETTING_OF_NONE)
		return;
	switch (s->size) {
	case sizeof(bool): {
		bool b = value != 0;

		memcpy(at, &b, sizeof(b));
		break;
	}
	case sizeof(int32_t): {
		int32_t i = (int32_t)value;

		memcpy(at, &i, sizeof(i));
		break;
	}
	case sizeof(int64_t):
		memcpy(at, &value, sizeof(value));
		break;
	default:
		INSIST(!"a member of another size");
	}
}

static int parse_quantity(enum setting_type type, const char *text, long long *ret)
{
	uint64_t n;
	int r;

	if (type == SETTING_DURATION)
		return text_duration(text, ret);
	if (type == SETTING_SIZE)
		return text_size(text, ret);
	r = text_digits(text, strlen(text), INT64_MAX, &n);
	if (r == 0)
		*ret = (long long)n;
	return r;
}

static const char *quantity_expected(const struct setting *s)
{
	if (s->type == SETTING_SIZE)
		return "a size such as 512KiB, 1MiB or 4GiB";
	if (s->type == SETTING_DURATION)
		return s->accepts_never ? "a duration such as 10s, 5m or 7d, or never"
					: "a duration such as 500ms, 10s, 5m or 7d";
	return "a whole number";
}

/* Returns a quantity with the unit of the settings instead of a common one: "2MiB" for "2MB", "5m" for "5 minutes".
 * NULL: the unit is not known. The caller owns it. */
static char *quantity_meant(const struct setting *s, const char *text)
{
	static const struct {
		enum setting_type type;
		const char *unit, *others[8];
	} units[] = {
		{SETTING_SIZE, "B", {"byte", "bytes"}},
		{SETTING_SIZE, "KiB", {"k", "kb", "kib"}},
		{SETTING_SIZE, "MiB", {"m", "mb", "mib"}},
		{SETTING_SIZE, "GiB", {"g", "gb", "gib"}},
		{SETTING_SIZE, "TiB", {"t", "tb", "tib"}},
		{SETTING_DURATION, "ms", {"ms", "msec", "msecs", "millisecond", "milliseconds"}},
		{SETTING_DURATION, "s", {"s", "sec", "secs", "second", "seconds"}},
		{SETTING_DURATION, "m", {"m", "min", "mins", "minute", "minutes"}},
		{SETTING_DURATION, "h", {"h", "hr", "hrs", "hour", "hours"}},
		{SETTING_DURATION, "d", {"d", "day", "days"}},
	};
	int digits = (int)strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");

	for (size_t i = 0; digits > 0 && i < sizeof(units) / sizeof(*units); i++)
		for (size_t k = 0; units[i].type == s->type && units[i].others[k]; k++)
			if (text_same(unit, units[i].others[k]))
				return mem_fmt("%.*s%s", digits, text, units[i].unit);
	return NULL;
}

static int range_error(const struct setting *s, struct err *err)
{
	if (s->min && s->max && strcmp(s->min, s->max) == 0)
		return err_set(err, -ERANGE, "must be %s", s->min);
	return err_set(err, -ERANGE, "must be %s%s%s%s", s->min ? s->min : "", s->min && s->max ? " to " : "",
		       s->max ? s->max : "", s->min && !s->max ? " or more" : "");
}

static int take_quantity(const struct setting *s, const char *text, void *base, struct err *err)
{
	long long min = 0;
	long long max = 0;
	long long value;
	char out[64];
	int r;

	if (s->accepts_never && strcmp(text, "never") == 0) {
		put_integer(s, base, CLOCK_NEVER_MS);
		return 0;
	}
	r = parse_quantity(s->type, text, &value);
	if (r == -EINVAL) {
		CLEANUP(mem_freep) char *meant = strlen(text) > SHOWN_MAX ? NULL : quantity_meant(s, text);

		return err_set(err, r, "expected %s, found %s%s%s%s", quantity_expected(s), value_in_message(text, out),
			       meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	}
	if (r < 0 || (s->min && parse_quantity(s->type, s->min, &min) == 0 && value < min) ||
	    (s->max && parse_quantity(s->type, s->max, &max) == 0 && value > max))
		return range_error(s, err);
	put_integer(s, base, value);
	return 0;
}

static int parse_number(const char *text, double *ret)
{
	size_t digits = strspn(text, "0123456789");
	size_t more;

	if (digits == 0 || digits > 15)
		return -EINVAL;
	if (text[digits] == '.') {
		more = strspn(text + digits + 1, "0123456789");
		if (more == 0 || more > 15)
			return -EINVAL;
		digits += 1 + more;
	}
	if (text[digits] != '\0')
		return -EINVAL;
	*ret = strtod(text, NULL); /* only digits and a point: strtod cannot fail, and no locale is set */
	return 0;
}

static int take_number(const struct setting *s, const char *text, void *base, struct err *err)
{
	double min = 0;
	double max = 0;
	double value;
	char out[64];

	if (parse_number(text, &value) < 0)
		return err_set(err, -EINVAL, "expected a number such as %s, found %s",
			       s->default_text ? s->default_text : "0.5", value_in_message(text, out));
	if ((s->min && parse_number(s->min, &min) == 0 && value < min) ||
	    (s->max && parse_number(s->max, &max) == 0 && value > max))
		return range_error(s, err);
	INSIST(s->size == sizeof(value));
	memcpy((char *)base + s->offset, &value, sizeof(value));
	return 0;
}

static int take_choice(const struct setting *s, const char *text, void *base, struct err *err)
{
	CLEANUP(mem_freep) char *all = NULL;
	CLEANUP(mem_freep) char *meant = NULL;
	size_t n = 0;
	const char *names[16];
	char out[64];

	for (const struct setting_choice *c = s->choices; c->name; c++) {
		if (strcmp(c->name, text) == 0) {
			put_integer(s, base, c->value);
			return 0;
		}
		INSIST(n < sizeof(names) / sizeof(names[0]));
		names[n++] = c->name;
	}
	all = text_join(names, n, " or ");
	meant = text_suggestion("; ", "", text, names, n);
	return err_set(err, -EINVAL, "expected %s, found %s%s", all, value_in_message(text, out), meant);
}

static int take_boolean(const struct setting *s, const char *text, void *base, struct err *err)
{
	char out[64];

	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(err, -EINVAL, "expected true or false, found %s", value_in_message(text, out));
	put_integer(s, base, text[0] == 't');
	return 0;
}

/* Checks the value of a setting that accepts only one, because no code uses another value yet. */
static int take_only(const struct setting *s, const struct node *n, struct problems *problems, struct err *err)
{
	const char *const names[] = {s->only_value, s->also_accepts ? s->also_accepts : s->only_value};
	CLEANUP(mem_freep) char *meant = NULL;
	char out[64];

	if (strcmp(n->text, s->only_value) == 0)
		return 0;
	if (text_is(s->also_accepts, n->text)) {
		problems_warn(problems, n, "%s is taken as %s: %s; write %s, or leave the key out", n->text,
			      s->only_value, s->reason, s->only_value);
		return 0;
	}
	meant = text_suggestion("; ", "", n->text, names, 2);
	return err_set(err, -EINVAL, "expected %s, found %s%s; %s; write %s, or leave the key out", s->only_value,
		       value_in_message(n->text, out), meant, s->reason, s->only_value);
}

/* Checks length and characters of a text, then calls the row's check. */
static int text_check(const struct setting *s, const char *text, struct err *err)
{
	struct http_address address;

	if (text[0] == '\0')
		return err_set(err, -EINVAL, "is empty: write a value, or leave the key out");
	if (strlen(text) > TEXT_SETTING_MAX)
		return err_set(err, -EINVAL, "is longer than %d bytes", TEXT_SETTING_MAX);
	if (!text_is_one_line(text, strlen(text)))
		return err_set(err, -EINVAL, "holds a line break or control character: one line is expected");
	if (s->type == SETTING_ADDRESS)
		return http_address_parse(text, &address, err);
	return s->check ? s->check(text, err) : 0;
}

static int take_text(const struct setting *s, const char *text, void *base, struct err *err)
{
	char **at = (char **)(void *)((char *)base + s->offset);
	size_t len = strlen(text);
	int r;

	r = text_check(s, text, err);
	if (r < 0)
		return r;
	if (s->type == SETTING_URL)
		while (len > 0 && text[len - 1] == '/')
			len--;
	free(*at);
	*at = mem_dup(text, len);
	return 0;
}

static int take_scalar(const struct setting *s, const char *text, void *base, struct err *err)
{
	switch (s->type) {
	case SETTING_INTEGER:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return take_quantity(s, text, base, err);
	case SETTING_NUMBER:
		return take_number(s, text, base, err);
	case SETTING_BOOLEAN:
		return take_boolean(s, text, base, err);
	case SETTING_CHOICE:
		return take_choice(s, text, base, err);
	default:
		return take_text(s, text, base, err);
	}
}

/* ---- lists and secrets ------------------------------------------------------------------------------------------- */

static bool read_list_item(struct settings_reader *r, const struct setting *s, const struct node *n, struct strings *to)
{
	struct err err = {0};

	if (n->type != NODE_SCALAR) {
		problems_error(r->problems, n, "expected text, found %s", node_kind(n));
		return false;
	}
	if (text_check(s, n->text, &err) < 0) {
		problems_error(r->problems, n, "%s", err.text);
		return false;
	}
	if (strings_have(to, n->text)) {
		problems_error(r->problems, n, "stands twice in this list: keep one");
		return false;
	}
	strings_add(to, n->text);
	return true;
}

static bool read_list(struct settings_reader *r, const struct setting *s, const struct node *n, void *base)
{
	struct strings *at = (struct strings *)(void *)((char *)base + s->offset);
	struct strings list = {0};
	struct node *const one = (struct node *)n;
	struct node *const *items = n->type == NODE_LIST ? n->items : &one;
	size_t count = n->type == NODE_LIST ? n->n : 1;
	bool good = true;

	if (n->type == NODE_MAP || n->type == NODE_NULL || count > LIST_MAX) {
		if (count > LIST_MAX)
			problems_error(r->problems, n, "more than %d items", LIST_MAX);
		else
			problems_error(r->problems, n, "expected a list of texts, such as %s; found %s",
				       s->default_text && strcmp(s->default_text, "[]") != 0 ? s->default_text
											     : "[a, b]",
				       node_kind(n));
		return false;
	}
	for (size_t i = 0; i < count; i++)
		good = read_list_item(r, s, items[i], &list) && good;
	strings_done(at);
	*at = list;
	return good;
}

static bool read_secret(struct settings_reader *r, const struct setting *s, const struct node *n, void *base)
{
	struct secret **at = (struct secret **)(void *)((char *)base + s->offset);
	struct config *c = r->config;
	struct secret *secret = secret_new(n, &r->secret_context, s->accepts_list, c->secrets_n, r->problems);

	if (!secret)
		return false;
	config_add_secret(c, secret);
	*at = secret;
	return true;
}

/* Reports a node of the wrong type where a scalar is expected. */
static void wrong_kind(struct settings_reader *r, const struct setting *s, const struct node *n)
{
	bool braces = n->type == NODE_MAP;

	for (size_t i = 0; i < n->n; i++)
		braces = braces && n->items[i]->type == NODE_NULL;
	if (n->type == NODE_NULL)
		problems_error(r->problems, n, "has no value: write one, or leave the key out%s%s%s",
			       s->default_text ? " (then it is " : "", s->default_text ? s->default_text : "",
			       s->default_text ? ")" : "");
	else
		problems_error(r->problems, n, "expected %s, found %s%s",
			       s->type == SETTING_DURATION || s->type == SETTING_SIZE || s->type == SETTING_INTEGER
				       ? quantity_expected(s)
				       : setting_type_name(s),
			       node_kind(n), braces ? "; where this is text with braces, put it in quotes" : "");
}

bool settings_read_one(struct settings_reader *r, const struct setting *s, const struct node *n, void *base)
{
	struct err err = {0};

	if (s->type == SETTING_SECRET)
		return read_secret(r, s, n, base);
	if (s->type == SETTING_LIST)
		return read_list(r, s, n, base);
	INSIST(s->type != SETTING_GROUP && s->type != SETTING_NODE);
	if (n->type != NODE_SCALAR) {
		wrong_kind(r, s, n);
		return false;
	}
	if ((s->only_value ? take_only(s, n, r->problems, &err) : take_scalar(s, n->text, base, &err)) < 0) {
		problems_error(r->problems, n, "%s", err.text);
		return false;
	}
	return true;
}
