"""RateLimit and RateLimit-Policy: what a server says of its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import HTTPResponse, ServerLimit
from sansio_http.fields.rate_limit import parse_rate_limits, spent_until


def test_what_is_left_of_a_limit():
    assert parse_rate_limits([], ['"default";r=50;t=30']) == (ServerLimit("default", remaining=50, reset=30),)


def test_quotas_and_windows():
    assert parse_rate_limits(['"burst";q=100;w=60,"daily";q=1000'], []) == (
        ServerLimit("burst", quota=100, window=60),
        ServerLimit("daily", quota=1000),
    )


def test_what_both_fields_say_of_one_limit_is_put_together():
    limits = parse_rate_limits(['"burst";q=100;w=60, "daily";q=1000;w=86400'], ['"daily";r=7;t=99', '"other";r=1'])
    assert limits == (
        ServerLimit("burst", 100, 60),
        ServerLimit("daily", 1000, 86400, 7, 99),
        ServerLimit("other", remaining=1),
    )


def test_what_is_counted_and_for_whom():
    (limit,) = parse_rate_limits(['"peruser";q=65535;w=10;qu="content-bytes";pk=:YWxpY2U=:'], [])
    assert (limit.unit, limit.partition) == ("content-bytes", b"alice")


def test_a_limit_for_each_partition():
    limits = parse_rate_limits(['"user";q=10;w=1'], ['"user";r=0;t=5;pk=:YQ==:, "user";r=3;t=5;pk=:Yg==:'])
    assert limits == (
        ServerLimit("user", 10, 1),
        ServerLimit("user", 10, 1, 0, 5, partition=b"a"),
        ServerLimit("user", 10, 1, 3, 5, partition=b"b"),
    )


def test_a_name_may_be_without_quotes():
    assert parse_rate_limits([], ["default;r=5"]) == (ServerLimit("default", remaining=5),)


def test_of_two_members_about_one_limit_the_later_counts():
    assert parse_rate_limits([], ['"a";r=1;t=1, "a";r=2']) == (ServerLimit("a", remaining=2),)


@pytest.mark.parametrize(
    "member",
    [
        "5;r=1",
        "(a b);r=1",
        "?1;r=1",
        '"a"',
        '"a";t=3',
        '"a";r',
        '"a";r=-1',
        '"a";r=1.0',
        '"a";r="1"',
        '"a";r=1;t=-1',
        '"a";r=1;t=2.5',
        '"a";r=1;pk="x"',
    ],
)
def test_a_member_that_says_nothing_is_left_out_alone(member):
    assert parse_rate_limits([], [member, '"good";r=1']) == (ServerLimit("good", remaining=1),)


@pytest.mark.parametrize("member", ['"a"', '"a";w=60', '"a";q=-1', '"a";q=1;w=1.5', '"a";q=?1', '"a";q=1;qu=5'])
def test_so_is_a_policy(member):
    assert parse_rate_limits([member, '"good";q=1'], []) == (ServerLimit("good", 1),)


@pytest.mark.parametrize("line", ["limit=100, remaining=50, reset=30", '"a";r=1,', '"a;r=1', "50", "100;w=60", ""])
def test_what_older_drafts_and_others_wrote_is_ignored(line):
    assert parse_rate_limits([line], [line]) == ()


def test_nothing_is_left_until_the_last_spent_limit_says_so():
    spent = parse_rate_limits([], ['"a";r=0;t=5, "b";r=0;t=30, "c";r=1;t=99, "d";r=0'])
    assert spent_until(spent) == 30.0
    assert spent_until(spent[2:]) is None
    assert spent_until(()) is None


def test_a_response_tells_its_limits():
    headers = {"RateLimit": '"default";r=0;t=30', "RateLimit-Policy": '"default";q=10;w=60'}
    assert HTTPResponse(200, headers).rate_limits == (ServerLimit("default", 10, 60, 0, 30),)
    assert HTTPResponse(200).rate_limits == ()


@given(st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2))
def test_no_text_makes_it_raise(policies, limits):
    parse_rate_limits(policies, limits)
