/*
 * The satellite's tables.
 *
 * Parties are known by their 20-byte addresses, things by random 32-byte ids, so rows made by different processes
 * never collide and nothing waits for a sequence. Times are Unix seconds.
 *
 *	objects ─< segments ─< pieces	what is stored: a segment's pieces exist once it is committed
 *			    └< offers	pieces allocated for a segment that is not committed yet
 *	pieces ─> ended, deletions	a piece that goes leaves what it earned and an order to delete it
 *	nodes ─ collections		garbage collection
 *	nodes ─< experiences		what clients saw of them
 *	pieces ─> changes, storage	what changed by day, and sums by hour: a month is counted from these, and
 *	settled ─> traffic		from the same sums of settled orders
 *	audits ─> audited		and of audits
 *	audits ─> transcripts		what a stranger needs to judge one again
 *	audits ─> reputations, notices	how far a node is trusted, and what it is told about that
 *	pieces, nodes ─> repairs	what has to be made again, and rebuilds: what is under way
 *	… ─> statements, entries	a closed month: pay stubs, and the postings behind them
 *
 * An object is begun (1), visible (2) or removed (3); a segment is begun (1) or committed (2). Removing an object is
 * one row's change, whatever its size; the deleter takes it apart afterwards.
 */
#include "satellite/schema.h"

#include <stdlib.h>

#include "common/file.h"

/* clang-format off */
static const char registry_tables[] =
	"CREATE TABLE nodes ("
	"  address @bytes NOT NULL PRIMARY KEY,"
	"  id @bytes NOT NULL,"
	"  endpoint @text NOT NULL," /* host:port where it was dialled with success; '' before */
	"  claimed @text NOT NULL,"  /* as it said last */
	"  network @text NOT NULL,"  /* /24 or /48 of the numeric address that was dialled */
	"  version @text NOT NULL,"
	"  allocated @int NOT NULL," /* bytes, as the rest */
	"  used @int NOT NULL,"
	"  available @int NOT NULL,"
	"  payee @bytes NOT NULL," /* signed Payee, or empty: its own address */
	"  registered @int NOT NULL,"
	"  checked_in @int NOT NULL,"
	"  dialled @int NOT NULL,"
	"  reachable @int NOT NULL" /* 1 when the last dial-back found it */
	") @strict;"
	"CREATE TABLE grants ("
	"  code @bytes NOT NULL PRIMARY KEY," /* hash of the code */
	"  created @int NOT NULL,"
	"  expires @int NOT NULL,"
	"  client @bytes," /* who used it */
	"  used @int"
	") @strict;"
	"CREATE TABLE clients ("
	"  address @bytes NOT NULL PRIMARY KEY,"
	"  id @bytes NOT NULL,"
	"  enrolled @int NOT NULL"
	") @strict;"
	"CREATE TABLE leases ("
	"  name @text NOT NULL PRIMARY KEY,"
	"  holder @bytes NOT NULL,"
	"  until @int NOT NULL"
	") @strict;";

