/*
 * Claims on work that several threads and processes of one satellite could do: a row with a time, so that work whose
 * claimant died is free again by itself.
 */
#ifndef GRANARY_SATELLITE_LEASE_H
#define GRANARY_SATELLITE_LEASE_H

#include "common/database.h"

#define LEASE_HOLDER 16

/* Who claims: a random name, made once per claimant. */
struct lease_holder {
	uint8_t name[LEASE_HOLDER];
};

/* Claim `work` until now + seconds. False when another holder has it. Claiming again what is held prolongs it. */
enum err lease_take(struct database *db, const struct lease_holder *holder, const char *work, uint64_t now,
		    uint64_t seconds, bool *ret_taken) WARN_UNUSED;
/* Whether it is held by this one beyond `until`; nothing is written. */
enum err lease_holds(struct database *db, const struct lease_holder *holder, const char *work, uint64_t until,
		     bool *ret) WARN_UNUSED;
/* Give it back before its time; fine when it is not held. */
enum err lease_give_back(struct database *db, const struct lease_holder *holder, const char *work) WARN_UNUSED;

#endif
