/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/known_secrets.h"
#include "base/mem.h"
#include "base/redact.h"

#define KEY "pk_0123456789abcdefABCDEF"
#define WORDS "correct horse/battery+\"staple\""

static const char *const secrets[] = {KEY, WORDS, "short", "eight888"};

static void a_secret_is_struck_in_whatever_form_it_is_written(void **state)
{
	static const struct {
		const char *text, *redacted;
	} rows[] = {
		{"", ""},
		{"nothing here", "nothing here"},
		{"short ones stay: short", "short ones stay: short"},
		{"the key " KEY " is bad", "the key [secret] is bad"},
		{KEY KEY, "[secret][secret]"},
		{"x" KEY "y eight888", "x[secret]y [secret]"},
		{"almost: pk_0123456789abcdefABCDE!", "almost: pk_0123456789abcdefABCDE!"},
		/* the text before it may look encoded together with it */
		{"?key=%eight888", "?key=%[secret]"},
		/* percent-encoded, once and twice, in parts */
		{"?key=pk%5F0123456789abcdefABCDEF&x=1", "?key=[secret]&x=1"},
		{"?key=pk%255f0123456789%61bcdefABCDEF", "?key=[secret]"},
		{"correct%20horse%2Fbattery%2B%22staple%22", "[secret]"},
		{"correct+horse%2Fbattery%2B%22staple%22", "[secret]"},
		/* JSON, HTML, quoted-printable */
		{"{\"password\": \"correct horse\\/battery+\\\"staple\\\"\"}", "{\"password\": \"[secret]\"}"},
		{"pk\\u005f0123456789abcdef\\u0041BCDEF", "[secret]"},
		{"correct horse/battery+&quot;staple&#34;", "[secret]"},
		{"correct=20horse/battery+=22staple=22", "[secret]"},
		/* cut */
		{"the key pk_01234567…", "the key [secret]…"},
		{"the key pk_012…", "the key pk_012…"},
		{"the key pk_0123456789abc", "the key [secret]"},
		{"the key pk_01234567", "the key pk_01234567"},
	};
	struct redactor *s = redactor_new(secrets, sizeof(secrets) / sizeof(secrets[0]));

	(void)state;
	assert_int_equal(redactor_count(s), 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(mem_freep) char *redacted = redact(s, rows[i].text);

		assert_string_equal(redacted, rows[i].redacted);
	}
	redactor_unref(s);
}

static void the_base64_of_anything_with_a_secret_is_struck(void **state)
{
	struct redactor *s = redactor_new(secrets, sizeof(secrets) / sizeof(secrets[0]));

	(void)state;
	for (unsigned user = 0; user < 8; user++) {
		for (unsigned behind = 0; behind < 4; behind++) {
			for (unsigned form = 0; form < 3; form++) {
				CLEANUP(mem_freep)
				char *plain = mem_fmt("%.*s%s%.*s", (int)user, "deskbri:", KEY, (int)behind, "???");
				CLEANUP(mem_freep)
				char *base64 = digest_base64(plain, strlen(plain));
				CLEANUP(mem_freep)
				char *text = NULL;
				CLEANUP(mem_freep)
				char *redacted = NULL;

				for (char *c = base64; form == 1 && *c != '\0'; c++)
					*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
				if (form == 2 && strchr(base64, '=')) {
					*strchr(base64, '=') = '\0';
					text = mem_fmt("you sent 'Basic %s%%3D'.", base64);
				} else {
					text = mem_fmt("you sent 'Basic %s'.", base64);
				}
				redacted = redact(s, text);
				assert_int_equal(strncmp(redacted, "you sent 'Basic [secret]", 24), 0);
				assert_true(strlen(redacted) <= strlen("you sent 'Basic [secret]%3D'."));
			}
		}
	}
	redactor_unref(s);
}

