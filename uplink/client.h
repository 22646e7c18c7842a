/*
 * What the commands of `granary` share: the access and the uplink, waiting for what was started, one line on stderr
 * when something fails, Ctrl-C, and the facts that --stats-json asks for.
 */
#ifndef GRANARY_UPLINK_CLIENT_H
#define GRANARY_UPLINK_CLIENT_H

#include "common/options.h"
#include "common/progress.h"
#include "common/service.h"
#include "uplink/location.h"
#include "uplink/uplink.h"

#define CLIENT_WHY 2000

struct client {
	struct options *options;
	struct access *access;
	struct uplink *uplink;
	struct service_signals *signals;
	struct progress *progress; /* of the copy under way */
	/* what client_wait waits for */
	bool done;
	enum err err;
	char why[CLIENT_WHY];
	/* what Ctrl-C gives up; NULL: the process ends */
	void (*cancel)(void *arg);
	void *cancel_arg;
	bool interrupted;
};

/* Load the access that --access names and open an uplink. 0, or the exit status, after printing why. */
int client_open(struct options *options, struct client *client);
/* The same around an access in the making, whose satellite's domain is not known yet. The access is taken over. */
void client_open_new(struct options *options, struct access *access, struct client *client);
/* Write --stats-json, close everything. Returns `status`, or 1 when the file cannot be written. */
int client_close(struct client *client, int status);

/* Run the loop until client_finish is called. Returns the err given there. */
enum err client_wait(struct client *client);
/* What a callback calls at the end of what was started; `arg` is the client: a request_done, an object_put_done. */
void client_finish(void *arg, enum err err, const char *why);

/* Print `granary: WHAT: why`, where WHAT is a printf format. Returns the exit status 1. */
int client_fail(const struct client *client, const char *what, ...) __attribute__((format(printf, 2, 3)));
/* Print `granary: …`. Returns the exit status 2. */
int client_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Parse an argument that must be in the network. 0, or the exit status. `path`: whether it must, may or must not
 * name more than a bucket. */
enum client_path { CLIENT_BUCKET, CLIENT_BUCKET_OR_PATH, CLIENT_OBJECT };
int client_location(const char *text, enum client_path path, struct location *ret);

/* DIR/NAME.access of --dir and --access, in new memory; NULL when the name is not allowed. */
char *client_access_path(const struct options *options);

/* "2026-01-31 12:00" in UTC. Returns out. */
char *client_print_time(uint64_t seconds, char out[32]);

#endif
