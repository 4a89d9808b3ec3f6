/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd 1.0 checks a head by RFC 9112. Earlier versions pass C strings cut out of the original head, with a NUL
 * in place of each line end. So a NUL in the request ends a path or a value early, and a line that begins with NUL ends
 * the headers. For these versions this file checks that each string begins right after the one before it. That also
 * finds lines that end with LF only and folded lines, which 1.0 refuses.
 */
#include <config.h>

#include "http/head.h"

#include <string.h>

#include "base/mem.h"
#include "base/url.h"

/* Characters that are allowed besides letters and digits. */
#define AUTHORITY_EXTRA "-._~%!$&'()*+,;=:[]" /* no "@": a user before the host is refused (RFC 9110, 4.2.4) */
#define TOKEN_EXTRA "!#$%&'*+-.^_`|~"         /* a method, the name of a header */

/* ---- the target -------------------------------------------------------------------------------------------------- */

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* True where the text consists of letters, digits and characters of `extra`; false where it is empty. */
static bool is_made_of(const char *extra, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(text[i]) && (text[i] == '\0' || !strchr(extra, text[i])))
			return false;
	return len > 0;
}

/* Takes off the scheme and the authority, which is moved to the front (*ret_host). Returns the rest; NULL:
 * malformed. */
static char *absolute_form(char *text, char **ret_host)
{
	size_t scheme = url_scheme(text);
	char *authority = text + scheme;
	size_t len;
	char *rest;

	len = strcspn(authority, "/?");
	rest = authority + len;
	if (scheme == 0 || authority[0] == ':' || !is_made_of(AUTHORITY_EXTRA, authority, len))
		return NULL;
	memmove(text, authority, len);
	text[len] = '\0';
	*ret_host = text;
	return rest;
}

const char *head_target(char *text, const char *method, struct request_target *ret)
{
	static const char malformed[] = "malformed request target";
	char *mark;

	*ret = (struct request_target){.query = ""};
	for (const char *c = text; *c != '\0'; c++)
		if (is_control(*c) || *c == ' ')
			return malformed;
	if (text[0] != '/' && !(strcmp(text, "*") == 0 && strcmp(method, "OPTIONS") == 0)) {
		text = absolute_form(text, &ret->host);
		if (!text)
			return malformed;
	}
	mark = strchr(text, '?');
	if (mark) {
		*mark = '\0';
		ret->query = mark + 1;
	}
	ret->path = text[0] == '\0' ? "/" : text;
	return NULL;
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

/* The state of a walk over libmicrohttpd's headers. The first walk counts and checks, the second one copies. */
struct head_walk {
	size_t n, bytes;
	bool malformed;
	bool check_positions;  /* libmicrohttpd before 1.0: check where each string begins */
	const char *next_name; /* where the next name must begin */
	struct pairs *to;
	char *free; /* in to->items, after the pairs */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void trim(const char **value, size_t *len)
{
	while (*len > 0 && is_blank((*value)[*len - 1]))
		(*len)--;
	while (*len > 0 && is_blank(**value)) {
		(*value)++;
		(*len)--;
	}
}

static enum MHD_Result check_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
				    const char *value, size_t value_len)
{
	struct head_walk *w = cls;

	(void)kind;
	if (!value) {
		value = "";
		value_len = 0;
	}
	if (!is_made_of(TOKEN_EXTRA, name, name_len) || (w->check_positions && name != w->next_name))
		w->malformed = true;
	for (size_t i = 0; i < value_len; i++)
		if (is_control(value[i]) && value[i] != '\t')
			w->malformed = true;
	w->next_name = value + value_len + strlen("\r\n");
	trim(&value, &value_len);
	w->n++;
	w->bytes += name_len + 1 + value_len + 1;
	return w->malformed ? MHD_NO : MHD_YES;
}

static char *copy(struct head_walk *w, const char *text, size_t len)
{
	char *to = w->free;

	memcpy(to, text, len);
	to[len] = '\0';
	w->free += len + 1;
	return to;
}

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
				   const char *value, size_t value_len)
{
	struct head_walk *w = cls;
	struct pair *pair = &w->to->items[w->to->n++];

	(void)kind;
	if (!value) {
		value = "";
		value_len = 0;
	}
	trim(&value, &value_len);
	pair->name = copy(w, name, name_len);
	pair->value = copy(w, value, value_len);
	return MHD_YES;
}

/* ---- the whole head ---------------------------------------------------------------------------------------------- */

const char *head_take(struct MHD_Connection *connection, const struct request_line *line, struct pairs *ret)
{
	struct head_walk w = {.check_positions = strncmp(MHD_get_version(), "0.", 2) == 0,
			      .next_name = line->version + strlen(line->version) + strlen("\r\n")};
	const size_t method_len = strlen(line->method);
	const union MHD_ConnectionInfo *info;

	*ret = (struct pairs){0};
	if (!is_made_of(TOKEN_EXTRA, line->method, method_len))
		return "malformed request line";
	/* Method, target and version are separated by one blank each and nothing else. */
	if (w.check_positions &&
	    (line->target != line->method + method_len + 1 || line->version != line->target + line->target_len + 1))
		return "malformed request line";
	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_header, &w);
	if (w.malformed)
		return "malformed header";
	/* The empty line follows the last header, and nothing more belongs to the head. */
	info = w.check_positions ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) : NULL;
	if (w.check_positions && (!info || (size_t)(w.next_name - line->method) + strlen("\r\n") != info->header_size))
		return "malformed header";
	if (w.n == 0)
		return NULL;
	ret->items = mem_new(1, w.n * sizeof(*ret->items) + w.bytes);
	w.to = ret;
	w.free = (char *)(ret->items + w.n);
	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, copy_header, &w);
	return NULL;
}
