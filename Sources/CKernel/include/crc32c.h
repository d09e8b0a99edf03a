#ifndef BAUDGATE_CRC32C_H
#define BAUDGATE_CRC32C_H
#include <stddef.h>
#include <stdint.h>
/* CRC-32C (Castagnoli), RFC 3720 appendix B.4; "123456789" gives 0xE3069283. `crc` is 0 to start, or a
   former result to go on from. */
uint32_t bg_crc32c(uint32_t crc, const void *bytes, size_t count);
/* The same without the processor's instruction: what boards without one run, and what tests compare with. */
uint32_t bg_crc32c_portable(uint32_t crc, const void *bytes, size_t count);
#endif