static const char object_tables[] =
	"CREATE TABLE buckets ("
	"  owner @bytes NOT NULL REFERENCES clients(address),"
	"  name @text NOT NULL,"
	"  created @int NOT NULL,"
	"  PRIMARY KEY (owner, name)"
	") @strict;"
	"CREATE TABLE objects ("
	"  version @bytes NOT NULL PRIMARY KEY,"
	"  owner @bytes NOT NULL,"
	"  bucket @text NOT NULL,"
	"  path @bytes NOT NULL,"
	"  state @int NOT NULL,"
	"  required @int NOT NULL,"
	"  repair @int NOT NULL,"
	"  success @int NOT NULL,"
	"  total @int NOT NULL,"
	"  begun @int NOT NULL,"
	"  touched @int NOT NULL,"   /* when the upload last went on */
	"  committed @int NOT NULL," /* 0: never; its pieces earn nothing */
	"  expires @int NOT NULL,"   /* 0: never */
	"  segments @int NOT NULL,"
	"  plain_size @int NOT NULL,"
	"  metadata @bytes NOT NULL"
	") @strict;"
	"CREATE UNIQUE INDEX objects_visible ON objects (owner, bucket, path) WHERE state = 2;"
	"CREATE INDEX objects_begun ON objects (owner, bucket) WHERE state = 1;"
	"CREATE INDEX objects_idle ON objects (touched) WHERE state = 1;"
	"CREATE INDEX objects_expiring ON objects (expires) WHERE state = 2 AND expires > 0;"
	"CREATE INDEX objects_removed ON objects (version) WHERE state = 3;"
	"CREATE TABLE segments ("
	"  segment @bytes NOT NULL PRIMARY KEY,"
	"  version @bytes NOT NULL REFERENCES objects(version),"
	"  number @int NOT NULL,"
	"  state @int NOT NULL,"
	"  plain_size @int NOT NULL,"
	"  piece_size @int NOT NULL," /* begun: the most; committed: exactly */
	"  issued @int NOT NULL,"     /* when its allocations were signed */
	"  expires @int NOT NULL,"    /* when they lapse */
	"  wrapped_key @bytes NOT NULL,"
	"  data @bytes" /* of a segment kept here, without pieces */
	") @strict;"
	"CREATE INDEX segments_object ON segments (version, number);"
	"CREATE UNIQUE INDEX segments_committed ON segments (version, number) WHERE state = 2;"
	"CREATE TABLE offers ("
	"  segment @bytes NOT NULL REFERENCES segments(segment),"
	"  number @int NOT NULL,"
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  piece @bytes NOT NULL,"
	"  serial @bytes NOT NULL,"
	"  PRIMARY KEY (segment, number)"
	") @strict;"
	"CREATE TABLE pieces ("
	"  segment @bytes NOT NULL REFERENCES segments(segment),"
	"  number @int NOT NULL,"
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  piece @bytes NOT NULL,"
	"  root @bytes NOT NULL,"
	"  size @int NOT NULL,"
	"  stored @int NOT NULL,"  /* as the node's receipt says */
	"  lost @int NOT NULL,"	   /* 0, or since when it earns no more: its last proof, or what its node said */
	"  audited @int NOT NULL," /* when last */
	"  verdict @int NOT NULL," /* of that audit, 0 before the first */
	"  PRIMARY KEY (segment, number)"
	") @strict;"
	"CREATE UNIQUE INDEX pieces_node ON pieces (node, piece);";

static const char money_tables[] =
	"CREATE TABLE ended (" /* what pieces that are gone have earned */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  piece @bytes NOT NULL,"
	"  size @int NOT NULL,"
	"  stored @int NOT NULL,"
	"  ended @int NOT NULL,"
	"  PRIMARY KEY (node, piece)"
	") @strict;"
	"CREATE INDEX ended_time ON ended (ended);"
	"CREATE TABLE deletions (" /* what nodes must still be told to delete */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  piece @bytes NOT NULL,"
	"  ends @int NOT NULL,"	 /* the time that the signed Deletion says */
	"  due @int NOT NULL,"	 /* not before */
	"  again @int NOT NULL," /* until then it could still be uploaded: told once more afterwards; 0: never */
	"  tries @int NOT NULL,"
	"  PRIMARY KEY (node, piece)"
	") @strict;"
	"CREATE INDEX deletions_due ON deletions (due);"
	"CREATE TABLE settled ("
	"  allocation @bytes NOT NULL PRIMARY KEY," /* struct hash */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  client @bytes NOT NULL,"
	"  action @int NOT NULL,"
	"  bytes @int NOT NULL," /* counted in all */
	"  hour @int NOT NULL"	 /* of the allocation's expiry */
	") @strict;"
	"CREATE TABLE traffic (" /* sums of what was settled, by the hour in which it was */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  hour @int NOT NULL,"
	"  action @int NOT NULL,"
	"  bytes @int NOT NULL,"
	"  orders @int NOT NULL,"
	"  PRIMARY KEY (node, hour, action)"
	") @strict;";

