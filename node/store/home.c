/* DIR/store.id and its words. */
#include "node/store/home.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"

#define FORMAT "granary store 1\nstore %s\nnode %s\ndisk %s\n"

size_t home_print(const struct home *home, char out[HOME_TEXT])
{
	char store[2 * sizeof(home->store.b) + 1], node[KEY_ID_HEX];

	hex_encode(bytes_of(home->store.b, sizeof(home->store.b)), store);
	id_to_hex(&home->node, node);
	return (size_t)snprintf(out, HOME_TEXT, FORMAT, store, node, home->own_disk ? "own" : "same");
}

enum err home_parse(struct bytes text, struct home *ret)
{
	char store[2 * sizeof(ret->store.b) + 1], node[KEY_ID_HEX], disk[5], copy[HOME_TEXT], again[HOME_TEXT];
	struct home home;

	if (text.len >= sizeof(copy))
		return ERR_FORMAT;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (sscanf(copy, "granary store 1\nstore %32[0-9a-f]\nnode %66[0-9a-f]\ndisk %4[a-z]\n", store, node, disk) !=
		    3 ||
	    hex_decode(store, home.store.b, sizeof(home.store.b)) != ERR_OK || id_from_hex(node, &home.node) != ERR_OK)
		return ERR_FORMAT;
	home.own_disk = strcmp(disk, "own") == 0;
	/* scanf takes spaces lightly; this does not. */
	if (home_print(&home, again) != text.len || memcmp(again, copy, text.len) != 0)
		return ERR_FORMAT;
	*ret = home;
	return ERR_OK;
}

static enum err path_of(const char *dir, const char *suffix, char out[SEGMENT_PATH])
{
	int len = snprintf(out, SEGMENT_PATH, "%s/store.id%s", dir, suffix);

	return len > 0 && len < SEGMENT_PATH ? ERR_OK : ERR_RANGE;
}

/* False when there is none that can be made sense of. */
static bool read_home(const struct seam *seam, const char *dir, struct home *ret)
{
	char path[SEGMENT_PATH], text[HOME_TEXT];
	struct seam_stat st;
	enum err err = path_of(dir, "", path);
	int fd;

	if (err == ERR_OK)
		err = seam_stat_path(seam, path, &st);
	if (err != ERR_OK || st.size >= sizeof(text) || seam_open_file(seam, path, O_RDWR, &fd) != ERR_OK)
		return false;
	err = seam_read_full(seam, fd, text, st.size, 0);
	seam->close(seam, fd);
	return err == ERR_OK && home_parse(bytes_of(text, st.size), ret) == ERR_OK;
}

static bool same_disk(const struct seam *seam, const char *dir, const char *store)
{
	struct seam_stat outer, inner;

	return seam_stat_path(seam, dir, &outer) == ERR_OK && seam_stat_path(seam, store, &inner) == ERR_OK &&
	       outer.device == inner.device;
}

enum err home_explain(const struct store *store, const char *dir, enum err err, char why[STORE_MESSAGE])
{
	const char *path = store->dir;
	struct seam_stat st;
	struct home home;

	if (err != ERR_NOT_FOUND)
		snprintf(why, STORE_MESSAGE, "cannot open %.180s/SUPER: %s", path, err_text(err));
	else if (!read_home(store->seam, dir, &home))
		snprintf(why, STORE_MESSAGE, "there is no store in %.180s: is its disk mounted?", path);
	else if (seam_stat_path(store->seam, path, &st) != ERR_OK)
		snprintf(why, STORE_MESSAGE, "%.160s, where this node's store was, is gone: is its disk mounted?",
			 path);
	else if (home.own_disk && same_disk(store->seam, dir, path))
		snprintf(why, STORE_MESSAGE, "the disk of this node's store is not mounted at %.180s", path);
	else
		snprintf(why, STORE_MESSAGE, "this node's store is gone from %.160s: is its disk mounted?", path);
	return err;
}

enum err home_admit(struct store *store, const char *dir, char why[STORE_MESSAGE])
{
	const struct id *owner = store->options.owner;
	char theirs[KEY_ID_HEX], ours[KEY_ID_HEX];
	struct home home;

	if (owner == NULL)
		return ERR_OK;
	if (store->super.owned && !id_equal(&store->super.owner, owner)) {
		id_to_hex(&store->super.owner, theirs);
		id_to_hex(owner, ours);
		snprintf(why, STORE_MESSAGE, "the store in %.60s belongs to node %s, and this is node %s", store->dir,
			 theirs, ours);
		return ERR_DENIED;
	}
	if (read_home(store->seam, dir, &home) && memcmp(&home.store, &store->super.store, sizeof(home.store)) != 0) {
		snprintf(why, STORE_MESSAGE,
			 "%.60s holds another store than this node had: is the right disk mounted? If the old one is "
			 "lost for good, delete %.60s/store.id",
			 store->dir, dir);
		return ERR_DENIED;
	}
	store->super.owned = true;
	store->super.owner = *owner;
	return ERR_OK;
}

void home_note_place(struct store *store)
{
	char path[SEGMENT_PATH];
	struct seam_stat st;

	snprintf(path, sizeof(path), "%s/SUPER", store->dir);
	if (seam_stat_path(store->seam, path, &st) == ERR_OK)
		store->device = st.device;
}

enum err store_present(struct store *store, bool read, char why[STORE_MESSAGE])
{
	char path[SEGMENT_PATH];
	struct seam_stat st;
	enum err err;

	snprintf(path, sizeof(path), "%s/SUPER", store->dir);
	err = seam_stat_path(store->seam, path, &st);
	if (err == ERR_NOT_FOUND || (err == ERR_OK && st.device != store->device)) {
		snprintf(why, STORE_MESSAGE, "the store is gone from %.160s: was its disk unmounted?", store->dir);
		return ERR_NOT_FOUND;
	}
	if (err == ERR_OK && read && !damage_disk_answers(store))
		err = ERR_IO;
	if (err != ERR_OK)
		snprintf(why, STORE_MESSAGE, "the disk of the store in %.160s does not answer: %s", store->dir,
			 err_text(err));
	return err;
}

static enum err write_home(const struct seam *seam, const char *dir, const char *text, size_t len)
{
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH];
	enum err err = path_of(dir, "", path);
	int fd;

	if (err == ERR_OK)
		err = path_of(dir, ".new", temporary);
	if (err == ERR_OK)
		err = seam_open_file(seam, temporary, O_RDWR | O_CREAT | O_TRUNC, &fd);
	if (err != ERR_OK)
		return err;
	err = seam_write_full(seam, fd, text, len, 0);
	if (err == ERR_OK)
		err = seam_sync_file(seam, fd);
	seam->close(seam, fd);
	if (err == ERR_OK)
		err = seam_rename_file(seam, temporary, path);
	return err == ERR_OK ? seam_sync_directory(seam, dir) : err;
}

void home_keep(const struct store *store, const char *dir)
{
	struct home now = {.store = store->super.store}, before;
	char text[HOME_TEXT];

	if (store->options.owner == NULL)
		return;
	now.node = *store->options.owner;
	now.own_disk = !same_disk(store->seam, dir, store->dir);
	if (read_home(store->seam, dir, &before) && memcmp(&before.store, &now.store, sizeof(now.store)) == 0 &&
	    id_equal(&before.node, &now.node) && before.own_disk == now.own_disk)
		return;
	(void)!write_home(store->seam, dir, text, home_print(&now, text));
}
