/* The satellite's tables, as numbered migrations. */
#ifndef GRANARY_SATELLITE_SCHEMA_H
#define GRANARY_SATELLITE_SCHEMA_H

#include "common/database.h"

/* All migrations, oldest first. */
const struct migration *schema_migrations(size_t *ret_count);

/* Open DIR/satellite.db and bring it up to date; `why` gets a sentence. Errors as database_open. */
enum err schema_open(const char *dir, struct database **ret, char why[DATABASE_MESSAGE]) WARN_UNUSED;

#endif
