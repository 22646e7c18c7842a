/*
 * Where a worker works: its own database connection, and what all workers share read-only.
 *
 * A verb gets a struct work: one request on one desk. It returns ERR_OK with its answers in the reply, or calls
 * work_refuse and returns what that returns; any other error is our own failure, logged once and told the peer as
 * such. The same error rolls back a transaction, so a refusal leaves everything as it was.
 */
#ifndef GRANARY_SATELLITE_DESK_H
#define GRANARY_SATELLITE_DESK_H

#include "common/database.h"
#include "satellite/reply.h"
#include "satellite/settings.h"

struct proofs;
struct roster;

struct desk {
	const struct settings *settings;
	const struct key *key;
	struct database *db;
	struct roster *roster; /* the nodes as last read, satellite/roster.h */
	struct proofs *proofs; /* the payout as last built, satellite/proofs.h */
};

/* Opens the database; `why` gets a sentence. Settings and key must outlive the desk. */
enum err desk_open(const struct settings *settings, const struct key *key, struct desk **ret,
		   char why[DATABASE_MESSAGE]) WARN_UNUSED;
void desk_close(struct desk *desk);

/* Who asks: the owner of the channel's key. */
struct caller {
	struct id id;
	struct address address;
};

struct work {
	struct desk *desk;
	const struct caller *caller;
	const struct message *message;
	struct reply *reply;
	enum refusal refusal;
	char why[240];
};

/* Refuse with a code and words that name the field and the limit. Returns ERR_CANCELLED. */
enum err work_refuse(struct work *work, enum refusal code, const char *format, ...)
	__attribute__((format(printf, 3, 4), warn_unused_result));

/* As many desks as there are worker threads, each used by one thread at a time. */
struct desks;
enum err desks_open(const struct settings *settings, const struct key *key, unsigned count, struct desks **ret,
		    char why[DATABASE_MESSAGE]) WARN_UNUSED;
void desks_close(struct desks *desks);
/* Take any free desk; there is one as long as no more threads ask than there are desks. */
struct desk *desks_take(struct desks *desks);
void desks_give_back(struct desks *desks, struct desk *desk);

#endif
