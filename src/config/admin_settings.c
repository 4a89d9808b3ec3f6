#include <config.h>

#include "config/admin_settings.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "config/parts.h"
#include "config/yaml.h"

/* The lines of the top-level key `admin` alone: what is wrong with the file may stand elsewhere. NULL: there is none.
 * The caller owns it. */
static char *admin_lines(const char *text)
{
	static const char key[] = "admin:";
	const char *from = text, *end;

	while (from && strncmp(from, key, sizeof(key) - 1) != 0) {
		from = strchr(from, '\n');
		from = from ? from + 1 : NULL;
	}
	if (!from)
		return NULL;
	end = strchr(from, '\n');
	while (end && strchr(" \t\r\n#", end[1]) && end[1] != '\0')
		end = strchr(end + 1, '\n');
	return end ? mem_strn(from, (size_t)(end - from)) : mem_str(from);
}

/* The file's tree, else that of the lines of `admin`; NULL where neither is to be had. The caller owns it. */
static struct node *read_tree(const char *file, struct admin_settings *ret)
{
	CLEANUP(mem_freep) char *text = NULL, *lines = NULL;
	struct problems problems = {0};
	struct node *tree = NULL;
	size_t len;
	int r = yaml_read_file(file, YAML_SIZE_MAX, &text, &len);

	ret->file_is_closed = r == -EACCES;
	if (r < 0)
		return NULL;
	ret->file_is_whole = yaml_load(file, text, len, &tree, &problems) == 0;
	if (!ret->file_is_whole)
		lines = admin_lines(text);
	if (lines && yaml_load(file, lines, strlen(lines), &tree, &problems) < 0)
		tree = NULL;
	explicit_bzero(text, len);
	if (lines)
		explicit_bzero(lines, strlen(lines));
	problems_done(&problems);
	return tree;
}

static void read_token(const struct config *c, struct admin_settings *ret)
{
	struct problems problems = {0};
	struct secrets *secrets;

	if (!c->admin.token)
		return;
	secrets = secrets_read(c->secrets, c->secrets_n, NULL, &problems);
	ret->token = mem_str(secret_value(secrets, c->admin.token));
	if (!ret->token)
		ret->token_fault = mem_str(problems.n > 0 ? problems.items[0].text : "it has no value");
	secrets_free(secrets);
	problems_done(&problems);
}

void admin_settings_read(const char *file, struct admin_settings *ret)
{
	CLEANUP(mem_freep) char *folder = config_folder(file);
	struct config *c = mem_new(1, sizeof(*c));
	struct problems problems = {0};
	struct settings_reader reader = {.config = c, .place = {.folder = folder}, .problems = &problems};
	struct node *tree;
	const struct node *n;

	*ret = (struct admin_settings){0};
	tree = read_tree(file, ret);
	n = node_get(tree, "admin");
	settings_defaults(&reader, SETTING_OF_CONFIG, c);
	if (n && n->type == NODE_SCALAR)
		(void)settings_read_one(&reader, settings_find("admin.address"), n, c);
	else if (n && n->type == NODE_MAP)
		settings_read(&reader, "admin", n, c);
	ret->address = mem_str(c->admin.address);
	read_token(c, ret);
	if (tree)
		config_keep_tree(c, tree);
	config_free(c);
	problems_done(&problems);
}

void admin_settings_done(struct admin_settings *a)
{
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->address);
	free(a->token);
	free(a->token_fault);
	*a = (struct admin_settings){0};
}
