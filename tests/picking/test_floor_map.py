import pytest

from picking import floor
from picking.floor_map import Mark, draw
from tests.factories.core import FacilityFactory, StorageLocationFactory

BAYS = {number: (6, str(number)) for number in range(1, 7)}


def mark(aisle, bay, *, is_done=False):
    return Mark(aisle, bay, f"{aisle}-{bay}", (f"key-{aisle}-{bay}",), is_done)


def test_open_places_are_numbered_in_the_order_of_the_walk_and_the_first_is_next():
    found = draw([mark(1, 2, is_done=True), mark(1, 5), mark(2, 3)], BAYS)

    assert [(one["number"], one["is_next"], one["is_done"]) for one in found.marks] == [
        ("", False, True),
        (1, True, False),
        (2, False, False),
    ]
    assert found.names == ["1-5", "2-3"]


def test_levels_of_one_bay_are_one_point():
    found = draw([mark(1, 2), mark(1, 2, is_done=True)], BAYS)

    assert len(found.marks) == 1
    assert not found.marks[0]["is_done"]
    assert found.marks[0]["keys"] == "key-1-2 key-1-2"


def test_path_changes_the_aisle_at_the_nearer_end():
    front = draw([mark(1, 1), mark(2, 1)], BAYS)
    back = draw([mark(1, 6), mark(2, 6)], BAYS)

    def turn(found):
        return float(found.path.split("V")[1].split("H")[0])

    assert turn(front) > front.marks[0]["y"]
    assert turn(back) < back.marks[0]["y"]


def test_only_aisles_about_the_walk_are_drawn():
    assert [aisle["name"] for aisle in draw([mark(5, 1)], BAYS).aisles] == ["4", "5", "6"]
    assert [aisle["name"] for aisle in draw([mark(1, 1)], BAYS).aisles] == ["1", "2", "3", "4"]


def test_everything_is_inside_the_picture():
    found = draw([mark(aisle, bay) for aisle in BAYS for bay in (1, 6)], BAYS)

    for one in found.marks:
        assert 14 <= one["x"] <= found.width - 14
        assert 14 <= one["y"] <= found.height - 14


def test_without_places_there_is_no_map():
    assert draw([], BAYS) is None
    assert draw([mark(1, 1)], {}) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["C-01-1", "C-01-8"], "C-01"),
        (["C-02-1"], "C-02"),
        (["C.03.1", "C.03.10"], "C.03"),
        (["C 4/1", "C 4/2"], "C 4"),
        (["C-1-1", "C-12-1"], "C"),
        (["Left", "Right"], "3"),
        (["Behind-the-stairs-1"], "3"),
        (["A-1", "B-1"], "3"),
    ],
)
def test_aisle_is_called_as_its_places_are(names, shown):
    facility = FacilityFactory()
    for bay, name in enumerate(names, start=1):
        StorageLocationFactory(facility=facility, name=name[:15], aisle=3, bay=bay)

    assert floor.aisles(facility) == {3: (len(names), shown)}
