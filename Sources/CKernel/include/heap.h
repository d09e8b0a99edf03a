#ifndef BAUDGATE_HEAP_H
#define BAUDGATE_HEAP_H
#include <malloc.h>
// malloc_trim(3), which Swift's Glibc module leaves out.
static inline void bg_heap_trim(void) { malloc_trim(0); }
#endif