static const char audit_tables[] =
	"CREATE TABLE audit_rounds ("
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  after @bytes NOT NULL," /* the last piece that was challenged */
	"  due @int NOT NULL"	   /* when the next batch is */
	") @strict;"
	"CREATE INDEX audit_rounds_due ON audit_rounds (due);"
	"CREATE TABLE audits ("
	"  challenge @bytes NOT NULL PRIMARY KEY," /* its hash */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  at @int NOT NULL,"
	"  transcript @bytes NOT NULL," /* Audit as the node signed it; empty when it did not answer */
	"  bytes @int NOT NULL,"	/* of leaves that were proven */
	"  proven @int NOT NULL,"
	"  missing @int NOT NULL,"
	"  corrupt @int NOT NULL,"
	"  late @int NOT NULL,"
	"  unreachable @int NOT NULL,"
	"  unknown @int NOT NULL"
	") @strict;"
	"CREATE INDEX audits_node ON audits (node, at);"
	"CREATE TABLE findings (" /* every verdict other than proven and unreachable */
	"  challenge @bytes NOT NULL REFERENCES audits(challenge),"
	"  piece @bytes NOT NULL,"
	"  verdict @int NOT NULL,"
	"  PRIMARY KEY (challenge, piece)"
	") @strict;";

static const char loss_tables[] =
	"CREATE TABLE losses (" /* what nodes said themselves that they lost */
	"  loss @bytes NOT NULL PRIMARY KEY," /* struct hash */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  at @int NOT NULL,"	    /* from then on these pieces earn nothing */
	"  received @int NOT NULL,"
	"  signed @bytes NOT NULL," /* Loss as the node signed it */
	"  pieces @bytes NOT NULL"  /* their ids, 32 bytes each, to which it commits */
	") @strict;"
	"CREATE INDEX losses_node ON losses (node, at);";

/* Sums by hour. A change counts in the hour in which it becomes known, for as far back as it reaches, so that nothing
 * that was paid or signed changes any more. Those of before come out of what is kept of every piece; one that would
 * have ended before it began, by clocks that differ, counts nothing. */
static const char rollup_tables[] =
	"CREATE VIEW stays AS " /* when each piece earned; ended is 0 for those that still do */
	"SELECT p.node AS node, p.piece AS piece, p.size AS size, p.stored AS began, "
	"CASE WHEN p.lost = 0 THEN 0 WHEN p.lost < p.stored THEN p.stored ELSE p.lost END AS ended "
	"FROM pieces p JOIN segments s ON s.segment = p.segment JOIN objects o ON o.version = s.version "
	"WHERE o.committed > 0 "
	"UNION ALL SELECT node, piece, size, stored, CASE WHEN ended < stored THEN stored ELSE ended END FROM ended;"
	"CREATE TABLE changes (" /* what a Usage lists */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  day @int NOT NULL," /* on which it became known */
	"  piece @bytes NOT NULL,"
	"  change @int NOT NULL," /* 1 began, 2 ended, 3 both */
	"  size @int NOT NULL,"
	"  began @int NOT NULL,"
	"  ended @int NOT NULL," /* 0 unless it did */
	"  PRIMARY KEY (node, day, piece)"
	") @strict;"
	"INSERT INTO changes (node, day, piece, change, size, began, ended) "
	"SELECT node, began / 86400, piece, CASE WHEN ended / 86400 = began / 86400 THEN 3 ELSE 1 END, size, began, "
	"CASE WHEN ended / 86400 = began / 86400 THEN ended ELSE 0 END FROM stays;"
	"INSERT INTO changes (node, day, piece, change, size, began, ended) "
	"SELECT node, ended / 86400, piece, 2, size, began, ended FROM stays "
	"WHERE ended > 0 AND ended / 86400 <> began / 86400;"
	"CREATE TABLE storage ("
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  hour @int NOT NULL,"
	"  begun @int NOT NULL,"	 /* bytes of pieces that began to earn */
	"  begun_seconds @int NOT NULL," /* their byte-seconds from then to the end of the hour */
	"  ended @int NOT NULL,"	 /* of pieces that ceased to */
	"  ended_seconds @int NOT NULL,"
	"  PRIMARY KEY (node, hour)"
	") @strict;"
	"INSERT INTO storage (node, hour, begun, begun_seconds, ended, ended_seconds) "
	"SELECT node, hour, SUM(begun), SUM(begun_seconds), SUM(ended), SUM(ended_seconds) FROM ("
	"  SELECT node, began / 3600 AS hour, size AS begun, size * (3600 - began % 3600) AS begun_seconds, 0 "
	"  AS ended, 0 AS ended_seconds FROM stays"
	"  UNION ALL SELECT node, ended / 3600, 0, 0, size, size * (3600 - ended % 3600) FROM stays WHERE ended > 0"
	") AS hours GROUP BY node, hour;"
	"CREATE TABLE audited ("
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  hour @int NOT NULL,"
	"  bytes @int NOT NULL," /* of leaves that were proven */
	"  passed @int NOT NULL,"
	"  failed @int NOT NULL," /* missing or corrupt */
	"  PRIMARY KEY (node, hour)"
	") @strict;"
	"INSERT INTO audited (node, hour, bytes, passed, failed) "
	"SELECT node, at / 3600, SUM(bytes), SUM(proven), SUM(missing + corrupt) FROM audits GROUP BY node, at / 3600;"
	"ALTER TABLE pieces ADD COLUMN proven @int NOT NULL DEFAULT 0;" /* when last shown to be there */
	"UPDATE pieces SET proven = audited WHERE verdict = 1;";

