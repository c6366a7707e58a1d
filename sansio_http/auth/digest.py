"""Digest authentication (RFC 7616): proof of a password that does not travel.

The first request goes out without credentials; the server's 401 brings a nonce, and the request is sent once more with
the digest. From then on requests of that origin carry one from the start, each with the next count of the nonce, until
the server says that it is stale, or hands out the next one. A nonce that comes again, after whatever was between, goes
on counting where it was: a count that is used twice is a replay.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

from ..exceptions import AuthenticationError, ConfigurationError
from ..fields.challenge import parse_challenges, parse_parameters
from ..models import HTTPRequest, HTTPResponse
from ..urls import normalise, origin, split
from .base import ActiveAuth

# Weakest first. Python's hashlib has the last one where OpenSSL has it.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH = {
    f"{name}{suffix}": rank
    for rank, (name, hash_name) in enumerate(_HASHES.items())
    for suffix in ("", "-SESS")
    if hash_name in hashlib.algorithms_available
}

_ORIGINS = 64
"""How many origins' nonces are remembered; the one that was used longest ago is forgotten first."""

_SPENT = 1024
"""How many nonces' counts are remembered when they are no longer in use, for servers that hand one out again."""

# What a quoted-string may hold (RFC 9110 5.6.4): a server cannot make us send anything else.
_QUOTABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
_TO_ESCAPE = re.compile(r'(["\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class Nonce:
    """What one challenge asks for, and how often its nonce was used.

    Args:
        params: of the challenge.
        algorithm: in capitals.
    """

    __slots__ = ("algorithm", "cnonce", "count", "digest", "integrity", "params")

    def __init__(self, params: dict[str, str], algorithm: str) -> None:
        self.params = params
        self.algorithm = algorithm
        self.digest = _HASHES[algorithm.removesuffix("-SESS")]
        self.count = 0
        self.cnonce: str | None = None  # of the session, where the key is made of it
        options = {option.strip().lower() for option in params.get("qop", "").split(",")}
        self.integrity: bool | None = False if "auth" in options else True if "auth-int" in options else None

    def hash(self, text: str) -> str:
        """H of RFC 7616 3.3, in UTF-8."""
        return hashlib.new(self.digest, text.encode(), usedforsecurity=False).hexdigest()


class Digest(ActiveAuth):
    """``Authorization: Digest ...`` (RFC 7616), with MD5, SHA-256, SHA-512-256 and their session forms.

    Of several challenges the one with the strongest algorithm is answered. User and password are hashed in UTF-8.

    Args:
        username: without a colon (RFC 7616 3.4.4) and control characters.
        password: without control characters; may be empty.
        entropy: ``n -> n random bytes``, for client nonces: ``os.urandom``.

    Raises:
        ConfigurationError: a value is not allowed. The message shows neither.
    """

    __slots__ = ("_entropy", "_nonces", "_password", "_spent", "_username")

    covers_url = True
    writes = "header authorization"

    def __init__(self, username: str, password: str, *, entropy: Callable[[int], bytes]) -> None:
        cls = type(self).__name__
        for name, value in (("username", username), ("password", password)):
            if not isinstance(value, str) or _CONTROL(value):
                raise ConfigurationError(f"{cls}.{name}: must be a str without control characters")
        if ":" in username:
            raise ConfigurationError(f"{cls}.username: may not have a colon (RFC 7616 3.4.4)")
        try:
            (username + password).encode()
        except UnicodeEncodeError:  # it holds the whole text
            raise ConfigurationError(f"{cls}: the username or the password is not text in UTF-8") from None
        if not callable(entropy):
            raise ConfigurationError(f"{cls}.entropy: must be a function from n to n random bytes; give os.urandom")
        self._username = username
        self._password = password
        self._entropy = entropy
        self._nonces: OrderedDict[str, Nonce] = OrderedDict()  # by origin
        self._spent: OrderedDict[tuple[str, str], int] = OrderedDict()  # counts, by origin and nonce

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header, if the server has asked for it before and the body can be covered."""
        request.url = normalise(request.url)  # as the transport will split it
        nonce = self._nonces.get(origin(request.url))
        if nonce is None:
            return
        body = _body_hash(request, nonce) if nonce.integrity else ""
        if body is None:
            return
        nonce.count += 1
        fresh = self._entropy(16).hex()
        if nonce.algorithm.endswith("-SESS"):
            nonce.cnonce = fresh = nonce.cnonce or fresh
        request.headers.put(
            "Authorization", self._credentials(request.method, split(request.url)[3], nonce, fresh, body)
        )

    def heard(self, request: HTTPRequest, response: HTTPResponse, answers: int, now: float) -> bool:
        """Take up the nonce of a challenge, or the next one; one challenge is answered, and once more a stale nonce.

        Raises:
            AuthenticationError: of what the server asks for by digest, nothing is known here.
        """
        where = origin(normalise(request.url))
        if response.status_code != 401:
            self._next_nonce(where, response)
            return False
        found = _strongest(response)
        if found is None or answers > 1 or (answers == 1 and found.params.get("stale", "").lower() != "true"):
            self._put_away(where)  # it was refused
            return False
        known = self._nonces.get(where)
        if known is None or known.params != found.params:  # else two calls have got the same one: it has one session
            self._take_up(where, found)
        self._nonces.move_to_end(where)
        if len(self._nonces) > _ORIGINS:
            self._put_away(next(iter(self._nonces)))
        return not found.integrity or _body_hash(request, found) is not None

    def _next_nonce(self, where: str, response: HTTPResponse) -> None:
        """Source: RFC 7616 3.5."""
        nonce, lines = self._nonces.get(where), response.headers.get_list("authentication-info")
        following = parse_parameters(lines[0]).get("nextnonce", "") if lines else ""
        if nonce is not None and following and _QUOTABLE(following):
            self._take_up(where, Nonce({**nonce.params, "nonce": following}, nonce.algorithm))

    def _take_up(self, where: str, nonce: Nonce) -> None:
        """Use this nonce from now on; if it was used before, its count goes on."""
        self._put_away(where)
        nonce.count = self._spent.pop((where, nonce.params["nonce"]), 0)
        self._nonces[where] = nonce

    def _put_away(self, where: str) -> None:
        """Use no nonce any more; what is kept of it is its count."""
        nonce = self._nonces.pop(where, None)
        if nonce is not None:
            self._spent[where, nonce.params["nonce"]] = nonce.count
            if len(self._spent) > _SPENT:
                self._spent.popitem(last=False)

    def _credentials(self, method: str, uri: str, nonce: Nonce, cnonce: str, body: str) -> str:
        """The value of the Authorization field. Source: RFC 7616 3.4."""
        h, params = nonce.hash, nonce.params
        realm, value = params["realm"], params["nonce"]
        a1 = f"{self._username}:{realm}:{self._password}"
        if nonce.cnonce is not None:
            a1 = f"{h(a1)}:{value}:{nonce.cnonce}"
        qop = None if nonce.integrity is None else "auth-int" if nonce.integrity else "auth"
        a2 = f"{method}:{uri}:{body}" if nonce.integrity else f"{method}:{uri}"
        count = f"{nonce.count:08x}"
        middle = value if qop is None else f"{value}:{count}:{cnonce}:{qop}"
        fields = [
            self._named(realm, nonce),
            f"realm={_quoted(realm)}",
            f"nonce={_quoted(value)}",
            f"uri={_quoted(uri)}",
            f'response="{h(f"{h(a1)}:{middle}:{h(a2)}")}"',
        ]
        if "algorithm" in params:
            fields.append(f"algorithm={params['algorithm']}")
        if "opaque" in params:
            fields.append(f"opaque={_quoted(params['opaque'])}")
        if qop is not None:
            fields += [f"qop={qop}", f"nc={count}"]
        if qop is not None or nonce.cnonce is not None:
            fields.append(f'cnonce="{cnonce}"')
        return "Digest " + ", ".join(fields)

    def _named(self, realm: str, nonce: Nonce) -> str:
        """Who asks: hashed where the server wants that, and in the extended form where it is not ASCII."""
        if nonce.params.get("userhash", "").lower() == "true":
            return f'username="{nonce.hash(f"{self._username}:{realm}")}", userhash=true'
        if self._username.isascii():
            return f"username={_quoted(self._username)}"
        return f"username*=UTF-8''{quote(self._username, safe='')}"  # RFC 8187

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


def _strongest(response: HTTPResponse) -> Nonce | None:
    """The challenge to answer; None where none is a digest's."""
    digests = [
        challenge.params
        for challenge in parse_challenges(response.headers.get_list("www-authenticate"))
        if challenge.scheme == "digest"
    ]
    known: list[Nonce] = []
    faults: list[str] = []
    for params in digests:
        algorithm = params.get("algorithm", "MD5").upper()
        if missing := {"realm", "nonce"} - params.keys():
            faults.append(f"without {' and '.join(sorted(missing))}")
        elif unfit := [name for name, value in params.items() if not _QUOTABLE(value)]:
            faults.append(f"with a {unfit[0]!r:.24} that cannot be sent back")
        elif algorithm not in _STRENGTH:
            faults.append(f"with algorithm {params.get('algorithm', 'MD5')!r:.24}")
        else:
            nonce = Nonce(params, algorithm)
            if nonce.integrity is not None or "qop" not in params:
                known.append(nonce)
            else:
                faults.append(f"with qop {params['qop']!r:.24}")
    if digests and not known:
        raise AuthenticationError(
            f"the server asks for a digest that cannot be given: {', '.join(faults[:4])}; known are MD5, SHA-256 and"
            " SHA-512-256, each also with -sess, and qop auth and auth-int",
            response,
        )
    return max(known, key=lambda nonce: _STRENGTH[nonce.algorithm], default=None)


def _body_hash(request: HTTPRequest, nonce: Nonce) -> str | None:
    """H(entity-body); None where that cannot be had without consuming it."""
    if request.body is None:
        return nonce.hash("")
    return None if request.body.digest is None else request.body.digest(nonce.digest).hex()


def _quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'
