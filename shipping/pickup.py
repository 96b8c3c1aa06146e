"""Giving goods to the customer who collects them: who that is, what is seen of them, and what becomes of goods nobody wants.

A PIN is never stored: it is made from the secret key and the pick-up's code, so that a message that is sent again
says the same, and compared by its keyed hash.
"""

import datetime
import hashlib
import hmac

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.crypto import constant_time_compare
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import ALPHABET, RANDOM_CHARACTERS, new_code
from fulfillment.core.errors import Refused
from fulfillment.core.limits import hit
from fulfillment.core.models import Document
from fulfillment.core.pdf import png_address, render_pdf
from fulfillment.core.services import documents
from fulfillment.core.status import log_change
from packing.models import Package

from . import services
from .models import HandoverJob, Pickup, PickupPackage, PickupSettings
from .parcel_data import language_at

VERSION = "receipt-1"
CODE_PREFIX = "C"
CODE_LENGTH = len(CODE_PREFIX) + RANDOM_CHARACTERS + 1
SIGNATURE_LENGTH = 12
PIN_DIGITS = 6
MOST_TRIES = 5
SEARCHES_PER_MINUTE = 10


class NotToCollect(Refused):
    text = _("%(job)s is not collected by a customer.")


class WrongPin(Refused):
    text = _("This PIN is wrong. Tries left: %(left)s.")


class PinLocked(Refused):
    text = _("The PIN was wrong five times. A supervisor has to look at who collects.")


class PinExpired(Refused):
    text = _("The PIN has expired. A supervisor has to look at who collects.")


class WrongCode(Refused):
    text = _("This QR code is not ours, or it was changed.")


class TooManySearches(Refused):
    text = _("Too many searches by PIN. Wait a minute, or search by name.")
    status_code = 429


class ProofMissing(Refused):
    text = _("Before you give the goods: %(missing)s.")


class PaymentMissing(Refused):
    text = _("%(job)s is not paid. Take the payment and confirm it before you give the goods.")


# Codes and PINs


def _mac(key, purpose, text):
    return hmac.new(key.encode(), f"shipping.pickup.{purpose}:{text}".encode(), hashlib.sha256).digest()


def pin_of(pickup, key=None):
    """The six digits that the customer is told."""
    number = int.from_bytes(_mac(key or settings.SECRET_KEY, "pin", pickup.code)[:8], "big")
    return f"{number % 10**PIN_DIGITS:0{PIN_DIGITS}d}"


def _hash(code, pin, key=None):
    return _mac(key or settings.SECRET_KEY, "hash", f"{code}:{pin}").hex()


def is_pin_of(pickup, pin):
    """Whether these are the digits, also when they were hashed with an earlier key."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(_hash(pickup.code, pin, key), pickup.pin_hash) for key in keys)


def _sign(code, key):
    mac = _mac(key, "qr", code)
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in mac[:SIGNATURE_LENGTH])


def qr_text(pickup):
    """What the customer's QR code says: the code and its signature, in letters that every scanner types right."""
    return pickup.code + _sign(pickup.code, settings.SECRET_KEY)


def read_qr(text):
    """The code in a QR text of ours, None when it is something else. Refuses a signature that is not ours."""
    text = text.strip().upper()
    if len(text) != CODE_LENGTH + SIGNATURE_LENGTH or not text.startswith(CODE_PREFIX):
        return None
    code, signature = text[:CODE_LENGTH], text[CODE_LENGTH:]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(constant_time_compare(_sign(code, key), signature) for key in keys):
        raise WrongCode
    return code


# What the steps before announce


def settings_at(facility_id):
    """What a facility asks for; nothing when nobody said."""
    found = {one.facility_id: one for one in PickupSettings.objects.filter(facility=facility_id)}
    found |= {one.facility_id: one for one in PickupSettings.objects.filter(facility=None)}
    nothing = PickupSettings(asks_for_code=False, days_to_collect=0)
    return found.get(facility_id) or found.get(None) or nothing


def on_handover_created(event, *, by, now):
    """Goods for a customer are ready: make the code and the PIN they are collected with."""
    job = HandoverJob.objects.get(pk=event.handover_job_id)
    if job.channel != HandoverJob.Channel.COLLECT:
        return
    days = settings_at(job.facility_id).days_to_collect
    _open(job, now + datetime.timedelta(days=days) if days else None)


def _open(job, collect_until):
    pickup = Pickup(job=job, code=new_code(CODE_PREFIX), collect_until=collect_until)
    pickup.pin_hash = _hash(pickup.code, pin_of(pickup))
    pickup.save()
    _list_packages(pickup)
    return pickup


