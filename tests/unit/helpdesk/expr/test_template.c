/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include <errno.h>

#include "helpdesk/expr/template.h"

struct fixture {
	struct json_object *item;
	struct pairs names, taken;
	struct eval_context context;
};

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){
		.item = with_json("{\"id\": \"a/b ?c&\u00e4\", \"n\": 12, \"dot\": \".\", \"dots\": \"..\","
				  " \"empty\": \"\", \"o\": {}, \"l\": [null, \"\", \"second\"]}")};
	pairs_add(&f->names, "base_url", "https://acme.example/x?y");
	pairs_add(&f->names, "label", "Gladly");
	pairs_add(&f->taken, "contact", "c/1");
	f->context = (struct eval_context){.item = f->item, .root = f->item, .names = &f->names, .taken = &f->taken};
}

static void fixture_close(struct fixture *f)
{
	json_object_put(f->item);
	pairs_done(&f->names);
	pairs_done(&f->taken);
}

static int render(const char *text, const struct eval_context *s, enum template_escape escape, char **ret,
		  struct err *e)
{
	struct template *t = template_compile_text(text, e);
	int r;

	assert_non_null(t);
	assert_string_equal(template_text(t), text);
	r = template_render(t, s, escape, ret, e);
	template_free(t);
	return r;
}

static void references_and_names_become_text(void **state)
{
	static const struct {
		const char *template, *plain;
	} cases[] = {
		{"closed conversation in {label}", "closed conversation in Gladly"},
		{"{/n}-{/n}", "12-12"},
		{"{ /n }", "12"},
		{"{/l/*}", "second"},
		{"{{{/n}}}", "{12}"},
		{"a {{b}} c", "a {b} c"},
		{"no parts", "no parts"},
		{"", ""},
		{"{contact}", "c/1"},
		{"{LABEL}", "Gladly"},
	};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = NULL;
		struct err e;

		assert_int_equal(render(cases[i].template, &f.context, TEMPLATE_PLAIN, &text, &e), 0);
		assert_string_equal(text, cases[i].plain);
	}
	fixture_close(&f);
}

static void in_urls_only_the_operators_own_text_is_left_alone(void **state)
{
	CLEANUP(mem_freep) char *id = NULL;
	CLEANUP(mem_freep) char *taken = NULL;
	struct fixture f;
	struct err e;

	(void)state;
	fixture_open(&f);
	assert_int_equal(render("{base_url}/c/{/id}", &f.context, TEMPLATE_URL, &id, &e), 0);
	assert_string_equal(id, "https://acme.example/x?y/c/a%2Fb%20%3Fc%26%C3%A4");
	assert_int_equal(render("{base_url}/c/{contact}", &f.context, TEMPLATE_URL, &taken, &e), 0);
	assert_string_equal(taken, "https://acme.example/x?y/c/c%2F1");
	fixture_close(&f);
}

static void a_link_may_be_one_value(void **state)
{
	static const struct {
		const char *template, *link;
	} cases[] = {
		{"{/whole}", "http://desk.example/a?b=%20#c"},
		{"{/whole}/more", "http://desk.example/a?b=%20#c/more"},
		{"https://x.example/{/whole}", "https://x.example/http%3A%2F%2Fdesk.example%2Fa%3Fb%3D%2520%23c"},
		{"{base_url}{/whole}", "https://acme.example/x?yhttp%3A%2F%2Fdesk.example%2Fa%3Fb%3D%2520%23c"},
		{"{/blank}", "https://desk.example/a%20b"},
		{"{/blank}/{/id}", "https://desk.example/a%20b/a%2Fb"},
		{"{/quote}", "https://desk.example/%22"},
		{"{/capital}", "https://Desk.example/A"},
		{"{/around}/more", "https://desk.example/a/more"},
		{"https://x.example/{/id}/e", "https://x.example/a%2Fb/e"},
		{"https://x.example/?q={/quote}", "https://x.example/?q=https%3A%2F%2Fdesk.example%2F%22"},
		{"https://x.example/our desk/{/id}", "https://x.example/our%20desk/a%2Fb"},
		{"https://{/name}.example/{/id}", "https://xn--mnchen-3ya.example/a%2Fb"},
	};
	struct json_object *o =
		with_json("{\"whole\": \"http://desk.example/a?b=%20#c\", \"blank\": \"https://desk.example/a b\","
			  " \"id\": \"a/b\", \"quote\": \"https://desk.example/\\\"\","
			  " \"capital\": \"HTTPS://Desk.example/A\", \"around\": \" https://desk.example/a\\n\","
			  " \"name\": \"m\u00fcnchen\"}");
	struct fixture f;
	struct err e;

	(void)state;
	fixture_open(&f);
	f.context.item = o;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *link = NULL;

		if (render(cases[i].template, &f.context, TEMPLATE_LINK, &link, &e) != 0)
			fail_msg("%s: %s", cases[i].template, e.text);
		assert_string_equal(link, cases[i].link);
	}
	json_object_put(o);
	fixture_close(&f);
}

