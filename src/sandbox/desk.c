#include <config.h>

#include "sandbox/desk.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define PROFILES "/api/v1/customer-profiles/"
#define JSON "application/json"

void desk_done(struct desk *d)
{
	pairs_done(&d->customers);
}

static struct pair *find(struct desk *d, const char *id)
{
	for (size_t i = 0; i < d->customers.n; i++)
		if (text_is(d->customers.items[i].name, id))
			return &d->customers.items[i];
	return NULL;
}

int desk_add(struct desk *d, const char *spec, struct err *reterr)
{
	const char *equals = strchr(spec, '=');
	struct pair *known;

	if (!equals || equals == spec || !equals[1] || strlen(spec) > 4096)
		return err_set(reterr, -EINVAL, "\"%s\": expected ID=EMAIL[,EMAIL…], such as cust-1=jo@example.com",
			       spec);
	CLEANUP(mem_freep) char *id = mem_strn(spec, (size_t)(equals - spec));
	known = find(d, id);
	if (known) {
		free(known->value);
		known->value = mem_str(equals + 1);
		return 0;
	}
	if (d->customers.n == DESK_CUSTOMERS_MAX)
		return err_set(reterr, -ENOSPC, "more than %d customers", DESK_CUSTOMERS_MAX);
	pairs_add(&d->customers, id, equals + 1);
	return 0;
}

bool desk_owns(const char *path)
{
	return strncmp(path, PROFILES, sizeof(PROFILES) - 1) == 0;
}

/* Calls fn for every address of a customer, the first one as primary. */
static void each_address(const char *list, void (*fn)(struct json_object *to, const char *email, bool primary),
			 struct json_object *to)
{
	CLEANUP(mem_freep) char *copy = mem_str(list);
	char *rest = copy, *email;
	bool primary = true;

	while ((email = strsep(&rest, ","))) {
		email = text_trim(email);
		if (*email == '\0')
			continue;
		fn(to, email, primary);
		primary = false;
	}
}

static void add_gladly(struct json_object *to, const char *email, bool primary)
{
	struct json_object *o = json_object_new_object();
	CLEANUP(mem_freep) char *normalized = mem_str(email);

	text_lower(normalized);
	json_set_str(o, "normalized", normalized);
	json_set_str(o, "original", email);
	json_set_bool(o, "primary", primary);
	json_object_array_add(to, o);
}

static void add_plain(struct json_object *to, const char *email, bool primary)
{
	(void)primary;
	json_object_array_add(to, json_object_new_string(email));
}

static void answer_gladly_error(struct answer *ret, unsigned status, const char *code, const char *detail)
{
	struct json_object *o = json_object_new_object(), *errors = json_object_new_array();
	struct json_object *error = json_object_new_object();

	json_set_str(error, "code", code);
	json_set_str(error, "detail", detail);
	json_object_array_add(errors, error);
	json_object_object_add(o, "errors", errors);
	answer_json(ret, status, JSON, o);
}

void desk_serve(struct desk *d, struct http_exchange *x, struct answer *ret)
{
	const char *authorization = http_header(x, "Authorization");
	const char *id = x->path + sizeof(PROFILES) - 1;
	const struct pair *customer = find(d, id);

	if (!authorization || strncmp(authorization, "Basic ", 6) != 0) {
		answer_gladly_error(ret, 401, "unauthorized", "Basic authentication is needed");
		return;
	}
	if (strcmp(x->method, "GET") != 0) {
		answer_gladly_error(ret, 405, "method_not_allowed", "GET only");
		return;
	}
	if (!customer) {
		answer_gladly_error(ret, 404, "not_exist", "no such customer; POST ID=EMAIL to /sandbox/customers");
		return;
	}
	struct json_object *o = json_object_new_object(), *emails = json_object_new_array();
	json_set_str(o, "id", id);
	each_address(customer->value, add_gladly, emails);
	json_object_object_add(o, "emails", emails);
	answer_json(ret, 200, JSON, o);
}

void desk_list(struct desk *d, struct answer *ret)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < d->customers.n; i++) {
		struct json_object *emails = json_object_new_array();
		each_address(d->customers.items[i].value, add_plain, emails);
		json_object_object_add(o, d->customers.items[i].name, emails);
	}
	answer_json(ret, 200, JSON, o);
}

static int add_lines(struct desk *d, const char *lines, struct err *reterr)
{
	CLEANUP(mem_freep) char *copy = mem_str(lines);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		line = text_trim(line);
		int r = *line ? desk_add(d, line, reterr) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

void desk_post(struct desk *d, const char *lines, struct answer *ret)
{
	struct desk trial = {0};
	struct err err;

	/* On a copy first, so that a wrong line changes nothing. */
	for (size_t i = 0; i < d->customers.n; i++)
		pairs_add(&trial.customers, d->customers.items[i].name, d->customers.items[i].value);
	if (add_lines(&trial, lines, &err) < 0) {
		struct json_object *o = json_object_new_object();
		desk_done(&trial);
		json_set_str(o, "error", err.text);
		answer_json(ret, 400, JSON, o);
		return;
	}
	desk_done(d);
	*d = trial;
	desk_list(d, ret);
}
