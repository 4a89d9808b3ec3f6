#include <config.h>

#include "helpdesk/expr/customer.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define CUSTOMER_TAKEN_MAX 64

void customer_done(struct customer *c)
{
	addresses_done(&c->addresses);
	pairs_done(&c->taken);
}

char *customer_text(const struct customer *c)
{
	struct json_object *o = json_object_new_object(), *addresses = json_object_new_array();
	struct json_object *taken = json_object_new_object();
	char *text;

	for (size_t i = 0; i < c->addresses.n; i++) {
		struct json_object *one = json_object_new_object();

		json_set_str(one, "email", c->addresses.items[i].email);
		if (c->addresses.items[i].primary)
			json_set_bool(one, "primary", true);
		json_object_array_add(addresses, one);
	}
	for (size_t i = 0; i < c->taken.n; i++)
		json_set_str(taken, c->taken.items[i].name, c->taken.items[i].value);
	json_object_object_add(o, "addresses", addresses);
	json_object_object_add(o, "taken", taken);
	text = json_text(o);
	json_object_put(o);
	return text;
}

static int customer_read_addresses(struct json_object *list, struct addresses *ret)
{
	size_t n;

	if (!json_object_is_type(list, json_type_array))
		return -EINVAL;
	n = json_object_array_length(list);
	if (n > ADDRESSES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (!addresses_add(ret, json_member_str(one, "email"), json_member_bool(one, "primary", false)))
			return -EINVAL;
	}
	return 0;
}

static int customer_read_taken(struct json_object *map, struct pairs *ret)
{
	if (!json_object_is_type(map, json_type_object) || json_object_object_length(map) > CUSTOMER_TAKEN_MAX)
		return -EINVAL;
	json_object_object_foreach(map, name, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return -EINVAL;
		pairs_add(ret, name, json_object_get_string(value));
	}
	return 0;
}

int customer_read(const char *text, struct customer *ret, struct err *reterr)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct customer c = {0};
	int r;

	r = json_read(text, strlen(text), &o, reterr);
	if (r < 0)
		return r;
	if (customer_read_addresses(json_member(o, "addresses"), &c.addresses) < 0 ||
	    customer_read_taken(json_member(o, "taken"), &c.taken) < 0) {
		customer_done(&c);
		return err_set(reterr, -EINVAL, "not a customer as customer_text writes it");
	}
	*ret = c;
	return 0;
}
