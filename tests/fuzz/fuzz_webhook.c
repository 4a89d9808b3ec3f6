/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on input from outside: definition × query and headers × body × answers of the helpdesk's API.
 *
 * An input is text in sections, each ended by a line "--":
 *
 *   NAME of a shipped definition, or NAME and below it an overlay (YAML), or a definition itself (YAML)
 *   QUERY, then a header a line, "Name: value"
 *   BODY
 *   ANSWER … (at most three), with status 200 where it begins like JSON, else with another status
 *
 * In addition to crashes, the fuzzer finds:
 *
 * - a signature that is valid by chance, or a valid one that is refused
 * - an item of a batch that splits again
 * - a webhook that reads differently a second time
 * - a nested attribute, an address that is not normalised, a link that is no URL
 *
 * DESKBRIDGE_PRESETS names the folder of the definitions.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "conf/yaml.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/plan/lookup_plan.h"
#include "helpdesk/expr/template.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "helpdesk/parse/samples.h"

#define RECEIVED_MS INT64_C(1795176000000)
#define SECTIONS_MAX 6
#define PRESETS_MAX 64
#define ITEMS_MAX 8 /* of a batch that are read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct section {
	const char *text;
	size_t len;
};

struct preset {
	char *name;
	struct node *tree;
	struct definition *definition;
};

static struct preset presets[PRESETS_MAX];
static size_t presets_n;

#define HOLDS(condition)                                                    \
	do {                                                                \
		if (!(condition)) {                                         \
			fprintf(stderr, "does not hold: %s\n", #condition); \
			abort();                                            \
		}                                                           \
	} while (0)

/* ---- input ------------------------------------------------------------------------------------------------------- */

static size_t sections_cut(const char *text, size_t len, struct section *to)
{
	size_t n = 0;

	while (n < SECTIONS_MAX - 1) {
		const char *end = memmem(text, len, "\n--\n", 4);

		if (!end)
			break;
		to[n++] = (struct section){text, (size_t)(end - text)};
		len -= (size_t)(end + 4 - text);
		text = end + 4;
	}
	to[n++] = (struct section){text, len};
	return n;
}

/* preset: the definition below the overlay, or NULL. */
static struct definition *compile(const char *file, const char *text, size_t len, const struct node *preset,
				  struct node **ret_tree)
{
	const struct definition_binding binding = {.base_url = "https://desk.example.com", .overlaid = preset};
	struct problems problems = {0};
	struct definition *d = NULL;

	*ret_tree = NULL;
	if (yaml_load(file, text, len, ret_tree, &problems) == 0 && problems.errors == 0 && *ret_tree) {
		if (preset && (*ret_tree)->type == NODE_MAP) {
			struct node *own = *ret_tree;

			*ret_tree = definition_overlay(preset, own, &problems);
			node_free(own);
		}
		d = definition_read(*ret_tree, &binding, &problems);
	}
	HOLDS(d || problems.errors > 0);
	problems_done(&problems);
	return d;
}

/* Returns a shipped definition, which is compiled once; NULL where there is none of that name. */
static const struct preset *preset_get(const char *name, size_t name_len)
{
	const char *folder = getenv("DESKBRIDGE_PRESETS");
	CLEANUP(mem_freep) char *short_name = mem_strn(name, name_len);
	CLEANUP(mem_freep) char *file = NULL, *text = NULL;
	struct preset *p;
	size_t len;

	for (size_t i = 0; i < presets_n; i++)
		if (strcmp(presets[i].name, short_name) == 0)
			return &presets[i];
	if (!folder || presets_n == PRESETS_MAX || strchr(short_name, '/'))
		return NULL;
	file = mem_fmt("%s/%s.yaml", folder, short_name);
	if (file_read(file, FILE_ANY, YAML_SIZE_MAX, &text, &len) < 0)
		return NULL;
	p = &presets[presets_n++];
	p->name = TAKE(short_name);
	p->definition = compile(file, text, len, NULL, &p->tree);
	HOLDS(p->definition);
	return p;
}

/* Returns the definition of an input; NULL where there is none or it does not compile. *ret_own: it is of this input
 * alone, and the caller owns it with its tree. */
static struct definition *definition_of(const struct section *s, bool *ret_own, struct node **ret_tree)
{
	const char *end = memchr(s->text, '\n', s->len);
	size_t line = end ? (size_t)(end - s->text) : s->len;
	const struct preset *preset = preset_get(s->text, line);

	*ret_own = end != NULL;
	if (!end)
		return preset ? preset->definition : NULL;
	if (preset)
		return compile("over.yaml", end + 1, s->len - line - 1, preset->tree, ret_tree);
	return compile("definition.yaml", s->text, s->len, NULL, ret_tree);
}

static void see_url(void *ctx, enum definition_url kind, const char *outline, bool optional)
{
	(void)ctx;
	(void)kind;
	(void)optional;
	HOLDS(outline);
}

static void see_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	(void)ctx;
	HOLDS(name && shows && sample_shape_text(shape));
}

