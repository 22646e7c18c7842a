/* The hands of the clock, for tests: sets the wall clock of this process and leaves the machine's alone. */
#ifndef GRANARY_TESTS_KIT_HANDS_H
#define GRANARY_TESTS_KIT_HANDS_H

#include <stdint.h>

/* From now on clock_wall is so many seconds ahead of the machine's clock; from there it goes on. */
void hands_set_ahead(int64_t seconds);

#endif
