"""The tables.

Times are integer Unix microseconds UTC (``_us``): SQLite has no time zones. Sums over scores are integers
too (`SCORE_UNIT` a point), so that a bucket is the same to the last bit whatever order items arrive in.

The record is ``articles``, ``mentions``, ``alerts`` with their evidence and events, ``notifications``, and
what people said and did (``verdicts``, ``labels``, ``audit``, ``silences``, ``promotions``, ``retrains``),
and who they are (``people``,
``tokens``);
``buckets`` and ``publishers`` are derived from it, with ``weights``, and can be rebuilt; so is the index of
words, which is not here (`monitor.store.words`).

Ids are hashes. So the keys of what grows with every article begin with its time, and what is new stands
where the last was written; only the index of articles by id is written all over.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCORE_UNIT = 1_000_000
WEIGHT_UNIT = 1_000

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
# SQLite gives out row numbers only to columns of exactly type INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")

articles = Table(
    "articles",
    metadata,
    Column("published_us", BigInteger, primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("revision", String(16), primary_key=True),
    # The revision that counts in buckets: one row of each id has it.
    Column("current", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("author", Text, nullable=False, server_default=text("''")),
    Column("url", Text),
    Column("title", Text, nullable=False),
    Column("lead", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("ingested_us", BigInteger, nullable=False),
    Column("classified_us", BigInteger, nullable=False),
    Column("date_status", String(8), nullable=False),
    Column("topic", Text),
    Column("topic_probability", Float),
    Column("sentiment", String(8)),
    Column("sentiment_probability", Float),
    Column("score", Float),
    Column("risks", JSON, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("bundle_hash", Text, nullable=False),
    Column("unsure", Text, nullable=False, server_default=text("''")),  # heads, joined by commas
    # Whose companies its mentions are: a number of `watchlists`.
    Column("watchlist", Integer, nullable=False, server_default=text("0")),
    Index(None, "id", "revision", unique=True),
    Index(None, "ingested_us"),
    Index(None, "watchlist", "ingested_us"),
    Index(None, "topic", "published_us"),
    sqlite_with_rowid=False,
)

# Ids of articles that were deleted for their age: one that comes again is a repeat.
seen = Table(
    "seen",
    metadata,
    Column("id", String(32), primary_key=True),
    sqlite_with_rowid=False,
)

mentions = Table(
    "mentions",
    metadata,
    Column("company_id", Text, primary_key=True),
    Column("published_us", BigInteger, primary_key=True),  # as the article's
    Column("article_id", String(32), primary_key=True),
    Column("revision", String(16), primary_key=True),
    Column("alias", Text, nullable=False),
    Column("field", String(8), nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("sentiment", Text),  # towards the company
    Column("score", Float),
    Column("relevance", String(8)),
    Index(None, "published_us", "article_id"),
    sqlite_with_rowid=False,
)

# In PostgreSQL, which keeps rows in no order, the key begins with grain, dimension and key, and there is an
# index by time (`OTHER_INDEX`).
OTHER_INDEX = "ix_buckets_grain_dimension_start_us"
buckets = Table(
    "buckets",
    metadata,
    Column("grain", String(8), primary_key=True),
    Column("dimension", String(16), primary_key=True),
    Column("start_us", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("items", BigInteger, nullable=False),
    Column("positive", BigInteger, nullable=False),
    Column("neutral", BigInteger, nullable=False),
    Column("negative", BigInteger, nullable=False),
    Column("score_sum", BigInteger, nullable=False),  # units of 1 / SCORE_UNIT
    Column("score_squares", BigInteger, nullable=False),  # sum of squares, units of 1 / SCORE_UNIT
    # Of reports, each once: see `weights`. Sums are weight times score, and times its square.
    Column("weight", BigInteger, nullable=False, server_default=text("0")),  # 1 / WEIGHT_UNIT
    Column("weighted_sum", BigInteger, nullable=False, server_default=text("0")),
    Column("weighted_squares", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

publishers = Table(
    "publishers",
    metadata,
    Column("hour_us", BigInteger, primary_key=True),
    Column("dimension", String(16), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("publisher", Text, primary_key=True),
    Column("items", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What every article that counts weighed, and the lists its companies were on, when it was counted. Of a
# report the article published first holds the weight.
weights = Table(
    "weights",
    metadata,
    Column("published_us", BigInteger, primary_key=True),
    Column("article_id", String(32), primary_key=True),
    Column("report", String(24), nullable=False),  # UTC day, then the hash of what copies share
    Column("weight", BigInteger, nullable=False),  # units of 1 / WEIGHT_UNIT
    Column("lists", JSON(none_as_null=True)),  # company: [sector, [group, ...]]
    Index(None, "report"),
    sqlite_with_rowid=False,
)

companies = Table(
    "companies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("aliases", JSON, nullable=False),
    Column("ticker", Text),
    Column("isin", Text),
    Column("rics", JSON(none_as_null=True)),
    Column("lei", String(20)),
    Column("credit_code", String(18)),
    Column("parent", Text),
    Column("sector", Text),
    Column("country", Text),
    Column("groups", JSON(none_as_null=True)),
)

# Every watchlist there was; ``companies`` holds those of the last.
watchlists = Table(
    "watchlists",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("hash", String(64), nullable=False),  # of companies and reference lists
    Column("companies", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # wall clock
)

# Which bundle classifies, from when on; never deleted.
promotions = Table(
    "promotions",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("hash", String(64), nullable=False),  # of the bundle
    Column("model_version", Text, nullable=False),
    Column("configured", Text, nullable=False),  # the bundle that the settings named then
    Column("rollback", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

# What each classifying process made of the last promotion, and what it runs.
serving = Table(
    "serving",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),  # of the promotion it has dealt with
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", String(64), nullable=False),  # of the bundle that classifies there
    Column("model_version", Text, nullable=False),
    Column("beat_us", BigInteger, nullable=False),  # wall clock
)

# Every training on the desk's labels, what came of it, and what became of its candidate; never deleted.
retrains = Table(
    "retrains",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("state", String(12), nullable=False),  # running, failed, nothing, refused, passed
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("holder", Text, nullable=False),  # the process
    Column("started_us", BigInteger, nullable=False),
    Column("beat_us", BigInteger, nullable=False),  # wall clock
    Column("ended_us", BigInteger),
    Column("phase", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("champion_hash", String(64), nullable=False),
    Column("champion_version", Text, nullable=False),
    Column("labels_through", BigInteger, nullable=False),  # the last label that was looked at
    Column("rows", JSON, nullable=False),  # what it was trained on, by kind and head
    # The candidate; empty where none was made.
    Column("folder", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("model_version", Text, nullable=False),
    Column("report", JSON(none_as_null=True)),  # of the gate
    Column("detail", Text, nullable=False),
    # How it is tried on live news: nothing, shadow, canary, ended, retreated.
    Column("trial", String(12), nullable=False, server_default=text("''")),
    Column("share", Float, nullable=False, server_default=text("0")),
    Column("trial_us", BigInteger),
    Index(None, "hash"),
)

# What champion and candidate said of the same live items.
comparisons = Table(
    "comparisons",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of the training
    Column("article_id", String(32), primary_key=True),
    Column("revision", String(16), primary_key=True),
    Column(
        "served", Boolean, nullable=False
    ),  # whether the candidate's answer was the one that counted
    Column("champion", JSON, nullable=False),  # topic, sentiment, score, unsure
    Column("candidate", JSON, nullable=False),
    Column("alike", Boolean, nullable=False),  # the same topic and sentiment
    Column("at_us", BigInteger, nullable=False),
    Index(None, "number", "at_us"),
    sqlite_with_rowid=False,
)

# What the drift monitors said, each time they were asked.
drifts = Table(
    "drifts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("speaks", Boolean, nullable=False),
    Column("monitors", JSON, nullable=False),
)

# Story alerts begin as signals: written with the article, consumed by the alert stage.
signals = Table(
    "signals",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("article_id", String(32), nullable=False),
    Column("revision", String(16), nullable=False),
    Column("ingested_us", BigInteger, nullable=False),
    Index(None, "ingested_us"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("dimension", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("items", Integer, nullable=False),
    Column("publishers", Integer, nullable=False),
    Column("details", JSON, nullable=False),
    Column("acknowledged_by", Text),
    Column("acknowledged_us", BigInteger),
    Column("resolved_us", BigInteger),
    Column("assigned_to", Text),
    Column("snoozed_until_us", BigInteger),
    Column("closed_by", Text),  # who resolved it; empty where it went quiet by itself
    Index(None, "fingerprint", "updated_us"),
    Index(None, "state", "updated_us"),
    Index(None, "key", "started_us"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("alert_id", String(32), primary_key=True),
    Column("article_id", String(32), primary_key=True),
    Column("revision", String(16), primary_key=True),
    Column("published_us", BigInteger, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text),
    Column("quote", Text, nullable=False),
    Column("score", Float),
    Column("mark", String(8), nullable=False),
    Index(None, "article_id"),
)

# The outbox: what happened to alerts, relayed to the `alerts` stream after the commit.
alert_events = Table(
    "alert_events",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("alert_id", String(32), nullable=False),
    Column("change", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column(
        "event", Text
    ),  # what was read, in the article that made the change; empty for a person's act
    Column("article_id", String(32)),
    Column("relayed", Boolean, nullable=False, server_default=text("false")),
    Index(None, "relayed", "seq"),
    Index(None, "alert_id"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("alert_id", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    # waiting, pending, sent, refused, suppressed, grouped, recorded
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_try_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("settled_us", BigInteger),
    Column("route", Text, nullable=False, server_default=text("''")),
    Column("group_key", Text, nullable=False, server_default=text("''")),
    Column("change", Text, nullable=False, server_default=text("''")),  # why it is told
    # When it was to be told; tries after failures move only the next try.
    Column("due_us", BigInteger, nullable=False, server_default=text("0")),
    Index(None, "state", "next_try_us"),
    Index(None, "alert_id"),
    Index(None, "channel", "group_key", "state"),
)

# What people said of alerts, and everything they did: never changed, never rebuilt.
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("alert_id", String(32), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index(None, "alert_id"),
)

# What people say of articles, to teach the model; relayed to the `labels` stream after the commit.
labels = Table(
    "labels",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("article_id", String(32), nullable=False),
    Column("revision", String(16), nullable=False),
    Column("head", Text, nullable=False),
    Column("company_id", Text),
    Column("value", Text),  # none: the label that is named in ``withdraws`` does not hold
    Column("who", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),
    # What the article was stored with then.
    Column("model_version", Text, nullable=False),
    Column("predicted", Text),
    Column("probability", Float),
    Column("guess_shown", Boolean, nullable=False),
    Column("sampler", Text, nullable=False),
    Column("withdraws", BigInteger, unique=True),  # a label is withdrawn once
    Column("relayed", Boolean, nullable=False, server_default=text("false")),
    Index(None, "article_id"),
    Index(None, "relayed", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", String(16), nullable=False),
    Column("subject", Text, nullable=False),  # id of an alert or a dead letter, name of a person
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    # SHA-256 of the hash before it and of this row: see `monitor.store.audit`.
    Column("hash", String(64), nullable=False, server_default=text("''")),
    Index(None, "subject"),
)

# The end of the chain. One row: who appends to the audit locks it, so that nobody else does meanwhile.
audit_head = Table(
    "audit_head",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("last_id", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

# Who may look and act. Nobody is deleted: their acts go on bearing their name.
people = Table(
    "people",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("password", Text, nullable=False),  # argon2 hash
    Column("role", String(8), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("must_change", Boolean, nullable=False),  # the password was given to them
    Column("created_us", BigInteger, nullable=False),
)

# Whom an identity provider knows somebody as.
identities = Table(
    "identities",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("person", String(60), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Index(None, "person"),
)

# Who is signed in with a browser. Of what the browser holds there is only the hash.
sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("person", String(60), nullable=False),
    Column("csrf", String(43), nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index(None, "person"),
)

# What programs sign in with.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("person", String(60), nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index(None, "person"),
)

# How often signing in failed lately, by name and by address: it has to wait, also after a restart.
signins = Table(
    "signins",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),  # no try before
)

# What people do not want to hear of for a while; never deleted: they are part of the record.
silences = Table(
    "silences",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("matchers", JSON, nullable=False),  # label: value, list of values, or ">=4"
    Column("starts_us", BigInteger, nullable=False),
    Column("ends_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index(None, "ends_us"),
)

# How far each stage has come in event time, and what it counted.
progress = Table(
    "progress",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("origin", BigInteger, nullable=False),  # highest news.articles offset counted
    Column("through_us", BigInteger, nullable=False),  # ingest time reached
    Column("articles", BigInteger, nullable=False),
    Column("repeats", BigInteger, nullable=False),
    Column("replay", Boolean, nullable=False, server_default=text("false")),
    Column("beat_us", BigInteger, nullable=False),  # wall clock of the last write
)

# What could not be processed, until somebody has dealt with it; beside the stream ``news.dead``.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(16), primary_key=True),  # of origin and payload
    Column("stage", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("payload", Text, nullable=False),  # cut, for people
    Column("failed_us", BigInteger, nullable=False),
    # The record itself, where it came from a stream and is not too large: it can be tried again.
    Column("stream", Text),
    Column("record_key", LargeBinary),
    Column("record", LargeBinary),
    Column("state", String(8), nullable=False),  # waiting, retried, dropped
    Column("acted_us", BigInteger),
    Index(None, "state", "failed_us"),
)

# How the last visits of each source went; times are the pipeline's.
visits = Table(
    "visits",
    metadata,
    Column("source", Text, primary_key=True),
    Column("tried_us", BigInteger, nullable=False),
    Column("succeeded_us", BigInteger),
    Column("new_us", BigInteger),  # the last that brought something new
    Column("failures", Integer, nullable=False),  # in a row, up to the last
    Column("failure", Text, nullable=False),  # why the last failed; empty where it did not
    Column("kind", String(20)),  # of that failure
    Column("took_s", Float),  # the last
    Column("items", Integer),  # that it brought, new or not
    Column("unusable", Integer),  # of those
    Column("due_us", BigInteger),  # the next
    Column("cadence_s", Float),  # from one new item to the next
    Column("memory", Text),  # what the next visit begins with, as JSON
)

# What each person follows on their own page.
interests = Table(
    "interests",
    metadata,
    Column("person", String(60), primary_key=True),
    Column("kind", String(8), primary_key=True),  # company, topic
    Column("key", Text, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)
