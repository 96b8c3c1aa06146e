import pytest
from django.contrib import admin
from django.urls import reverse

from fulfillment.core.models import (
    ApiToken,
    Article,
    Facility,
    Listing,
    Membership,
    OutboxEntry,
    Role,
    StatusChange,
    Stock,
    User,
)
from tests.factories.core import (
    ArticleFactory,
    ChannelFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    ListingFactory,
    StorageLocationFactory,
    api_token,
    put_stock,
    staff,
)

pytestmark = pytest.mark.django_db
OWN = [model for model in admin.site._registry if model._meta.app_label == "core"]


@pytest.fixture
def administrator():
    return staff("administrator")


@pytest.fixture
def client(client, administrator):
    client.force_login(administrator)
    return client


def address(model, page, *args):
    return reverse(f"admin:core_{model._meta.model_name}_{page}", args=args)


def form_data(response):
    """What the browser would send back for the form of an admin page."""
    data = {}
    forms = [response.context["adminform"].form]
    for formset in response.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    for form in forms:
        for field in form:
            value = field.value()
            value = value() if callable(value) else value
            if value is not None and value is not False:
                prepared = field.field.prepare_value(value) if not isinstance(value, list) else value
                data[field.html_name] = prepared
    return data


@pytest.mark.parametrize("model", OWN, ids=lambda model: model._meta.model_name)
def test_every_list_and_search_opens(client, model):
    facility = FacilityCarrierFactory().facility
    put_stock(
        facility, ArticleFactory(code="4006381333931"), 5, location=StorageLocationFactory(facility=facility)
    )
    api_token()

    assert client.get(address(model, "changelist")).status_code == 200
    assert client.get(address(model, "changelist"), {"q": "a"}).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert client.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("role", ["picker", "packer", "supervisor"])
def test_staff_without_the_administration_are_sent_to_its_login(client, role):
    client.force_login(staff(role, FacilityFactory()))

    assert client.get(reverse("admin:index")).status_code == 302


def test_lists_need_the_same_queries_for_one_and_for_three(
    client, django_assert_num_queries, django_assert_max_num_queries
):
    for model, make in [
        (Stock, lambda: put_stock(FacilityFactory(), ArticleFactory(), 1)),
        (ArticleFactory._meta.model, ArticleFactory),
    ]:
        make()
        client.get(address(model, "changelist"))
        with django_assert_max_num_queries(20) as queries:
            client.get(address(model, "changelist"))
        make(), make()
        with django_assert_num_queries(len(queries)):
            client.get(address(model, "changelist"))


def test_facility_is_created_and_changed_through_its_service(client, administrator):
    data = form_data(client.get(address(Facility, "add")))
    data |= {
        "name": "Utrecht",
        "tenant_facility_id": "NL-02",
        "slug": "utrecht",
        "company_name": "Shop BV",
        "street": "Oudegracht",
        "postal_code": "3511 AB",
        "city": "Utrecht",
        "country": "NL",
        "picking_times": "{}",
        "services": ["PICKUP"],
    }
    response = client.post(address(Facility, "add"), data)
    assert response.status_code == 302, response.context["errors"]
    facility = Facility.objects.get(slug="utrecht")
    assert (facility.services, facility.status) == (["PICKUP"], "ONLINE")
    assert StatusChange.objects.get(entity_id=facility.pk).by == administrator

    data = form_data(client.get(address(Facility, "change", facility.pk)))
    response = client.post(
        address(Facility, "change", facility.pk),
        data | {"services": ["PICKUP", "SHIP_FROM_STORE"], "picking_times": "{}", "slug": "other"},
    )

    assert response.status_code == 302, response.context["errors"]
    facility.refresh_from_db()
    assert (facility.services, facility.version, facility.slug) == (
        ["PICKUP", "SHIP_FROM_STORE"],
        2,
        "utrecht",
    )
    assert OutboxEntry.objects.filter(event="FacilityChanged", handler__endswith="retry_waiting").count() == 2


