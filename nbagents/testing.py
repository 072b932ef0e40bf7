"""What others may test their own parts of nbagents with: the contract that every store keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from nbagents.errors import SessionConflict
from nbagents.sessions.base import SessionStore, check_session_id

__all__ = ["SessionStoreContract"]

_RACERS = 12
_MANY = 20
_TRIES = 6
_ODD_IDS = [
    "two words",
    "Größe 中文 🙂",
    "A",
    "a",
    "con",
    "con.txt",
    "NUL",
    ".hidden",
    "dot.",
    "...",
    "%41",
    "a+b&c=d?e#f",
    "quote'\"`$HOME;--",
    "100" + "x" * 97,
]


def _record(number: int, text: str = "") -> bytes:
    return f'{{"id":"{time.monotonic_ns()}-{number}","text":"{text}"}}\n'.encode()


class SessionStoreContract:
    """The tests that a `SessionStore` has to pass.

    Derive a class from it whose name begins with `Test`, in a file of pytest's, and give it a
    `make_store`; pytest-asyncio in its auto mode runs the rest. Each test wants an empty place:

        class TestMyStore(SessionStoreContract):
            @pytest.fixture(autouse=True)
            def place(self, tmp_path):
                self.path = tmp_path / "sessions.db"

            async def make_store(self):
                return MyStore(self.path)
    """

    longest_pause = 0.02
    """How long a store may hold up the loop, in seconds."""

    async def make_store(self) -> SessionStore:
        """Make a store on the place of this test: the same one, when it is called again."""
        raise NotImplementedError

    async def make_other(self) -> SessionStore:
        """Make a second store on the same place, as another process would."""
        return await self.make_store()

    async def test_an_id_that_nobody_used_has_no_records(self) -> None:
        """Reading it is no error, and leaves nothing behind."""
        store = await self.make_store()
        assert await store.read("new") == []
        assert await store.read("new", after=3) == []
        assert await store.list() == []

    async def test_records_come_back_in_order_under_their_numbers(self) -> None:
        """`append` returns the number, and `read` what lies behind one."""
        store = await self.make_store()
        records = [_record(number) for number in range(5)]
        assert [await store.append("s", n, records[n]) for n in range(5)] == [1, 2, 3, 4, 5]
        assert await store.read("s") == records
        assert await store.read("s", after=3) == records[3:]
        assert await store.read("s", after=5) == []
        assert await store.read("s", after=9) == []

    async def test_another_store_on_the_same_place_goes_on(self) -> None:
        """Both see what the other one wrote, at once."""
        one, other = await self.make_store(), await self.make_other()
        records = [_record(number) for number in range(4)]
        for number, record in enumerate(records):
            await (one, other)[number % 2].append("s", number, record)
        assert await one.read("s") == await other.read("s") == records

    async def test_whoever_comes_too_late_is_told_and_changes_nothing(self) -> None:
        """The error names the session."""
        one, other = await self.make_store(), await self.make_other()
        first, second = _record(1), _record(2)
        await one.append("s", 0, first)
        await other.append("s", 1, second)
        for store, stale in ((one, 0), (one, 1), (other, 0)):
            told = await _conflict(store.append("s", stale, _record(3)))
            assert "'s'" in told
        assert await one.read("s") == [first, second]
        assert await one.append("s", 2, _record(4)) == 3

    async def test_of_many_that_race_for_a_number_exactly_one_wins(self) -> None:
        """All others get `SessionConflict`."""
        stores = [await self.make_store(), await self.make_other()]
        kept: list[bytes] = []
        for seq in range(3):
            records = [_record(number) for number in range(_RACERS)]
            calls = [stores[n % 2].append("s", seq, record) for n, record in enumerate(records)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            won = [n for n, result in enumerate(results) if result == seq + 1]
            lost = [result for result in results if isinstance(result, SessionConflict)]
            assert (len(won), len(lost)) == (1, _RACERS - 1), results
            kept.append(records[won[0]])
            assert await stores[0].read("s") == await stores[1].read("s") == kept

    async def test_sessions_do_not_get_in_each_others_way(self) -> None:
        """Many are written at once."""
        store = await self.make_store()
        records = {f"s{number:02}": _record(number) for number in range(_MANY)}
        done = await asyncio.gather(*(store.append(name, 0, records[name]) for name in records))
        assert done == [1] * _MANY
        assert {name: await store.read(name) for name in records} == {
            name: [record] for name, record in records.items()
        }
        assert await store.list() == sorted(records)

    async def test_any_id_is_kept_apart_and_comes_back_as_it_was(self) -> None:
        """Also those that a file system or a query would take for something else."""
        store = await self.make_store()
        records = {check_session_id(name): _record(n) for n, name in enumerate(_ODD_IDS)}
        for name, record in records.items():
            assert await store.append(name, 0, record) == 1
        assert await store.list() == sorted(records)
        for name, record in records.items():
            assert await store.read(name) == [record]

    async def test_bytes_are_kept_exactly(self) -> None:
        """A store does not know what is in a record, nor changes it."""
        store = await self.make_store()
        records = [
            b'{"a":  1.0,"a":1e0}\r\n',
            b"\n",
            "é\u2028\x85 \x0b\x0c\x1c\n".encode(),
            b"\xff\0\n",
        ]
        for number, record in enumerate(records):
            await store.append("s", number, record)
        assert await store.read("s") == records

    async def test_a_record_of_2_megabytes_is_kept(self) -> None:
        """A picture may be in it."""
        store = await self.make_store()
        big, small = _record(1, "x" * 2_000_000), _record(2)
        await store.append("s", 0, big)
        await store.append("s", 1, small)
        assert await store.read("s") == [big, small]

    async def test_the_list_is_sorted_and_begins_with_the_prefix(self) -> None:
        """Where `A` and `a` differ, and nothing stands for anything."""
        store = await self.make_store()
        names = ["work-2", "work-10", "Work-1", "other", "wo%k", "wo_k", "con", "contract"]
        for number, name in enumerate(names):
            await store.append(name, 0, _record(number))
        assert await store.list() == sorted(names)
        assert await store.list("work") == ["work-10", "work-2"]
        assert await store.list("con") == ["con", "contract"]
        assert await store.list("wo%") == ["wo%k"]
        assert await store.list("wo_") == ["wo_k"]
        assert await store.list("nothing") == []

    async def test_what_is_deleted_is_gone_and_the_rest_stays(self) -> None:
        """An id that nobody used can be deleted too."""
        store = await self.make_store()
        await store.append("gone", 0, _record(1))
        await store.append("gone", 1, _record(2))
        await store.append("stays", 0, _record(3))
        await store.delete("gone")
        await store.delete("gone")
        await store.delete("never")
        assert await store.read("gone") == []
        assert await store.list() == ["stays"]
        await _conflict(store.append("stays", 0, _record(4)))

    async def test_a_deleted_session_begins_anew(self) -> None:
        """Also for a store that knew the old one."""
        one, other = await self.make_store(), await self.make_other()
        for number in range(3):
            await one.append("s", number, _record(number))
        await other.delete("s")
        anew = [_record(number) for number in range(4)]
        for number, record in enumerate(anew):
            await (one, other)[number % 2].append("s", number, record)
        assert await one.read("s") == await other.read("s") == anew

    async def test_an_address_names_the_place(self) -> None:
        """Two sessions do not have the same."""
        store = await self.make_store()
        assert store.durable in {"turn", "exact"}
        assert store.where("a") != store.where("b")

    async def test_the_loop_goes_on_while_the_store_works(self) -> None:
        """The best of some tries counts, since the machine has its own pauses."""
        store = await self.make_store()
        record = _record(1, "x" * 4_000_000)
        pauses: list[float] = []
        for number in range(_TRIES):

            async def work(number: int = number) -> None:
                await store.append("s", number, record)
                await store.read("s", after=number)

            pauses.append(await _longest_pause(work))
        assert min(pauses) < self.longest_pause, pauses


async def _conflict(call: Awaitable[object]) -> str:
    try:
        await call
    except SessionConflict as error:
        return str(error)
    raise AssertionError("There was no SessionConflict.")


async def _longest_pause(work: Callable[[], Awaitable[None]]) -> float:
    ended = False
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while not ended:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.002)
    await work()
    ended = True
    await watching
    return longest
