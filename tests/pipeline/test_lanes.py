"""An account gets more requests at once while all goes well, and half as many when Twilio says: too many."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from smspipe.pipeline.lanes import Lanes


class Road:
    """Lanes with requests that a test ends."""

    def __init__(self, most: int) -> None:
        self.lanes = Lanes(most)
        self.under_way: deque[int] = deque()
        self.begun: list[int] = []

    def enter(self, n: int, account: str = "AC1") -> None:
        for nth in range(n):
            self.lanes.enter(account, lambda nth=nth: self._begin(nth))  # type: ignore[misc]  # bound now

    def _begin(self, nth: int) -> None:
        self.under_way.append(nth)
        self.begun.append(nth)

    def leave(self, *, too_many: bool = False, account: str = "AC1") -> None:
        self.under_way.popleft()
        self.lanes.leave(account, too_many=too_many)


def test_ten_begin_at_once_and_the_rest_in_order_of_arrival() -> None:
    road = Road(50)
    road.enter(30)
    assert road.begun == list(range(10))
    for _ in range(30):
        road.leave()
    assert road.begun == list(range(30))


def test_after_a_window_without_complaint_there_is_room_for_one_more_up_to_the_ceiling() -> None:
    road = Road(12)
    road.enter(400)
    limits = []
    for _ in range(300):
        road.leave()
        limits.append(road.lanes.limit("AC1"))
    assert limits[:9] == [10] * 9
    assert limits[11] == 11
    assert limits == sorted(limits)
    assert limits[-1] == 12


def test_too_many_halves_it_once_for_all_that_were_under_way_together() -> None:
    road = Road(50)
    road.enter(100)
    for _ in range(10):
        road.leave()
    before = road.lanes.limit("AC1")
    for _ in range(5):
        road.leave(too_many=True)
    assert road.lanes.limit("AC1") == before // 2


def test_it_never_falls_below_one() -> None:
    road = Road(8)
    road.enter(200)
    for _ in range(200):
        road.leave(too_many=True)
    assert road.lanes.limit("AC1") == 1
    assert len(road.begun) == 200


def test_one_account_s_complaint_is_not_anothers() -> None:
    road = Road(50)
    road.enter(20, "AC1")
    road.enter(20, "AC2")
    for _ in range(12):
        road.leave(too_many=True, account="AC1")
    assert road.lanes.limit("AC2") == 10


@given(st.integers(1, 20), st.lists(st.booleans(), max_size=120))
def test_no_request_is_forgotten_and_the_limit_is_kept(most: int, complaints: list[bool]) -> None:
    road = Road(most)
    road.enter(len(complaints))
    for too_many in complaints:
        assert 1 <= road.lanes.limit("AC1") <= most
        road.leave(too_many=too_many)
    assert road.begun == list(range(len(complaints)))
    assert not road.under_way
