#include <config.h>

#include "http/version.h"

#include <curl/curl.h>
#include <microhttpd.h>

const char *http_server_library(void)
{
	return MHD_get_version();
}

const char *http_client_library(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

const char *http_tls_library(void)
{
	const char *name = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return name ? name : "none";
}
