"""Content codings: what they decode to, in what pieces, and what is refused."""

from __future__ import annotations

import gzip
import random
import re
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Headers, ResponseDecodeError
from sansio_http_anyio.transport import decoding
from sansio_http_anyio.transport.decoding import PIECE, Decoding, accepted, codings_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b"line %d of a text that repeats itself\n" % (number // 7) for number in range(9_000))


def bare_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
FORMS = [*ENCODE.items(), ("deflate", bare_deflate)]
IDS = [*ENCODE, "deflate without its header"]


def decoded(codings: tuple[str, ...], data: bytes, size: int = 1_000_000) -> bytes:
    """``data`` given in parts of ``size`` bytes."""
    decoder = Decoding(codings)
    pieces = [piece for start in range(0, len(data), size) for piece in decoder.pieces(data[start : start + size])]
    decoder.finish()
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


def refusal(coding: str, data: bytes) -> str | None:
    try:
        decoded((coding,), data)
    except ResponseDecodeError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_what_was_encoded_comes_back_in_bounded_pieces(coding: str, encode: Callable[..., bytes], size: int) -> None:
    assert decoded((coding,), encode(TEXT), size) == TEXT


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
@given(data=st.binary(max_size=300), size=st.integers(1, 50))
def test_any_bytes_in_any_parts(coding: str, encode: Callable[..., bytes], data: bytes, size: int) -> None:
    assert decoded((coding,), encode(data), size) == data


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
def test_a_last_piece_that_is_full_is_not_forgotten(coding: str, encode: Callable[..., bytes], length: int) -> None:
    assert decoded((coding,), encode(bytes(length))) == bytes(length)


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
def test_an_empty_body_is_in_any_coding(coding: str, encode: Callable[..., bytes]) -> None:
    assert decoded((coding,), b"") == b""
    assert decoded((coding,), encode(b"")) == b""


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
def test_a_body_that_is_cut_short_is_an_error(coding: str, encode: Callable[..., bytes]) -> None:
    whole = encode(TEXT[:500])
    for end in range(1, len(whole)):
        with pytest.raises(ResponseDecodeError, match=rf"Content-Encoding: {coding}, and it ends too early"):
            decoded((coding,), whole[:end])


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
def test_a_damaged_body_is_an_error_that_shows_none_of_it(coding: str, encode: Callable[..., bytes]) -> None:
    dice = random.Random(1)
    secret = dice.randbytes(300)
    whole = bytearray(encode(secret))
    refused = 0
    for place in range(len(whole)):
        damaged = bytes(whole[:place]) + bytes([whole[place] ^ 0xFF]) + bytes(whole[place + 1 :])
        error = refusal(coding, damaged)
        if error is not None:
            refused += 1
            assert re.fullmatch(
                rf".*Content-Encoding: {coding}, and (it is damaged|it ends too early|bytes fo).*", error
            )
    assert refused > 0


@pytest.mark.parametrize(("coding", "encode"), [form for form in FORMS if form[0] in ("gzip", "x-gzip", "zstd")])
def test_several_members_are_one_body(coding: str, encode: Callable[..., bytes]) -> None:
    for size in (1, 1000):
        assert decoded((coding,), encode(b"one") + encode(b"") + encode(b"two"), size) == b"onetwo"


@pytest.mark.parametrize(("coding", "encode"), FORMS, ids=IDS)
def test_bytes_behind_the_end_are_an_error(coding: str, encode: Callable[..., bytes]) -> None:
    for size in (1, 1000):
        with pytest.raises(ResponseDecodeError, match=r"it is damaged|bytes follow its end|it ends too early"):
            decoded((coding,), encode(b"one") + b"GET / HTTP/1.1\r\n\r\n", size)


def test_codings_come_off_in_reverse() -> None:
    data = TEXT
    names = ("gzip", "br", "zstd", "deflate", "x-gzip")
    for name in names:
        data = ENCODE[name](data)
    assert decoded(names, data, 1000) == TEXT
    with pytest.raises(ResponseDecodeError, match="gzip, br, zstd, deflate, x-gzip, and it ends too early"):
        decoded(names, data[:-3])


@pytest.mark.parametrize(
    ("fields", "codings"),
    [
        ([], ()),
        ([""], ()),
        (["identity"], ()),
        (["gzip"], ("gzip",)),
        ([" GZip ,, identity,\tBR"], ("gzip", "br")),
        (["gzip", "deflate"], ("gzip", "deflate")),
        (["gzip, lzma"], ()),
        (["x-gzip, gzip, deflate, br, zstd"], ("x-gzip", "gzip", "deflate", "br", "zstd")),
    ],
)
def test_which_codings_a_body_has(fields: list[str], codings: tuple[str, ...]) -> None:
    assert codings_of(Headers([("Content-Encoding", value) for value in fields])) == codings


def test_six_codings_are_refused() -> None:
    with pytest.raises(ResponseDecodeError, match="6 content codings; at most 5"):
        codings_of(Headers({"Content-Encoding": ", ".join(["gzip"] * 6)}))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_costs_no_more_than_a_piece_at_a_time(coding: str) -> None:
    bomb = ENCODE[coding](bytes(100_000_000))
    decoder = Decoding((coding,))
    taken = 0
    tracemalloc.start()
    try:
        for piece in decoder.pieces(bomb):
            taken += len(piece)
            if taken > 3_000_000:
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_bomb_in_a_bomb_is_decoded_a_piece_at_a_time() -> None:
    inner = gzip.compress(bytes(50_000_000))
    decoder = Decoding(("gzip", "gzip"))
    tracemalloc.start()
    try:
        assert next(decoder.pieces(gzip.compress(inner))) == bytes(PIECE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_zstd_with_a_window_that_no_browser_would_take() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.enable_long_distance_matching: 1}
    data = random.Random(1).randbytes(9_000_000)
    with pytest.raises(ResponseDecodeError, match="window of more than 8 MiB"):
        decoded(("zstd",), zstd.compress(data, options=options))


# Which there are


@pytest.fixture
def anew() -> Any:
    accepted.cache_clear()
    yield
    accepted.cache_clear()


def test_what_is_accepted_with_both_extras() -> None:
    assert accepted() == ("gzip", "deflate", "br", "zstd")


def test_what_is_accepted_without_the_extras(monkeypatch: pytest.MonkeyPatch, anew: None) -> None:
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    assert accepted() == ("gzip", "deflate")
    assert codings_of(Headers({"Content-Encoding": "br"})) == ()
    assert codings_of(Headers({"Content-Encoding": "gzip, zstd"})) == ()


def test_a_brotli_whose_output_cannot_be_bounded_is_not_used(monkeypatch: pytest.MonkeyPatch, anew: None) -> None:
    monkeypatch.setattr(brotli, "Decompressor", object)
    assert accepted() == ("gzip", "deflate", "zstd")
