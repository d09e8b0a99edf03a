/* zlib's CRC-32, as libcurl loads it anyway. */
#ifndef BAUDGATE_CZLIB_H
#define BAUDGATE_CZLIB_H
#include <zlib.h>
#endif
