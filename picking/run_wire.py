"""Pick runs in the wire format."""

from fulfillment.core.api.schema import Choice, List, Map, Object, Text, anything
from fulfillment.core.models.facility import PickingMethod
from orders.wire import short, text, time, versioned
from picking.wire import (
    LINE_PARTS_NOT_OFFERED,
    editor,
    localized_reason,
    named,
    pick_line,
    represent_line,
    splits,
    units,
    version,
)

from .models import PickLine, PickRun

MOST_ACTIONS = 500
# As programs call the methods; a run by zones keeps its lines apart, so it is shown as one of several orders.
METHODS = {
    "multiOrder": PickingMethod.MULTI_ORDER,
    "multiOrderPick": PickingMethod.MULTI_ORDER,
    "batch": PickingMethod.BATCH,
    "batchPick": PickingMethod.BATCH,
}
run_type = Text(choices=METHODS)

# What is read

run_line = Object(
    {name: pick_line.parts[name] for name in pick_line.required},
    {
        **{name: part for name, part in pick_line.parts.items() if name not in pick_line.required},
        "globalLineItemIds": List(short),
        "pickJobRef": short,
        "pickJobLineItemRef": short,
    },
    name="PickRunLineItem",
)
pick_run = Object(
    {"id": short, **version, "status": Text(choices=PickRun.Status.values)},
    {
        **versioned,
        "editor": editor,
        "facilityRef": short,
        "pickJobRefs": List(short),
        "pickLineItems": List(run_line, most=10_000),
        "pickRunType": run_type,
    },
    name="PickRun",
)

# What is sent

pick_run_for_creation = Object(
    {"facilityRef": Text(300), "pickJobRefs": List(short, most=100, least=1)},
    {"pickRunType": run_type, "status": Text(choices=PickRun.Status.values)},
    name="PickRunForCreation",
)
modify_line = named(
    "action",
    "ModifyPickRunLineItem",
    {"id": short},
    {
        "picked": units,
        "shortPickReason": localized_reason,
        "shortPickReasonLocalized": Map(text),
        "status": Text(choices=PickLine.Status.values),
        **dict.fromkeys(LINE_PARTS_NOT_OFFERED, anything),
    },
    closed=False,
)
patch = Object(
    {
        **version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyPickRunLineItem": modify_line,
                    **{
                        name: named("action", name, closed=False)
                        for name in ("StartPickRun", "CancelPickRun", "FinishPickRun")
                    },
                },
            ),
            least=1,
            most=MOST_ACTIONS,
        ),
    },
    name="PickRunPatchAction",
)
remove_patch = Object(
    {
        **version,
        "actions": List(
            Choice(
                "action",
                {
                    "RemovePickJobFromPickRun": named(
                        "action", "RemovePickJobFromPickRun", {"pickJobRef": short}, closed=False
                    )
                },
            ),
            least=1,
            most=1,
        ),
    },
    name="PickRunPickJobsPatchAction",
)
actions = Choice(
    "name",
    {
        **{
            name: named("name", name, version)
            for name in ("START", "FINISH", "CANCEL", "PAUSE", "RESUME", "TAKE_OVER_PICK_RUN")
        },
        "REMOVE_PICK_JOB": named(
            "name", "REMOVE_PICK_JOB", {**version, "payload": Object({"pickJobId": short})}
        ),
        "SPLIT_LINES_PICK_RUN": named("name", "SPLIT_LINES_PICK_RUN", {**version, **splits}),
    },
)


def represent(run):
    """A run as ``PickRun``. Loaded by ``PickRunQuerySet.for_api``."""
    lines = run.lines.all()
    return {
        "id": str(run.pk),
        "version": run.version,
        "created": time(run.created_at),
        "lastModified": time(run.modified_at),
        "status": run.status,
        "facilityRef": str(run.facility_id),
        "pickRunType": "batch" if run.method == PickingMethod.BATCH else "multiOrder",
        "pickJobRefs": [str(one.job_id) for one in run.run_jobs.all()],
        "pickLineItems": [
            {
                **represent_line(
                    line,
                    line.job,
                    [other for other in lines if other.replaces_id == line.pk and other.quantity],
                ),
                "globalLineItemIds": [str(line.order_line_id)],
                "pickJobRef": str(line.job_id),
                "pickJobLineItemRef": str(line.pk),
            }
            for line in lines
            if not line.replaces_id
        ],
        **({"editor": {"userId": str(run.editor_id), "username": run.editor.email}} if run.editor else {}),
    }
