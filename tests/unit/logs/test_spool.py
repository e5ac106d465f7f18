from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from perfcli.logs.batch import Batch
from perfcli.logs.entry import Record
from perfcli.logs.spool import Spool

Records = Callable[[int, int], list[Record]]
NewSpool = Callable[..., Spool]


def drained(spool: Spool) -> list[tuple[str, list[str]]]:
    found = []
    while True:
        with spool.oldest() as spooled:
            if spooled is None:
                return found
            found.append((spooled.batch.id, [record.id for record in spooled.batch.records]))
            spooled.remove()


def test_what_is_appended_comes_back_in_order_and_in_full_batches(new_spool: NewSpool, records: Records) -> None:
    spool = new_spool("a")
    assert spool.append(records(1, 700)) == 700
    assert spool.append(records(701, 1200)) == 500
    numbers = [[f"r{number}" for number in part] for part in (range(1, 501), range(501, 1001), range(1001, 1201))]
    assert drained(spool) == [("a-1", numbers[0]), ("a-2", numbers[1]), ("a-3", numbers[2])]
    assert drained(spool) == []


def test_lines_are_byte_identical(new_spool: NewSpool, records: Records) -> None:
    spool = new_spool()
    spool.append(records(1, 3))
    with spool.oldest() as spooled:
        assert spooled is not None
        assert spooled.batch.records == tuple(records(1, 3))


def test_a_batch_keeps_its_id_through_a_restart(new_spool: NewSpool, records: Records) -> None:
    assert new_spool("a").store(Batch("a-17", tuple(records(1, 3))))
    assert drained(new_spool("b")) == [("a-17", ["r1", "r2", "r3"])]


def test_a_batch_that_is_not_removed_comes_again_as_the_same_batch(new_spool: NewSpool, records: Records) -> None:
    spool = new_spool("a")
    spool.append(records(1, 2))
    with spool.oldest() as first:
        assert first is not None
    # The file was offered once, so nothing may be added to it any more.
    spool.append(records(3, 3))
    assert drained(spool) == [("a-1", ["r1", "r2"]), ("a-2", ["r3"])]


def test_what_is_kept_is_all_that_comes_again(new_spool: NewSpool, records: Records) -> None:
    spool = new_spool("a")
    spool.append(records(1, 4))
    with spool.oldest() as spooled:
        assert spooled is not None
        spooled.keep(spooled.batch.records[2:])
    assert drained(spool) == [("a-1", ["r3", "r4"])]


def test_only_one_process_sends_at_a_time(new_spool: NewSpool, records: Records) -> None:
    first, second = new_spool("a"), new_spool("b")
    first.append(records(1, 1))
    with first.oldest() as mine:
        assert mine is not None
        with second.oldest() as theirs:
            assert theirs is None


def test_the_file_of_a_living_process_is_left_to_it(new_spool: NewSpool, records: Records) -> None:
    owner, other = new_spool("a"), new_spool("b")
    owner.append(records(1, 2))
    assert drained(other) == []
    owner.seal()
    assert drained(other) == [("a-1", ["r1", "r2"])]


def test_the_file_of_a_dead_process_is_adopted(new_spool: NewSpool, records: Records) -> None:
    pid = os.fork()
    if pid == 0:
        new_spool("dead").append(records(1, 2))
        os._exit(0)
    os.waitpid(pid, 0)
    assert drained(new_spool("b")) == [("dead-1", ["r1", "r2"])]


