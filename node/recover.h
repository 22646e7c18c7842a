/*
 * Databases that the disk damaged. What cannot be read whole is put aside at the start, as NAME.damaged-TIME, and a new
 * one takes its place: orders are filled in again from the store, papers fetched again from the satellites. Nothing is
 * deleted, and the owner is told until the damaged file is gone.
 */
#ifndef GRANARY_NODE_RECOVER_H
#define GRANARY_NODE_RECOVER_H

#include "common/bytes.h"

#define RECOVER_NAME 64

/* Put DIR/name aside if it is damaged. ERR_OK when it is whole, not there, or aside; ERR_IO and its kind when it can be
 * neither read nor moved. */
enum err recover_database(const char *dir, const char *name) WARN_UNUSED;

/* The name of one that was put aside; false when there is none. */
bool recover_find_damaged(const char *dir, char ret_name[RECOVER_NAME]);

#endif
