"""
The laws, checked after every commit, at every request that leaves, and in the end.

What is checked against is never what the process believes: requests are seen on the wire, texts at Twilio, events where
they were posted, and STOP where it was answered.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from smspipe.deliveries.states import MOVES, Move
from smspipe.model.clock import from_micros
from smspipe.model.delivery import Status
from smspipe.receipts.callbacks import MessageStatus
from smspipe.receipts.ranking import ORDER
from tests.simulator.catalogue import COOLDOWN_SECONDS, PACES
from tests.simulator.disk import Disk
from tests.simulator.house import delivery_of
from tests.simulator.network import Request
from tests.simulator.twilio import Twilio
from tests.simulator.world import BEGINNING, World

Row = Mapping[str, Any]
_ROWS: Final = (
    "select id, destination_id, event_uuid, route, status, reason, created_at, [to], sender, body, segments, sid, "
    "attempts, not_before, expires_at, sent_at, twilio_status from deliveries order by id"
)
_LONGEST_BACKOFF: Final = 62.0
_STILL_IN_FLIGHT: Final = 130.0
"""Seconds that an answer, a settlement or a memory of a STOP may take to be forgotten."""
_RANKS: Final = {status.value: rank for rank, status in enumerate(ORDER)}
_TAKEN: Final = {Status.ACCEPTED, Status.DELIVERED, Status.UNDELIVERED}
_OPEN: Final = {Status.PENDING, Status.SENDING, Status.UNCONFIRMED}


def _reachable(without: Iterable[Move]) -> dict[str, frozenset[str]]:
    """Give for each status those that any number of moves leads to, but for some moves."""
    forbidden = set(without)
    steps = {
        status: {to for move, to in MOVES.get(status, {}).items() if move not in forbidden} | {status}
        for status in Status
    }
    for _ in Status:
        steps = {status: set().union(*(steps[each] for each in to)) for status, to in steps.items()}
    return {status.value: frozenset(each.value for each in to) for status, to in steps.items()}


_BY_ITSELF: Final = _reachable([Move.REDRIVE, Move.FORCE])
_REDRIVEN: Final = _reachable([Move.FORCE])
_FORCED: Final = _reachable([])


class Expected(NamedTuple):
    """An event that was posted, and what its text must be."""

    name: str
    to: str
    body: str


class Laws:
    """Watches one story."""

    def __init__(self, world: World, twilio: Twilio, disk: Disk, chosen: list[str]) -> None:
        self.world = world
        self.twilio = twilio
        self.disk = disk
        self.chosen = chosen
        self.events: dict[str, Expected] = {}
        self.acknowledged: dict[str, float] = {}
        self.rows: dict[str, Row] = {}
        self.places: dict[str, int] = {}
        """Delivery → its number in the story."""
        self.sent: dict[str, int] = {}
        """Delivery → requests for it that left."""
        self.claims: dict[tuple[str, int], tuple[str, int, float, int]] = {}
        """Delivery and attempt → sender, epoch of the machine's clock, seconds by it, segments."""
        self.left: set[tuple[str, int]] = set()
        """Delivery and attempt of the requests that left; some are held back at the last moment."""
        self.epoch = 0
        self.went_back = False
        self.stopped: dict[tuple[str, str], str] = {}
        """(number, sender) → the STOP that was acknowledged, with no START heard since."""
        self.heard: set[str] = set()
        self.free_since: dict[tuple[str, str], float] = {}
        """(number, sender) → since when nothing keeps texts away; none for those who never said STOP."""
        self.redriven: set[str] = set()
        self.forced: set[str] = set()
        self.switched: set[str] = set()
        """Destinations that a person has switched off at some time."""
        self._changes = -1

    # Words of persons

    def begins_to_hear(self, sid: str, words: str, pair: tuple[str, str]) -> None:
        """Note that the process is being told of an incoming text."""
        if words == "START":
            self.stopped.pop(pair, None)
        elif sid not in self.heard:
            self.free_since[pair] = float("inf")

    def has_heard(self, sid: str, words: str, pair: tuple[str, str]) -> None:
        """Note that the process has answered that it heeds an incoming text."""
        if sid in self.heard:
            return
        self.heard.add(sid)
        if words == "STOP":
            self.stopped[pair] = sid
            self.free_since[pair] = float("inf")
        else:
            self.stopped.pop(pair, None)
            self.free_since[pair] = self.world.now

    # Requests

    def leaves(self, request: Request) -> None:
        """Look at a request at the moment that it leaves."""
        world = self.world
        if request.method != "POST":
            return
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        to, sender, body = form["To"], form["From"], form["Body"]
        named = delivery_of(form.get("StatusCallback"))
        rows = [
            row
            for row in self.rows.values()
            if (row["to"], row["sender"], row["body"]) == (to, sender, body)
            and row["status"] in (Status.SENDING, *_TAKEN)
            and (named is None or (row["id"], row["attempts"]) == named)
        ]
        if not rows:
            world.violate("an attempt is on disk before its request leaves", f"{sender}→{to} {body[:20]!r}")
        self.left.update((row["id"], row["attempts"]) for row in rows)
        if (to, sender) in self.stopped:
            world.violate("no text after a STOP", f"{sender}→{to}")
        which = None if named is None else named[0]
        if which is not None:
            self.sent[which] = self.sent.get(which, 0) + 1
        world.note(f"request leaves {self.name(which)} {sender}→{to} {body[:20]!r}")

    def name(self, delivery: str | None) -> str:
        """Give a delivery's short name in the story."""
        return "#?" if delivery is None else f"#{self.places.get(delivery, '?')}"

    # Commits

    def committed(self) -> None:
        """Look at what a commit has changed."""
        changes = self.disk.driver.total_changes
        if changes == self._changes:
            return
        self._changes = changes
        for row in self.disk.rows(_ROWS):
            old = self.rows.get(row["id"])
            if old == row:
                continue
            if old is None:
                self.places[row["id"]] = len(self.places)
            self._compare(old, row)
            self.rows[row["id"]] = row

    def _compare(self, old: Row | None, new: Row) -> None:
        world, name = self.world, self.name(new["id"])
        before = None if old is None else old["status"]
        if before != new["status"]:
            world.note(
                f"ledger {name} {new['destination_id']} {before or 'born'} → {new['status']}"
                f"{' ' + new['reason'] if new['reason'] else ''} (attempt {new['attempts']})"
            )
        if old is None:
            self._check_decision(new)
        else:
            self._check_move(old, new)
        if new["attempts"] > (0 if old is None else old["attempts"]):
            at = new["sent_at"] / 1e6
            self.claims[new["id"], new["attempts"]] = (new["sender"], self.epoch, at, new["segments"])
        if old is None or (before, old["sid"]) != (new["status"], new["sid"]):
            self._check_truth(new)

    def _check_decision(self, row: Row) -> None:
        event = self.events.get(row["event_uuid"])
        if event is None or (row["body"] is not None and (row["to"], row["body"]) != (event.to, event.body)):
            self.world.violate("what is sent is what was decided", self.name(row["id"]))

    def _check_move(self, old: Row, new: Row) -> None:
        world, id_ = self.world, new["id"]
        name = self.name(id_)
        moves = _FORCED if id_ in self.forced else _REDRIVEN if id_ in self.redriven else _BY_ITSELF
        if new["status"] not in moves[old["status"]]:
            world.violate("no status goes backwards", f"{name} {old['status']} → {new['status']}")
        in_doubt = old["status"] == Status.HELD and old["reason"] == "unconfirmed" and id_ not in self.forced
        if in_doubt and new["status"] in (Status.PENDING, Status.SENDING):
            world.violate("what is held since it may have been sent is not sent", name)
        same = ("destination_id", "event_uuid", "route", "to", "sender", "body", "segments", "created_at")
        if any(old[each] != new[each] for each in same):
            world.violate("what was decided does not change", name)
        if old["sid"] is not None and old["sid"] != new["sid"] and id_ not in self.redriven | self.forced:
            world.violate("a text's SID does not change", name)
        if old["sid"] == new["sid"] and old["twilio_status"] is not None:
            ranks = [_RANKS[MessageStatus(each["twilio_status"])] for each in (old, new) if each["twilio_status"]]
            if len(ranks) < 2 or ranks[0] > ranks[1]:
                world.violate("no status goes backwards", f"{name} {old['twilio_status']} → {new['twilio_status']}")

    def _check_truth(self, row: Row) -> None:
        """Hold what the ledger says against what there is at Twilio."""
        world, name, status, reason = self.world, self.name(row["id"]), row["status"], row["reason"]
        triple = (row["to"], row["sender"], row["body"])
        if row["sid"] is not None:
            text = self.twilio.texts.get(row["sid"])
            if text is None or (text.to, text.sender, text.body) != triple:
                world.violate("a SID is that of the text", name)
                return
            named = delivery_of(text.callback)
            if named is not None and named[0] != row["id"]:
                world.violate("a SID is that of the text", f"{name} has that of {self.name(named[0])}")
            ends = {Status.DELIVERED: "delivered", Status.UNDELIVERED: "undelivered", Status.FAILED: "failed"}
            if status in ends and ends[status] not in text.history:
                world.violate("an end is the one that Twilio told of", f"{name} {status}, but {text.history}")
        elif status in _TAKEN:
            world.violate("what Twilio took has a SID", name)
        elif status == Status.FAILED:
            self._check_failed(row, triple)
        if status == Status.SUPPRESSED and reason == "opted_out":
            free_since = self.free_since.get((row["to"], row["sender"] or ""), -1.0)
            was_refused = any(each[:2] == triple[:2] and each[3] == 21610 for each in self.twilio.refused)
            if row["body"] is not None and not was_refused and free_since < world.now - _STILL_IN_FLIGHT / 10:
                world.violate("nobody's opt-out is made up", name)

    def _check_failed(self, row: Row, triple: tuple[str, str, str]) -> None:
        """Look for the cause of a failure without a text."""
        reason = row["reason"]
        codes = {each[3] for each in self.twilio.refused if each[:3] == triple}
        late = row["expires_at"] is not None and (
            (self.world.clock() - BEGINNING).total_seconds() + BEGINNING.timestamp() + _LONGEST_BACKOFF
            >= row["expires_at"] / 1e6
        )
        well = {
            "twilio_rejected": 21211 in codes,
            "opted_out": 21610 in codes,
            "too_old": late or self.epoch > 0,
            "twilio_unreachable": late or self.epoch > 0,
        }
        if not well.get(reason, False):
            self.world.violate("a text is given up for a cause alone", f"{self.name(row['id'])} {reason}")

    # The end

    def is_settled(self) -> bool:
        """Has everything come to an end, or is it held?"""
        if self.acknowledged.keys() != self.events.keys() or self._lost():
            return False
        return not any(self._is_open(row) for row in self.rows.values())

    def _is_open(self, row: Row) -> bool:
        """Should it have been settled by now? Not what waits for its time, visibly, by a clock that was set."""
        waits = self.epoch and row["status"] == Status.PENDING and from_micros(row["not_before"]) > self.world.clock()
        return (row["status"] in _OPEN and not waits) or self._may_go(row)

    def _may_go(self, row: Row) -> bool:
        return row["status"] == Status.HELD and row["reason"] in ("paused", "credentials")

    def _lost(self) -> list[tuple[str, str]]:
        there = {(row["event_uuid"], row["destination_id"]) for row in self.rows.values()}
        return [
            (uuid, of)
            for uuid in self.acknowledged
            for of in self.chosen
            if (uuid, of) not in there and of not in self.switched and of not in _deaf_to(self.events[uuid].name)
        ]

    def at_the_end(self) -> None:
        """Look at how the story has ended."""
        world = self.world
        for uuid in sorted(self.events.keys() - self.acknowledged.keys()):
            world.violate("an event is taken in the end", uuid[-4:])
        for uuid, of in self._lost():
            world.violate("what was acknowledged is not lost", f"event {uuid[-4:]} at {of}")
        for row in self.rows.values():
            if self._is_open(row):
                world.violate("everything is settled in the end", f"{self.name(row['id'])} {row['status']}")
            elif row["status"] == Status.HELD and row["destination_id"] not in ("holding", "brief") and not self.epoch:
                world.violate("only what its destination wants held is held", self.name(row["id"]))
        self._check_once()
        self._check_paces()
        self._check_cooldowns()

    def _check_once(self) -> None:
        """Count the texts at Twilio: by delivery where the address tells it, and by what they look like."""
        by_delivery: dict[str, int] = {}
        by_look: dict[tuple[str, str, str], int] = {}
        known = {row["sid"] for row in self.rows.values()}
        held = {_look(row) for row in self.rows.values() if row["status"] == Status.HELD} | {
            _look(row) for row in self.rows.values() if row["id"] in self.redriven | self.forced
        }
        for text in self.twilio.texts.values():
            look = (text.to, text.sender, text.body)
            by_look[look] = by_look.get(look, 0) + 1
            if (named := delivery_of(text.callback)) is not None:
                by_delivery[named[0]] = by_delivery.get(named[0], 0) + 1
            if text.sid not in known and look not in held:
                self.world.violate("every text at Twilio is known to the ledger", text.sid[:8])
        again = self.forced
        for id_, n in by_delivery.items():
            if n > 1 and id_ not in again and not self._failed_before(id_):
                self.world.violate("each text once", f"{self.name(id_)} has {n}")
        for look, n in by_look.items():
            rows = [row for row in self.rows.values() if _look(row) == look]
            if n > len(rows) and not any(row["id"] in self.redriven | again for row in rows):
                self.world.violate("each text once", f"{n} of {look[1]}→{look[0]}, for {len(rows)} deliveries")

    def _failed_before(self, id_: str) -> bool:
        """Was it sent again by a person, after its text had failed at Twilio?"""
        mine = [each for each in self.twilio.texts.values() if (delivery_of(each.callback) or ("",))[0] == id_]
        return id_ in self.redriven and all("failed" in each.history for each in mine[:-1])

    def _check_paces(self) -> None:
        """Between any two claims of a sender, no more than its pace allows in that time, and one text."""
        by_sender: dict[tuple[str, int], list[tuple[float, int]]] = {}
        for claim, (sender, epoch, at, segments) in self.claims.items():
            if claim in self.left:
                by_sender.setdefault((sender, epoch), []).append((at, segments))
        for (sender, _), claims in by_sender.items():
            claims.sort()
            largest, pace = max(segments for _, segments in claims), PACES[sender]
            for first, (begin, _) in enumerate(claims):
                sum_ = 0
                for at, segments in claims[first:]:
                    sum_ += segments
                    if sum_ > pace * (at - begin + 1.0) + largest + 1e-6:
                        self.world.violate("no pace is exceeded", f"{sum_} segments of {sender} in {at - begin:.2f} s")
                        return

    def _check_cooldowns(self) -> None:
        """Walk through the windows as promised: fixed, each begun by its first event, with one text in each."""
        if self.went_back:
            return
        for of, ttl in COOLDOWN_SECONDS.items():
            windows: dict[str, float] = {}
            texts: dict[tuple[str, float], int] = {}
            rows = [self.rows[id_] for id_ in self.places if self.rows[id_]["destination_id"] == of]
            for row in rows:
                if row["body"] is None and row["reason"] != "cooldown":
                    continue
                at = row["created_at"] / 1e6
                if windows.get(row["to"], -1.0) <= at:
                    windows[row["to"]] = at + ttl
                there = row["sid"] is not None or self.sent_and_there(row)
                if there and row["id"] not in self.redriven | self.forced:
                    window = (row["to"], windows[row["to"]])
                    texts[window] = texts.get(window, 0) + 1
                    if texts[window] > 1:
                        self.world.violate("no cooldown is broken", self.name(row["id"]))

    def sent_and_there(self, row: Row) -> bool:
        """Is there a text at Twilio that names this delivery?"""
        return any((delivery_of(each.callback) or ("",))[0] == row["id"] for each in self.twilio.texts.values())


def _look(row: Row) -> tuple[str, str, str]:
    return (row["to"], row["sender"], row["body"])


def _deaf_to(event: str) -> set[str]:
    from tests.simulator.catalogue import EVENTS

    return {of for of, name in EVENTS.items() if name != event}
