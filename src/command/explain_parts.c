#include <config.h>

#include "command/explain_parts.h"

#include <string.h>

#include "base/out.h"

void explain_lines(const struct buf *lines)
{
	for (const char *line = lines->data; *line;) {
		size_t len = strcspn(line, "\n");
		out_print("  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	out_print("\n");
}

void explain_block(const char *title, const struct buf *lines)
{
	out_print("%s\n", title);
	explain_lines(lines);
}
