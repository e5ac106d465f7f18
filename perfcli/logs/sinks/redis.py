"""The list in Redis that the original system uses: newest record first, trimmed to a maximum."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from perfcli.logs.batch import Batch, Receipt, StoreDownError, StoreRefusedError
from perfcli.secrets import mask_url

# A batch whose answer was lost is sent again, and the first copy may still lie in the socket of a hung server: only the
# server can tell that both are one. The script remembers the last batches of each writing process, by number, in a
# sorted set that outlives the longest time a batch may wait in a spool. The list comes first: a script that fails half
# way is not undone, and a batch must not be remembered before it is there.
_PUSH_ONCE = """
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('LPUSH', KEYS[1], unpack(ARGV, 3))
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1001)
redis.call('EXPIRE', KEYS[2], 2592000)
return 1
"""

_REFUSALS = (redis.AuthenticationError, redis.exceptions.NoPermissionError)


class RedisSink:
    """Pushes each batch in one round trip, exactly once."""

    name = "redis"
    durable = True

    def __init__(self, url: str, key: str, max_records: int, timeout_s: float = 1.0) -> None:
        """Connect nothing yet.

        Args:
            url: As redis-py reads it: `redis://`, `rediss://` or `unix://`.
            key: Name of the list.
            max_records: Length the list is trimmed to.
            timeout_s: Limit for the connection, and for each answer.
        """
        self.address = f"{mask_url(url)} {key}"
        self._url = url
        self._key = key
        self._max_records = max_records
        self._timeout_s = timeout_s
        self._client = self._connect()

    def deliver(self, batch: Batch) -> Receipt:
        """Push the records, unless the server has seen this batch."""
        writer, _, number = batch.id.rpartition("-")
        lines = [record.line[:-1] for record in batch.records]
        # Braces keep both keys on one node of a cluster.
        seen = f"{{{self._key}}}:delivered:{writer}"
        try:
            self._client.eval(_PUSH_ONCE, 2, self._key, seen, number, self._max_records, *lines)
        except _REFUSALS as error:
            raise StoreRefusedError(f"{self.address} refused us ({error})") from error
        except redis.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise StoreRefusedError(f"{self.address} is no list") from error
            raise StoreDownError(str(error)) from error
        except (redis.RedisError, OSError) as error:
            raise StoreDownError(str(error)) from error
        return Receipt()

    def forked(self) -> None:
        """Connect anew."""
        self._client = self._connect()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _connect(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            # A connection that the server closed while it was idle is no failure. For the rest, the lane waits and
            # tries again; here it would only hold up the other sinks.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
        )