def _list_packages(pickup):
    packages = Package.objects.filter(job__pick_job=pickup.job.pick_job_id)
    PickupPackage.objects.bulk_create(PickupPackage(pickup=pickup, package=package) for package in packages)


def on_handover_reverted(event, *, by, now):
    """What was seen counts for one handover only."""
    Pickup.objects.filter(job=event.handover_job_id).update(
        shown="",
        is_id_seen=False,
        is_age_checked=False,
        is_signed_on_paper=False,
        signature_sha256="",
        receipt=None,
    )
    PickupPackage.objects.filter(pickup__job=event.handover_job_id).update(fetched_at=None, fetched_by=None)


# Who collects


def lock_pickup(job_id):
    """The pick-up of a locked handover; one that is older than pick-ups gets its own now."""
    job = services.lock_handover(job_id)
    if job.channel != HandoverJob.Channel.COLLECT:
        raise NotToCollect(job=job)
    pickup = Pickup.objects.filter(job=job).first()
    if pickup is None:
        pickup = _open(job, None)
    elif not pickup.packages.exists():
        _list_packages(pickup)
    pickup.job = job
    return pickup


def find(facility, text, *, by):
    """Open handovers to customers by QR code, PIN, short id, order number or name.

    Refuses a forged QR code, and more searches by PIN than a clerk needs: they would be a way to guess.
    """
    jobs = HandoverJob.objects.at(facility).open().filter(channel=HandoverJob.Channel.COLLECT)
    text = text.strip()
    code = read_qr(text)
    if code is not None:
        return list(jobs.filter(pickup__code=code))
    if len(text) == PIN_DIGITS and text.isdigit():
        count, _left = hit(f"pickup-pin:{by.pk}", 60)
        if count > SEARCHES_PER_MINUTE:
            raise TooManySearches
        pickups = Pickup.objects.filter(job__in=jobs).select_related("job")
        found = [pickup.job for pickup in pickups if is_pin_of(pickup, text)]
        if found:
            return found
    return []


@transaction.atomic
def show_qr(job_id, text, *, by, now):
    """Note that the customer showed the QR code. Refuses one that is forged or of another order."""
    pickup = lock_pickup(job_id)
    if read_qr(text) != pickup.code:
        raise WrongCode
    _note_shown(pickup, Pickup.Shown.QR, by=by, now=now)


def show_pin(job_id, pin, *, by, now):
    """Note that the customer said the PIN. Refuses a wrong one, any after five wrong ones, and an expired one."""
    # A refusal takes back its transaction, but a wrong try must count.
    wrong = _try_pin(job_id, pin.strip(), by=by, now=now)
    if wrong is None:
        return
    left = MOST_TRIES - wrong
    raise WrongPin(left=left) if left else PinLocked


@transaction.atomic
def _try_pin(job_id, pin, *, by, now):
    """None when the PIN is right, else how many were wrong."""
    pickup = lock_pickup(job_id)
    if pickup.wrong_tries >= MOST_TRIES:
        raise PinLocked
    if pickup.collect_until and now > pickup.collect_until:
        raise PinExpired
    if is_pin_of(pickup, pin):
        _note_shown(pickup, Pickup.Shown.PIN, by=by, now=now)
        return None
    pickup.wrong_tries += 1
    pickup.save(update_fields=["wrong_tries"])
    log_change(pickup.job, "wrong_pin", by=by, now=now)
    return pickup.wrong_tries


@transaction.atomic
def vouch(job_id, *, reason, by, now):
    """A supervisor knows who collects, in another way than by PIN or code. Refuses without a word how."""
    if not reason.strip():
        raise services.ReasonMissing
    _note_shown(lock_pickup(job_id), Pickup.Shown.SUPERVISOR, by=by, now=now, reason=reason)


def _note_shown(pickup, shown, *, by, now, reason=""):
    pickup.shown, pickup.wrong_tries = shown, 0
    pickup.save(update_fields=["shown", "wrong_tries"])
    log_change(pickup.job, "identify", by=by, now=now, reason=reason or str(shown.label))


