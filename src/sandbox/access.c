/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/access.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define SCHEME "Klaviyo-API-Key"
#define OPT_OUT "X-Klaviyo-Revision-Fall-Forward-Opt-Out"

/* Oldest first. */
static const char *const revisions[] = {
	"2024-10-15", "2025-01-15", "2025-04-15", "2025-07-15",           "2025-10-15",
	"2026-01-15", "2026-04-15", "2026-07-15", ACCESS_REVISION_NEWEST,
};
#define REVISIONS (sizeof(revisions) / sizeof(revisions[0]))

bool access_header_is_garbage(const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; c && *c != '\0'; c++)
		if ((*c < ' ' && *c != '\t') || *c > '~')
			return true;
	return false;
}

/* ---- the key ----------------------------------------------------------------------------------------------------- */

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Copies NAME of "NAME_…" to out and moves *s behind the "_". False where there is no "_" or NAME does not fit. */
static bool cut(const char **s, char *out, size_t size)
{
	size_t len = strcspn(*s, "_");

	if ((*s)[len] == '\0' || len >= size)
		return false;
	memcpy(out, *s, len);
	out[len] = '\0';
	*s += len + 1;
	return true;
}

bool access_key(const char *authorization, struct access *ret, struct complaints *c)
{
	static const char scheme[] = SCHEME " ";
	struct access a = {.account = "default"};
	const char *rest;

	if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)) != 0) {
		complaints_add(c, 401, "/data/", "Missing or invalid authorization scheme. Please use " SCHEME ".");
		return false;
	}
	rest = authorization + strlen(scheme);
	if (!starts(rest, "pk_") || rest[3] == '\0' || starts(rest, "pk_bad") || starts(rest, "pk_revoked")) {
		complaints_add(c, 401, "/data/", "Missing or invalid private key.");
		return false;
	}
	if (starts(rest, "pk_only_")) {
		rest += strlen("pk_only_");
		if (!cut(&rest, a.scopes, sizeof(a.scopes)))
			(void)snprintf(a.scopes, sizeof(a.scopes), "%s", rest);
		(void)cut(&rest, a.account, sizeof(a.account));
	} else if (starts(rest, "pk_sandbox_")) {
		rest += strlen("pk_sandbox_");
		(void)cut(&rest, a.account, sizeof(a.account));
	}
	if (a.account[0] == '\0')
		(void)snprintf(a.account, sizeof(a.account), "default");
	*ret = a;
	return true;
}

bool access_scope(const struct access *a, const char *scope, struct complaints *c)
{
	const char *at = a->scopes;

	if (*at == '\0')
		return true;
	for (;;) {
		size_t len = strcspn(at, "+");
		size_t i = 0;

		while (i < len && (at[i] == scope[i] || (at[i] == '-' && scope[i] == ':')))
			i++;
		if (i == len && scope[i] == '\0')
			return true;
		if (at[len] == '\0')
			break;
		at += len + 1;
	}
	complaints_add(c, 403, "/data/", "Your API key is missing required scopes: %s", scope);
	return false;
}

/* ---- the revision ------------------------------------------------------------------------------------------------ */

/* True for "YYYY-MM-DD" with or without ".suffix". */
static bool revision_is_date(const char *s)
{
	static const char form[] = "dddd-dd-dd";
	int64_t ms;
	char iso[CLOCK_ISO_MAX];

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	(void)snprintf(iso, sizeof(iso), "%.10sT00:00:00Z", s);
	return (s[10] == '\0' || s[10] == '.') && clock_parse(iso, strlen(iso), &ms) == 0;
}

/* True where the date is two years ago or more. */
static bool revision_is_retired(const char *date, int64_t now_ms)
{
	char end[CLOCK_ISO_MAX], now[CLOCK_ISO_MAX];
	uint64_t year;

	INSIST(text_digits(date, 4, 9999, &year) == 0);
	(void)snprintf(end, sizeof(end), "%04u%.6s", (unsigned)(year + 2) % 10000, date + 4);
	clock_iso(now_ms, now);
	return strncmp(now, end, 10) >= 0;
}

bool access_revision(const char *revision, const char *opt_out, int64_t now_ms, char ret[ACCESS_REVISION_MAX],
		     struct complaints *c)
{
	char date[ACCESS_REVISION_MAX];
	size_t i;

	if (!revision || *revision == '\0') {
		complaints_add(c, 400, "revision", "The 'revision' header is required.");
		return false;
	}
	if (!revision_is_date(revision)) {
		complaints_add(c, 400, "revision", "The revision must be of the form YYYY-MM-DD[.suffix].");
		return false;
	}
	(void)snprintf(date, sizeof(date), "%.10s", revision);
	if (revision_is_retired(date, now_ms)) {
		if (opt_out && strcmp(opt_out, "1") == 0) {
			complaints_add(c, 410, "revision", "The revision %s is retired, and " OPT_OUT " is set.", date);
			return false;
		}
		for (i = 0; i < REVISIONS - 1 && revision_is_retired(revisions[i], now_ms); i++)
			;
		(void)snprintf(ret, ACCESS_REVISION_MAX, "%s", revisions[i]);
		return true;
	}
	for (i = 0; i < REVISIONS && strcmp(revisions[i], date) != 0; i++)
		;
	if (i == REVISIONS) {
		complaints_add(c, 400, "revision", "There is no revision %s; the newest is %s.", date,
			       ACCESS_REVISION_NEWEST);
		return false;
	}
	(void)snprintf(ret, ACCESS_REVISION_MAX, "%s", date);
	return true;
}

/* ---- the quota --------------------------------------------------------------------------------------------------- */

struct throttle_answer throttle_take(struct throttle *t, unsigned burst, unsigned steady, int64_t now_ms)
{
	int64_t second = now_ms / CLOCK_SECOND_MS;
	int64_t minute = now_ms / CLOCK_MINUTE_MS;
	struct throttle_answer a = {0};

	if (t->second != second) {
		t->second = second;
		t->in_second = 0;
	}
	if (t->minute != minute) {
		t->minute = minute;
		t->in_minute = 0;
	}
	a.reset_s = (unsigned)(60 - second % 60);
	if (t->in_minute >= steady) {
		a.retry_s = a.reset_s;
	} else if (t->in_second >= burst) {
		a.retry_s = 1;
	} else {
		t->in_second++;
		t->in_minute++;
		a.taken = true;
	}
	a.remaining = steady - t->in_minute;
	return a;
}

/* ---- the media type ---------------------------------------------------------------------------------------------- */

bool access_media_type(const char *type, const char *encoding, struct complaints *c)
{
	char name[64] = "";
	size_t len = type ? strcspn(type, "; \t") : 0;

	if (len < sizeof(name) && type) {
		memcpy(name, type, len);
		name[len] = '\0';
	}
	if (!text_same(name, "application/json") && !text_same(name, "application/vnd.api+json")) {
		complaints_add(c, 415, "/data/", "Unsupported media type \"%.100s\" in request.", type ? type : "");
		return false;
	}
	if (encoding && !text_same(encoding, "identity")) {
		complaints_add(c, 415, "/data/", "Unsupported content encoding \"%.100s\" in request.", encoding);
		return false;
	}
	return true;
}
