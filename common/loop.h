/*
 * An event loop that other threads can hand work to, and a pool of threads for work that blocks.
 *
 * A daemon has one loop per worker thread; everything that belongs to a loop (channels, timers) is touched by its
 * thread only. Blocking work (disk, SQL, erasure coding) goes to a pool; its result comes back to the loop as a
 * posted call. So no lock is ever held across I/O and no socket waits for a disk.
 */
#ifndef GRANARY_COMMON_LOOP_H
#define GRANARY_COMMON_LOOP_H

#include <event2/event.h>

#include "common/error.h"

struct loop;
struct pool;

/* A loop with its own event_base. Its thread is whoever calls loop_run, or the one that loop_start makes. */
struct loop *loop_new(void);
/* Free a loop that does not run. Posted calls not yet made are made first. */
void loop_free(struct loop *loop);
struct event_base *loop_base(struct loop *loop);
/* Run until loop_stop, in this thread, or in a new one that loop_join waits for. */
void loop_run(struct loop *loop);
void loop_start(struct loop *loop, const char *thread_name);
void loop_stop(struct loop *loop); /* from any thread */
void loop_join(struct loop *loop);
/* Call call(arg) in the loop's thread, soon, in order of posting. From any thread; never calls at once. */
void loop_post(struct loop *loop, void (*call)(void *arg), void *arg);

/* A pool of `threads` threads (at least 1) with one queue. */
struct pool *pool_new(unsigned threads, const char *thread_name);
/* Wait for all submitted work, then end the threads. */
void pool_free(struct pool *pool);
/* Run work(arg) in a thread of the pool; afterwards post done(arg) to `home`; done may be NULL. */
void pool_submit(struct pool *pool, void (*work)(void *arg), struct loop *home, void (*done)(void *arg), void *arg);

#endif
