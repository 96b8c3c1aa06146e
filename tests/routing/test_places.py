import io
import zipfile

import pytest
from django.core.management import CommandError, call_command

from routing import places
from routing.models import Place

pytestmark = pytest.mark.django_db


@pytest.fixture
def table():
    places.replace_cities(
        [
            ("NL", "amsterdam", 52.374, 4.89, 741636),
            ("DE", "berlin", 52.5244, 13.4105, 3426354),
            ("DE", "koln", 50.9333, 6.95, 963395),
            ("DE", "frankfurt", 50.1155, 8.6842, 650000),
        ]
    )


@pytest.mark.parametrize(
    ("country", "postal_code", "city", "latitude"),
    [
        ("NL", "1012 LG", "Amsterdam", 52.374),
        ("nl", "", "AMSTERDAM", 52.374),
        ("DE", "50667", "Köln", 50.9333),
        ("DE", "", "Berlin-Mitte", 52.5244),
        ("DE", "", "Frankfurt am Main", 50.1155),
    ],
)
def test_city_is_found_by_name(table, country, postal_code, city, latitude):
    assert places.locate(country, postal_code, city).latitude == pytest.approx(latitude)


@pytest.mark.parametrize(
    ("country", "city"), [("NL", "Niemandsort"), ("BE", "Amsterdam"), ("NL", ""), ("", "")]
)
def test_unknown_place_is_none(table, country, city):
    assert places.locate(country, "", city) is None


def test_postal_code_is_finer_than_the_city(table):
    places.replace_postal_codes([("NL", "1016", 52.37, 4.881, 0)])

    assert places.locate("NL", "1016 EZ", "Amsterdam").precision == Place.Kind.POSTAL_CODE


def test_many_addresses_take_one_query(table, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = places.locate_all([("NL", "", "Amsterdam"), ("DE", "", "Köln"), ("DE", "", "Nowhere")])

    assert [place is not None for place in found] == [True, True, False]


def test_bundled_table_knows_every_capital():
    places.replace_cities(row for row in places.read_bundled() if row[0] in {"NL", "AT", "CZ", "DK"})

    for country, city in [("NL", "Amsterdam"), ("AT", "Wien"), ("CZ", "Praha"), ("DK", "København")]:
        assert places.locate(country, "", city) is not None


def city_line(name, latitude="52.1", population="1000"):
    cells = [""] * 19
    cells[1], cells[4], cells[5], cells[6], cells[8], cells[14] = name, latitude, "5.1", "P", "SE", population
    return "\t".join(cells)


def test_import_of_places_takes_a_dump_and_counts_broken_lines(tmp_path):
    dump = tmp_path / "SE.txt"
    dump.write_text(
        f"{city_line('Malmö')}\n{city_line('Lund', latitude='north')}\nbroken\n", encoding="utf-8"
    )
    out, err = io.StringIO(), io.StringIO()

    call_command("import_places", str(dump), stdout=out, stderr=err)

    assert places.locate("SE", "", "Malmo") is not None
    assert "2 lines left out" in out.getvalue()
    assert "Line 3" in err.getvalue()


def test_import_of_postal_codes_takes_a_zip_and_averages_places_of_one_code(tmp_path):
    def line(latitude):
        return "\t".join(["SE", "211 22", "Malmö", *[""] * 6, latitude, "13.0", ""])

    dump = tmp_path / "SE.zip"
    with zipfile.ZipFile(dump, "w") as archive:
        archive.writestr("readme.txt", "about")
        archive.writestr("SE.txt", f"{line('55.0')}\n{line('56.0')}\n")

    call_command("import_postal_codes", str(dump), stdout=io.StringIO())

    assert places.locate("SE", "21122", "").latitude == pytest.approx(55.5)


def test_file_that_is_not_there_is_one_sentence():
    with pytest.raises(CommandError, match=r"cannot be read"):
        call_command("import_places", "/nowhere/cities.txt", stdout=io.StringIO())