/* A closed month is never touched again. */
static const char book_tables[] =
	"CREATE TABLE prices (" /* every Price that was taken up */
	"  party @bytes NOT NULL,"
	"  begins @int NOT NULL,"
	"  signed @bytes NOT NULL,"
	"  PRIMARY KEY (party, begins)"
	") @strict;"
	"CREATE TABLE payees (" /* every Payee that a node signed and that may still count */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  begins @bytes NOT NULL," /* u64, big-endian, so that it sorts */
	"  signed @bytes NOT NULL,"
	"  PRIMARY KEY (node, begins)"
	") @strict;"
	"INSERT INTO payees (node, begins, signed) SELECT address, substr(payee, 41, 8), payee FROM nodes WHERE "
	"length(payee) = 113;"
	"CREATE TABLE standing (" /* what became of a node */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  state @int NOT NULL," /* 1 disqualified, 2 exiting, 3 exited */
	"  at @int NOT NULL,"
	"  note @text NOT NULL,"
	"  PRIMARY KEY (node, state)"
	") @strict;"
	"CREATE TABLE months ("
	"  period @int NOT NULL PRIMARY KEY," /* YYYYMM */
	"  first_day @int NOT NULL," /* Unix seconds / 86400 */
	"  end_day @int NOT NULL,"   /* not of it any more */
	"  closed @int NOT NULL"
	") @strict;"
	"CREATE TABLE statements ("
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  period @int NOT NULL REFERENCES months(period),"
	"  payee @bytes NOT NULL,"
	"  stored @int NOT NULL,"   /* bytes that earned at the end of the month */
	"  debt @bytes NOT NULL,"   /* u128: byte-seconds that the next month takes off */
	"  allotted @int NOT NULL," /* to the payee, base units */
	"  signed @bytes NOT NULL,"
	"  lines @bytes NOT NULL,"
	"  PRIMARY KEY (node, period)"
	") @strict;"
	"CREATE INDEX statements_payee ON statements (payee, period);"
	"CREATE TABLE entries (" /* the ledger: each moves an amount from one account of a party to another */
	"  party @bytes NOT NULL,"
	"  period @int NOT NULL,"
	"  reason @int NOT NULL,"
	"  ref @bytes NOT NULL,"
	"  debit @int NOT NULL,"
	"  credit @int NOT NULL,"
	"  amount @int NOT NULL CHECK (amount > 0),"
	"  at @int NOT NULL,"
	"  PRIMARY KEY (party, period, reason, ref)"
	") @strict;"
	"CREATE TABLE adjustments (" /* what an operator gives or takes beside the work */
	"  id @bytes NOT NULL PRIMARY KEY,"
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  period @int NOT NULL," /* the month that it is part of */
	"  kind @int NOT NULL,"	  /* 5 bonus, 6 correction, 11 deduction, as lines of a statement */
	"  concerns @int NOT NULL," /* of a correction: the month that was paid wrongly, or 0 */
	"  amount @int NOT NULL CHECK (amount > 0),"
	"  at @int NOT NULL,"
	"  note @text NOT NULL"
	") @strict;"
	"CREATE INDEX adjustments_node ON adjustments (node, period);"
	"CREATE TABLE payouts (" /* trees that were brought to the chain */
	"  period @int NOT NULL PRIMARY KEY REFERENCES months(period),"
	"  root @bytes NOT NULL,"
	"  transaction_id @bytes NOT NULL,"
	"  at @int NOT NULL"
	") @strict;"
	"@append_only(prices);"
	"@append_only(standing);"
	"@append_only(adjustments);"
	"@append_only(months);"
	"@append_only(statements);"
	"@append_only(entries);"
	"@append_only(payouts);";

