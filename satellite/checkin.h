/*
 * A node checks in: a worker notes what it says, the loop dials it back, a worker notes the outcome and answers.
 */
#ifndef GRANARY_SATELLITE_CHECKIN_H
#define GRANARY_SATELLITE_CHECKIN_H

#include "satellite/session.h"

void checkin_begin(struct session *session, const struct message *message);

#endif
