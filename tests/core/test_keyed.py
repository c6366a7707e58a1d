"""The registry by key."""

import tracemalloc
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.circuit_breaker import Circuit, Permit
from sansio_http.exceptions import ConfigurationError
from sansio_http.keyed import Keyed
from sansio_http.models import HTTPRequest, HTTPResponse


class Entry:
    """A policy whose freshness the test decides."""

    looks = 0

    def __init__(self) -> None:
        self.fresh = True
        self.now: float | None = None

    def is_fresh(self, now: float) -> bool:
        Entry.looks += 1
        self.now = now
        return self.fresh


def path(request: HTTPRequest) -> Hashable:
    return request.url.rpartition("/")[2]


def registry(max_keys: int, *used: str) -> tuple[Keyed[Hashable, Entry], dict[str, Entry]]:
    """A registry, and the entries of the keys that were used, in that order; those in capitals are not fresh."""
    keyed: Keyed[Hashable, Entry] = Keyed(Entry, path, max_keys=max_keys)
    entries = {}
    for key in used:
        entries[key] = keyed.get(key, 0.0)
        entries[key].fresh = key.islower()
    return keyed, entries


def held(keyed: Keyed[Hashable, Entry], entries: dict[str, Entry]) -> str:
    """Which of the entries the registry still has; asking changes nothing while there is room."""
    keyed.max_keys = 1000
    return "".join(key for key, entry in entries.items() if keyed.get(key, 0.0) is entry)


def test_a_key_keeps_its_entry():
    keyed, entries = registry(10, "a", "b")
    assert len(keyed) == 2
    assert keyed.get("a", 1.0) is entries["a"] is not entries["b"]
    assert len(keyed) == 2
    assert (keyed.max_keys, keyed.overflow) == (10, 0)


def test_a_request_finds_its_entry_by_its_key():
    keyed, entries = registry(10, "a", "b")
    assert keyed.for_request(HTTPRequest("GET", "https://api.example/b"), 0.0) is entries["b"]


def test_the_coldest_fresh_entries_make_room():
    keyed, entries = registry(4, "a", "b", "c", "d", "a", "e")
    assert entries["b"].now == 0.0
    assert held(keyed, entries) == "ade"


def test_nothing_is_evicted_while_there_is_room():
    keyed, entries = registry(4, "a", "b", "c", "d")
    assert all(entry.now is None for entry in entries.values())
    assert held(keyed, entries) == "abcd"


def test_an_entry_in_use_is_never_evicted():
    keyed, entries = registry(2, "A", "B", "c", "d", "e", "f", "g")
    assert held(keyed, entries).startswith("AB")
    assert keyed.overflow == 0


def test_entries_in_use_do_not_hide_fresh_ones_behind_them():
    keyed, entries = registry(4, "A", "B", "c", "d", "E")
    assert keyed.get("F", 7.0) is not None  # A and B were looked at for E, c and d now
    assert (entries["c"].now, entries["d"].now) == (7.0, 7.0)
    assert held(keyed, entries) == "ABE"


def test_beyond_twice_the_cap_new_keys_share_one_entry():
    keyed, entries = registry(2, "A", "B", "C", "D")
    shared = keyed.get("E", 0.0)
    assert keyed.get("F", 0.0) is shared and shared not in entries.values()
    assert (len(keyed), keyed.overflow) == (4, 2)
    assert keyed.get("A", 0.0) is entries["A"]
    assert keyed.overflow == 2


def test_after_an_overflow_keys_get_their_own_again_once_there_is_room():
    keyed, entries = registry(2, "A", "B", "C", "D")
    shared = keyed.get("E", 0.0)
    for entry in entries.values():
        entry.fresh = True
    assert keyed.get("E", 0.0) is not shared
    assert (len(keyed), keyed.overflow) == (3, 1)


def test_a_cap_of_one():
    keyed, entries = registry(1, "A", "B", "c", "d")
    assert keyed.get("A", 0.0) is entries["A"]
    assert (len(keyed), keyed.overflow) == (2, 2)
    entries["A"].fresh = entries["B"].fresh = True
    keyed.get("e", 0.0)
    assert len(keyed) == 1
    keyed.get("f", 0.0)
    assert len(keyed) == 1


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 14), st.booleans())))
def test_what_holds_for_any_use(max_keys, uses):
    keyed: Keyed[int, Entry] = Keyed(Entry, lambda request: 0, max_keys=max_keys)
    own: dict[int, Entry] = {}
    shared = None
    for key, fresh in uses:
        Entry.looks, overflow, new = 0, keyed.overflow, key not in own
        entry = keyed.get(key, 0.0)
        assert Entry.looks <= 2  # O(1)
        assert len(keyed) <= 2 * max_keys
        if keyed.overflow > overflow:
            assert shared in (None, entry)
            shared = entry
        elif new or own[key] is not entry:
            assert new or own[key].fresh, "an entry in use was forgotten"
            own[key] = entry
        entry.fresh = fresh
    keyed.max_keys = 1000
    assert all(keyed.get(key, 0.0) is entry for key, entry in own.items() if not entry.fresh)


def test_circuits_by_key():
    keyed = Keyed(lambda: Circuit(1), path, max_keys=2)
    down, busy = keyed.get("down", 0.0), keyed.get("busy", 0.0)
    for circuit, outcome in ((down, HTTPResponse(503)), (busy, None)):
        permit = circuit.admit(0.0)
        assert isinstance(permit, Permit)
        if outcome is not None:
            circuit.record(permit, outcome, 0.0)
    for number in range(100):
        keyed.get(f"idle {number}", 1.0)
    assert keyed.get("down", 1.0) is down and keyed.get("busy", 1.0) is busy
    assert len(keyed) <= 4


def test_a_hundred_thousand_circuits_are_below_60_mib():
    count = 2000  # the table of a dictionary doubles: this many fill it as badly as 100,000 do
    keyed: Keyed[str, Circuit] = Keyed(Circuit, lambda request: request.url, max_keys=count)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            keyed.get(f"https://tenant-{number:06}.api.example:443", float(number))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / count * 100_000 < 60 * 2**20


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("factory", None, "callable"),
        ("key", "origin", "callable"),
        *(("max_keys", value, "a whole number, 1 or more") for value in (0, -1, 1.5, True, None)),
    ],
)
def test_a_wrong_argument_is_refused_by_name(field, value, allowed):
    with pytest.raises(ConfigurationError) as caught:
        Keyed(**{"factory": Circuit, "key": path} | {field: value})
    assert str(caught.value) == f"Keyed.{field}: {value!r} is not allowed; it is {allowed}"


def test_what_a_person_sees():
    keyed, _ = registry(1, "A", "B", "C")
    assert repr(keyed) == "<Keyed 2 of 1 keys, 1 times without room>"
