"""The registry by key."""

import tracemalloc
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.circuit_breaker import Circuit, Permit
from sansio_http.exceptions import ConfigurationError
from sansio_http.keyed import Keyed, by_all, by_header, by_origin, by_route
from sansio_http.models import HTTPRequest, HTTPResponse
from sansio_http.rate_limiter import Combined, SlidingCounter, Slot, TokenBucket


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


def test_the_oldest_fresh_entries_make_room():
    keyed, entries = registry(4, "a", "b", "c", "d", "a", "e")
    assert entries["b"].now == 0.0
    assert held(keyed, entries) == "cde"


def test_one_whose_freshness_cannot_be_told_is_not_lost():
    class Moody(Entry):
        def is_fresh(self, now: float) -> bool:
            if now == 1.0:
                raise ValueError("not now")
            return True

    keyed: Keyed[Hashable, Moody] = Keyed(Moody, path, max_keys=1)
    keyed.get("a", 0.0)
    with pytest.raises(ValueError, match="not now"):
        keyed.get("b", 1.0)
    keyed.get("c", 2.0)
    assert [key for key, _ in keyed.items()] == ["c"]


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


def test_a_hundred_thousand_times_two_limits_are_below_60_mib():
    count = 2000
    two: Keyed[str, Combined] = Keyed(
        lambda: Combined(TokenBucket(1.0, 10), SlidingCounter(10, 10.0)), lambda request: request.url, max_keys=count
    )
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            limiter = two.get(f"tenant-{number:06}", float(number))
            slot = limiter.take(float(number))
            assert isinstance(slot, Slot)
            limiter.release(slot, "ok", float(number))
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


def test_what_is_held_can_be_looked_through():
    keyed, entries = registry(4, "a", "B", "c", "a")
    assert keyed.items() == [("a", entries["a"]), ("B", entries["B"]), ("c", entries["c"])]


def test_a_sample_is_what_a_new_key_gets_and_is_not_kept():
    keyed, entries = registry(4, "a")
    assert isinstance(keyed.sample(), Entry) and keyed.sample() is not entries["a"]
    assert len(keyed) == 1


# -- keys --------------------------------------------------------------------------------------------------------------


def request(url: str, method: str = "GET", **headers: str) -> HTTPRequest:
    return HTTPRequest(method, url, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_key_for_each_origin():
    assert by_origin(request("https://api.example/a?b=c")) == by_origin(request("https://api.example/d"))
    assert by_origin(request("https://api.example/")) == "https://api.example"
    assert by_origin(request("https://api.example:8443/")) == "https://api.example:8443"


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/users/1", "/users/{id}"),
        ("PATCH", "/users/%2e%2E?x=/orders", "/users/{id}"),
        ("GET", "/users/1/orders", "GET /users/{user}/orders"),
        ("POST", "/users/1/orders", None),
        ("GET", "/users/", None),
        ("GET", "/users/1/", None),
        ("GET", "/users", None),
        ("GET", "/v1/users/1", None),
        ("GET", "/files/a.b.json", "/files/{name}.json"),
        ("GET", "/files/a/b.json", None),
        ("GET", "/files/ajson", None),
        ("GET", "/", "/"),
    ],
)
def test_a_key_for_each_route(method, path, route):
    key = by_route("/users/{id}", "GET /users/{user}/orders", "/files/{name}.json", "/")
    assert key(request(f"https://api.example{path}", method)) == ("https://api.example", route)


def test_routes_of_two_origins_are_two():
    key = by_route("/users/{id}")
    assert key(request("https://a.example/users/1")) != key(request("https://b.example/users/1"))


def test_the_first_route_that_fits_counts():
    key = by_route("/users/me", "/users/{id}")
    assert key(request("https://a.example/users/me"))[1] == "/users/me"


@pytest.mark.parametrize("template", ["users", "", "get /users", "GET  /users", "GET", "/a b", "/a?b", "/a#b", 5, None])
def test_what_is_no_template_is_refused(template):
    with pytest.raises(ConfigurationError) as caught:
        by_route("/fine", template)
    assert str(caught.value).startswith(f"by_route.templates: {template!r} is not allowed; each is a path as in '/")


def test_routes_want_a_template():
    with pytest.raises(ConfigurationError, match=r"^by_route: give one template or more"):
        by_route()


def test_a_key_for_each_tenant():
    key = by_header("X-Tenant")
    assert key(request("https://api.example/", x_tenant="acme")) == "acme"
    assert key(request("https://api.example/")) == ""


@pytest.mark.parametrize("name", ["", "X Tenant", "X:", "X\n", None, 5])
def test_what_is_no_headers_name_is_refused(name):
    with pytest.raises(ConfigurationError) as caught:
        by_header(name)
    assert str(caught.value) == f"by_header.name: {name!r} is not allowed; it is the name of a header"


def test_a_key_for_each_combination():
    key = by_all(by_origin, by_header("X-Tenant"))
    assert key(request("https://api.example/1", x_tenant="acme")) == ("https://api.example", "acme")


def test_what_is_no_key_is_refused():
    with pytest.raises(ConfigurationError, match=r"^by_all\.keys: 'origin' is not allowed; each is callable$"):
        by_all(by_origin, "origin")