@transaction.atomic
def hand_over(
    job_id,
    *,
    refused=None,
    missing=None,
    is_id_seen=False,
    is_age_checked=False,
    signature=None,
    is_signed_on_paper=False,
    is_payment_taken=False,
    by,
    now,
):
    """Give the goods to the customer.

    Refuses while something that the facility asks for was not seen, goods that are not paid while nobody says that the
    payment was taken, and what ``services.hand_over`` refuses.

    Args:
        refused: ``{handover line id: (units, reason, comment)}``.
        missing: ``{handover line id: units}`` that are not there.
        signature: the PNG that ``signatures.read_signature`` drew.
    """
    pickup = lock_pickup(job_id)
    asked = settings_at(pickup.job.facility_id)
    left = pickup.packages.filter(fetched_at=None).values_list("package__number", flat=True)
    unseen = [
        words
        for is_asked, is_there, words in (
            (asked.asks_for_code, pickup.shown, _("check the PIN or QR code")),
            (
                asked.asks_for_packages,
                not left,
                _("scan package %(numbers)s") % {"numbers": ", ".join(map(str, left))},
            ),
            (asked.asks_for_id, is_id_seen, _("look at the identity card")),
            (asked.asks_for_age, is_age_checked, _("check the age")),
            (asked.asks_for_signature, signature or is_signed_on_paper, _("have it signed")),
        )
        if is_asked and not is_there
    ]
    if unseen:
        raise ProofMissing(missing=", ".join(map(str, unseen)))
    if not pickup.job.is_paid:
        if not is_payment_taken:
            raise PaymentMissing(job=pickup.job)
        log_change(pickup.job, "take_payment", by=by, now=now)
    pickup.is_id_seen, pickup.is_age_checked = is_id_seen, is_age_checked
    pickup.is_signed_on_paper = is_signed_on_paper
    pickup.signature_sha256 = documents.keep(signature) if signature else ""
    pickup.save(update_fields=["is_id_seen", "is_age_checked", "is_signed_on_paper", "signature_sha256"])
    return services.hand_over(job_id, refused=refused, missing=missing, by=by, now=now)


def expire(*, now):
    """End the handovers that nobody came for in time, each in a transaction of its own; returns how many."""
    late = HandoverJob.objects.open().filter(
        channel=HandoverJob.Channel.COLLECT, pickup__collect_until__lt=now
    )
    ended = 0
    for job_id in list(late.values_list("pk", flat=True)):
        ended += _expire(job_id, now)
    return ended


@transaction.atomic
def _expire(job_id, now):
    job = services.lock_handover(job_id)
    if job.status not in HandoverJob.UNFINISHED:
        return 0
    services.cancel_handover(job_id, HandoverJob.CancelReason.CONSUMER_NO_SHOW, by=None, now=now)
    return 1


# The receipt, in a worker


def make_receipt(event):
    """Draw the receipt of goods that a customer collected. Called again, it does nothing."""
    pickup = (
        Pickup.objects.select_related("job__order", "job__facility")
        .filter(job=event.handover_job_id, job__status=HandoverJob.Status.HANDED_OVER, receipt=None)
        .first()
    )
    if pickup is None:
        return
    job, snapshot = pickup.job, snapshot_of(pickup)
    signature = documents.kept(pickup.signature_sha256) if pickup.signature_sha256 else None
    stored = documents.store(
        render_receipt(snapshot, signature),
        facility_id=job.facility_id,
        category=Document.Category.EXTERNAL,
        name=f"receipt-{job.order}.pdf",
        order_id=job.order_id,
        template=VERSION,
        snapshot=snapshot,
        now=timezone.now(),
    )
    with transaction.atomic():
        locked = services.lock_handover(job.pk)
        if locked.handed_over_at == job.handed_over_at:
            Pickup.objects.filter(pk=pickup.pk, receipt=None).update(receipt=stored)


def snapshot_of(pickup):
    """What the receipt says. Of the identity card it says only that it was seen."""
    job = pickup.job
    language = language_at(job.facility)
    with translation.override(language):
        when = date_format(timezone.localtime(job.handed_over_at, job.facility.tz), "SHORT_DATETIME_FORMAT")
        shown = str(Pickup.Shown(pickup.shown).label) if pickup.shown else ""
    return {
        "language": language,
        "order_number": str(job.order),
        "facility": [
            job.facility.company_name,
            f"{job.facility.street} {job.facility.house_number}".strip(),
            f"{job.facility.postal_code} {job.facility.city}",
        ],
        "recipient": job.recipient_name,
        "handed_over_at": when,
        "shown": shown,
        "is_id_seen": pickup.is_id_seen,
        "is_age_checked": pickup.is_age_checked,
        "is_signed_on_paper": pickup.is_signed_on_paper,
        "signature": pickup.signature_sha256,
        "lines": [
            {
                "title": line.title,
                "taken": line.handed_over,
                "refused": line.refused_units,
                "missing": line.missing,
            }
            for line in job.lines.all()
        ],
    }


def render_receipt(snapshot, signature=None):
    """The receipt as PDF: out of its snapshot alone, so that it can be drawn again."""
    return render_pdf(
        "documents/receipt.html",
        {**snapshot, "picture": png_address(signature)},
        stylesheet="documents/paper.css",
        language=snapshot["language"],
    )