/* Calls the functions by which commands read a definition. */
static void try_definition(const struct definition *d)
{
	const struct sample_values values = {
		.email = "jo@example.com", .conversation = "c\"1", .customer = "k/1", .now_ms = RECEIVED_MS};

	definition_urls(d, see_url, NULL);
	definition_samples(d, see_sample, NULL);
	for (size_t i = 0; i < definition_about(d)->unconfirmed.n; i++)
		HOLDS(definition_about(d)->unconfirmed.items[i][0] != '\0' &&
		      !strchr(definition_about(d)->unconfirmed.items[i], '\n'));
	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++) {
		struct sample sample;

		if (definition_sample_fill(d, t, &values, &sample) == 0)
			sample_done(&sample);
	}
}

/* Reads the section of the query, its first line, and of the headers. */
static void read_headers(const struct section *s, struct pairs *headers, char **query)
{
	CLEANUP(mem_freep) char *all = mem_strn(s->text, s->len);
	char *rest = all;
	char *line = strsep(&rest, "\n");

	*query = mem_str(line);
	while (headers->n < 50 && (line = strsep(&rest, "\n"))) {
		char *colon = strchr(line, ':');

		if (!colon || colon == line)
			continue;
		*colon = '\0';
		pairs_add(headers, line, text_trim(colon + 1));
	}
}

/* ---- proof ------------------------------------------------------------------------------------------------------- */

/* Returns a secret of the form that the method needs. */
static const char *secret_for(const struct proof *p)
{
	static const char *const some[] = {"c2VjcmV0LW9mLWEtd2ViaG9vay0x", "736563726574206f66206120776562686f6f6b",
					   "whsec_c2VjcmV0LW9mLWEtd2ViaG9vay0x"};

	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
		if (!proof_secret_fault(p, some[i]))
			return some[i];
	return NULL;
}

static bool is_signature(const struct proof *p)
{
	return text_is(proof_about(p)->method, "hmac") || text_is(proof_about(p)->method, "standard-webhooks");
}

/* Checks that an invalid proof is explained in one line or more. */
static void check_explanation(const struct proof *p, const struct proof_secrets *secrets,
			      const struct proof_request *request)
{
	struct buf lines;

	buf_init(&lines, 1 << 16);
	proof_explain(p, secrets, request, &lines);
	HOLDS(lines.len > 0 && lines.data[lines.len - 1] == '\n');
	buf_done(&lines);
}

