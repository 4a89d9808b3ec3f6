/* SPDX-License-Identifier: MIT */
/* An authority that nobody trusts and no test asks. Only for tests. */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

static const char certificate[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIBnjCCAUWgAwIBAgIUCORJ9Slnve4WD53L39hO92veliQwCgYIKoZIzj0EAwIw\n"
				  "JDEiMCAGA1UEAwwZZGVza2JyaWRnZSB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjkx\n"
				  "MzQ0MjdaGA8yMTI2MTEwNTEzNDQyN1owJDEiMCAGA1UEAwwZZGVza2JyaWRnZSB0\n"
				  "ZXN0IGF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPwdqHgF4vNb\n"
				  "RH8AjT6hPPVHl/deFgtoHyuL5wez3h7rHf5kv91htulr+9iU45N1583duXsAwGud\n"
				  "DDgbTLFw45+jUzBRMB0GA1UdDgQWBBSbUWCBFqRRPCc3Njp8Xb3TpYOsTDAfBgNV\n"
				  "HSMEGDAWgBSbUWCBFqRRPCc3Njp8Xb3TpYOsTDAPBgNVHRMBAf8EBTADAQH/MAoG\n"
				  "CCqGSM49BAMCA0cAMEQCIC1cIitlpaeqdeCk93jaJn3rbSC+O25zwCVy+w95hdDV\n"
				  "AiAwyxsmNRvkZC/edrUstWM4IG8UwblwChaYtlttPI/hFw==\n"
				  "-----END CERTIFICATE-----\n";

#endif
