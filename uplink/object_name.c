/* Names checked and encrypted. */
#include "uplink/object_name.h"

#include <string.h>

enum err object_bucket_check(const char *bucket, const char **ret_why)
{
	size_t len = strlen(bucket);

	*ret_why = "a bucket's name has 3 to 63 characters";
	if (len < 3 || len > OBJECT_BUCKET_MAX)
		return ERR_RANGE;
	*ret_why = "a bucket's name is made of a-z, 0-9, '.' and '-'";
	if (strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len)
		return ERR_FORMAT;
	return ERR_OK;
}

enum err object_name_make(const struct access *access, const char *bucket, const char *path, struct object_name *ret,
			  const char **ret_why)
{
	struct bytes plain = bytes_of_text(path);
	struct secret *folder = NULL;
	struct writer w;
	enum err err;

	err = object_bucket_check(bucket, ret_why);
	if (err == ERR_OK)
		err = path_check(plain, ret_why);
	if (err != ERR_OK)
		return err;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->bucket, bucket, strlen(bucket) + 1);
	folder = path_bucket_key(access->root, bytes_of_text(bucket));
	writer_init(&w, ret->path, sizeof(ret->path));
	*ret_why = "the path is too long";
	err = path_encrypt(folder, plain, &w);
	if (err == ERR_OK) {
		ret->path_len = w.len;
		ret->key = path_key(folder, plain);
	}
	secret_free(folder);
	return err;
}

void object_name_clear(struct object_name *name)
{
	secret_free(name->key);
	name->key = NULL;
}
