/* A queue and a thread. */
#include "node/store/transfer_log.h"

#include <stdlib.h>

#include "common/memory.h"
#include "node/store/engine.h"

struct entry {
	struct commit commit;
	struct entry *next;
	struct store *store;
	struct sequence_ticket ticket;
	struct extent extent;
	struct record record;
	void (*done)(void *arg, enum err err);
	void *arg;
};

struct transfer_log {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t written;
	struct entry *first;
	struct entry **end;
	uint64_t added_count;
	uint64_t written_count;
	bool stopping;
};

/* From the committer's thread: it is durable, or nobody knows. */
static void settle(struct commit *commit, enum err err)
{
	struct entry *entry = (struct entry *)commit;
	struct store *store = entry->store;

	if (err == ERR_OK) {
		segments_settle(store->segments, &entry->extent, &entry->record);
		store_note_created(store, entry->record.created);
		sequence_done(&store->sequence, &entry->ticket);
	} else {
		sequence_lost(&store->sequence, &entry->ticket);
	}
	free(entry);
}

static enum err write_entry(struct entry *entry)
{
	struct store *store = entry->store;
	struct record_place place;
	uint8_t head[RECORD_HEAD_MAX];
	enum err err;

	entry->record.sequence = sequence_take(&store->sequence, &entry->ticket);
	place = (struct record_place){entry->extent.segment->id, entry->extent.offset};
	record_encode(&entry->record, &store->secret, &place, head);
	err = seam_write_full(store->seam, entry->extent.segment->fd, head, entry->record.head, place.offset);
	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&store->health, "writing", place.segment, err);
	return ERR_READ_ONLY;
}

static void append(struct entry *entry)
{
	struct store *store = entry->store;
	void (*done)(void *arg, enum err err) = entry->done;
	void *arg = entry->arg;
	const struct segments_need need = {.kind = SEGMENT_TRANSFERS, .len = entry->record.extent, .urgent = true};
	enum err err = segments_reserve(store->segments, &need, &entry->extent);

	if (err != ERR_OK) {
		free(entry);
	} else {
		err = write_entry(entry);
		entry->commit.segment = entry->extent.segment;
		entry->commit.err = err;
		entry->commit.settle = settle;
		committer_add_lazily(store->committer, &entry->commit);
	}
	if (done != NULL)
		done(arg, err);
}

static void *run(void *arg)
{
	struct transfer_log *log = arg;

	pthread_mutex_lock(&log->lock);
	for (;;) {
		struct entry *entry = log->first;

		if (entry == NULL && log->stopping)
			break;
		if (entry == NULL) {
			pthread_cond_wait(&log->wake, &log->lock);
			continue;
		}
		log->first = entry->next;
		if (log->first == NULL)
			log->end = &log->first;
		pthread_mutex_unlock(&log->lock);
		append(entry);
		pthread_mutex_lock(&log->lock);
		log->written_count++;
		pthread_cond_broadcast(&log->written);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

struct transfer_log *transfer_log_start(struct store *store)
{
	struct transfer_log *log = memory_new(1, sizeof(*log));

	log->store = store;
	log->end = &log->first;
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->wake, NULL);
	pthread_cond_init(&log->written, NULL);
	if (pthread_create(&log->thread, NULL, run, log) != 0)
		abort();
	return log;
}

void transfer_log_stop(struct transfer_log *log)
{
	if (log == NULL)
		return;
	pthread_mutex_lock(&log->lock);
	log->stopping = true;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
	pthread_join(log->thread, NULL);
	pthread_cond_destroy(&log->written);
	pthread_cond_destroy(&log->wake);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

void transfer_log_flush(struct transfer_log *log)
{
	uint64_t until;

	pthread_mutex_lock(&log->lock);
	until = log->added_count;
	while (log->written_count < until)
		pthread_cond_wait(&log->written, &log->lock);
	pthread_mutex_unlock(&log->lock);
}

void store_transfer_add(struct store *store, const struct store_transfer *transfer,
			void (*done)(void *arg, enum err err), void *arg)
{
	struct entry *entry = memory_new(1, sizeof(*entry));
	struct transfer_log *log = store->log;
	struct record *record = &entry->record;
	struct bytes32 hash;

	typed_hash(&typed_allocation, &transfer->allocation, &hash);
	record->type = RECORD_TRANSFER;
	record->piece = transfer->allocation.piece;
	record->head = record_head_of(RECORD_TRANSFER);
	record->extent = record_extent(record->head, 0);
	record->created = transfer->at;
	record->expires = transfer->allocation.expires;
	store_deal_of(&transfer->allocation, &transfer->allocation_signature, &hash, &record->deal);
	store_deal_order(&transfer->order, &transfer->order_signature, &record->deal);
	entry->store = store;
	entry->done = done;
	entry->arg = arg;
	pthread_mutex_lock(&log->lock);
	*log->end = entry;
	log->end = &entry->next;
	log->added_count++;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
}
