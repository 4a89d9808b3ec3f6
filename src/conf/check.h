/* SPDX-License-Identifier: MIT */
/*
 * check: what a text must be beyond its type; the rows of the settings table name these. Pure.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "base/err.h"
#include "base/mem.h"

/* Of an account, source or preset; reterr says which name could be meant. */
int check_name(const char *s, struct err *reterr) MUSTCHECK;
/* Of a request. */
int check_path(const char *s, struct err *reterr) MUSTCHECK;
/* Of Klaviyo's API. */
int check_revision(const char *s, struct err *reterr) MUSTCHECK;
/* sqlite:PATH */
int check_store(const char *s, struct err *reterr) MUSTCHECK;
/* Of e-mail addresses. */
int check_pattern(const char *s, struct err *reterr) MUSTCHECK;
/* An address, a network, or "unix". */
int check_proxy(const char *s, struct err *reterr) MUSTCHECK;
/* A name or address as in a Host header, perhaps with a port. */
int check_host(const char *s, struct err *reterr) MUSTCHECK;
#define CHECK_LABEL_MAX 100
int check_label(const char *s, struct err *reterr) MUSTCHECK;
/* The name of a profile property, perhaps with {label}. */
int check_flag(const char *s, struct err *reterr) MUSTCHECK;
/* http or https, a host, perhaps a port and a path; no user, query or fragment. */
int check_base_url(const char *s, struct err *reterr) MUSTCHECK;
/* The same, but a query is allowed: a URL that a vendor signs as it stands. */
int check_signed_url(const char *s, struct err *reterr) MUSTCHECK;
/* Nothing of what `presets NAME --config` prints for the operator to fill in is left: YOUR-COMPANY, YOU@example.com. */
int check_filled(const char *s, struct err *reterr) MUSTCHECK;

#endif
