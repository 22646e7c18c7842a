/* Clients: enrolled by a one-time code that the operator hands out; afterwards known by their keys. */
#ifndef GRANARY_SATELLITE_CLIENTS_H
#define GRANARY_SATELLITE_CLIENTS_H

#include "satellite/desk.h"

#define CLIENTS_CODE 16 /* bytes of an enrolment code */

/* Make a code that enrols one key until `now + lifetime`. Only its hash is kept. */
enum err clients_grant(struct database *db, uint64_t now, uint64_t lifetime,
		       uint8_t ret_code[CLIENTS_CODE]) WARN_UNUSED;

/* ENROL: DONE, also when this key used this code before. REFUSAL_GRANT. */
enum err clients_enrol(struct work *work) WARN_UNUSED;

enum err clients_known(struct database *db, const struct address *client, bool *ret) WARN_UNUSED;

#endif