def test_facility_status_changes_by_action_only(client):
    facility = FacilityFactory()

    client.post(address(Facility, "changelist"), {"action": "go_offline", "_selected_action": [facility.pk]})

    facility.refresh_from_db()
    assert facility.status == "OFFLINE"
    assert StatusChange.objects.get().after == "OFFLINE"
    assert (
        "status" not in client.get(address(Facility, "change", facility.pk)).context["adminform"].form.fields
    )


def test_article_with_its_codes_is_checked(client):
    data = form_data(client.get(address(Article, "add")))
    data |= {"sku": "A-1", "title": "Lamp", "codes-0-code": "4006381333932", "codes-0-units": "1"}

    response = client.post(address(Article, "add"), data)
    assert "check digit" in response.content.decode()
    response = client.post(address(Article, "add"), data | {"codes-0-code": "4006381333931"})

    assert response.status_code == 302
    assert [code.code for code in Article.objects.get(sku="A-1").codes.all()] == ["4006381333931"]


def test_stock_is_read_only_with_a_link_to_its_correction(client):
    row = put_stock(FacilityFactory(slug="here"), ArticleFactory(), 5)

    page = client.get(address(Stock, "change", row.pk))
    client.post(address(Stock, "change", row.pk), {"value": 7})

    row.refresh_from_db()
    assert row.value == 5
    assert f"/f/here/stock/{row.pk}/correct/" in page.content.decode()
    assert client.get(address(Stock, "add")).status_code == 403


def test_token_secret_is_shown_once_and_never_stored(client):
    data = form_data(client.get(address(ApiToken, "add")))
    data |= {"name": "Web shop", "channel": ChannelFactory().pk, "scopes": ["READ", "ORDERS"]}

    response = client.post(address(ApiToken, "add"), data, follow=True)

    token = ApiToken.objects.get()
    secret = response.content.decode().split("<code>")[1].split("</code>")[0]
    assert (token.digest, token.scopes) == (ApiToken.hash(secret), ["READ", "ORDERS"])
    assert secret not in client.get(address(ApiToken, "change", token.pk)).content.decode()
    assert secret not in client.get(address(ApiToken, "changelist")).content.decode()


def test_changed_token_keeps_its_secret(client):
    api_token()
    token = ApiToken.objects.get()
    data = form_data(client.get(address(ApiToken, "change", token.pk)))

    response = client.post(address(ApiToken, "change", token.pk), data | {"name": "Till"})

    assert response.status_code == 302, response.context["errors"]
    assert ApiToken.objects.get().digest == token.digest
    assert ApiToken.objects.get().name == "Till"


def test_token_is_revoked_by_action(client):
    secret = api_token()
    token = ApiToken.objects.get(digest=ApiToken.hash(secret))

    client.post(address(ApiToken, "changelist"), {"action": "revoke", "_selected_action": [token.pk]})

    token.refresh_from_db()
    assert token.revoked_at is not None


def test_failed_outbox_entry_is_tried_again_by_action(client):
    failed = OutboxEntry.objects.create(event="X", payload={}, handler="x", lane="labels", state="FAILED")

    client.post(address(OutboxEntry, "changelist"), {"action": "retry", "_selected_action": [failed.pk]})

    failed.refresh_from_db()
    assert failed.state == "DUE"


def test_user_is_created_with_a_password_and_a_role(client):
    facility = FacilityFactory()
    data = form_data(client.get(address(User, "add")))
    data |= {
        "email": "Anna@Example.com",
        "name": "Anna",
        "usable_password": "true",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
    }

    response = client.post(address(User, "add"), data)

    assert response.status_code == 302, response.context["errors"]
    anna = User.objects.get(email="anna@example.com")
    assert anna.check_password("correct horse battery")
    data = form_data(client.get(address(User, "change", anna.pk)))
    data |= {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-role": Role.objects.get(key="packer").pk,
        "memberships-0-facility": facility.pk,
        "memberships-0-user": anna.pk,
    }
    response = client.post(address(User, "change", anna.pk), data)
    assert response.status_code == 302, response.context["errors"]
    assert Membership.objects.get(user=anna).facility == facility


