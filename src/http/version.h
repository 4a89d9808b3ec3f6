/*
 * version: which libraries the server and the client run on, as loaded. For --version. Constant text; any thread.
 */
#ifndef HTTP_VERSION_H
#define HTTP_VERSION_H

const char *http_server_library(void); /* libmicrohttpd's */
const char *http_client_library(void); /* libcurl's */
const char *http_tls_library(void);    /* what libcurl does TLS with: "OpenSSL/3.0.15" */

#endif
