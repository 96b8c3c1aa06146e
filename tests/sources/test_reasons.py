import re
from pathlib import Path

from django.utils.translation import override

from orders.services import OrderEnded
from orders.sources import reasons


def test_whatever_can_be_parked_says_what_to_do():
    """Every reason that a source or the import parks for is one that a person gets advice for."""
    code = "".join(path.read_text() for path in Path(reasons.__file__).parent.rglob("*.py"))
    parked = re.findall(r'(?:Unmappable\(|Action\.PARK, )"(\w+)"', code)

    assert len(set(parked)) > 8
    assert set(parked) <= reasons.ADVICE.keys()
    assert reasons.ADVICE.keys() <= reasons.TEXTS.keys()


def test_parts_of_an_address_are_named_for_people_and_for_programs():
    why = reasons.reason("ADDRESS_INCOMPLETE", fields="postal_code, city")

    assert "postal code, city" in str(why)
    assert "postal_code, city" in why.english
    with override("de"):
        assert "Postleitzahl, Ort" in str(why)


def test_refusal_in_a_reason_is_told_in_the_language_of_the_reader():
    why = reasons.refused("CHANGE_TOO_LATE", OrderEnded(order="W-1", status="Cancelled"))

    assert str(OrderEnded(order="W-1", status="Cancelled")) in str(why)
    with override("de"):
        assert OrderEnded(order="W-1", status="Cancelled").message in str(why)