/* An inserted value never becomes a part of the host's name or of the text before it, and errors do not contain it. */
static void a_link_that_leads_nowhere_is_none(void **state)
{
	static const struct {
		const char *template, *why;
	} cases[] = {
		{"{/id}", "{/id} gives no absolute http or https URL"},
		{"{/ftp}", "{/ftp} gives no absolute http or https URL"},
		{"x{/whole}", "x{/whole} gives no absolute http or https URL"},
		{"{/user}", "{/user} gives a URL with a user or a password in it"},
		{"{/user}/{/id}", "{/user}/{/id} gives a URL with a user or a password in it"},
		{"https://{/id}.example/", "https://{/id}.example/ gives a URL without a usable host"},
		{"https://{/at}desk.example/", "https://{/at}desk.example/ gives a URL without a usable host"},
		{"https://{/whole}", "https://{/whole} gives a URL without a usable host"},
		{"{/nothing}", "nothing usable at /nothing"},
	};
	struct json_object *o =
		with_json("{\"whole\": \"http://desk.example/a\", \"ftp\": \"ftp://desk.example\", \"id\": \"a/b\","
			  " \"user\": \"https://jo:geheim@desk.example/a\", \"at\": \"evil.example@\"}");
	struct fixture f;

	(void)state;
	fixture_open(&f);
	f.context.item = o;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *link = NULL;
		struct err e = {0};

		assert_true(render(cases[i].template, &f.context, TEMPLATE_LINK, &link, &e) < 0);
		assert_string_equal(e.text, cases[i].why);
	}
	json_object_put(o);
	fixture_close(&f);
}

/* A lookup carries secrets: a value of the webhook must never decide where it goes. */
static void a_url_of_ours_never_begins_with_a_webhooks_value(void **state)
{
	struct json_object *o = with_json("{\"whole\": \"https://desk.example/a\"}");
	CLEANUP(mem_freep) char *url = NULL;
	struct fixture f;
	struct err e;

	(void)state;
	fixture_open(&f);
	f.context.item = o;
	assert_int_equal(render("{/whole}", &f.context, TEMPLATE_URL, &url, &e), 0);
	assert_string_equal(url, "https%3A%2F%2Fdesk.example%2Fa");
	json_object_put(o);
	fixture_close(&f);
}

static void dots_cannot_climb_in_a_url(void **state)
{
	CLEANUP(mem_freep) char *text = NULL;
	struct fixture f;
	struct err e;

	(void)state;
	fixture_open(&f);
	assert_int_equal(render("{base_url}/{/dot}", &f.context, TEMPLATE_URL, &text, &e), -ENOENT);
	assert_int_equal(render("{base_url}/{/dots}", &f.context, TEMPLATE_URL, &text, &e), -ENOENT);
	assert_int_equal(render("{/dots}", &f.context, TEMPLATE_PLAIN, &text, &e), 0);
	assert_string_equal(text, "..");
	fixture_close(&f);
}