def test_second_user_with_the_same_address_is_refused(client):
    User.objects.create_user("anna@example.com")
    data = form_data(client.get(address(User, "add")))
    data |= {"email": "ANNA@example.com", "usable_password": "false"}

    response = client.post(address(User, "add"), data)

    assert "There is a user with this e-mail address already." in response.content.decode()


def test_password_is_changed_for_others_and_for_oneself(client, administrator):
    anna = User.objects.create_user("anna@example.com", "old password 1")

    response = client.post(
        reverse("admin:auth_user_password_change", args=[anna.pk]),
        {
            "password1": "correct horse battery",
            "password2": "correct horse battery",
            "usable_password": "true",
        },
    )

    assert response.status_code == 302
    anna.refresh_from_db()
    assert anna.check_password("correct horse battery")
    administrator.set_password("old password 1")
    administrator.save()
    client.force_login(administrator)
    client.post(
        reverse("admin:password_change"),
        {
            "old_password": "old password 1",
            "new_password1": "correct horse battery",
            "new_password2": "correct horse battery",
        },
    )
    administrator.refresh_from_db()
    assert administrator.check_password("correct horse battery")


def test_administrator_makes_no_superuser_and_touches_none(client):
    root = User.objects.create_superuser("root@example.com", "x")
    anna = User.objects.create_user("anna@example.com", "x")
    data = form_data(client.get(address(User, "change", anna.pk)))

    client.post(address(User, "change", anna.pk), data | {"is_superuser": "on"})
    client.post(address(User, "change", root.pk), data | {"email": "mine@example.com"})
    refused = client.post(reverse("admin:auth_user_password_change", args=[root.pk]), {"password1": "y"})

    anna.refresh_from_db()
    root.refresh_from_db()
    assert not anna.is_superuser
    assert root.email == "root@example.com"
    assert refused.status_code == 403


def test_role_is_edited_as_a_set_of_permissions(client):
    role = Role.objects.get(key="picker")
    data = form_data(client.get(address(Role, "change", role.pk)))

    response = client.post(address(Role, "change", role.pk), data | {"permissions": ["PICK", "STOCK"]})

    assert response.status_code == 302
    role.refresh_from_db()
    assert role.permissions == ["PICK", "STOCK"]


def test_listing_shows_what_is_available(client):
    listing = ListingFactory()
    put_stock(listing.facility, listing.article, 7)

    page = client.get(address(type(listing), "changelist"))

    assert page.context["cl"].result_list[0].available == 7


def test_editing_a_listing_leaves_what_was_reserved_meanwhile(client, rf, administrator):
    listing, request = ListingFactory(), rf.post("/")
    request.user = administrator
    data = form_data(client.get(address(Listing, "change", listing.pk)))
    form_class = admin.site._registry[Listing].get_form
    Listing.objects.filter(pk=listing.pk).update(reserved=3)
    stale = Listing.objects.get(pk=listing.pk)
    stale.reserved = 0  # as it was when the page was loaded
    form = form_class(request)(data | {"title": "Lamp"}, instance=stale)
    assert form.is_valid(), form.errors

    admin.site._registry[Listing].save_model(request, form.save(commit=False), form, change=True)

    listing.refresh_from_db()
    assert (listing.title, listing.reserved, listing.version) == ("Lamp", 3, 2)


@pytest.mark.parametrize("times", ['{"MONDAY": 5}', '{"MONDAY": [5]}', '{"SOMEDAY": []}', "5", "x"])
def test_picking_times_that_are_none_are_refused_at_their_field(client, times):
    facility = FacilityFactory()
    data = form_data(client.get(address(Facility, "change", facility.pk)))

    response = client.post(address(Facility, "change", facility.pk), data | {"picking_times": times})

    assert list(response.context["adminform"].form.errors) == ["picking_times"]
