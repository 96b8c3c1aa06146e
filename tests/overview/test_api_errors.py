from fulfillment.overview.management.commands.api_errors import CATALOGUE, catalogue


def test_catalogue_of_error_codes_is_up_to_date():
    assert CATALOGUE.read_text() == catalogue(), "run `python manage.py api_errors`"


def test_codes_that_two_refusals_share_have_one_status():
    statuses: dict[str, set] = {}
    for line in catalogue().splitlines():
        if line.startswith("| `"):
            code, status = line.split("|")[1:3]
            statuses.setdefault(code, set()).add(status)

    assert [code for code, found in statuses.items() if len(found) > 1] == []