static void a_part_without_value_is_named(void **state)
{
	static const char *const cases[] = {"/missing", "/empty", "/o", "nobody", "header:X", "query:q"};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *template = mem_fmt("x {%s} y", cases[i]);
		char *text = NULL;
		struct err e = {0};

		assert_int_equal(render(template, &f.context, TEMPLATE_PLAIN, &text, &e), -ENOENT);
		assert_null(text);
		assert_non_null(strstr(e.text, cases[i]));
	}
	fixture_close(&f);
}

static void a_long_value_is_cut_in_text_and_refused_in_a_url(void **state)
{
	CLEANUP(mem_freep) char *huge = mem_new(1 << 20, 1);
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(mem_freep) char *url = NULL;
	struct json_object *o = json_object_new_object();
	struct eval_context s = {.item = o, .root = o};
	struct err e;

	(void)state;
	huge[0] = 'x';
	for (size_t i = 1; i + 2 < 1 << 20; i += 2)
		memcpy(huge + i, "\u00e4", 2);
	json_set_str(o, "t", huge);
	assert_int_equal(render("{/t}", &s, TEMPLATE_PLAIN, &text, &e), 0);
	assert_int_equal(strlen(text), TEMPLATE_PART_MAX - 1); /* ends with a whole letter */
	assert_true(text_is_utf8(text, strlen(text)));
	assert_int_equal(render("{/t}", &s, TEMPLATE_URL, &url, &e), -ENOENT);
	json_object_put(o);
}

static void broken_templates_are_told(void **state)
{
	static const char *const cases[] = {"{",     "{/a", "{/a{b}}", "{/a}}",  "}",
					    "a } b", "{}",  "{ }",     "{/a~9}", "{header:}"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e = {0};

		assert_null(template_compile_text(cases[i], &e));
		assert_true(e.text[0] != '\0');
	}
}

static void bounds_are_told(void **state)
{
	CLEANUP(mem_freep) char *text = mem_new(5000, 1);
	struct err e = {0};
	struct buf b;

	(void)state;
	memset(text, 'a', 4999);
	assert_null(template_compile_text(text, &e));
	buf_init(&b, 4096);
	for (int i = 0; i < 70; i++)
		buf_adds(&b, "{/a}");
	assert_null(template_compile_text(b.data, &e));
	buf_done(&b);
}

static void a_mapping_in_place_of_text_is_told(void **state)
{
	CLEANUP(node_freep) struct node *n = with_yaml("url: {base_url: x}");
	struct problems p = {0};

	(void)state;
	assert_null(template_compile(node_get(n, "url"), &p));
	assert_string_equal(p.items[0].path, "url");
	assert_problem(&p, "quotes");
}

static void an_outline_shows_what_is_not_known(void **state)
{
	CLEANUP(mem_freep) char *text = NULL;
	struct template *t;
	struct template *fixed;
	struct fixture f;
	struct err e;

	(void)state;
	fixture_open(&f);
	t = template_compile_text("closed {Team} in {label}", &e);
	fixed = template_compile_text("closed", &e);
	text = template_outline(t, &f.context);
	assert_string_equal(text, "closed {Team} in Gladly");
	assert_false(template_is_fixed(t));
	assert_true(template_is_fixed(fixed));
	template_free(t);
	template_free(fixed);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_and_names_become_text),
		cmocka_unit_test(in_urls_only_the_operators_own_text_is_left_alone),
		cmocka_unit_test(a_link_may_be_one_value),
		cmocka_unit_test(a_link_that_leads_nowhere_is_none),
		cmocka_unit_test(a_url_of_ours_never_begins_with_a_webhooks_value),
		cmocka_unit_test(dots_cannot_climb_in_a_url),
		cmocka_unit_test(a_part_without_value_is_named),
		cmocka_unit_test(a_long_value_is_cut_in_text_and_refused_in_a_url),
		cmocka_unit_test(broken_templates_are_told),
		cmocka_unit_test(bounds_are_told),
		cmocka_unit_test(a_mapping_in_place_of_text_is_told),
		cmocka_unit_test(an_outline_shows_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
