"""What was handed over before there were returns may come back, too."""

from django.db import migrations
from django.db.models import Max, Sum

BATCH = 500


def make_return_jobs(apps, schema_editor):
    handovers = apps.get_model("shipping", "HandoverJob").objects.filter(
        status="HANDED_OVER", order__return_job=None
    )
    first: dict = {}
    for order, pk in handovers.order_by("handed_over_at", "pk").values_list("order", "pk"):
        first.setdefault(order, pk)
    ids = sorted(first)
    for begin in range(0, len(ids), BATCH):
        _make(apps, {order: first[order] for order in ids[begin : begin + BATCH]})


def _make(apps, first):
    job_model = apps.get_model("shipping", "ReturnJob")
    handovers = apps.get_model("shipping", "HandoverJob").objects.in_bulk(first.values())
    jobs = {
        order: job_model(
            order_id=order,
            facility_id=handovers[pk].facility_id,
            short_id=handovers[pk].short_id,
            created_at=handovers[pk].handed_over_at,
        )
        for order, pk in first.items()
    }
    job_model.objects.bulk_create(jobs.values())
    lines = apps.get_model("shipping", "HandoverLine").objects.filter(
        job__order__in=jobs, job__status="HANDED_OVER", handed_over__gt=0
    )
    line_model = apps.get_model("shipping", "ReturnJobLine")
    line_model.objects.bulk_create(
        line_model(job=jobs[order], order_line_id=line, article_id=article, delivered=units, title=title)
        for order, line, article, units, title in lines.order_by()
        .values_list("job__order", "order_line", "pick_line__article")
        .annotate(units=Sum("handed_over"), words=Max("title"))
    )


class Migration(migrations.Migration):
    dependencies = [("shipping", "0015_pickup_papers")]
    operations = [migrations.RunPython(make_return_jobs, migrations.RunPython.noop)]
