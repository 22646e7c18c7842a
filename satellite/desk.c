/* Desks and the work on them. */
#include "satellite/desk.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "satellite/proofs.h"
#include "satellite/roster.h"
#include "satellite/schema.h"

enum err desk_open(const struct settings *settings, const struct key *key, struct desk **ret,
		   char why[DATABASE_MESSAGE])
{
	struct desk *desk = memory_new(1, sizeof(*desk));
	enum err err;

	desk->settings = settings;
	desk->key = key;
	err = schema_open(settings->dir, &desk->db, why);
	if (err != ERR_OK) {
		free(desk);
		return err;
	}
	desk->roster = roster_new();
	desk->proofs = proofs_new();
	*ret = desk;
	return ERR_OK;
}

void desk_close(struct desk *desk)
{
	if (desk == NULL)
		return;
	roster_free(desk->roster);
	proofs_free(desk->proofs);
	database_close(desk->db);
	free(desk);
}

enum err work_refuse(struct work *work, enum refusal code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(work->why, sizeof(work->why), format, args);
	va_end(args);
	work->refusal = code;
	return ERR_CANCELLED;
}

struct desks {
	pthread_mutex_t lock;
	unsigned count;
	unsigned free_count;
	struct desk **all;
	struct desk **free;
};

enum err desks_open(const struct settings *settings, const struct key *key, unsigned count, struct desks **ret,
		    char why[DATABASE_MESSAGE])
{
	struct desks *desks = memory_new(1, sizeof(*desks));
	enum err err = ERR_OK;

	pthread_mutex_init(&desks->lock, NULL);
	desks->all = memory_new(count, sizeof(*desks->all));
	desks->free = memory_new(count, sizeof(*desks->free));
	while (desks->count < count && err == ERR_OK) {
		err = desk_open(settings, key, &desks->all[desks->count], why);
		if (err == ERR_OK)
			desks->free[desks->free_count++] = desks->all[desks->count++];
	}
	if (err == ERR_OK)
		*ret = desks;
	else
		desks_close(desks);
	return err;
}

void desks_close(struct desks *desks)
{
	if (desks == NULL)
		return;
	assert(desks->free_count == desks->count);
	for (unsigned i = 0; i < desks->count; i++)
		desk_close(desks->all[i]);
	pthread_mutex_destroy(&desks->lock);
	free(desks->all);
	free(desks->free);
	free(desks);
}

struct desk *desks_take(struct desks *desks)
{
	struct desk *desk;

	pthread_mutex_lock(&desks->lock);
	assert(desks->free_count > 0);
	desk = desks->free[--desks->free_count];
	pthread_mutex_unlock(&desks->lock);
	return desk;
}

void desks_give_back(struct desks *desks, struct desk *desk)
{
	pthread_mutex_lock(&desks->lock);
	desks->free[desks->free_count++] = desk;
	pthread_mutex_unlock(&desks->lock);
}