def test_a_forked_child_leaves_the_file_and_its_lock_to_the_parent(new_spool: NewSpool, records: Records) -> None:
    parent = new_spool("parent")
    parent.append(records(1, 1))
    pid = os.fork()
    if pid == 0:
        parent.forked()
        adopted = drained(new_spool("child"))
        os._exit(0 if adopted == [] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    parent.append(records(2, 2))
    assert drained(parent) == [("parent-1", ["r1", "r2"])]


def test_a_child_that_was_forked_during_a_send_does_not_keep_the_lock(new_spool: NewSpool, records: Records) -> None:
    first, second = new_spool("a"), new_spool("b")
    first.append(records(1, 1))
    waits, released = os.pipe()
    with first.oldest():
        pid = os.fork()
        if pid == 0:
            os.close(released)
            os.read(waits, 1)
            os._exit(0)
    assert drained(second) == [("a-1", ["r1"])]
    os.close(released)
    os.close(waits)
    os.waitpid(pid, 0)


def test_a_disk_that_fills_up_in_a_write_leaves_whole_lines_only(
    new_spool: NewSpool, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = new_spool("a")
    assert spool.append(records(1, 2)) == 2
    write = os.write
    room = iter([150, 0])

    def fill_up(fd: int, data: memoryview) -> int:
        if not (left := next(room)):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[:left])

    monkeypatch.setattr(os, "write", fill_up)
    assert spool.append(records(3, 5)) == 0
    monkeypatch.undo()
    assert spool.append(records(3, 5)) == 3
    assert drained(spool) == [("a-1", ["r1", "r2", "r3", "r4", "r5"])]


def test_a_file_that_another_process_is_still_making_is_not_touched(
    new_spool: NewSpool, records: Records, tmp_path: Path
) -> None:
    spool = new_spool("a")
    spool.append(records(1, 1))
    for suffix in ("batch", "open"):
        (tmp_path / "store" / f".00000000000000000000_b-1.{suffix}").write_bytes(records(2, 2)[0].line[:30])
    assert drained(spool) == [("a-1", ["r1"])]
    assert len(list((tmp_path / "store").glob(".*"))) == 2


def test_a_line_that_was_cut_off_is_counted_and_the_others_come(
    new_spool: NewSpool, records: Records, tmp_path: Path
) -> None:
    new_spool("a").store(Batch("a-1", tuple(records(1, 2))))
    (file,) = (tmp_path / "store").glob("*.batch")
    file.write_bytes(file.read_bytes() + records(3, 3)[0].line[:40])
    with new_spool("b").oldest() as spooled:
        assert spooled is not None
        assert spooled.batch.records == tuple(records(1, 2))
        assert spooled.torn == 1


def test_a_last_line_without_an_end_is_handed_on_with_one(
    new_spool: NewSpool, records: Records, tmp_path: Path
) -> None:
    new_spool("a").store(Batch("a-1", tuple(records(1, 2))))
    (file,) = (tmp_path / "store").glob("*.batch")
    file.write_bytes(file.read_bytes().rstrip())
    with new_spool("b").oldest() as spooled:
        assert spooled is not None
        assert spooled.batch.records == tuple(records(1, 2))


@pytest.mark.parametrize("suffix", ["batch", "open"])
def test_a_bad_entry_is_passed_over_and_said_once(
    suffix: str, new_spool: NewSpool, records: Records, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A folder is what even root cannot read as a file.
    bad = tmp_path / "store" / f"00000000000000000000_x-1.{suffix}"
    bad.mkdir(parents=True)
    spool = new_spool("a")
    spool.store(Batch("a-7", tuple(records(1, 2))))
    spool.append(records(3, 3))
    assert drained(spool) == [("a-7", ["r1", "r2"]), ("a-1", ["r3"])]
    assert [record.message for record in caplog.records] == [f"Cannot read the log records in {bad}: Is a directory."]


def test_a_folder_whose_lock_cannot_be_opened_takes_nothing_and_says_so_once(
    new_spool: NewSpool, records: Records, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = tmp_path / "store" / "lock"
    lock.mkdir(parents=True)
    spool = new_spool("a")
    assert drained(spool) == drained(spool) == []
    assert spool.append(records(1, 2)) == 0
    assert not spool.store(Batch("a-9", tuple(records(1, 2))))
    assert [record.message for record in caplog.records] == [
        f"Cannot keep log records in {lock.parent}: Is a directory."
    ]
    lock.rmdir()
    assert drained(spool) == []
    assert spool.append(records(1, 2)) == 2


def test_the_bound_holds_for_all_processes_together(new_spool: NewSpool, records: Records, tmp_path: Path) -> None:
    first, second = new_spool("a", max_bytes=1000), new_spool("b", max_bytes=1000)
    assert first.append(records(1, 6)) == 6
    assert second.append(records(7, 16)) == 4
    assert not second.store(Batch("b-9", tuple(records(17, 17))))
    assert sum(path.stat().st_size for path in (tmp_path / "store").iterdir()) == 1000


def test_room_is_free_again_once_a_batch_is_removed(new_spool: NewSpool, records: Records) -> None:
    spool = new_spool("a", max_bytes=300)
    assert spool.append(records(1, 5)) == 3
    assert len(drained(spool)) == 1
    assert spool.append(records(4, 5)) == 2


def test_a_folder_that_cannot_be_made_takes_nothing_and_says_so_once(
    tmp_path: Path, records: Records, new_spool: NewSpool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    spool = new_spool("a")
    assert spool.append(records(1, 2)) == 0
    assert not spool.store(Batch("a-1", tuple(records(1, 2))))
    assert drained(spool) == []
    assert [record.message for record in caplog.records] == [
        f"Cannot keep log records in {tmp_path / 'store'}: File exists."
    ]


def test_nobody_else_can_read_what_is_spooled(new_spool: NewSpool, records: Records, tmp_path: Path) -> None:
    spool = new_spool("a")
    spool.append(records(1, 1))
    spool.store(Batch("a-9", tuple(records(2, 2))))
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "store").iterdir()} == {0o600}
