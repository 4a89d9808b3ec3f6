/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/template.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/idn.h"
#include "base/ip.h"
#include "base/percent.h"
#include "base/text.h"
#include "base/url.h"
#include "helpdesk/expr/property_value.h"

#define TEMPLATE_TEXT_MAX 4096
#define TEMPLATE_PARTS_MAX 64
#define TEMPLATE_OUT_MAX (TEMPLATE_TEXT_MAX + TEMPLATE_PARTS_MAX * 3 * TEMPLATE_PART_MAX)

/* Text, or a reference. */
struct part {
	char *text;
	struct reference *reference;
};

struct template
{
	char *text; /* as written */
	struct part parts[TEMPLATE_PARTS_MAX];
	size_t n;
};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/* Adds the text up to the next single brace and moves *at behind it. */
static int template_add_text(struct template *t, const char **at, struct err *reterr)
{
	struct buf b;
	int r = 0;

	buf_init(&b, TEMPLATE_TEXT_MAX);
	for (; **at != '\0'; (*at)++) {
		if (**at != '{' && **at != '}') {
			buf_addc(&b, **at);
		} else if ((*at)[1] == **at) {
			buf_addc(&b, **at);
			(*at)++;
		} else if (**at == '{') {
			break;
		} else {
			buf_done(&b);
			return err_set(reterr, -EINVAL,
				       "a \"}\" without its \"{\" (for a brace of the text write \"}}\")");
		}
	}
	if (b.len > 0 && t->n == TEMPLATE_PARTS_MAX)
		r = err_set(reterr, -EINVAL, "more than %d parts", TEMPLATE_PARTS_MAX);
	else if (b.len > 0)
		t->parts[t->n++].text = buf_take(&b);
	buf_done(&b);
	return r;
}

static int template_add_reference(struct template *t, const char **at, struct err *reterr)
{
	CLEANUP(mem_freep) char *inner = NULL;
	const char *end = strpbrk(*at + 1, "{}");

	if (!end || *end != '}')
		return err_set(reterr, -EINVAL, "a \"{\" without its \"}\" (for a brace of the text write \"{{\")");
	inner = mem_strn(*at + 1, (size_t)(end - *at - 1));
	*at = end + 1;
	if (t->n == TEMPLATE_PARTS_MAX)
		return err_set(reterr, -EINVAL, "more than %d parts", TEMPLATE_PARTS_MAX);
	return reference_compile(text_trim(inner), REFERENCE_NAMES, &t->parts[t->n++].reference, reterr);
}

struct template *template_compile_text(const char *text, struct err *reterr)
{
	const char *at = text;
	struct template *t;
	int r = 0;

	if (strlen(text) > TEMPLATE_TEXT_MAX) {
		(void)err_set(reterr, -EINVAL, "a text longer than %d bytes", TEMPLATE_TEXT_MAX);
		return NULL;
	}
	t = mem_new(1, sizeof(*t));
	t->text = mem_str(text);
	while (r == 0 && *at != '\0') {
		r = template_add_text(t, &at, reterr);
		if (r == 0 && *at == '{')
			r = template_add_reference(t, &at, reterr);
	}
	if (r == 0)
		return t;
	template_free(t);
	return NULL;
}

struct template *template_compile(const struct node *n, struct problems *problems)
{
	struct template *t;
	struct err e;

	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected text, not %s%s", node_kind(n),
			       n->type == NODE_MAP ? "; a text that begins with \"{\" must stand in quotes" : "");
		return NULL;
	}
	t = template_compile_text(n->text, &e);
	if (!t)
		problems_error(problems, n, "%s", e.text);
	return t;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->parts[i].text);
		reference_free(t->parts[i].reference);
	}
	free(t->text);
	free(t);
}

const char *template_text(const struct template *t)
{
	return t->text;
}

bool template_is_fixed(const struct template *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->parts[i].reference)
			return false;
	return true;
}

void template_parts(const struct template *t, void (*fn)(void *ctx, const char *text, const struct reference *r),
		    void *ctx)
{
	for (size_t i = 0; i < t->n; i++)
		fn(ctx, t->parts[i].text, t->parts[i].reference);
}

void template_references(const struct template *t, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->parts[i].reference)
			fn(ctx, t->parts[i].reference);
}

/* ---- a link's host ----------------------------------------------------------------------------------------------- */

/* True for a name or an IPv4 address: labels of letters, digits, "-" and "_" with dots between; a dot may end it. */
static bool is_name(const char *host)
{
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > HOST_MAX || strspn(host, HOST_LETTERS) < len)
		return false;
	for (const char *label = host; label <= host + len;) {
		size_t letters = strspn(label, HOST_LABEL_LETTERS);

		if (letters == 0 || letters > HOST_LABEL_MAX)
			return false;
		label += letters + 1;
	}
	return true;
}

