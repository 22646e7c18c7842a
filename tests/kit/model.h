/*
 * What a store must hold, and taking the steps of a workload on a store while keeping count of that.
 *
 * An answer that a step was done settles what its key holds. A step that got no answer, or an error that does not say
 * that nothing was done, may have happened or not: the key may then hold either, and a further state per such step,
 * until a store that was opened afterwards shows which. Nothing here asserts: what is wrong is told in `flaw`, so
 * that threads and child processes can use it.
 */
#ifndef GRANARY_TESTS_KIT_MODEL_H
#define GRANARY_TESTS_KIT_MODEL_H

#include <pthread.h>

#include "node/store/store.h"
#include "tests/kit/workload.h"

#define MODEL_STATES 32

/* What a key holds. Version 0: nothing. */
struct model_state {
	uint32_t version;
	uint32_t len;
	bool trashed;
};

struct model_key {
	struct model_state states[MODEL_STATES];
	uint32_t count; /* of the states that it may have, the first is the last that was sure */
};

struct model {
	uint32_t first; /* number of the piece behind key 0, and of transfer 0 */
	struct model_key keys[WORKLOAD_KEYS];
	bool written[WORKLOAD_TRANSFERS]; /* transfers that survive the process */
	bool durable[WORKLOAD_TRANSFERS]; /* … and the power */
	char flaw[256];			  /* the first thing that is wrong, "" so far */
};

void model_init(struct model *model);
/* A step ended like this. `settled`: the store takes writes all along, so a flush or a clean
 * stop made all durable. */
void model_note(struct model *model, const struct step *step, enum err err, bool settled);
/* A step of which nobody heard how it ended. */
void model_guess(struct model *model, const struct step *step);
/* Read the key: ERR_OK when it shows one of its states, ERR_CONFLICT when it shows something else, and what the store
 * says when it cannot be read. */
enum err model_read(const struct model *model, struct store *store, uint32_t key) WARN_UNUSED;
/* The whole store, at rest: all keys, no others, the transfers, and the sums of space. Reading takes pieces out of the
 * trash, so afterwards it is empty. */
bool model_check(struct model *model, struct store *store, const bool transfers[WORKLOAD_TRANSFERS]);
/* The same of a store that several models share, each with pieces of its own; all with their durable transfers. The
 * flaw goes to the first. */
bool model_check_all(struct model *models, size_t count, struct store *store);

/* A store at work. */
struct play {
	const char *dir;
	const struct seam *seam;
	struct store_options options;
	struct store *store; /* NULL while it is closed */
	struct store_upload *held;
	struct model *model;
	pthread_mutex_t lock;	/* of the model and `now`, for whoever looks on from another thread */
	const struct step *now; /* under way */
	void *arg;		/* the caller's */
	bool restless;		/* do not wait for the store's threads after each step */
	bool settled;		/* the step before went well, and the store is still whole: see model_note */
	char why[STORE_MESSAGE];
};

void play_init(struct play *play, const char *dir, const struct seam *seam, struct model *model);
/* Closes the store, if it is open. */
void play_end(struct play *play);
/* Make the store, with small segments. */
enum err play_make(struct play *play) WARN_UNUSED;
enum err play_open(struct play *play) WARN_UNUSED;
void play_close(struct play *play);
/* Take a step and note what came of it. After a step the threads of the store are at rest, unless `restless`. */
enum err play_take(struct play *play, const struct step *step);
/* What must hold if everything stopped at this moment: the step under way may have happened or not. */
void play_moment(struct play *play, struct model *ret);

#endif