/* Customers: what their objects take, and the sums by hour from which a month is counted. */
static const char customer_tables[] =
	"ALTER TABLE objects ADD COLUMN stored @int NOT NULL DEFAULT 0;" /* bytes of pieces of committed segments */
	"ALTER TABLE objects ADD COLUMN removed @int NOT NULL DEFAULT 0;"
	"ALTER TABLE clients ADD COLUMN stored @int NOT NULL DEFAULT 0;"   /* of all objects that are not forgotten */
	"ALTER TABLE clients ADD COLUMN objects @int NOT NULL DEFAULT 0;"  /* that were visible and are not forgotten */
	"ALTER TABLE clients ADD COLUMN segments @int NOT NULL DEFAULT 0;" /* of these */
	"ALTER TABLE clients ADD COLUMN storage_quota @int;"		   /* bytes; NULL: the default */
	"ALTER TABLE clients ADD COLUMN egress_quota @int;"
	"UPDATE objects SET stored = COALESCE((SELECT SUM(p.size) FROM segments s JOIN pieces p ON p.segment = "
	"s.segment WHERE s.version = objects.version), 0) + COALESCE((SELECT SUM(s.plain_size) FROM segments s WHERE "
	"s.version = objects.version AND s.data IS NOT NULL), 0), "
	"removed = CASE WHEN state = 3 THEN touched ELSE 0 END;"
	"UPDATE objects SET removed = committed WHERE removed > 0 AND removed < committed;"
	"UPDATE clients SET stored = COALESCE((SELECT SUM(stored) FROM objects WHERE owner = address), 0), "
	"objects = (SELECT COUNT(*) FROM objects WHERE owner = address AND committed > 0), "
	"segments = COALESCE((SELECT SUM(segments) FROM objects WHERE owner = address AND committed > 0), 0);"
	"CREATE TABLE client_storage ("
	"  client @bytes NOT NULL REFERENCES clients(address),"
	"  hour @int NOT NULL,"
	"  begun @int NOT NULL,"	 /* bytes of objects that became visible in this hour */
	"  begun_seconds @int NOT NULL," /* their byte-seconds from then to the end of the hour */
	"  ended @int NOT NULL,"	 /* of objects that were removed */
	"  ended_seconds @int NOT NULL,"
	"  PRIMARY KEY (client, hour)"
	") @strict;"
	"INSERT INTO client_storage (client, hour, begun, begun_seconds, ended, ended_seconds) SELECT owner, "
	"committed / 3600, SUM(stored), SUM(stored * (3600 - committed % 3600)), 0, 0 FROM objects WHERE committed > 0 "
	"GROUP BY owner, committed / 3600;"
	"CREATE TABLE client_traffic (" /* settled, by the hour in which it was */
	"  client @bytes NOT NULL,"
	"  hour @int NOT NULL,"
	"  action @int NOT NULL,"
	"  bytes @int NOT NULL,"
	"  orders @int NOT NULL,"
	"  PRIMARY KEY (client, hour, action)"
	") @strict;"
	"INSERT INTO client_traffic (client, hour, action, bytes, orders) SELECT client, hour, action, SUM(bytes), "
	"COUNT(*) FROM settled GROUP BY client, hour, action;"
	"CREATE TABLE client_issued (" /* downloads allowed to clients with a quota, by the hour in which that ends */
	"  client @bytes NOT NULL,"
	"  hour @int NOT NULL,"
	"  bytes @int NOT NULL,"
	"  settled @int NOT NULL,"
	"  PRIMARY KEY (client, hour)"
	") @strict;";

