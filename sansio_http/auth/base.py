"""What an authentication is to the core: something that writes credentials onto a request, and may do more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from ..exceptions import ConfigurationError
from ..models import HTTPRequest, HTTPResponse

if TYPE_CHECKING:
    from .tokens import TokenSource


class Auth(Protocol):
    """Credentials that are at hand, and how they go onto a request.

    What must be awaited first is not an ``Auth``: the call asks the driver for it (``Policies.ask_auth``). One that has
    a str ``writes``, such as ``header x-api-key``, is not put beside another that writes the same.
    """

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Write the credentials onto ``request``, which is this send's own copy, when it is about to go out.

        Args:
            now: on the call's clock, for credentials that end.
        """


class Secret:
    """Holds a credential: it has no pickle, which would outlive the process and may be read by others.

    Attributes:
        writes: where it puts it, so that two do not write the same; empty where that is not known.
    """

    __slots__ = ()

    writes: str = ""

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} holds a credential, which is not pickled; make it anew where it is used"
        )


class ActiveAuth(Secret):
    """An authentication that takes part in an attempt: it needs tokens before, or learns from what comes back.

    A subclass has ``apply`` as any :class:`Auth`.

    Attributes:
        active: False where it only writes credentials, as any other.
        source: of the token that must be there before a request may queue for anything; None for no token.
    """

    __slots__ = ()

    active: bool = True
    source: TokenSource | None = None

    @property
    def asked(self) -> str:
        """What :meth:`question` is put to, for messages."""
        return f"{type(self).__name__}'s function"

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Write the credentials onto ``request``, if there are any yet."""
        raise NotImplementedError

    def question(self) -> tuple[Callable[[Any], Any], Any] | None:
        """What of the user's is to be called before each send, and with what; None for nothing."""
        return None

    def told(self, request: HTTPRequest, answer: Any) -> None:
        """Take note of what that returned, on the request that wants to go out."""

    def heard(self, request: HTTPRequest, response: HTTPResponse, answers: int, now: float) -> bool:
        """Learn from an answer of the origin that gets these credentials; by default nothing.

        Args:
            request: as it was sent.
            response: what came back.
            answers: how many 401s of this attempt were answered so far.
            now: on the call's clock.

        Returns:
            Whether the request is to be sent once more, with what was learnt.

        Raises:
            AuthenticationError: the server wants what cannot be given.
        """
        return False


class NoAuth(Secret):
    """No credentials, where the client has some: ``None`` means the client's."""

    __slots__ = ()

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Leave the request as it is."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class AuthChain(Secret):
    """Several authentications of one request, in their order; a digest, which covers the URL, comes last.

    Args:
        parts: one or more.

    Raises:
        ConfigurationError: there is none, one is not an authentication, or two write the same header, parameter or
            cookie, of which a server would see one.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Auth]) -> None:
        for part in parts:
            if isinstance(part, type) or not callable(getattr(part, "apply", None)):
                kind = part.__name__ if isinstance(part, type) else type(part).__name__
                raise ConfigurationError(f"AuthChain.parts: {kind} is not allowed; each has a method apply")
        if not parts:
            raise ConfigurationError("AuthChain.parts: give one or more")
        check_apart(parts)
        self.parts = tuple(sorted(parts, key=lambda part: getattr(part, "covers_url", False)))

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Each writes its own."""
        for part in self.parts:
            part.apply(request, now)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"


def check_apart(parts: Iterable[Auth]) -> None:
    """Refuses two that write the same.

    Raises:
        ConfigurationError: names both.
    """
    first: dict[str, str] = {}
    for part in _flat(parts):
        what, name = getattr(part, "writes", ""), type(part).__name__
        if what and what in first:
            both = f"{first[what]} and {name}" if first[what] != name else f"two {name}"
            raise ConfigurationError(f"auth: {both} write the same, {what}; a request has it once")
        first[what] = name


def _flat(parts: Iterable[Auth]) -> Iterator[Auth]:
    for part in parts:
        if isinstance(part, AuthChain):
            yield from _flat(part.parts)
        else:
            yield part


def active_parts(auth: object) -> tuple[ActiveAuth, ...]:
    """Those of an authentication's parts that take part in an attempt."""
    parts = _flat(auth.parts) if isinstance(auth, AuthChain) else (auth,)
    return tuple(part for part in parts if isinstance(part, ActiveAuth) and part.active)
