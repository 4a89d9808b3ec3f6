#include <config.h>

#include "sandbox/answer.h"

#include <stdio.h>

#include "base/mem.h"

void answer_json(struct answer *ret, unsigned status, const char *type, struct json_object *o)
{
	ret->status = status;
	ret->type = type;
	ret->body = json_text(o);
	json_object_put(o);
}

void answer_complaints(struct answer *ret, const struct complaints *c)
{
	ret->status = c->items[0].status;
	ret->type = COMPLAINT_TYPE;
	ret->body = complaints_body(c);
}

void answer_complaint(struct answer *ret, unsigned status, const char *where, const char *detail)
{
	struct complaints c = {0};

	complaints_add(&c, status, where, "%s", detail);
	answer_complaints(ret, &c);
	complaints_done(&c);
}

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{400, "Bad Request"},
		{403, "Forbidden"},
		{413, "Request Entity Too Large"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Time-out"},
		{520, "Web server is returning an unknown error"},
		{522, "Connection timed out"},
		{524, "A timeout occurred"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

void answer_html(struct answer *ret, unsigned status)
{
	const char *text = reason(status);

	ret->status = status;
	ret->type = "text/html; charset=UTF-8";
	ret->body = mem_fmt("<html>\n<head><title>%u %s</title></head>\n<body>\n<center><h1>%u %s</h1></center>\n"
			    "<hr><center>cloudflare</center>\n</body>\n</html>\n",
			    status, text, status, text);
	pairs_add(&ret->headers, "Server", "cloudflare");
	pairs_add(&ret->headers, "CF-RAY", "-");
}

void answer_text(struct answer *ret, unsigned status, const char *type, const char *text)
{
	ret->status = status;
	ret->type = type;
	ret->body = mem_str(text);
}

void answer_header(struct answer *ret, const char *name, long value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", value);
	pairs_add(&ret->headers, name, text);
}

void answer_done(struct answer *a)
{
	free(a->body);
	pairs_done(&a->headers);
	*a = (struct answer){0};
}
