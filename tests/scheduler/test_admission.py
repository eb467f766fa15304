"""Who may run next: fair between runs, cheap whatever waits, and bounded by the room."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from flyteplane.scheduler.domain.admission import Demand, Lanes, Room

Item = tuple[str, int]


def _filled(*lanes: tuple[str, int]) -> Lanes[Item]:
    filled: Lanes[Item] = Lanes()
    for name, count in lanes:
        for number in range(count):
            filled.push(name, (name, number))
    return filled


def _admit(lanes: Lanes[Item], slots: int) -> list[Item]:
    """Admits as many as there are slots."""
    left = iter(range(slots))
    return list(lanes.admit(lambda item: True, lambda item: next(left, None) is not None))


def test_lanes_take_turns() -> None:
    lanes = _filled(("big", 4), ("small", 2))
    assert _admit(lanes, 6) == [("big", 0), ("small", 0), ("big", 1), ("small", 1), ("big", 2), ("big", 3)]


def test_a_run_that_comes_late_waits_for_one_action_and_not_for_all() -> None:
    lanes = _filled(("big", 10_000))
    _admit(lanes, 3)
    lanes.push("late", ("late", 0))
    assert ("late", 0) in _admit(lanes, 2)


def test_turns_go_on_where_the_last_admission_ended() -> None:
    lanes = _filled(("a", 3), ("b", 3), ("c", 3))
    order = [_admit(lanes, 1)[0] for _ in range(9)]
    assert order == [(lane, number) for number in range(3) for lane in "abc"]


def test_a_lane_whose_head_does_not_fit_holds_no_other_up() -> None:
    lanes = _filled(("blocked", 2), ("free", 3))
    taken = list(lanes.admit(lambda item: True, lambda item: item[0] == "free"))
    assert taken == [("free", 0), ("free", 1), ("free", 2)]
    assert len(lanes) == 2


def test_the_head_that_was_passed_over_is_asked_first_the_next_time() -> None:
    lanes = _filled(("blocked", 1), ("a", 5), ("b", 5))
    room = {"left": 0}

    def fits(item: Item) -> bool:
        return item[0] != "blocked" and room["left"] > 0

    for _ in range(3):
        room["left"] = 1
        for _ in lanes.admit(lambda item: True, fits):
            room["left"] -= 1
    assert _admit(lanes, 1) == [("blocked", 0)]


def test_what_is_not_wanted_any_more_is_dropped_on_the_way() -> None:
    lanes = _filled(("a", 4), ("gone", 3))
    taken = list(lanes.admit(lambda item: item[0] != "gone" and item[1] != 1, lambda item: True))
    assert taken == [("a", 0), ("a", 2), ("a", 3)]
    assert len(lanes) == 0


def test_admitting_one_costs_the_same_whatever_waits() -> None:
    for waiting in (10, 10_000):
        lanes = _filled(("a", waiting), ("b", waiting))
        asked = 0

        def fits(item: Item) -> bool:
            nonlocal asked
            asked += 1
            return asked == 1

        assert len(list(lanes.admit(lambda item: True, fits))) == 1
        assert asked <= 4


def test_items_that_are_pushed_while_others_are_admitted_come_later_in_turn() -> None:
    lanes = _filled(("a", 1), ("b", 1))
    taken: list[Item] = []
    for item in lanes.admit(lambda item: True, lambda item: True):
        taken.append(item)
        if len(taken) == 1:
            lanes.push("a", ("a", 9))
    assert taken == [("a", 0), ("b", 0), ("a", 9)]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from("abcd"), st.integers(1, 4)),
        st.tuples(st.just("admit"), st.sampled_from("abcd"), st.integers(0, 5)),
        st.tuples(st.just("unwant"), st.sampled_from("abcd"), st.integers(0, 40)),
    ),
    max_size=40,
)


def _admit_from(lanes: Lanes[Item], unwanted: set[Item], count: int, *, blocked: str) -> list[Item]:
    """Admits `count` items; one lane is blocked by itself, as a run is that has reached its limit."""
    left = iter(range(count))
    return list(
        lanes.admit(lambda item: item not in unwanted, lambda item: item[0] != blocked and next(left, None) is not None)
    )


@given(operations)
def test_nothing_is_lost_doubled_or_overtaken_in_its_lane(steps: list[tuple[str, str, int]]) -> None:
    lanes: Lanes[Item] = Lanes()
    model: dict[str, deque[Item]] = {lane: deque() for lane in "abcd"}
    unwanted: set[Item] = set()
    number = 0
    for what, lane, count in steps:
        if what == "push":
            for _ in range(count):
                number += 1
                lanes.push(lane, (lane, number))
                model[lane].append((lane, number))
        elif what == "unwant":
            unwanted.add((lane, count))
        else:
            taken = _admit_from(lanes, unwanted, count, blocked=lane)
            for item in taken:
                while model[item[0]][0] in unwanted:
                    model[item[0]].popleft()
                assert model[item[0]].popleft() == item
            wanted = {name: [item for item in items if item not in unwanted] for name, items in model.items()}
            assert len(taken) == count or not any(items for name, items in wanted.items() if name != lane)
    waiting = sum(item not in unwanted for items in model.values() for item in items)
    taken = list(lanes.admit(lambda item: item not in unwanted, lambda item: True))
    assert len(taken) == waiting
    assert len(lanes) == 0


demands = st.builds(Demand, cpu_millis=st.integers(0, 3_000), memory_bytes=st.integers(0, 3_000))


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.lists(demands, max_size=20))
def test_room_is_kept_and_given_back(cpu: int, memory: int, asked: list[Demand]) -> None:
    room = Room(cpu_millis=cpu, memory_bytes=memory)
    taken = []
    for demand in asked:
        if room.fits(demand):
            assert not room.never_fits(demand)
            room.take(demand)
            taken.append(demand)
            assert not memory or room.used_memory <= memory
            assert not cpu or room.used_cpu <= cpu or len([one for one in taken if one.cpu_millis]) == 1
    for demand in taken:
        room.give_back(demand)
    assert (room.used_cpu, room.used_memory) == (0, 0)


@given(demands, st.integers(0, 2_000), st.integers(0, 2_000))
def test_whatever_fits_at_all_fits_into_an_empty_room(demand: Demand, cpu: int, memory: int) -> None:
    room = Room(cpu_millis=cpu, memory_bytes=memory)
    assert room.fits(demand) is not room.never_fits(demand)
