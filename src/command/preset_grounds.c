#include <config.h>

#include "command/preset_grounds.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/out.h"

#define MARK "# ---- what this definition rests on ----"
#define FACT_COLUMNS 100 /* of a fact's line, but for a word that is longer */

/* ---- facts ------------------------------------------------------------------------------------------------------- */

/* The bytes of text that stand in one line: whole words, one at least. */
static size_t line_bytes(const char *text)
{
	size_t end = strcspn(text, " "), next;

	for (next = end; text[next] == ' '; next = end) {
		next += 1 + strcspn(text + next + 1, " ");
		if (next > FACT_COLUMNS)
			break;
		end = next;
	}
	return end;
}

static void print_fact(size_t number, const char *text)
{
	const char *line = text;

	while (*line != '\0') {
		size_t len = line_bytes(line);

		if (line == text)
			out_print("# %3zu. %.*s\n", number, (int)len, line);
		else
			out_print("#      %.*s\n", (int)len, line);
		line += len + (line[len] == ' ');
	}
}

void preset_facts_print(const struct definition *d)
{
	size_t n = definition_unconfirmed(d);

	if (n > 0)
		out_print("# %zu fact%s that no vendor document confirms:\n#\n", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++)
		print_fact(i + 1, definition_unconfirmed_at(d, i));
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void print_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	bool *any = ctx;

	if (!*any)
		out_print("#\n# Its samples, and where their shapes come from:\n#\n");
	*any = true;
	out_print("#   %-10s  %-19s %s%s\n", name, sample_shape_text(shape),
		  strncmp(name, "lookup", 6) == 0 ? "the answer of " : "", shows);
}

void preset_verified_print(const struct definition *d)
{
	static const struct {
		const char *word, *means;
	} all[] = {
		{"live", "tried against the helpdesk"},
		{"documentation", "its facts rest on the vendor's own"},
		{"no", "nobody has tried it against the helpdesk; begin with test conversations"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i].word, definition_verified(d)) == 0)
			out_print("# Verified: %s (%s)\n", all[i].word, all[i].means);
}

void preset_grounds_print(const struct definition *d)
{
	bool any = false;

	out_print("\n" MARK "\n#\n");
	preset_verified_print(d);
	if (definition_unconfirmed(d) > 0)
		out_print("#\n");
	preset_facts_print(d);
	definition_samples(d, print_sample, &any);
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t\r");
	return *line == '#' || *line == '\n' || *line == '\0';
}

size_t preset_grounds_begin(const char *text)
{
	size_t whole = strlen(text), begin = whole;

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len == strlen(MARK) && strncmp(line, MARK, len) == 0)
			begin = (size_t)(line - text);
		else if (!is_comment(line))
			begin = whole;
		line += len + (line[len] == '\n');
	}
	while (begin < whole && begin > 1 && text[begin - 1] == '\n' && text[begin - 2] == '\n')
		begin--;
	return begin;
}

/* ---- in one word ------------------------------------------------------------------------------------------------- */

static void count_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	size_t *n = ctx;

	(void)name;
	(void)shows;
	*n += shape == SHAPE_NOBODY || shape == SHAPE_UNSAID;
}

const char *preset_grounds_word(const struct definition *d, char out[PRESET_GROUNDS_WORD_MAX])
{
	size_t facts = definition_unconfirmed(d), samples = 0;

	definition_samples(d, count_sample, &samples);
	if (facts > 0 && samples > 0)
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "%zu fact%s, %zu sample%s", facts, facts == 1 ? "" : "s",
			       samples, samples == 1 ? "" : "s");
	else if (facts > 0 || samples > 0)
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "%zu %s%s", facts + samples, facts > 0 ? "fact" : "sample",
			       facts + samples == 1 ? "" : "s");
	else
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "-");
	return out;
}
