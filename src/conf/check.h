/* SPDX-License-Identifier: MIT */
/*
 * check: tests of a setting's text beyond its type, named by the rows of the settings table. Each returns 0, or -EINVAL
 * with reterr. Pure.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "base/err.h"
#include "base/mem.h"

/* The name of an account, source or preset; reterr suggests a name. */
int check_name(const char *s, struct err *reterr) MUSTCHECK;
/* The path of a request. */
int check_path(const char *s, struct err *reterr) MUSTCHECK;
/* A revision of Klaviyo's API. */
int check_revision(const char *s, struct err *reterr) MUSTCHECK;
/* sqlite:PATH */
int check_store(const char *s, struct err *reterr) MUSTCHECK;
/* A pattern of e-mail addresses. */
int check_pattern(const char *s, struct err *reterr) MUSTCHECK;
/* An address, a network, or "unix". */
int check_proxy(const char *s, struct err *reterr) MUSTCHECK;
/* A name or address as in a Host header, with or without a port. */
int check_host(const char *s, struct err *reterr) MUSTCHECK;
#define CHECK_LABEL_MAX 100
int check_label(const char *s, struct err *reterr) MUSTCHECK;
/* The name of a profile property; it may hold {label}. */
int check_flag(const char *s, struct err *reterr) MUSTCHECK;
/* A URL of http or https with a host, and optionally a port and a path; without user, query and fragment. */
int check_base_url(const char *s, struct err *reterr) MUSTCHECK;
/* As check_base_url(), but a query is allowed: a URL that a vendor signs as it is. */
int check_signed_url(const char *s, struct err *reterr) MUSTCHECK;
/* A text without the placeholders of `presets NAME --config`: YOUR-COMPANY, YOU@example.com. */
int check_filled(const char *s, struct err *reterr) MUSTCHECK;

#endif
