/*
 * The node's HTTP: /health, /metrics, and below /api/v1/ what doc/formats.md, section 8, lists.
 *
 * Belongs to the daemon's loop.
 */
#ifndef GRANARY_NODE_API_H
#define GRANARY_NODE_API_H

#include "common/http.h"
#include "node/books.h"
#include "node/checkin.h"
#include "node/chores.h"
#include "node/parts.h"
#include "node/portmap.h"
#include "node/storage.h"

/* What the daemon does when it is told to. */
struct api_controls {
	/* Read config.ini again; words go to `why`. */
	enum err (*reload)(void *arg, char *why, size_t room);
	/* Take no new transfers until then, Unix seconds; 0: take them again. */
	enum err (*pause)(void *arg, uint64_t until);
	void *arg;
};

/* What there is to tell of. All of it outlives the api. */
struct api_sources {
	const char *dir; /* the node's */
	const struct parts *parts;
	struct books *books;
	struct checkin *checkin;
	struct chores *chores; /* NULL while the store is not there */
	struct storage *storage;
	struct portmap *portmap; /* NULL: off */
	struct api_controls controls;
	const struct checkin_options *said; /* at check-ins */
	const struct hostport *listen;	    /* where the piece server listens */
	uint64_t started;		    /* Unix seconds; api_change keeps it */
};

struct api;

/* Serve on `at`; the cookie is put into `dir`. As http_serve. */
enum err api_serve(struct loop *loop, const struct hostport *at, const char *dir, const struct api_sources *sources,
		   struct api **ret) WARN_UNUSED;
/* The store came or went, and with it some of the sources. */
void api_change(struct api *api, const struct api_sources *sources);
void api_free(struct api *api);
uint16_t api_port(const struct api *api);
/* For the dashboard: the server, to add routes to; GET /api/v1/status; and that with what the store says of itself, of
 * the struct api that `arg` is. The caller owns them. */
struct http *api_http(struct api *api);
json_t *api_status(const struct api *api);
json_t *api_facts(void *arg);

#endif
