/*
 * What is wrong with a node, or might soon be: one table of everything that its owner can be told.
 *
 * A finding is a code with words of its own, and from the table a name, a severity and what to do about it. Doctor,
 * status, dashboard and alerts show the same findings; findings_judge makes them from plain figures that the daemon or
 * a command has collected, so that it can be tested without either.
 */
#ifndef GRANARY_NODE_FINDINGS_H
#define GRANARY_NODE_FINDINGS_H

#include <jansson.h>
#include <stdio.h>

#include "common/bytes.h"

enum finding_code {
	FINDING_STORAGE_MISSING, /* the disk is not mounted, or the store on it is gone or another's */
	FINDING_STORE_READ_ONLY,
	FINDING_STORE_DAMAGED, /* pieces that the disk damaged */
	FINDING_STORE_GONE,    /* files of the store are missing */
	FINDING_DISK_FULL,
	FINDING_DISK_ALMOST_FULL,
	FINDING_DISK_INODES,
	FINDING_DISK_SLOW,
	FINDING_DISK_ERROR,
	FINDING_DISK_KIND,   /* a filesystem that does not suit */
	FINDING_DISK_SYSTEM, /* the store stands on the system's own disk */
	FINDING_ROOM_SHORT,  /* the disk has less room than was offered */
	FINDING_KEY_MISSING,
	FINDING_KEY_MODE,
	FINDING_KEY_DAMAGED,
	FINDING_DATABASE_DAMAGED,
	FINDING_CLOCK_SKEW,
	FINDING_PORT_CLOSED,
	FINDING_PORT_SHARED, /* the provider's own address translation: nobody can dial in */
	FINDING_PORT_MAPPING,
	FINDING_SATELLITE_UNREACHABLE,
	FINDING_SATELLITE_CHANGED, /* another chain or contract than before */
	FINDING_SATELLITE_UNKNOWN, /* not checked in yet */
	FINDING_ORDERS_WAITING,
	FINDING_ORDERS_LAPSING,
	FINDING_ORDERS_BEHIND, /* the ledger cannot be filled */
	FINDING_HOLDINGS_DIFFER,
	FINDING_COLLECTION_HELD,
	FINDING_SUSPENDED,
	FINDING_DISQUALIFIED,
	FINDING_PAUSED,
	FINDING_NOT_RUNNING,
	FINDING_VERSION,
	FINDING_CODES,
};

enum finding_severity {
	FINDING_NOTE,	  /* worth knowing */
	FINDING_WARNING,  /* will cost pay or pieces if it stays */
	FINDING_CRITICAL, /* costs pay or pieces now */
};

struct finding {
	enum finding_code code;
	char subject[128]; /* a satellite's address, a file; "" for the node itself */
	char text[320];	   /* what was found, a sentence */
};

/* "storage-missing"; for JSON, logs and alerts. It never changes its meaning. */
const char *finding_name(enum finding_code code);
enum finding_severity finding_severity(enum finding_code code);
/* "note", "warning", "critical". */
const char *finding_severity_name(enum finding_severity severity);
/* What to do about it: one or two sentences. */
const char *finding_remedy(enum finding_code code);

struct findings;

struct findings *findings_new(void);
void findings_free(struct findings *findings);
/* The same code of the same subject is kept once, with the words that came last. */
void findings_add(struct findings *findings, enum finding_code code, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
size_t findings_count(const struct findings *findings);
/* The worst first. */
const struct finding *findings_at(const struct findings *findings, size_t index);
/* NULL when it was not found. */
const struct finding *findings_find(const struct findings *findings, enum finding_code code);
/* What a monitor is told: 0 nothing or notes, 1 warnings, 2 something critical. */
int findings_level(const struct findings *findings);

/* Two lines: how bad and what; what to do. */
void finding_print(const struct finding *finding, FILE *to);

/* [{"code","severity","subject","text","remedy"}]; the caller owns it. */
json_t *findings_json(const struct findings *findings);
/* Back from JSON; what makes no sense is left out. */
void findings_add_json(struct findings *findings, const json_t *list);

/* Of `status` of CHECKED_IN (doc/formats.md, section 3.3) what its owner has to know. */
enum {
	FINDING_STATUS_SUSPENDED = 3,
	FINDING_STATUS_OFFLINE = 4, /* suspended for it */
	FINDING_STATUS_DISQUALIFIED = 5,
};

/* The figures. Times are Unix seconds; zeros mean that all is well or that it does not apply. */
struct finding_satellite {
	const char *address;
	uint64_t since;				  /* of the last answer to a check-in; 0: none yet */
	bool answered;				  /* the last check-in was */
	bool reachable;				  /* and it could dial this node */
	bool other_domain;			  /* it names another chain or contract than before */
	const char *reason;			  /* its words, or ours, when not */
	int64_t skew;				  /* the satellite's clock less ours, seconds */
	uint8_t status;				  /* as in CHECKED_IN */
	uint64_t unlisted_pieces, unlisted_bytes; /* stored here, and not counted by it */
	uint64_t otherwise;			  /* pieces that it counts with another size or time */
};

struct finding_figures {
	uint64_t now;
	uint64_t started;    /* the daemon; young ones are given time to be reached */
	const char *missing; /* why there is no store, "" or NULL: there is one */
	bool read_only;
	const char *read_only_reason;
	uint64_t allocation;
	uint64_t used;	     /* by the store's files */
	uint64_t disk_free;  /* bytes */
	uint64_t disk_total; /* 0: not known */
	uint64_t inodes_free;
	uint64_t inodes_total; /* 0: the filesystem has no such limit */
	uint64_t damaged;      /* pieces */
	uint64_t gone_files, gone_pieces;
	uint64_t held; /* collections that wait for the operator */
	int orders;    /* enum overdue_level */
	uint64_t orders_since, orders_until;
	bool ledger_behind;
	uint64_t paused_until;	      /* 0: not paused */
	bool mapping_shared;	      /* the router has no public address itself */
	const char *mapping_failed;   /* why no router opens the port; NULL: one does, or none is asked */
	const char *key_wrong;	      /* what is the matter with the key's file; NULL: nothing */
	const char *damaged_database; /* one that was put aside; NULL: none */
	const struct finding_satellite *satellites;
	size_t satellite_count;
};

#define FINDINGS_SKEW 60     /* seconds that a clock may be wrong */
#define FINDINGS_PATIENCE 20 /* seconds from the start, or between tries, before a satellite counts as unreachable */

/* Everything that these figures say. */
void findings_judge(struct findings *findings, const struct finding_figures *figures);

#endif
