/* OpenSSL's digests and signatures, as libcurl loads them anyway. */
#ifndef BAUDGATE_CCRYPTO_H
#define BAUDGATE_CCRYPTO_H
#include <openssl/err.h>
#include <openssl/evp.h>
#endif
