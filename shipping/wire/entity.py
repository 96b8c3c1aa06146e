"""What shipments, parcels and handover jobs have in common in the wire format."""

from fulfillment.core.api.recording import recordable_attribute
from fulfillment.core.api.schema import Integer, List, Number, Object, boolean, free
from orders.wire import address as consumer_address
from orders.wire import short, time

unavailable = Object({"isAvailable": boolean})
loose_address = Object(optional=consumer_address.parts)
item = Object(
    {"id": short, "quantity": Integer(0)},
    {"article": free, "recordableAttributes": List(recordable_attribute)},
)
dimensions = Object(
    optional={"length": Number(0), "width": Number(0), "height": Number(0), "weight": Number(0)}
)
# What is sent: a parcel has a weight, and sides, as in the form that corrects it.
side = Number(0.1, 10_000)
dimensions_for_update = Object(
    optional={"length": side, "width": side, "height": side, "weight": Number(1, 1_000_000)}
)
version = Integer(0, 2**31 - 1)


def without_empty(body):
    return {name: value for name, value in body.items() if value not in (None, "")}


def entity_to_wire(row):
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
        "status": row.status,
        "customAttributes": row.order.custom_attributes | row.custom_attributes,
        "anonymized": False,
        "workflowInformation": {"isAvailable": False},
    }


def target_time_to_wire(row):
    return time(row.target_time or row.order.order_date)


def recipient_to_wire(recipient):
    """The recipient on a label (fields of ``orders.models.Address``) as ``ConsumerAddress``."""
    phone = recipient.get("phone")
    return without_empty(
        {
            "firstName": recipient.get("first_name"),
            "lastName": recipient.get("last_name"),
            "companyName": recipient.get("company"),
            "street": recipient.get("street"),
            "houseNumber": recipient.get("house_number"),
            "additionalAddressInfo": recipient.get("addition"),
            "postalCode": recipient.get("postal_code"),
            "city": recipient.get("city"),
            "province": recipient.get("province"),
            "country": recipient.get("country"),
            "email": recipient.get("email"),
            "phoneNumbers": [{"type": "PHONE", "value": phone}] if phone else None,
        }
    )


def contact_to_wire(contact):
    """A sender or return address (fields of ``carriers.Contact``) as ``FacilityAddress``."""
    return without_empty(
        {
            "companyName": contact.get("name"),
            "street": contact.get("street"),
            "houseNumber": contact.get("house_number"),
            "postalCode": contact.get("postal_code"),
            "city": contact.get("city"),
            "province": contact.get("province"),
            "country": contact.get("country"),
        }
    )


def sender_to_wire(facility):
    return without_empty(
        {
            "companyName": facility.company_name,
            "street": facility.street,
            "houseNumber": facility.house_number,
            "postalCode": facility.postal_code,
            "city": facility.city,
            "country": facility.country,
        }
    )


def load_units_to_wire(parcel):
    """In which load units a parcel waits; none without a parcel."""
    return [str(unit.pk) for unit in parcel.load_units.all()] if parcel else []
