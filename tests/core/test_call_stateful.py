"""Calls under any history: what a driver may do, in any order, and whatever the server answers.

Several calls share one set of policies. The machine plays their drivers: it ends sends with any outcome, late and
twice, wakes for nothing, jumps to ``wake_at`` and beyond, ends bodies, and goes away. After every step the contract is
checked, and what the policies say is out is compared with what the machine knows to be out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sansio_http import (
    Ask,
    AttemptTimeoutError,
    Bearer,
    Body,
    BodyEnded,
    Call,
    CertificateError,
    Circuit,
    CircuitState,
    Concurrency,
    ConnectError,
    ConnectionLostError,
    Ended,
    Hedged,
    Hedging,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    Policies,
    QuotaBudget,
    ReadTimeoutError,
    RedirectPolicy,
    Retrying,
    RetryPolicy,
    Send,
    SlidingWindow,
    Step,
    TokenBucket,
    Waiter,
    Woke,
)

IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}

STATUSES = ("200", "404", "503", "429", "429 for ever", "302")
FAILURES = ("lost", "stale", "refused", "timeout", "certificate", "bug")


class OpenBody:
    """A body that notes whether it was thrown away."""

    def __init__(self) -> None:
        self.discarded = False

    def discard(self) -> None:
        self.discarded = True


class SecondSend(Hedging):
    """A hedging policy: one more send after half a second."""

    def next_at(self, first: float, extra: int) -> float | None:
        return first + 0.5 if extra < 1 else None


class Purse(QuotaBudget):
    """The budget of all calls, and what became of it."""

    def __init__(self) -> None:
        super().__init__(60.0)
        self.spent = self.refunded = 0

    def spend(self, throttled: bool, now: float) -> float | None:
        cost = super().spend(throttled, now)
        self.spent += cost is not None
        return cost

    def refund(self, cost: float, now: float) -> None:
        super().refund(cost, now)
        self.refunded += 1


class AsksForCredentials:
    """What must be awaited before a send."""

    def __call__(self, request: HTTPRequest) -> HTTPRequest:
        request.headers["Authorization"] = "Asked for"
        return request


@dataclass(eq=False)
class Driven:
    """One call, and what its driver knows of it."""

    call: Call
    request: HTTPRequest
    policies: Policies
    stream: bool
    live: dict[int, Send | Ask] = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    sends: list[Send] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)  # ids that ended or were aborted
    left: bool = False  # a byte of the request has left
    answers: set[int] = field(default_factory=set)  # statuses
    wake_at: float | None = None
    done: HTTPResponse | BaseException | None = None
    body: OpenBody | None = None  # of the answer that was handed over
    body_id: int = 0
    closed: bool = False
    nudged_at: float = math.inf  # and has not come since
    retrying: int = 0  # notes of a retry that was paid for
    hedged: int = 0  # of a hedge that went out
    unhedged: int = 0  # of one that was paid for, and did not go out

    @property
    def running(self) -> bool:
        return self.done is None and not self.closed

    @property
    def due_at(self) -> float:
        """When its driver has a reason to come: it was woken, or told so."""
        return min(self.nudged_at, math.inf if self.wake_at is None else self.wake_at)

    def flying(self) -> list[Send]:
        return [order for order in self.live.values() if isinstance(order, Send)]


@st.composite
def requests(draw: st.DrawFn) -> HTTPRequest:
    """Any that is treated in a way of its own."""
    replay = draw(st.sampled_from([None, "concurrent", "yes", "once"]))
    return HTTPRequest(
        draw(st.sampled_from(["GET", "POST", "PUT", "PATCH"])),
        "http://h/x",
        body=None if replay is None else Body(object(), 3, replay),  # type: ignore[arg-type]
        timeout=draw(st.sampled_from([None, 30.0, 3.0, 0.5])),
        idempotent=draw(st.booleans()),
    )


class Calls(RuleBasedStateMachine):
    """One rule for all that can happen: of many, hypothesis leaves half out of a history, and no call comes far."""

    @initialize(
        kind=st.sampled_from(["bucket", "window", "none"]),
        slots=st.integers(1, 3),
        threshold=st.integers(1, 4),
        start=st.sampled_from([0.0, 1000.0]),
        crowd=st.sampled_from([1, 2, 5]),
        goes_back=st.booleans(),
    )
    def build(self, kind: str, slots: int, threshold: int, start: float, crowd: int, goes_back: bool) -> None:
        self.now = start
        self.crowd = crowd  # calls at once: one alone comes far, many meet
        self.goes_back = goes_back  # the clock does, now and then
        self.limiter = {"bucket": TokenBucket(2, 2), "window": SlidingWindow(2, 1.0), "none": None}[kind]
        self.slots = Concurrency(slots)
        self.circuit = Circuit(threshold, 4.0, half_open_permits=1)
        self.budget = Purse()
        self.driven: list[Driven] = []
        self.claims: list[float] = []
        self.stalled = False
        self.told = start  # the reading that a call was told last

    # --- what a driver does --------------------------------------------------------------------------------------

    def tell(self, driven: Driven, event: Ended | BodyEnded | Woke) -> Step:
        """Tell a call a fact, now."""
        self.told = self.now
        return driven.call.handle(event, self.now)

    def obey(self, driven: Driven, step: Step) -> None:
        """Do what the step says, and check that it may say that."""
        for order_id in step.abort:
            driven.live.pop(order_id, None)
            driven.gone.append(order_id)
        for note in step.notes:
            driven.retrying += isinstance(note, Retrying)
            if isinstance(note, Hedged):
                driven.hedged += note.skipped is None
                driven.unhedged += note.skipped not in (None, "budget")
        for order in step.send:
            assert driven.running, "nothing is sent after done"
            assert order.id not in driven.ids, "an id is never reused"
            driven.ids.add(order.id)
            driven.live[order.id] = order
            if isinstance(order, Send):
                self.check_send(driven, order)
                driven.sends.append(order)
        for waiter in step.nudge:
            assert isinstance(waiter, Waiter)
            waiter.wake()
        if step.done is not None and driven.done is None:
            driven.done = step.done
            if isinstance(step.done, HTTPResponse) and step.done.body is not None:
                driven.body = step.done.body  # type: ignore[assignment]
            assert not driven.live, "whatever was in flight is aborted with the outcome"
        assert driven.done is step.done or step.done is None, "there is one outcome"
        driven.wake_at = step.wake_at
        if driven.done is not None:
            assert not step.send
            assert step.wake_at is None
        elif not driven.closed:
            assert driven.live or (step.wake_at is not None and math.isfinite(step.wake_at)), "nobody waits for nothing"
            assert driven.live or (step.wake_at or 0.0) > self.told, "what is due now was done now"

    def check_send(self, driven: Driven, send: Send) -> None:
        """Whether this request may go out now."""
        self.claims.append(self.now)
        assert self.circuit.last_state is not CircuitState.OPEN, "while OPEN nothing reaches the wire"
        bounded = driven.request.timeout is not None or driven.policies.attempt_timeout is not None
        assert (send.deadline is not None) == bounded
        assert send.deadline is None or send.deadline > self.told
        if driven.left and send.request.method not in IDEMPOTENT and not send.request.idempotent:
            # A status says what the server did with it, and a redirect that it wants it elsewhere.
            assert driven.answers & {302, 429, 503}, "an unsafe request is not repeated on our own account"
        if driven.left and send.request.body is not None and send.request.body.replay == "once":
            raise AssertionError("a body that can be sent once was sent twice")
        assert send.attempt <= 1 + driven.policies.retry.retries  # type: ignore[union-attr]
        assert send.attempt <= 1 + driven.retrying, "no attempt goes out unpaid"
        if driven.flying() != [send]:
            assert driven.hedged, "nor a hedge"
        assert len(driven.flying()) <= 2

    # --- what can happen -----------------------------------------------------------------------------------------

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        can: list[Callable[[st.DataObject], None]] = [self.pass_time]
        if sum(each.running for each in self.driven) < self.crowd:
            can += [self.start] * 3
        if self.driven:
            can += [self.end_late, self.wake_for_nothing]
            can += [self.clock_goes_back_for_a_call] * self.goes_back
        if self.in_flight():
            can += [self.end] * 5
        if self.asleep():
            can += [self.wake] * 3
        if self.open_bodies():
            can += [self.end_body]
        if not all(each.closed for each in self.driven):
            can += [self.close]
        data.draw(st.sampled_from(can))(data)

    def in_flight(self) -> list[tuple[Driven, Send | Ask]]:
        return [(each, order) for each in self.driven for order in each.live.values()]

    def asleep(self) -> list[tuple[Driven, float]]:
        return [(each, each.wake_at) for each in self.driven if each.wake_at is not None and not each.closed]

    def open_bodies(self) -> list[Driven]:
        return [each for each in self.driven if each.body is not None]

    def start(self, data: st.DataObject) -> None:
        request, stream = data.draw(requests()), data.draw(st.booleans())
        policies = Policies(
            retry=RetryPolicy(retries=data.draw(st.integers(1, 2))),
            circuit=self.circuit,
            limiter=self.limiter,
            slots=self.slots,
            auth=Bearer("token"),
            ask_auth=data.draw(st.sampled_from([None, AsksForCredentials()])),
            auth_origin="http://h",
            redirects=data.draw(st.sampled_from([None, RedirectPolicy(3)])),
            retry_budget=self.budget,
            hedging=data.draw(st.sampled_from([None, SecondSend()])),
            attempt_timeout=data.draw(st.sampled_from([None, 1.0])),
            pool_timeout=data.draw(st.sampled_from([None, 0.0, 1.5])),
            rand=lambda: 0.5,
        )
        driven = Driven(Call(request, policies, stream=stream, max_live=2, listen=True), request, policies, stream)
        driven.call.waiter.wake = lambda: setattr(driven, "nudged_at", min(driven.nudged_at, self.now))
        self.driven.append(driven)
        self.told = self.now
        self.obey(driven, driven.call.start(self.now))

    def end(self, data: st.DataObject) -> None:
        """Something in flight comes to its end."""
        driven, order = data.draw(st.sampled_from(self.in_flight()))
        what = data.draw(st.sampled_from([*STATUSES, *FAILURES]))
        self.end_one(driven, order, what, data.draw(st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0])))

    def end_one(self, driven: Driven, order: Send | Ask, what: str, took: float) -> None:
        self.now += took
        if order.deadline is not None and self.now >= order.deadline:
            what = "deadline"
        if isinstance(order, Ask):
            outcome: object = ValueError("the user's own") if what == "bug" else order.target(order.value)
            if what == "deadline":
                outcome = AttemptTimeoutError()
        else:
            outcome = self.outcome(driven, order, what)
        del driven.live[order.id]
        driven.gone.append(order.id)
        step = self.tell(driven, Ended(order.id, outcome))
        if isinstance(outcome, HTTPResponse) and outcome.body is not None:
            if step.done is outcome:
                driven.body_id = order.id
            else:
                outcome.discard()
        self.obey(driven, step)

    def outcome(self, driven: Driven, send: Send, what: str) -> HTTPResponse | BaseException:
        send.progress.head_sent = what not in ("refused", "certificate")
        send.progress.reused = what == "stale"
        if what.isdigit() or what == "429 for ever":
            driven.left = True
            driven.answers.add(int(what[:3]))
            headers = {"Location": "http://h/y"} if what == "302" else {"Retry-After": "1"} if what == "429" else {}
            if what == "429 for ever":
                headers, what = {"Retry-After": "9999999999"}, "429"
            response = HTTPResponse(int(what), headers)
            if send.stream and response.is_success:
                response.body = OpenBody()
            return response
        driven.left = driven.left or send.progress.head_sent
        errors = {
            "lost": ConnectionLostError,
            "stale": ConnectionLostError,
            "refused": ConnectError,
            "timeout": ReadTimeoutError,
            "certificate": CertificateError,
            "deadline": AttemptTimeoutError,
        }
        return ValueError("a bug of the transport's") if what == "bug" else send.error(errors[what], what)

    def end_late(self, data: st.DataObject) -> None:
        """An end that nobody waits for any more: of what was aborted, has ended, or never was."""
        driven = data.draw(st.sampled_from(self.driven))
        order_id = data.draw(st.sampled_from([*driven.gone, 10_000]))
        step = self.tell(driven, Ended(order_id, HTTPResponse(data.draw(st.sampled_from([200, 503])))))
        assert not step.abort
        self.obey(driven, step)

    def wake_for_nothing(self, data: st.DataObject) -> None:
        driven = data.draw(st.sampled_from(self.driven))
        driven.nudged_at = math.inf
        step = self.tell(driven, Woke())
        assert not step.abort
        self.obey(driven, step)

    def wake(self, data: st.DataObject) -> None:
        """Sleep until ``wake_at``, punctually or not."""
        driven, wake_at = data.draw(st.sampled_from(self.asleep()))
        self.now = max(self.now, wake_at + data.draw(st.sampled_from([0.0, 0.0, 0.25, 3.0])))
        driven.nudged_at = math.inf
        self.obey(driven, self.tell(driven, Woke()))

    def pass_time(self, data: st.DataObject) -> None:
        self.now += data.draw(st.sampled_from([0.25, 0.25, 1.0, 5.0]))

    def clock_goes_back_for_a_call(self, data: st.DataObject) -> None:
        """A call clamps its own time: an earlier reading counts as the last one."""
        driven = data.draw(st.sampled_from(self.driven))
        self.told = self.now - data.draw(st.sampled_from([0.25, 0.5]))
        self.obey(driven, driven.call.handle(Woke(), self.told))

    def end_body(self, data: st.DataObject) -> None:
        self.end_body_of(data.draw(st.sampled_from(self.open_bodies())), data.draw(st.booleans()))

    def end_body_of(self, driven: Driven, failed: bool) -> None:
        driven.body = None
        error = ConnectionLostError("in the body") if failed else None
        self.obey(driven, self.tell(driven, BodyEnded(driven.body_id, error, 10)))

    def close(self, data: st.DataObject) -> None:
        """The caller goes away, or is served."""
        self.close_one(data.draw(st.sampled_from([each for each in self.driven if not each.closed])))

    def close_one(self, driven: Driven) -> None:
        driven.closed = True
        driven.body = None
        step = driven.call.close(self.now)
        assert not step.send
        assert step.wake_at is None
        assert set(driven.live) <= set(step.abort)
        driven.live.clear()
        for waiter in step.nudge:
            waiter.wake()
        assert not driven.call.close(self.now).nudge, "closing twice is closing once"

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def what_is_out_is_known(self) -> None:
        if not hasattr(self, "driven"):
            return
        flying = sum(len(each.flying()) for each in self.driven)
        bodies = sum(each.body is not None for each in self.driven)
        assert self.slots.in_use == flying + bodies
        assert self.circuit.permits_out <= flying
        waiting = [each for each in self.driven if each.running]
        assert self.slots.waiting <= len(waiting) * 2
        assert self.limiter is None or self.limiter.waiting <= len(waiting) * 2

    @invariant()
    def what_was_spent_went_out_or_came_back(self) -> None:
        if not hasattr(self, "driven"):
            return
        budget = self.budget
        assert budget.spent == sum(each.retrying + each.hedged + each.unhedged for each in self.driven)
        assert budget.refunded == sum(each.unhedged for each in self.driven)
        assert budget.retries == budget.spent - budget.refunded
        left = float(budget.describe().split()[4])
        assert 0 <= left <= 60
        for each in self.driven:
            assert each.hedged <= 1 + each.retrying, "a hedge for each attempt, at most"

    @invariant()
    def outcomes_are_documented(self) -> None:
        for each in getattr(self, "driven", ()):
            if each.done is not None:
                assert isinstance(each.done, HTTPResponse | HTTPClientError | ValueError)
                if isinstance(each.done, HTTPResponse | HTTPClientError):
                    assert sum(attempt.sends for attempt in each.done.attempts) <= len(each.sends)

    @invariant()
    def the_limit_holds(self) -> None:
        if getattr(self, "limiter", None) is None or self.goes_back:
            return  # by which clock?
        for index, first in enumerate(self.claims):
            for count, last in enumerate(self.claims[index:], 1):
                width = last - first
                if isinstance(self.limiter, TokenBucket):
                    assert count <= 2 * width + 2 + 1e-5
                elif width < 1.0:
                    assert count <= 2

    def teardown(self) -> None:
        """Everybody is served or gone: nothing is held, and a healthy server is reached at once."""
        if not hasattr(self, "driven"):
            return
        self.run_to_the_end()
        for each in self.driven:
            if not each.closed:
                self.close_one(each)
        assert self.slots.in_use == self.slots.waiting == 0
        assert self.limiter is None or self.limiter.waiting == 0
        assert self.circuit.permits_out == 0

    def run_to_the_end(self) -> None:
        """A punctual driver and a healthy server: every call comes to its outcome in bounded time."""
        for _ in range(2000):
            running = [each for each in self.driven if each.running]
            if not running:
                return
            for each in running:
                while each.live and each.running:
                    self.end_one(each, next(iter(each.live.values())), "200", 0.0)
                if each.running and each.due_at <= self.now:
                    each.nudged_at = math.inf
                    self.obey(each, self.tell(each, Woke()))
            for each in self.driven:
                if each.body is not None:
                    self.end_body_of(each, False)
            if running := [each for each in self.driven if each.running and not each.live and each.due_at > self.now]:
                self.now = max(self.now, min(each.wake_at for each in running if each.wake_at is not None))
        raise AssertionError("some call never ends")


TestCalls = Calls.TestCase
TestCalls.settings = settings(stateful_step_count=50)