/* Days of storage that are over: signed, and never booked on again. */
static const char usage_tables[] =
	"CREATE TABLE usage_days ("
	"  day @int NOT NULL PRIMARY KEY," /* Unix seconds / 86400 */
	"  closed @int NOT NULL"
	") @strict;"
	"CREATE TABLE usages ("
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  day @int NOT NULL REFERENCES usage_days(day),"
	"  signed @bytes NOT NULL," /* Usage */
	"  bytes @int NOT NULL,"    /* carried into the day */
	"  debt @bytes NOT NULL,"   /* u128, the same */
	"  PRIMARY KEY (node, day)"
	") @strict;"
	"@append_only(usage_days);"
	"@append_only(usages);";

/* How far nodes are trusted. The model is that of audit/reputation.h, in its own encoding; what SQL joins on stands
 * beside it. */
static const char reputation_tables[] =
	"CREATE TABLE reputations ("
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  state @int NOT NULL," /* enum node_state: 1 good, 2 vetting, 3 suspended, 4 suspended for being offline, 5
				    disqualified, 6 exiting, 7 exited */
	"  since @int NOT NULL,"
	"  reason @text NOT NULL," /* of that state, for people; '' for none */
	"  model @bytes NOT NULL," /* empty: nothing was observed yet */
	"  notices @int NOT NULL," /* the number of the last */
	"  due @int NOT NULL,"	   /* when time alone may change it */
	"  loss_period @int NOT NULL," /* YYYYMM of the last loss that the node reported */
	"  loss_pieces @int NOT NULL"  /* reported in that month */
	") @strict;"
	"CREATE INDEX reputations_due ON reputations (due);"
	"INSERT INTO reputations (node, state, since, reason, model, notices, due, loss_period, loss_pieces) "
	"SELECT n.address, CASE COALESCE((SELECT MIN(CASE state WHEN 1 THEN 1 WHEN 3 THEN 2 ELSE 3 END) FROM standing "
	"s WHERE s.node = n.address), 0) WHEN 1 THEN 5 WHEN 2 THEN 7 WHEN 3 THEN 6 ELSE 2 END, "
	"COALESCE((SELECT MAX(at) FROM standing s WHERE s.node = n.address), n.registered), '', "
	"substr(n.address, 1, 0), 0, 0, 0, 0 FROM nodes n;"
	"CREATE TABLE notices (" /* what a node is told, in order: changes of its state, and pieces that failed */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  number @int NOT NULL," /* 1, 2, 3, … for each node */
	"  at @int NOT NULL,"
	"  kind @int NOT NULL,"	   /* enum notice_kind */
	"  state @int NOT NULL,"   /* of the node from then on */
	"  verdict @int NOT NULL," /* on the piece; 0 when the notice is of none */
	"  piece @bytes NOT NULL," /* empty: of none */
	"  challenge @bytes NOT NULL," /* hash of the audit that it came from; empty: from none */
	"  words @text NOT NULL,"
	"  PRIMARY KEY (node, number)"
	") @strict;"
	"CREATE TABLE contained (" /* challenges in whose midst a node went silent: asked again, word for word */
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  challenge @bytes NOT NULL," /* as it was sent */
	"  asked @int NOT NULL,"       /* the first time */
	"  tries @int NOT NULL,"
	"  due @int NOT NULL" /* the next time */
	") @strict;"
	"CREATE INDEX contained_due ON contained (due);"
	"CREATE TABLE transcripts (" /* what a stranger needs to judge an audit again */
	"  challenge @bytes NOT NULL PRIMARY KEY REFERENCES audits(challenge)," /* its hash */
	"  at @int NOT NULL,"
	"  failed @int NOT NULL," /* 1: something was missing or corrupt; kept for ever */
	"  signed @bytes NOT NULL," /* Audit with its verdicts, as the satellite signed it */
	"  record @bytes NOT NULL"  /* challenge, answers and verdicts: doc/formats.md, 5.6 */
	") @strict;"
	"CREATE INDEX transcripts_age ON transcripts (failed, at);"
	"ALTER TABLE audits ADD COLUMN form @int NOT NULL DEFAULT 1;"  /* enum challenge_form */
	"ALTER TABLE audits ADD COLUMN tries @int NOT NULL DEFAULT 1;" /* how often it was asked */
	"ALTER TABLE audit_rounds ADD COLUMN piece_us @int NOT NULL DEFAULT 0;" /* what a proof takes it, smoothed */
	"ALTER TABLE pieces ADD COLUMN receipt @bytes;"; /* allocation hash and signature of the node's Receipt */

