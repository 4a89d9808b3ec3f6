#include <config.h>

#include "helpdesk/pattern.h"

#include <stddef.h>
#include <string.h>

#define PATTERN_DEPTH_MAX 32
#define PATTERN_WEIGHT_MAX 10000 /* parts, repetitions written out */

/* The parts of a pattern that is being weighed, by depth of its groups. */
struct weighing {
	size_t sum[PATTERN_DEPTH_MAX];  /* of the group so far */
	size_t last[PATTERN_DEPTH_MAX]; /* of them the last part, which a repetition repeats */
	size_t depth;
};

static void weigh_part(struct weighing *w, size_t weight)
{
	w->last[w->depth] = weight;
	w->sum[w->depth] += weight;
}

static void weigh_repetition(struct weighing *w, size_t times)
{
	w->sum[w->depth] += w->last[w->depth] * (times - 1);
	w->last[w->depth] *= times;
}

/* "{2,5}": 5. 1 where that is no repetition. */
static size_t interval_times(const char *at)
{
	size_t times = 0, part = 0;

	for (at++; (*at >= '0' && *at <= '9') || *at == ','; at++) {
		part = *at == ',' ? 0 : part * 10 + (size_t)(*at - '0');
		if (part > PATTERN_WEIGHT_MAX)
			return PATTERN_WEIGHT_MAX;
		times = part > times ? part : times;
	}
	return *at == '}' && times > 0 ? times : 1;
}

/* The last letter of "[…]" that begins at `at`. */
static const char *bracket_end(const char *at)
{
	const char *end = at + 1 + (at[1] == '^');

	end = *end == '\0' ? NULL : strchr(end + 1, ']');
	return end ? end : at;
}

bool pattern_is_modest(const char *p)
{
	struct weighing w = {0};

	for (; *p != '\0' && w.sum[w.depth] <= PATTERN_WEIGHT_MAX; p++) {
		size_t inner;

		switch (*p) {
		case '(':
			if (++w.depth == PATTERN_DEPTH_MAX)
				return false;
			w.sum[w.depth] = w.last[w.depth] = 0;
			break;
		case ')':
			inner = w.sum[w.depth];
			w.depth -= w.depth > 0;
			weigh_part(&w, inner + 1);
			break;
		case '*':
		case '?':
			break; /* nothing is written out */
		case '+':
			weigh_repetition(&w, 2);
			break;
		case '{':
			weigh_repetition(&w, interval_times(p));
			break;
		case '[':
			p = bracket_end(p);
			weigh_part(&w, 1);
			break;
		case '\\':
			p += p[1] != '\0';
			weigh_part(&w, 1);
			break;
		default:
			weigh_part(&w, 1);
			break;
		}
	}
	return *p == '\0' && w.sum[w.depth] <= PATTERN_WEIGHT_MAX;
}