/* sound: the proof is of a shipped definition. An invented one may contradict itself. */
static void try_proof(const struct proof *p, bool sound, const struct pairs *headers, const char *query,
		      const struct section *body)
{
	const char *secret = secret_for(p);
	const struct proof_secrets secrets = {.user = "user", .secrets = &secret, .n = 1};
	struct proof_request request = {.method = "POST",
					.url = "https://bridge.example.com/webhooks/x",
					.headers = headers,
					.query = query,
					.body = body->text,
					.body_len = body->len,
					.now_ms = RECEIVED_MS};
	struct pairs shown = {0};
	struct pairs all = {0};
	CLEANUP(mem_freep) char *shown_query = NULL;
	CLEANUP(mem_freep) char *whole = NULL;
	enum proof_verdict verdict;

	if (!secret)
		return;
	(void)proof_is_present(p, headers, query);
	verdict = proof_check(p, &secrets, &request);
	HOLDS(!is_signature(p) || verdict != PROOF_GOOD);
	if (verdict == PROOF_MISSING || verdict == PROOF_WRONG)
		check_explanation(p, &secrets, &request);
	proof_make(p, &secrets, &request, &shown, &shown_query);
	for (size_t i = 0; i < shown.n; i++)
		pairs_add(&all, shown.items[i].name, shown.items[i].value);
	for (size_t i = 0; i < headers->n; i++)
		pairs_add(&all, headers->items[i].name, headers->items[i].value);
	whole = mem_fmt("%s%s%s", shown_query ? shown_query : "", shown_query ? "&" : "", query);
	request.headers = &all;
	request.query = whole;
	verdict = proof_check(p, &secrets, &request);
	if (shown.n > 0 || shown_query)
		HOLDS(verdict != PROOF_MISSING);
	/* Where the body holds the time of signing, proof_make() cannot change it. */
	if (sound && !proof_about(p)->body_timestamp)
		HOLDS(verdict == PROOF_GOOD);
	pairs_done(&shown);
	pairs_done(&all);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void check_addresses(const struct addresses *a)
{
	char again[EMAIL_MAX + 1];

	HOLDS(a->n <= ADDRESSES_MAX);
	for (size_t i = 0; i < a->n; i++)
		HOLDS(email_normalise(a->items[i].email, again) == 0 && strcmp(again, a->items[i].email) == 0);
}

/* attributes: NULL where the definition has none. */
static void check_flat(struct json_object *attributes)
{
	if (!attributes)
		return;
	json_object_object_foreach(attributes, key, value)
	{
		HOLDS(key[0] != '\0' && value && !json_object_is_type(value, json_type_object));
		for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value);
		     i++)
			HOLDS(json_object_is_type(json_object_array_get_idx(value, i), json_type_string));
	}
}

/* Checks that a URL does not change when it is made a URL again. */
static void check_link(const char *link)
{
	CLEANUP(mem_freep) char *again = NULL;

	HOLDS(strncmp(link, "https://", 8) == 0 || strncmp(link, "http://", 7) == 0);
	HOLDS(strlen(link) <= LINK_MAX && !strchr(link, '"'));
	for (const char *s = link; *s != '\0'; s++)
		HOLDS((unsigned char)*s > ' ' && (unsigned char)*s < 0x7f);
	HOLDS(link_make(link, &again, NULL) == 0 && strcmp(again, link) == 0);
}

static void check_signal(const struct signal *s)
{
	HOLDS(s->conversation && s->conversation[0] != '\0' && strlen(s->conversation) <= 512);
	HOLDS(s->transition < TRANSITION_EXPIRED);
	check_addresses(&s->addresses);
	check_flat(s->attributes);
	if (s->conversation_url)
		check_link(s->conversation_url);
}

/* Returns the status of an answer: 200 where it begins like JSON, so that it is read. */
static unsigned status_of(const struct section *answer)
{
	static const unsigned statuses[] = {200, 301, 404, 429};

	if (answer->len == 0 || answer->text[0] == '{' || answer->text[0] == '[')
		return 200;
	return statuses[(unsigned char)answer->text[0] % 4];
}

/* Runs the lookup with the input's answers, which may be valid or nonsense. */
static void ask(const struct definition *d, const struct webhook *w, const struct section *answers, size_t n)
{
	static const struct lookup_plan_secrets secrets = {.user = "u", .password = "p", .token = "t"};
	struct customer customer = {0};
	struct parsed_webhook *asked = parsed_webhook_borrow(d, w);
	struct lookup_plan *q = NULL;
	struct customer again;
	struct parsed_webhook *told;
	struct err e;
	char *text;

	if (lookup_plan_new(d, &asked->context, &q, &e) < 0) {
		parsed_webhook_free(asked);
		return;
	}
	for (size_t i = 0; i < 12; i++) {
		const struct section *answer = n > 0 ? &answers[i % n] : &(struct section){"{}", 2};
		struct pairs headers = {0};
		char *url = NULL;

		if (lookup_plan_next(q, &secrets, &url, &headers, &e) != 0)
			break;
		HOLDS(strncmp(url, "http", 4) == 0 && !strpbrk(url, " \r\n"));
		free(url);
		pairs_done(&headers);
		if (lookup_plan_answer(q, status_of(answer), "application/json", answer->text, answer->len, &e) >
		    LOOKUP_PLAN_MOVED)
			break;
	}
	lookup_plan_result(q, &customer);
	lookup_plan_free(q);
	parsed_webhook_free(asked);
	check_addresses(&customer.addresses);
	text = customer_text(&customer);
	HOLDS(customer_read(text, &again, &e) == 0);
	customer_done(&again);
	free(text);
	told = parsed_webhook_borrow(d, w);
	parsed_webhook_add_lookup(told, &customer);
	if (told->result.kind == PARSE_SIGNAL)
		check_signal(&told->result.signal);
	parsed_webhook_free(told);
}