/* What has to be made again or moved away, and nodes that leave. */
static const char repair_tables[] =
	"ALTER TABLE nodes ADD COLUMN reached @int NOT NULL DEFAULT 0;" /* when a dial-back last found it */
	"UPDATE nodes SET reached = CASE WHEN reachable = 1 THEN dialled ELSE registered END;"
	"ALTER TABLE segments ADD COLUMN healthy @int;" /* pieces, when last judged; NULL: never */
	"CREATE INDEX segments_unjudged ON segments (segment) WHERE state = 2 AND healthy IS NULL AND data IS NULL;"
	"ALTER TABLE pieces ADD COLUMN noticed @int NOT NULL DEFAULT 0;" /* 1: repair knows that it is lost */
	"CREATE INDEX pieces_unnoticed ON pieces (segment) WHERE lost > 0 AND noticed = 0;"
	"CREATE TABLE repairs (" /* the queue; a segment's row may outlive it for a while */
	"  segment @bytes NOT NULL PRIMARY KEY,"
	"  verdict @int NOT NULL," /* enum health_verdict; 1: it is fine, but pieces of it move away */
	"  place @int NOT NULL,"   /* in the order of repairs, the lower the sooner */
	"  healthy @int NOT NULL,"
	"  retrievable @int NOT NULL,"
	"  moving @int NOT NULL," /* pieces on nodes that leave */
	"  since @int NOT NULL,"
	"  due @int NOT NULL,"    /* not before */
	"  until @int NOT NULL,"  /* claimed by `holder` up to then */
	"  holder @bytes NOT NULL,"
	"  tries @int NOT NULL," /* that failed */
	"  why @text NOT NULL"	  /* the last failed */
	") @strict;"
	"CREATE INDEX repairs_place ON repairs (place, since);"
	"CREATE TABLE rebuilds (" /* pieces on their way to a node: they become pieces, or are deleted there */
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  piece @bytes NOT NULL,"
	"  segment @bytes NOT NULL,"
	"  expires @int NOT NULL," /* of the allocation */
	"  PRIMARY KEY (node, piece)"
	") @strict;"
	"CREATE INDEX rebuilds_expires ON rebuilds (expires);"
	"CREATE TABLE repaired (" /* sums by hour */
	"  hour @int NOT NULL PRIMARY KEY,"
	"  segments @int NOT NULL,"
	"  rebuilt @int NOT NULL," /* pieces */
	"  moved @int NOT NULL,"   /* pieces, from nodes that leave */
	"  failed @int NOT NULL,"  /* attempts */
	"  bytes_read @int NOT NULL,"
	"  bytes_stored @int NOT NULL"
	") @strict;"
	"CREATE TABLE watched (" /* nodes as the checker knows them; when they change, it looks at their pieces */
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  state @int NOT NULL," /* enum piece_state of a piece there */
	"  network @text NOT NULL,"
	"  walking @int NOT NULL," /* 1: not all its pieces were looked at yet, */
	"  after @bytes NOT NULL"  /* but those up to this one */
	") @strict;"
	"CREATE INDEX watched_walking ON watched (node) WHERE walking = 1;"
	"CREATE TABLE walks (" /* over all there is, now and then */
	"  name @text NOT NULL PRIMARY KEY,"
	"  after @bytes NOT NULL,"
	"  due @int NOT NULL"
	") @strict;"
	"CREATE TABLE budgets (" /* a share of the line, kept by all processes together */
	"  name @text NOT NULL PRIMARY KEY,"
	"  until @int NOT NULL" /* spent up to then, milliseconds */
	") @strict;"
	"CREATE TABLE exits ("
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  asked @int NOT NULL,"
	"  pieces @int NOT NULL," /* that it held then */
	"  bytes @int NOT NULL,"
	"  moved @int NOT NULL,"  /* pieces that it gave away since */
	"  failed @int NOT NULL," /* that had to be made from others, or were lost */
	"  ended @int NOT NULL,"  /* 0: under way */
	"  why @text NOT NULL,"	  /* it failed; '' when it did not */
	"  signed @bytes NOT NULL" /* Exit, once it is complete */
	") @strict;"
	"CREATE INDEX exits_open ON exits (node) WHERE ended = 0;";

