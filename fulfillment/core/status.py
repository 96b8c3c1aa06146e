"""The only way a status changes: ``transit``. It runs the transition, saves the row and writes the log."""

from django.db import transaction
from django_fsm import TransitionNotAllowed

from .errors import VersionConflict, WrongStatus
from .models import StatusChange, User
from .rows import insert_values


def require_transaction():
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A step of the business runs inside the transaction that its service opens.")


def check_version(entity, requested):
    """Refuse when the client decided on another version than the stored one; None means it did not say."""
    compare_version(entity.version, requested)


def compare_version(current, requested):
    """``check_version`` where the version that counts is not that of a row."""
    if requested is not None and requested != current:
        raise VersionConflict(requested=requested, current=current)


def _log(entity, action, before, by, at, reason):
    """The columns of a log row."""
    return {
        "entity": entity._meta.label_lower,
        "entity_id": entity.pk,
        "order_id": entity.log_order_id,
        "facility_id": entity.log_facility_id,
        "action": action,
        "before": before,
        "after": entity.status,
        "reason": reason[:300],
        "at": at,
        "by_id": by.pk if isinstance(by, User) else None,
        "actor": str(by or "")[:120],
    }


def log_created(*entities, by, now, reason=""):
    """Write the first log row of new entities, in one query."""
    require_transaction()
    changes = [_log(entity, "create", "", by, now, reason) for entity in entities]
    if changes:
        insert_values(StatusChange, tuple(changes[0]), [change.values() for change in changes])


def log_change(entity, action, *, by, now, reason=""):
    """Write the log row of a step that changes an entity but not its status."""
    require_transaction()
    StatusChange(**_log(entity, action, entity.status, by, now, reason)).save(force_insert=True)


def transit(transition, *args, by, now, reason=""):
    """Run a bound ``@transition`` method with ``args``, save what it changed, raise the version, write the log row.

    Args:
        transition: bound method of a locked entity, for example ``job.close``.
        by: the user or API token that acts, None for the system itself.
        now: aware datetime of the step.
        reason: words for the log, at most 300 characters are kept.
    Raises:
        WrongStatus: the entity's status does not allow this transition.
    """
    require_transaction()
    entity = transition.__self__
    before = {field.attname: entity.__dict__.get(field.attname) for field in entity._meta.concrete_fields}
    try:
        transition(*args)
    except TransitionNotAllowed as error:
        raise WrongStatus(
            thing=entity,
            status=entity.get_status_display(),
            action=transition.__name__.replace("_", " "),
        ) from error
    entity.version += 1
    changed = [name for name, value in before.items() if entity.__dict__.get(name) != value]
    entity.save(update_fields=[*changed, "modified_at"])
    StatusChange(**_log(entity, transition.__name__, before["status"], by, now, reason)).save(
        force_insert=True
    )
    return entity