static void check_unknown_state(const struct parse_result *r)
{
	struct buf line;

	HOLDS(r->unknown_state.text[0] != '\0' && strlen(r->unknown_state.text) <= STATES_TEXT_MAX);
	buf_init(&line, 1 << 14);
	parse_result_describe_unknown_state(r, "desk", &line);
	HOLDS(line.error == 0 && line.len > 0);
	buf_done(&line);
}

static void read_item(const struct definition *d, struct webhook *w, const struct section *answers, size_t n)
{
	struct parsed_webhook *p = parsed_webhook_borrow(d, w);
	const struct parse_result *reading = &p->result;
	struct parsed_webhook *again;

	if (reading->unknown_state.text)
		check_unknown_state(reading);
	if (reading->kind == PARSE_UNREADABLE)
		HOLDS(reading->reason[0] != '\0');
	if (reading->kind == PARSE_SIGNAL) {
		check_signal(&reading->signal);
		HOLDS(!reading->signal.wants_lookup || reading->signal.lookup_key);
		parse_result_save(reading, w);
		again = parsed_webhook_borrow(d, w);
		HOLDS(again->result.kind == PARSE_SIGNAL &&
		      again->result.signal.transition == reading->signal.transition);
		HOLDS(strcmp(again->result.signal.conversation, reading->signal.conversation) == 0);
		HOLDS(again->result.has_delivery == reading->has_delivery &&
		      memcmp(again->result.delivery, reading->delivery, sizeof(reading->delivery)) == 0);
		parsed_webhook_free(again);
		ask(d, w, answers, n);
	}
	parsed_webhook_free(p);
}

static void check_split_once(const struct definition *d, const char *type, const char *body, size_t len)
{
	struct batch *b;
	size_t again_len;
	struct err e;
	char *again;

	HOLDS(batch_open(d, type, body, len, &b, &e) == 0 && batch_items(b) == 1);
	again = batch_item(b, 0, &again_len);
	HOLDS(again_len == len && memcmp(again, body, len) == 0);
	free(again);
	batch_close(b);
}

static void read_body(const struct definition *d, const struct pairs *headers, char *query, const struct section *s,
		      const struct section *answers, size_t n)
{
	char *whole = mem_dup(s->text, s->len); /* a copy, so that a read past its end is detected */
	struct batch *b = NULL;
	struct parsed_webhook *explained;
	struct buf lines;
	struct err e;

	if (batch_open(d, pairs_get(headers, "Content-Type"), whole, s->len, &b, &e) < 0) {
		struct webhook w = {.query = query,
				    .headers = *headers,
				    .body = whole,
				    .body_len = s->len,
				    .received_ms = RECEIVED_MS};

		HOLDS(e.text[0] != '\0');
		read_item(d, &w, answers, n);
		free(w.conversation);
		free(w.customer);
		free(whole);
		return;
	}
	for (size_t i = 0; i < batch_items(b) && i < ITEMS_MAX; i++) {
		struct webhook w = {.query = query, .headers = *headers, .received_ms = RECEIVED_MS};

		w.body = batch_item(b, i, &w.body_len);
		check_split_once(d, pairs_get(headers, "Content-Type"), w.body, w.body_len);
		buf_init(&lines, 1 << 20);
		explained = parsed_webhook_borrow(d, &w);
		parsed_webhook_explain(explained, &lines);
		parsed_webhook_free(explained);
		buf_done(&lines);
		read_item(d, &w, answers, n);
		free(w.body);
		free(w.conversation);
		free(w.customer);
	}
	batch_close(b);
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct section sections[SECTIONS_MAX];
	size_t n = sections_cut((const char *)data, size, sections);
	CLEANUP(mem_freep) char *query = NULL;
	struct pairs headers = {0};
	struct node *tree = NULL;
	struct definition *d;
	bool own;

	if (n < 3)
		return 0;
	d = definition_of(&sections[0], &own, &tree);
	if (d) {
		if (own)
			try_definition(d);
		read_headers(&sections[1], &headers, &query);
		try_proof(definition_proof(d), !own, &headers, query, &sections[2]);
		read_body(d, &headers, query, &sections[2], &sections[3], n - 3);
	}
	pairs_done(&headers);
	if (own)
		definition_free(d);
	node_free(tree);
	return 0;
}
