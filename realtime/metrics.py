"""realtime, what can be measured: every metric by name, with bounded labels. Durations are in seconds.

With several workers a gauge is the sum over those that live (`livesum`), and everything else the sum over all. What
happens once a frame is not counted here but in a plain integer, which is handed over twice a second.
"""

from prometheus_client import Counter, Gauge, Histogram

Child = Counter  # what `labels()` returns

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

SOCKETS = Gauge("seance_sockets", "Open sockets that have joined a session.", multiprocess_mode="livesum")
STREAMS = Gauge("seance_streams", "Open streams of Server-Sent Events.", multiprocess_mode="livesum")
ROOMS = Gauge(
    "seance_rooms", "Sessions with at least one socket, in each process by itself.", multiprocess_mode="livesum"
)
CLOSES = Counter("seance_socket_closes_total", "Sockets that ended, by close code.", ["code"])
TURNED_AWAY = Counter(
    "seance_sockets_turned_away_total", "Handshakes answered by a bare 429: their address had been told often enough."
)
DELIVERIES = Counter("seance_deliveries_total", "Frames written to sockets.")
BAD_FRAMES = Counter("seance_bad_frames_total", "Client frames that were refused, by error code.", ["code"])
GAPS = Counter(
    "seance_gaps_repaired_total", "Holes in a session's events that were filled, by what found them.", ["by"]
)
PUBLISH_FAILURES = Counter("seance_publish_failures_total", "Batches that could not be sent over the channel layer.")
BATCH_SIZE = Histogram(
    "seance_batch_size", "Items that shared one transaction.", ["work"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = Histogram(
    "seance_commit_seconds", "One transaction of a batch, the wait for a thread included.", ["work"], buckets=_LATENCY
)
ACK_SECONDS = Histogram("seance_ack_seconds", "From a message's arrival to its ack.", buckets=_LATENCY)
DATABASE_WAIT = Histogram("seance_database_wait_seconds", "Waits for a database thread.", buckets=_LATENCY)
LEASES_EXPIRED = Counter("seance_leases_expired_total", "Seats taken from people whose socket or process was gone.")
LOOP_LAG = Histogram("seance_loop_lag_seconds", "How late the event loop runs a timer.", buckets=_LATENCY)
TURNS = Counter("seance_turns_total", "Turns of the spirit that this process ended, by end.", ["end"])
TURNS_ACTIVE = Gauge("seance_turns_active", "Turns that are being answered.", multiprocess_mode="livesum")
ANSWERS = Counter(
    "seance_spirit_answers_total", "Answers of the spirit, by source and by why they are degraded.",
    ["source", "degraded"],
)  # fmt: skip
_TURN = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60)
FIRST_MOVE_SECONDS = Histogram(
    "seance_spirit_first_move_seconds", "From a turn's claim until its board line is there.", buckets=_TURN
)
TURN_SECONDS = Histogram("seance_spirit_turn_seconds", "From a turn's claim until its answer is stored.", buckets=_TURN)
SPIRIT_TOKENS = Counter("seance_spirit_tokens_total", "Tokens of models, by provider and kind.", ["provider", "kind"])
SPIRIT_COST = Counter("seance_spirit_cost_microcents_total", "Cost of models in 1e-8 of the currency.", ["provider"])
SPIRIT_CACHE = Counter("seance_spirit_cache_total", "What the answer cache did.", ["what"])
SAFETY_NOTICES = Counter("seance_safety_notices_total", "Messages that were answered in private, over sockets.")
WEBHOOK_DELIVERIES = Counter(
    "seance_webhook_deliveries_total", "Tries to deliver a webhook, by how they ended.", ["end"]
)
WEBHOOK_SECONDS = Histogram("seance_webhook_seconds", "One try to deliver a webhook.", buckets=_LATENCY)
WEBHOOK_LAG = Gauge(
    "seance_webhook_lag_seconds", "For how long the oldest webhook that is due has waited.", multiprocess_mode="livemax"
)
REPLICA_READS = Counter(
    "seance_replica_reads_total", "Reads that a replica may answer: it did, or why the database had to.", ["end"]
)
READ_CACHE = Counter(
    "seance_read_cache_total", "Reads that READ_CACHE keeps, by what was read and where it came from.", ["what", "end"]
)
HTTP_REQUESTS = Counter(
    "seance_http_requests_total", "HTTP requests, by kind of path and of status.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "seance_http_request_seconds", "From the whole request to the answer's beginning.", ["route"], buckets=_LATENCY
)
