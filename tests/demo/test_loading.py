import json

import pytest
from django.core.management import CommandError, call_command

from fulfillment.core.models import Article, Facility, Listing, Stock, StockMovement, User
from fulfillment.demo import balance, loader
from routing.models import Place, RoutingRevision

pytestmark = pytest.mark.django_db


def load(**options):
    call_command("load_demo", password="a-demo-password", verbosity=0, **options)


def test_load_fills_the_network_through_the_ledger(tmp_path):
    load(logins=str(tmp_path / "logins.json"))

    assert Facility.objects.count() == len(loader.rows("facilities.csv"))
    assert Article.objects.count() == len(loader.rows("articles.csv"))
    assert Stock.objects.count() == StockMovement.objects.count() == len(loader.rows("stock.csv"))
    assert not Listing.objects.exclude(reserved=0).exists()
    assert balance.units_received() == balance.units_in_stock()
    assert Place.objects.exists()
    assert RoutingRevision.objects.exists()
    logins = json.loads((tmp_path / "logins.json").read_text())
    assert set(logins) == {f"{name}@demo.example" for name in ("admin", "supervisor", "picker", "packer")}
    assert (tmp_path / "logins.json").stat().st_mode & 0o077 == 0
    for email, password in logins.items():
        assert User.objects.get(email=email).check_password(password)


def test_load_again_changes_nothing():
    load()
    before = (Stock.objects.count(), StockMovement.objects.count(), User.objects.count())

    with pytest.raises(CommandError, match="not empty"):
        load()

    assert (Stock.objects.count(), StockMovement.objects.count(), User.objects.count()) == before


@pytest.mark.parametrize("command", ["load_demo", "post_demo_orders", "demo"])
def test_production_is_refused(settings, command):
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="production"):
        call_command(command)

    assert not Facility.objects.exists()