/* Garbage collection: whose turn it is, and what came of the last round. */
static const char collection_tables[] =
	"CREATE TABLE collections ("
	"  node @bytes NOT NULL PRIMARY KEY REFERENCES nodes(address),"
	"  due @int NOT NULL,"
	"  tries @int NOT NULL,"   /* that failed, since one did not */
	"  outcome @int NOT NULL," /* 1 done, 2 held, 3 failed */
	"  begun @int NOT NULL,"   /* the time of its filters */
	"  ended @int NOT NULL,"
	"  held_since @int NOT NULL," /* by the node's clock */
	"  wanted @int NOT NULL,"     /* pieces in the filters */
	"  pieces @int NOT NULL,"     /* as the node counts, as the rest */
	"  bytes @int NOT NULL,"
	"  unwanted_pieces @int NOT NULL,"
	"  unwanted_bytes @int NOT NULL,"
	"  moved_pieces @int NOT NULL,"
	"  moved_bytes @int NOT NULL,"
	"  why @text NOT NULL" /* of a failure */
	") @strict;";

/* What clients saw of nodes: fading sums of each jury of clients, satellite/experience.h. */
static const char experience_tables[] =
	"CREATE TABLE experiences ("
	"  node @bytes NOT NULL REFERENCES nodes(address),"
	"  jury @int NOT NULL,"
	"  at @int NOT NULL,"	     /* as of when they are faded, as the rest, in thousandths of a transfer */
	"  succeeded @int NOT NULL,"
	"  failed @int NOT NULL,"
	"  timed @int NOT NULL," /* whose pace is known, */
	"  pace @int NOT NULL,"	 /* and that, together; the typical one is 1,000 */
	"  PRIMARY KEY (node, jury)"
	") @strict;";

/* What a dossier needs of a piece that failed, which is repaired, and so replaced, sooner than anyone asks for it. */
static const char finding_receipts[] =
	"ALTER TABLE findings ADD COLUMN root @bytes;"
	"ALTER TABLE findings ADD COLUMN size @int;"
	"ALTER TABLE findings ADD COLUMN stored @int;"
	"ALTER TABLE findings ADD COLUMN receipt @bytes;" /* as in pieces */
	"UPDATE findings SET root = p.root, size = p.size, stored = p.stored, receipt = p.receipt FROM audits a JOIN "
	"pieces p ON p.node = a.node WHERE a.challenge = findings.challenge AND p.piece = findings.piece;";

/* clang-format on */

static const struct migration migrations[] = {
	{1, registry_tables},
	{2, object_tables},
	{3, money_tables},
	{4, audit_tables},
	{5, loss_tables},
	{6, rollup_tables},
	{7, book_tables},
	{8, customer_tables},
	{9, usage_tables},
	{10, reputation_tables},
	{11, repair_tables},
	{12, collection_tables},
	{13, experience_tables},
	{14, finding_receipts},
};

const struct migration *schema_migrations(size_t *ret_count)
{
	*ret_count = sizeof(migrations) / sizeof(migrations[0]);
	return migrations;
}

enum err schema_open(const char *dir, struct database **ret, char why[DATABASE_MESSAGE])
{
	char *path = file_join(dir, "satellite.db");
	size_t count;
	const struct migration *all = schema_migrations(&count);
	enum err err = database_open(path, all, count, ret, why);

	free(path);
	return err;
}
