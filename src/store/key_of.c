/* SPDX-License-Identifier: MIT */
/*
 * The keys of the index of keys (keys.h): 8 bytes of SHA-256, because rows on the disk hold them for years, and nobody
 * can choose names whose keys collide. Pure.
 */
#include <config.h>

#include <string.h>

#include "base/digest.h"
#include "store/tables.h"

/* Texts never contain NUL, so it separates them. */
static int64_t key_of_texts(const char *a, const char *b)
{
	size_t a_n = strlen(a) + 1;
	size_t b_n = strlen(b);
	CLEANUP(mem_freep) char *long_text = NULL;
	char short_text[256];
	char *text = short_text;

	if (a_n + b_n > sizeof(short_text))
		text = long_text = mem_new(a_n + b_n, 1);
	memcpy(text, a, a_n);
	memcpy(text + a_n, b, b_n);
	return (int64_t)digest_number(text, a_n + b_n);
}

int64_t key_of_conversation(const char *source, const char *conversation)
{
	return key_of_texts(source, conversation);
}

int64_t key_of_person(const char *account, const char *email)
{
	return key_of_texts(account, email);
}

int64_t key_of_open_person(const void *person, size_t n)
{
	return (int64_t)digest_number(person, n);
}

/* The seconds, then 24 bits of the unique_id. */
int64_t key_of_event(const unsigned char *unique_id, size_t n)
{
	uint64_t time = 0;

	if (n == EVENT_KEY_BYTES) {
		for (size_t i = 0; i < EVENT_TIME_BYTES; i++)
			time = time << 8 | *unique_id++;
		time = (time - (UINT64_C(1) << 63)) / 1000; /* before 1970 the order does not matter */
	}
	return (int64_t)(time << 24 | (uint64_t)unique_id[0] << 16 | (uint64_t)unique_id[1] << 8 | unique_id[2]);
}
