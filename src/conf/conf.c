/*
 * config: the configuration as a whole: reading it from its file, the checks that span several settings, its end.
 */
#include <config.h>

#include "conf/conf.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "conf/admin_token.h"
#include "conf/conf_parts.h"
#include "conf/yaml.h"
#include "http/address.h"

/* ---- small things
 * ---------------------------------------------------------------------------------------------------- */

void config_keep_tree(struct config *c, struct node *tree)
{
	MEM_ROOM(c->trees, c->trees_n);
	c->trees[c->trees_n++] = tree;
}

/* ---- admin, store
 * -------------------------------------------------------------------------------------------- */

const struct node *config_place_of(const struct node *root, const char *group, const char *member)
{
	const struct node *g = node_get(root, group), *m = node_get(g, member);

	return m ? m : g ? g : root;
}

/* Port 0 is any free one, so that two of it do not meet. */
static bool addresses_meet(const struct config *c, const struct http_address *admin)
{
	const char *colon = strrchr(c->admin.address, ':');
	struct http_address listen;

	if (http_address_parse(c->listen.address, &listen, NULL) < 0 ||
	    (!http_address_is_unix(admin) && text_is(colon, ":0")))
		return false;
	return listen.len == admin->len && memcmp(&listen.socket, &admin->socket, listen.len) == 0;
}

static void check_addresses(struct loader *l)
{
	const struct config *c = l->reader.config;
	struct http_address admin;

	if (http_address_parse(c->admin.address, &admin, NULL) < 0)
		return;
	if (!http_address_is_loopback(&admin))
		problems_warn(
			l->reader.problems, config_place_of(l->root, "admin", "address"),
			"this address can be reached from other machines, and the token and customers' addresses go "
			"over the net unencrypted: listen on 127.0.0.1 or a unix socket, with an HTTPS proxy before "
			"it where it is asked from elsewhere");
	if (addresses_meet(c, &admin))
		problems_error(l->reader.problems, config_place_of(l->root, "admin", "address"),
			       "%s is the address of `listen` too: the two need one each", c->admin.address);
}

void config_read_store_path(struct settings_reader *r)
{
	struct config *c = r->config;

	c->store.path = path_join(r->place.folder, c->store.url + strlen("sqlite:"));
}

/* Without a configured token the one that the daemon makes counts. */
static void place_made_token(struct loader *l)
{
	struct config *c = l->reader.config;

	if (c->admin.token || node_get(node_get(l->root, "admin"), "token"))
		return;
	c->admin.token_file = admin_token_path(c->store.path);
	c->admin.made = secret_new_optional(c->admin.token_file, c->secrets_n);
	MEM_ROOM(c->secrets, c->secrets_n);
	c->secrets[c->secrets_n++] = c->admin.made;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------- */

/* The group of the daemon's user, as whom check reads too, is no other: the README gives it the file and the
 * credentials. */
static bool others_can_read(const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	return (st.st_mode & S_IROTH) != 0 || ((st.st_mode & S_IRGRP) != 0 && st.st_gid != getegid());
}

static void read_root(struct loader *l)
{
	struct config *c = l->reader.config;

	settings_defaults(&l->reader, SETTING_OF_CONFIG, c);
	settings_read(&l->reader, "", l->root, c);
	config_check_listen(l);
	check_addresses(l);
	config_read_store_path(&l->reader);
	place_made_token(l);
	config_read_accounts(l);
	config_read_sources(l);
	config_check_references(l);
}

static bool is_missing(const char *file, struct problems *problems)
{
	if (access(file, F_OK) == 0 || errno != ENOENT)
		return false;
	problems_error_at(problems, file, 0, 0,
			  "cannot be read: %s; `deskbridge presets NAME --config` prints one to begin with, for a "
			  "helpdesk that `deskbridge presets` names",
			  strerror(ENOENT));
	return true;
}

struct config *config_read(const char *file, struct problems *problems)
{
	CLEANUP(mem_freep) char *folder = path_folder(file);
	struct config *c;
	struct node *root = NULL;
	struct loader l = {.file = file};

	if (is_missing(file, problems) || yaml_load_file(file, &root, problems) < 0)
		return NULL;
	c = mem_new(1, sizeof(*c));
	c->file = mem_str(file);
	config_keep_tree(c, root);
	if (root->type != NODE_MAP) {
		problems_error(problems, root,
			       "expected a mapping that begins with `version: 1`, found %s; `deskbridge presets NAME "
			       "--config` prints a beginning",
			       node_kind(root));
		return c;
	}
	l.root = root;
	l.reader = (struct settings_reader){
		.config = c,
		.place = {.folder = folder, .exposed = others_can_read(file)},
		.problems = problems,
	};
	read_root(&l);
	return c;
}

struct config *config_load(const char *file, struct problems *problems)
{
	size_t errors = problems->errors, from = problems->n;
	struct config *c = config_read(file, problems);

	problems_sort(problems, from, file); /* each once: shared rules are compiled for each source */
	if (problems->errors > errors) {
		config_free(c);
		return NULL;
	}
	return c;
}

/* ---- asking
 * ---------------------------------------------------------------------------------------------------------- */

const struct source *config_source(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (strcmp(c->sources[i].name, name) == 0)
			return &c->sources[i];
	return NULL;
}

const struct source *config_source_at(const struct config *c, const char *path)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (strcmp(c->sources[i].path, path) == 0)
			return &c->sources[i];
	return NULL;
}

const struct account *config_account(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->accounts_n; i++)
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i];
	return NULL;
}

const struct account *account_of(const struct account_policy *policy)
{
	return (const struct account *)(const void *)((const char *)policy - offsetof(struct account, policy));
}

/* ---- the end
 * --------------------------------------------------------------------------------------------------------- */

static void account_done(struct account *a)
{
	free(a->name);
	free(a->url);
	free(a->revision);
}

static void policy_done(struct source_policy *p)
{
	free(p->label);
	rules_free(p->rules);
	for (size_t i = 0; i < p->accounts_n; i++)
		matcher_free(p->accounts[i].when);
	free(p->accounts);
	strings_done(&p->flags);
	strings_done(&p->ignore_emails);
	strings_done(&p->test_emails);
}

static void source_done(struct source *s)
{
	free(s->name);
	free(s->preset);
	free(s->path);
	definition_free(s->definition);
	free(s->auth_user);
	free(s->lookup_user);
	free(s->lookup_base_url);
	free(s->lookup_ca_file);
	free(s->lookup_ca);
	free(s->public_url);
	policy_done(&s->policy);
}

/* A plain secret stands in the tree too. */
static void tree_wipe(struct node *n)
{
	if (n->text)
		explicit_bzero(n->text, strlen(n->text));
	for (size_t i = 0; i < n->n; i++)
		tree_wipe(n->items[i]);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->sources_n; i++)
		source_done(&c->sources[i]);
	free(c->sources);
	for (size_t i = 0; i < c->accounts_n; i++)
		account_done(&c->accounts[i]);
	free(c->accounts);
	for (size_t i = 0; i < c->secrets_n; i++)
		secret_free(c->secrets[i]);
	free(c->secrets);
	for (size_t i = 0; i < c->trees_n; i++) {
		tree_wipe(c->trees[i]);
		node_free(c->trees[i]);
	}
	free(c->trees);
	free(c->listen.address);
	strings_done(&c->listen.trusted_proxies);
	free(c->admin.address);
	free(c->admin.token_file);
	strings_done(&c->admin.hosts);
	free(c->store.url);
	free(c->store.path);
	free(c->file);
	free(c);
}