static void without_secrets_texts_stay(void **state)
{
	struct redactor *none = redactor_new(NULL, 0);
	CLEANUP(mem_freep) char *a = redact(NULL, KEY);
	CLEANUP(mem_freep) char *b = redact(none, "%41 " KEY);

	(void)state;
	assert_string_equal(a, KEY);
	assert_string_equal(b, "%41 " KEY);
	redactor_unref(none);
}

static void former_secrets_stay_known(void **state)
{
	static const char *const first[] = {KEY, "the first password"};
	static const char *const second[] = {"another-key-0123"};
	CLEANUP(mem_freep) char *redacted = NULL;
	CLEANUP(mem_freep) char *cleaned = NULL;

	(void)state;
	known_secrets_forget();
	assert_null(known_secrets_get());
	known_secrets_add(first, 2);
	known_secrets_add(second, 1);
	known_secrets_add(second, 1);
	redacted = known_secrets_redact("a " KEY " b another-key-0123 c the first password");
	assert_string_equal(redacted, "a [secret] b [secret] c [secret]");
	cleaned = known_secrets_clean("\x1b" KEY " for jane%40example.com\n");
	assert_string_equal(cleaned, "\\x1b[secret] for j***@example.com\\x0a");
	for (int i = 0; i < KNOWN_SECRETS_FORMER_MAX + 10; i++) {
		char value[32];
		const char *const values[] = {value};

		(void)snprintf(value, sizeof(value), "secret-number-%d", i);
		known_secrets_add(values, 1);
	}
	{
		CLEANUP(redactor_unrefp) struct redactor *s = known_secrets_get();

		assert_int_equal(redactor_count(s), KNOWN_SECRETS_FORMER_MAX + 1);
	}
	known_secrets_forget();
}

static void a_tree_of_json_loses_secrets_at_any_depth(void **state)
{
	static const char text[] = "{\"a\":[1,{\"b\":\"x " KEY "\"},null,\"" KEY "\"],\"c\":\"stays\"}";
	struct redactor *s = redactor_new(secrets, 1);
	CLEANUP(json_putp) struct json_object *o = NULL;
	CLEANUP(mem_freep) char *redacted = NULL;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	json_redact(o, s);
	redacted = json_text(o);
	assert_string_equal(redacted, "{\"a\":[1,{\"b\":\"x [secret]\"},null,\"[secret]\"],\"c\":\"stays\"}");
	redactor_unref(s);
}

/* Encodes random bytes of the secret in random ways: the redacted text never contains it. */
static void no_secret_gets_through(void **state)
{
	static const char value[] = "s3cret/+= \"%41\\word";
	const char *const values[] = {value};
	struct redactor *s = redactor_new(values, 1);
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = 0;
		char text[1000];
		char *redacted;

		for (const char *c = value; *c != '\0'; c++) {
			seed = seed * 1664525 + 1013904223;
			/* A byte that would be read as an encoding is always encoded, as every encoder does. */
			switch ((seed >> 16) % 5 + (strchr("%\\&", *c) ? 5 : 0)) {
			case 1:
			case 6:
				len += (size_t)snprintf(text + len, sizeof(text) - len, "%%%02x", *c);
				break;
			case 2:
			case 7:
			case 5:
				len += (size_t)snprintf(text + len, sizeof(text) - len, "\\u%04X", *c);
				break;
			case 3:
			case 8:
			case 9:
				len += (size_t)snprintf(text + len, sizeof(text) - len, "&#x%x;", *c);
				break;
			default:
				text[len++] = *c;
			}
		}
		text[len] = '\0';
		redacted = redact(s, text);
		assert_string_equal(redacted, REDACT_MARK);
		free(redacted);
	}
	redactor_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_struck_in_whatever_form_it_is_written),
		cmocka_unit_test(the_base64_of_anything_with_a_secret_is_struck),
		cmocka_unit_test(without_secrets_texts_stay),
		cmocka_unit_test(former_secrets_stay_known),
		cmocka_unit_test(a_tree_of_json_loses_secrets_at_any_depth),
		cmocka_unit_test(no_secret_gets_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
