/* The table of messages, and encoding and decoding by it. */
#include "common/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ITEM(type) \
	{ \
		#type, type##_list, COUNT(type##_list), sizeof(struct type) \
	}

static const struct field item_piece_list[] = {
	FIELD(item_piece, piece, FIELD_BYTES32),
};
static const struct field item_signed_list[] = {
	FIELD_MAX(item_signed, signed_thing, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field item_order_list[] = {
	FIELD_MAX(item_order, allocation, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD_MAX(item_order, order, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field item_verdict_list[] = {
	FIELD(item_verdict, allocation, FIELD_BYTES32),
	FIELD(item_verdict, verdict, FIELD_U8),
	FIELD(item_verdict, code, FIELD_U16),
	FIELD(item_verdict, bytes, FIELD_U64),
};
static const struct field item_bucket_list[] = {
	FIELD_MAX(item_bucket, bucket, FIELD_TEXT, 63),
	FIELD(item_bucket, created, FIELD_U64),
};
static const struct field item_node_list[] = {
	FIELD(item_node, node, FIELD_ADDRESS),
};
static const struct field item_allocation_list[] = {
	FIELD(item_allocation, number, FIELD_U16),
	FIELD(item_allocation, root, FIELD_BYTES32),
	FIELD_MAX(item_allocation, endpoint, FIELD_TEXT, ENDPOINT_TEXT),
	FIELD_MAX(item_allocation, allocation, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field item_transfer_list[] = {
	FIELD_MAX(item_transfer, allocation, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD_MAX(item_transfer, outcome, FIELD_U8, 3),
	FIELD(item_transfer, bytes, FIELD_U64),
	FIELD(item_transfer, ms, FIELD_U32),
};
static const struct field item_receipt_list[] = {
	FIELD(item_receipt, number, FIELD_U16),
	FIELD_MAX(item_receipt, receipt, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field item_object_list[] = {
	FIELD_MAX(item_object, path, FIELD_BLOB, MESSAGE_PATH_MAX),
	FIELD_MAX(item_object, folder, FIELD_U8, 1),
	FIELD(item_object, plain_size, FIELD_U64),
	FIELD(item_object, created, FIELD_U64),
	FIELD(item_object, expires, FIELD_U64),
	FIELD_MAX(item_object, metadata, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field item_notice_list[] = {
	FIELD(item_notice, number, FIELD_U64),
	FIELD(item_notice, at, FIELD_U64),
	FIELD(item_notice, kind, FIELD_U8),
	FIELD(item_notice, state, FIELD_U8),
	FIELD(item_notice, verdict, FIELD_U8),
	FIELD_MAX(item_notice, piece, FIELD_BLOB, 32),
	FIELD_MAX(item_notice, challenge, FIELD_BLOB, 32),
	FIELD_MAX(item_notice, words, FIELD_TEXT, MESSAGE_NOTICE_WORDS),
};

const struct fields item_piece_fields = ITEM(item_piece);
const struct fields item_signed_fields = ITEM(item_signed);
const struct fields item_order_fields = ITEM(item_order);
const struct fields item_verdict_fields = ITEM(item_verdict);
const struct fields item_bucket_fields = ITEM(item_bucket);
const struct fields item_node_fields = ITEM(item_node);
const struct fields item_allocation_fields = ITEM(item_allocation);
const struct fields item_receipt_fields = ITEM(item_receipt);
const struct fields item_object_fields = ITEM(item_object);
const struct fields item_notice_fields = ITEM(item_notice);
const struct fields item_transfer_fields = ITEM(item_transfer);

static const struct field msg_hello_list[] = {
	FIELD(msg_hello, version, FIELD_U16),
	FIELD(msg_hello, features, FIELD_U64),
	FIELD(msg_hello, chain_id, FIELD_U64),
	FIELD(msg_hello, contract, FIELD_ADDRESS),
};
static const struct field msg_error_list[] = {
	FIELD(msg_error, code, FIELD_U16),
	FIELD_MAX(msg_error, text, FIELD_TEXT, 500),
};
static const struct field msg_ping_list[] = {
	FIELD(msg_ping, at, FIELD_U64),
};
static const struct field msg_pong_list[] = {
	FIELD(msg_pong, at, FIELD_U64),
};
static const struct field msg_put_list[] = {
	FIELD(msg_put, piece, FIELD_BYTES32),
	FIELD_MAX(msg_put, allocation, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_get_list[] = {
	FIELD(msg_get, piece, FIELD_BYTES32),
	FIELD(msg_get, offset, FIELD_U64),
	FIELD(msg_get, length, FIELD_U64),
	FIELD_MAX(msg_get, allocation, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_order_list[] = {
	FIELD_MAX(msg_order, order, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_data_list[] = {
	FIELD(msg_data, block, FIELD_U32),
	FIELD_MAX(msg_data, siblings, FIELD_BLOB, MESSAGE_SIBLINGS),
	FIELD_MAX(msg_data, payload, FIELD_BLOB, MESSAGE_BLOCK),
};
static const struct field msg_put_end_list[] = {
	FIELD(msg_put_end, size, FIELD_U64),
	FIELD(msg_put_end, root, FIELD_BYTES32),
};
static const struct field msg_receipt_list[] = {
	FIELD_MAX(msg_receipt, receipt, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_get_end_list[] = {
	FIELD(msg_get_end, bytes, FIELD_U64),
};
static const struct field msg_prove_list[] = {
	FIELD_MAX(msg_prove, challenge, FIELD_BLOB, 60000),
};
static const struct field msg_proof_list[] = {
	FIELD(msg_proof, index, FIELD_U32),
	FIELD(msg_proof, answer, FIELD_U8),
	FIELD_MAX(msg_proof, proof, FIELD_BLOB, 60000),
};
static const struct field msg_prove_end_list[] = {
	FIELD_MAX(msg_prove_end, audit, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_delete_list[] = {
	FIELD_MAX(msg_delete, deletion, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD_ITEMS(msg_delete, pieces, 1000, &item_piece_fields),
};
static const struct field msg_deleted_list[] = {
	FIELD(msg_deleted, count, FIELD_U32),
	FIELD(msg_deleted, bytes, FIELD_U64),
};
static const struct field msg_collect_list[] = {
	FIELD_MAX(msg_collect, collection, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD(msg_collect, size, FIELD_U32),
};
static const struct field msg_collected_list[] = {
	FIELD_MAX(msg_collected, held, FIELD_U8, 1),
	FIELD(msg_collected, since, FIELD_U64),
	FIELD(msg_collected, pieces, FIELD_U64),
	FIELD(msg_collected, bytes, FIELD_U64),
	FIELD(msg_collected, unwanted_pieces, FIELD_U64),
	FIELD(msg_collected, unwanted_bytes, FIELD_U64),
	FIELD(msg_collected, moved_pieces, FIELD_U64),
	FIELD(msg_collected, moved_bytes, FIELD_U64),
};
static const struct field msg_restore_list[] = {
	FIELD(msg_restore, since, FIELD_U64),
	FIELD_ITEMS(msg_restore, pieces, 1000, &item_piece_fields),
};
static const struct field msg_filter_list[] = {
	FIELD_MAX(msg_filter, part, FIELD_BLOB, MESSAGE_FILTER_PART),
};
static const struct field msg_check_in_list[] = {
	FIELD_MAX(msg_check_in, version, FIELD_TEXT, 64),
	FIELD_MAX(msg_check_in, endpoint, FIELD_TEXT, HOSTPORT_TEXT),
	FIELD(msg_check_in, allocated, FIELD_U64),
	FIELD(msg_check_in, used, FIELD_U64),
	FIELD(msg_check_in, available, FIELD_U64),
	FIELD_MAX(msg_check_in, payee, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_checked_in_list[] = {
	FIELD(msg_checked_in, time, FIELD_U64),
	FIELD_MAX(msg_checked_in, reachable, FIELD_U8, 1),
	FIELD(msg_checked_in, status, FIELD_U8),
	FIELD_MAX(msg_checked_in, reason, FIELD_TEXT, 500),
};
static const struct field msg_settle_list[] = {
	FIELD_MAX(msg_settle, settlement, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_settle_orders_list[] = {
	FIELD_ITEMS(msg_settle_orders, orders, 160, &item_order_fields),
	FIELD_MAX(msg_settle_orders, last, FIELD_U8, 1),
};
static const struct field msg_verdicts_list[] = {
	FIELD_ITEMS(msg_verdicts, verdicts, 1000, &item_verdict_fields),
	FIELD_MAX(msg_verdicts, last, FIELD_U8, 1),
};
static const struct field msg_settled_list[] = {
	FIELD_MAX(msg_settled, settled, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_loss_list[] = {
	FIELD_MAX(msg_loss, loss, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD_ITEMS(msg_loss, pieces, 1000, &item_piece_fields),
};
static const struct field msg_ask_prices_list[] = {
	FIELD(msg_ask_prices, day, FIELD_U32),
};
static const struct field msg_prices_list[] = {
	FIELD_ITEMS(msg_prices, prices, 400, &item_signed_fields),
	FIELD_MAX(msg_prices, last, FIELD_U8, 1),
};
static const struct field msg_ask_usage_list[] = {
	FIELD(msg_ask_usage, day, FIELD_U32),
	FIELD(msg_ask_usage, after, FIELD_BYTES32),
};
static const struct field msg_usage_list[] = {
	FIELD_MAX(msg_usage, usage, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD(msg_usage, bytes, FIELD_U64),
	FIELD(msg_usage, debt, FIELD_U128),
	FIELD_MAX(msg_usage, rows, FIELD_BLOB, MESSAGE_USAGE_ROWS),
	FIELD_MAX(msg_usage, more, FIELD_U8, 1),
	FIELD_MAX(msg_usage, last, FIELD_U8, 1),
};
static const struct field msg_ask_statements_list[] = {
	FIELD(msg_ask_statements, period, FIELD_U32),
};
static const struct field msg_statement_list[] = {
	FIELD_MAX(msg_statement, statement, FIELD_BLOB, MESSAGE_SIGNED_MAX),
	FIELD_MAX(msg_statement, sheet, FIELD_BLOB, MESSAGE_SHEET_MAX),
	FIELD_MAX(msg_statement, last, FIELD_U8, 1),
};
static const struct field msg_offer_price_list[] = {
	FIELD_MAX(msg_offer_price, price, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_exit_list[] = {
	FIELD_MAX(msg_exit, begin, FIELD_U8, 1),
};
static const struct field msg_exit_state_list[] = {
	FIELD_MAX(msg_exit_state, state, FIELD_U8, EXIT_FAILED),
	FIELD(msg_exit_state, allowed, FIELD_U64),
	FIELD(msg_exit_state, asked, FIELD_U64),
	FIELD(msg_exit_state, ended, FIELD_U64),
	FIELD(msg_exit_state, pieces, FIELD_U64),
	FIELD(msg_exit_state, bytes, FIELD_U64),
	FIELD(msg_exit_state, left, FIELD_U64),
	FIELD(msg_exit_state, moved, FIELD_U64),
	FIELD(msg_exit_state, failed, FIELD_U64),
	FIELD(msg_exit_state, failed_max, FIELD_U64),
	FIELD(msg_exit_state, held, FIELD_U64),
	FIELD_MAX(msg_exit_state, why, FIELD_TEXT, 200),
	FIELD_MAX(msg_exit_state, receipt, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_ask_payout_list[] = {
	FIELD(msg_ask_payout, period, FIELD_U32),
};
static const struct field msg_payout_list[] = {
	FIELD(msg_payout, root, FIELD_BYTES32),
	FIELD(msg_payout, payee, FIELD_ADDRESS),
	FIELD(msg_payout, cumulative, FIELD_U256),
	FIELD_MAX(msg_payout, proof, FIELD_BLOB, MESSAGE_PAYOUT_PROOF),
};
static const struct field msg_ask_standing_list[] = {
	FIELD(msg_ask_standing, after, FIELD_U64),
};
static const struct field msg_standing_list[] = {
	FIELD(msg_standing, state, FIELD_U8),
	FIELD(msg_standing, since, FIELD_U64),
	FIELD_MAX(msg_standing, reason, FIELD_TEXT, MESSAGE_NOTICE_WORDS),
	FIELD(msg_standing, audit, FIELD_U32),
	FIELD(msg_standing, unknown, FIELD_U32),
	FIELD(msg_standing, online, FIELD_U32),
	FIELD(msg_standing, proven, FIELD_U64),
	FIELD(msg_standing, failed, FIELD_U64),
	FIELD(msg_standing, vetting_left, FIELD_U64),
	FIELD(msg_standing, vetting_until, FIELD_U64),
	FIELD(msg_standing, audits_left, FIELD_U32),
	FIELD(msg_standing, offline_left, FIELD_U64),
	FIELD(msg_standing, grace_until, FIELD_U64),
	FIELD_ITEMS(msg_standing, notices, MESSAGE_NOTICES, &item_notice_fields),
	FIELD_MAX(msg_standing, last, FIELD_U8, 1),
};
static const struct field msg_enrol_list[] = {
	FIELD_MAX(msg_enrol, code, FIELD_BLOB, 64),
};
static const struct field msg_bucket_list[] = {
	FIELD_MAX(msg_bucket, bucket, FIELD_TEXT, 63),
};
static const struct field msg_buckets_list[] = {
	FIELD_ITEMS(msg_buckets, buckets, 800, &item_bucket_fields),
	FIELD_MAX(msg_buckets, last, FIELD_U8, 1),
};
static const struct field msg_begin_object_list[] = {
	FIELD_MAX(msg_begin_object, bucket, FIELD_TEXT, 63),
	FIELD_MAX(msg_begin_object, path, FIELD_BLOB, MESSAGE_PATH_MAX),
	FIELD(msg_begin_object, expires, FIELD_U64),
};
static const struct field msg_object_begun_list[] = {
	FIELD(msg_object_begun, version, FIELD_BYTES32),
	FIELD(msg_object_begun, required, FIELD_U16),
	FIELD(msg_object_begun, repair, FIELD_U16),
	FIELD(msg_object_begun, success, FIELD_U16),
	FIELD(msg_object_begun, total, FIELD_U16),
};
static const struct field msg_begin_segment_list[] = {
	FIELD(msg_begin_segment, version, FIELD_BYTES32),
	FIELD(msg_begin_segment, number, FIELD_U32),
	FIELD(msg_begin_segment, piece_size, FIELD_U64),
	FIELD_ITEMS(msg_begin_segment, excluded, 1000, &item_node_fields),
};
static const struct field msg_segment_begun_list[] = {
	FIELD(msg_segment_begun, segment, FIELD_BYTES32),
	FIELD_ITEMS(msg_segment_begun, pieces, 100, &item_allocation_fields),
	FIELD_MAX(msg_segment_begun, last, FIELD_U8, 1),
};
static const struct field msg_commit_segment_list[] = {
	FIELD(msg_commit_segment, segment, FIELD_BYTES32),
	FIELD(msg_commit_segment, plain_size, FIELD_U64),
	FIELD(msg_commit_segment, piece_size, FIELD_U64),
	FIELD_MAX(msg_commit_segment, wrapped_key, FIELD_BLOB, MESSAGE_WRAPPED_KEY),
	FIELD_ITEMS(msg_commit_segment, receipts, 255, &item_receipt_fields),
};
static const struct field msg_inline_segment_list[] = {
	FIELD(msg_inline_segment, version, FIELD_BYTES32),
	FIELD(msg_inline_segment, number, FIELD_U32),
	FIELD_MAX(msg_inline_segment, plain_size, FIELD_U64, 0),
	FIELD_MAX(msg_inline_segment, wrapped_key, FIELD_BLOB, MESSAGE_WRAPPED_KEY),
	FIELD_MAX(msg_inline_segment, data, FIELD_BLOB, MESSAGE_INLINE_MAX),
};
static const struct field msg_commit_object_list[] = {
	FIELD(msg_commit_object, version, FIELD_BYTES32),
	FIELD(msg_commit_object, segments, FIELD_U32),
	FIELD(msg_commit_object, plain_size, FIELD_U64),
	FIELD_MAX(msg_commit_object, metadata, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_abort_object_list[] = {
	FIELD(msg_abort_object, version, FIELD_BYTES32),
};
static const struct field msg_get_object_list[] = {
	FIELD_MAX(msg_get_object, bucket, FIELD_TEXT, 63),
	FIELD_MAX(msg_get_object, path, FIELD_BLOB, MESSAGE_PATH_MAX),
};
static const struct field msg_object_list[] = {
	FIELD(msg_object, version, FIELD_BYTES32),
	FIELD(msg_object, plain_size, FIELD_U64),
	FIELD(msg_object, segments, FIELD_U32),
	FIELD(msg_object, created, FIELD_U64),
	FIELD(msg_object, expires, FIELD_U64),
	FIELD(msg_object, required, FIELD_U16),
	FIELD(msg_object, repair, FIELD_U16),
	FIELD(msg_object, success, FIELD_U16),
	FIELD(msg_object, total, FIELD_U16),
	FIELD_MAX(msg_object, metadata, FIELD_BLOB, MESSAGE_SIGNED_MAX),
};
static const struct field msg_list_objects_list[] = {
	FIELD_MAX(msg_list_objects, bucket, FIELD_TEXT, 63),
	FIELD_MAX(msg_list_objects, prefix, FIELD_BLOB, MESSAGE_PATH_MAX),
	FIELD_MAX(msg_list_objects, after, FIELD_BLOB, MESSAGE_PATH_MAX),
	FIELD_MAX(msg_list_objects, recursive, FIELD_U8, 1),
	FIELD(msg_list_objects, limit, FIELD_U32),
};
static const struct field msg_objects_list[] = {
	FIELD_ITEMS(msg_objects, objects, 1000, &item_object_fields),
	FIELD_MAX(msg_objects, more, FIELD_U8, 1),
	FIELD_MAX(msg_objects, last, FIELD_U8, 1),
};
static const struct field msg_get_segment_list[] = {
	FIELD(msg_get_segment, version, FIELD_BYTES32),
	FIELD(msg_get_segment, number, FIELD_U32),
	FIELD(msg_get_segment, limit, FIELD_U64),
	FIELD(msg_get_segment, first, FIELD_U16),
	FIELD(msg_get_segment, count, FIELD_U16),
	FIELD_ITEMS(msg_get_segment, excluded, 1000, &item_node_fields),
};
static const struct field msg_segment_list[] = {
	FIELD(msg_segment, plain_size, FIELD_U64),
	FIELD(msg_segment, piece_size, FIELD_U64),
	FIELD_MAX(msg_segment, wrapped_key, FIELD_BLOB, MESSAGE_WRAPPED_KEY),
	FIELD_MAX(msg_segment, data, FIELD_BLOB, MESSAGE_INLINE_MAX),
	FIELD_ITEMS(msg_segment, pieces, 100, &item_allocation_fields),
	FIELD_MAX(msg_segment, last, FIELD_U8, 1),
};
static const struct field msg_account_list[] = {
	FIELD(msg_account, from, FIELD_U64),
	FIELD(msg_account, until, FIELD_U64),
	FIELD(msg_account, objects, FIELD_U64),
	FIELD(msg_account, segments, FIELD_U64),
	FIELD(msg_account, stored, FIELD_U64),
	FIELD(msg_account, uploading, FIELD_U64),
	FIELD(msg_account, reserved, FIELD_U64),
	FIELD(msg_account, egress, FIELD_U64),
	FIELD(msg_account, allocated, FIELD_U64),
	FIELD(msg_account, downloads, FIELD_U64),
	FIELD(msg_account, byte_seconds, FIELD_U128),
	FIELD(msg_account, storage_quota, FIELD_U64),
	FIELD(msg_account, egress_quota, FIELD_U64),
	FIELD(msg_account, charge_storage, FIELD_U64),
	FIELD(msg_account, charge_egress, FIELD_U64),
};

static const struct field msg_report_list[] = {
	FIELD_ITEMS(msg_report, transfers, MESSAGE_REPORT_MAX, &item_transfer_fields),
};

#define ROW(type, name, of) \
	{ \
		type, {name, of##_list, COUNT(of##_list), sizeof(struct of)}, MESSAGE_MAX \
	}
#define ROW_EMPTY(type, name) \
	{ \
		type, {name, NULL, 0, sizeof(struct msg_empty)}, MESSAGE_HEAD \
	}
#define ROW_MAX(type, name, of, max) \
	{ \
		type, {name, of##_list, COUNT(of##_list), sizeof(struct of)}, max \
	}

/* In the order of their numbers. The small ones have tight bounds of their own, so that nobody can make a daemon
 * chew on 64 KiB of PING. */
static const struct message_spec table[] = {
	ROW_MAX(MSG_HELLO, "HELLO", msg_hello, 64),
	ROW_MAX(MSG_ERROR, "ERROR", msg_error, 520),
	ROW_MAX(MSG_PING, "PING", msg_ping, 16),
	ROW_MAX(MSG_PONG, "PONG", msg_pong, 16),
	ROW_EMPTY(MSG_DONE, "DONE"),
	ROW_MAX(MSG_PUT, "PUT", msg_put, 1200),
	ROW_MAX(MSG_GET, "GET", msg_get, 1200),
	ROW_MAX(MSG_ORDER, "ORDER", msg_order, 1200),
	ROW_MAX(MSG_DATA, "DATA", msg_data, MESSAGE_BLOCK + MESSAGE_SIBLINGS + 32),
	ROW_MAX(MSG_PUT_END, "PUT_END", msg_put_end, 64),
	ROW_MAX(MSG_RECEIPT, "RECEIPT", msg_receipt, 1200),
	ROW_MAX(MSG_GET_END, "GET_END", msg_get_end, 16),
	ROW_EMPTY(MSG_CANCEL, "CANCEL"),
	ROW(MSG_PROVE, "PROVE", msg_prove),
	ROW(MSG_PROOF, "PROOF", msg_proof),
	ROW_MAX(MSG_PROVE_END, "PROVE_END", msg_prove_end, 1200),
	ROW(MSG_DELETE, "DELETE", msg_delete),
	ROW_MAX(MSG_DELETED, "DELETED", msg_deleted, 32),
	ROW_MAX(MSG_COLLECT, "COLLECT", msg_collect, 1200),
	ROW_MAX(MSG_COLLECTED, "COLLECTED", msg_collected, 80),
	ROW(MSG_RESTORE, "RESTORE", msg_restore),
	ROW(MSG_FILTER, "FILTER", msg_filter),
	ROW_MAX(MSG_CHECK_IN, "CHECK_IN", msg_check_in, 2000),
	ROW_MAX(MSG_CHECKED_IN, "CHECKED_IN", msg_checked_in, 600),
	ROW_MAX(MSG_SETTLE, "SETTLE", msg_settle, 1200),
	ROW(MSG_SETTLE_ORDERS, "SETTLE_ORDERS", msg_settle_orders),
	ROW(MSG_VERDICTS, "VERDICTS", msg_verdicts),
	ROW_MAX(MSG_SETTLED, "SETTLED", msg_settled, 1200),
	ROW(MSG_LOSS, "LOSS", msg_loss),
	ROW_MAX(MSG_ASK_PRICES, "ASK_PRICES", msg_ask_prices, 16),
	ROW(MSG_PRICES, "PRICES", msg_prices),
	ROW_MAX(MSG_ASK_USAGE, "ASK_USAGE", msg_ask_usage, 48),
	ROW(MSG_USAGE, "USAGE", msg_usage),
	ROW_MAX(MSG_ASK_STATEMENTS, "ASK_STATEMENTS", msg_ask_statements, 16),
	ROW_MAX(MSG_STATEMENT, "STATEMENT", msg_statement, 9600),
	ROW_MAX(MSG_OFFER_PRICE, "OFFER_PRICE", msg_offer_price, 1200),
	ROW_MAX(MSG_ASK_PAYOUT, "ASK_PAYOUT", msg_ask_payout, 16),
	ROW_MAX(MSG_PAYOUT, "PAYOUT", msg_payout, 1200),
	ROW_MAX(MSG_ASK_STANDING, "ASK_STANDING", msg_ask_standing, 16),
	ROW(MSG_STANDING, "STANDING", msg_standing),
	ROW_MAX(MSG_EXIT, "EXIT", msg_exit, 16),
	ROW_MAX(MSG_EXIT_STATE, "EXIT_STATE", msg_exit_state, 1400),
	ROW_MAX(MSG_ENROL, "ENROL", msg_enrol, 80),
	ROW_MAX(MSG_MAKE_BUCKET, "MAKE_BUCKET", msg_bucket, 80),
	ROW_MAX(MSG_REMOVE_BUCKET, "REMOVE_BUCKET", msg_bucket, 80),
	ROW_EMPTY(MSG_LIST_BUCKETS, "LIST_BUCKETS"),
	ROW(MSG_BUCKETS, "BUCKETS", msg_buckets),
	ROW_MAX(MSG_BEGIN_OBJECT, "BEGIN_OBJECT", msg_begin_object, 2200),
	ROW_MAX(MSG_OBJECT_BEGUN, "OBJECT_BEGUN", msg_object_begun, 64),
	ROW(MSG_BEGIN_SEGMENT, "BEGIN_SEGMENT", msg_begin_segment),
	ROW(MSG_SEGMENT_BEGUN, "SEGMENT_BEGUN", msg_segment_begun),
	ROW(MSG_COMMIT_SEGMENT, "COMMIT_SEGMENT", msg_commit_segment),
	ROW_MAX(MSG_INLINE_SEGMENT, "INLINE_SEGMENT", msg_inline_segment, 4400),
	ROW_MAX(MSG_COMMIT_OBJECT, "COMMIT_OBJECT", msg_commit_object, 1200),
	ROW_MAX(MSG_ABORT_OBJECT, "ABORT_OBJECT", msg_abort_object, 40),
	ROW_MAX(MSG_GET_OBJECT, "GET_OBJECT", msg_get_object, 2200),
	ROW_MAX(MSG_OBJECT, "OBJECT", msg_object, 1200),
	ROW_MAX(MSG_LIST_OBJECTS, "LIST_OBJECTS", msg_list_objects, 4300),
	ROW(MSG_OBJECTS, "OBJECTS", msg_objects),
	ROW(MSG_GET_SEGMENT, "GET_SEGMENT", msg_get_segment),
	ROW(MSG_SEGMENT, "SEGMENT", msg_segment),
	ROW_MAX(MSG_REMOVE_OBJECT, "REMOVE_OBJECT", msg_get_object, 2200),
	ROW_EMPTY(MSG_ASK_ACCOUNT, "ASK_ACCOUNT"),
	ROW_MAX(MSG_ACCOUNT, "ACCOUNT", msg_account, 144),
	ROW(MSG_REPORT, "REPORT", msg_report),
};

const struct message_spec *message_table(size_t *ret_count)
{
	*ret_count = COUNT(table);
	return table;
}

const struct message_spec *message_find(uint16_t type)
{
	size_t low = 0, high = COUNT(table);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table[middle].type == type)
			return &table[middle];
		if (table[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* All members of the union start at the same place. */
static void *body_of(struct message *message)
{
	return &message->empty;
}

size_t message_size(const struct message *message)
{
	const struct message_spec *spec = message_find(message->type);

	return MESSAGE_HEAD + (spec == NULL ? 0 : fields_size(&spec->fields, &message->empty));
}

void message_encode(const struct message *message, struct writer *w)
{
	const struct message_spec *spec = message_find(message->type);
	size_t before = w->len;

	if (spec == NULL) {
		w->err = ERR_RANGE;
		return;
	}
	write_u16(w, message->type);
	write_u32(w, message->request);
	fields_encode(&spec->fields, &message->empty, w);
	if (w->err == ERR_OK && w->len - before > spec->max)
		w->err = ERR_RANGE;
}

enum refusal message_decode(struct bytes from, struct message *ret, const char **ret_why)
{
	const struct message_spec *spec;
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, from);
	ret->type = read_u16(&r);
	ret->request = read_u32(&r);
	*ret_why = "head";
	if (r.err != ERR_OK)
		return REFUSAL_MALFORMED;
	spec = message_find(ret->type);
	*ret_why = "type";
	if (spec == NULL)
		return REFUSAL_UNKNOWN_TYPE;
	*ret_why = spec->fields.name;
	if (from.len > spec->max)
		return REFUSAL_TOO_LONG;
	*ret_why = fields_decode(&spec->fields, &r, body_of(ret));
	if (*ret_why != NULL)
		return REFUSAL_MALFORMED;
	*ret_why = "trailing bytes";
	return reader_end(&r) == ERR_OK ? REFUSAL_NONE : REFUSAL_MALFORMED;
}

char *message_print(const struct message *message, char *out, size_t room)
{
	const struct message_spec *spec = message_find(message->type);
	int len;

	len = snprintf(out, room, "%s request=%" PRIu32 " ", spec == NULL ? "UNKNOWN" : spec->fields.name,
		       message->request);
	if (spec != NULL && len > 0 && (size_t)len < room)
		fields_print(&spec->fields, &message->empty, out + len, room - (size_t)len);
	return out;
}