/* Reads the host between scheme and path as the DNS has it, with its port. The caller owns *ret. */
static int read_authority(const char *text, size_t len, char **ret)
{
	CLEANUP(mem_freep) char *authority = mem_strn(text, len);
	CLEANUP(mem_freep) char *host = NULL;
	CLEANUP(mem_freep) char *plain = NULL;
	CLEANUP(mem_freep) char *ascii = NULL;
	const char *port;
	struct ip ip;

	/* "HOST:" is as good as "HOST" (RFC 3986, section 3.2.3). */
	if (len > 0 && strchr(authority, ':') == authority + len - 1)
		authority[len - 1] = '\0';
	host = host_without_port(authority);
	if (!host)
		return -EINVAL;
	if (authority[0] == '[') {
		if (!strchr(host, ':') || !ip_read(host, &ip))
			return -EINVAL;
		*ret = TAKE(authority);
		return 0;
	}
	/* Outside of brackets ":" begins the port. */
	port = authority + strcspn(authority, ":");
	if (strchr(host, ':') || percent_read(host, strlen(host), false, &plain) < 0 ||
	    idn_to_ascii(plain, &ascii) < 0 || !is_name(ascii))
		return -EINVAL;
	*ret = mem_fmt("%s%s", ascii, port);
	return 0;
}

/* ---- a link ------------------------------------------------------------------------------------------------------ */

int link_make(const char *text, char **ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *copy = mem_str(text);
	CLEANUP(mem_freep) char *host = NULL;
	struct buf b;
	struct url u;

	if (!url_split(text_trim_unseen(copy), &u))
		return err_set(reterr, -EINVAL, "no absolute http or https URL");
	if (memchr(u.authority, '@', u.authority_len))
		return err_set(reterr, -EINVAL, "a URL with a user or a password in it");
	if (read_authority(u.authority, u.authority_len, &host) < 0)
		return err_set(reterr, -EINVAL, "a URL without a usable host");
	buf_init(&b, LINK_MAX);
	buf_addf(&b, "%s%s", u.https ? "https://" : "http://", host);
	percent_add_partly(&b, u.rest, PERCENT_URL);
	if (b.error < 0) {
		buf_done(&b);
		return err_set(reterr, -EMSGSIZE, "a URL of more than %d bytes", LINK_MAX);
	}
	*ret = buf_take(&b);
	return 0;
}

/* ---- rendering --------------------------------------------------------------------------------------------------- */

static bool part_render(const struct part *p, const struct eval_context *s, enum template_escape escape, struct buf *to)
{
	CLEANUP(mem_freep) char *own = NULL;
	CLEANUP(mem_freep) char *copy = NULL;
	const char *value = reference_peek(p->reference, s, &own);
	const char *name;
	const char *url;

	if (!value)
		return false;
	if (escape == TEMPLATE_PLAIN) {
		buf_add(to, value, property_value_cut(value, strlen(value), TEMPLATE_PART_MAX));
		return true;
	}
	/* Parameters and base_url are the operator's text; other values come from outside. */
	name = reference_name(p->reference);
	if (name && s->names && pairs_get(s->names, name)) {
		buf_adds(to, value);
		return true;
	}
	if (escape == TEMPLATE_LINK && to->len == 0) {
		copy = mem_str(value);
		url = text_trim_unseen(copy);
		if (url_scheme(url) > 0) {
			buf_adds(to, url);
			return true;
		}
	}
	if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0 || strlen(value) > TEMPLATE_PART_MAX)
		return false;
	percent_add(to, value, "");
	return true;
}

int template_render(const struct template *t, const struct eval_context *s, enum template_escape escape, char **ret,
		    struct err *reterr)
{
	struct err why;
	struct buf b;
	int r;

	buf_init(&b, TEMPLATE_OUT_MAX);
	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->parts[i];

		if (p->text) {
			buf_adds(&b, p->text);
		} else if (!part_render(p, s, escape, &b)) {
			buf_done(&b);
			return err_set(reterr, -ENOENT, "nothing usable at %s", reference_text(p->reference));
		}
	}
	if (b.error < 0) {
		buf_done(&b);
		return err_set(reterr, -EMSGSIZE, "longer than %d bytes", TEMPLATE_OUT_MAX);
	}
	if (escape == TEMPLATE_LINK) {
		r = link_make(b.data, ret, &why);
		buf_done(&b);
		return r < 0 ? err_set(reterr, r, "%.200s gives %s", t->text, why.text) : 0;
	}
	*ret = buf_take(&b);
	return 0;
}

char *template_outline(const struct template *t, const struct eval_context *s)
{
	struct buf b;

	buf_init(&b, TEMPLATE_OUT_MAX);
	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->parts[i];

		if (p->text)
			buf_adds(&b, p->text);
		else if (!part_render(p, s, TEMPLATE_PLAIN, &b))
			buf_addf(&b, "{%s}", reference_text(p->reference));
	}
	return buf_take(&b);
}
