"""The stored delivery notes and return slips, asked for by pick job or pack job."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from fulfillment.core.api.access import READ
from fulfillment.core.api.document import operation
from fulfillment.core.api.views import ApiView
from fulfillment.core.services import documents
from packing.models import PackJob
from picking.models import PickJob

from .models import Shipment
from .models.papers import Kind
from .queries import papers_of


class NoteView(ApiView):
    access = {"GET": READ}

    def note_of(self, pick_job_id, kind=Kind.DELIVERY_NOTE):
        """The paper as it was printed; there is none before the last label, or when the customer collects."""
        shipment = Shipment.objects.select_related("delivery_note").filter(pick_job=pick_job_id).first()
        note = next((paper.document for paper in papers_of(shipment) if paper.kind == kind), None)
        if note is None:
            raise Http404
        return HttpResponse(
            documents.read(note),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'attachment; filename="{kind.lower().replace("_", "-")}-{shipment.short_id}.pdf"',
                "X-Content-Type-Options": "nosniff",
            },
        )


class PickJobDeliveryNote(NoteView):
    """GET /api/pickjobs/{id}/deliverynote"""

    @operation(
        "getPickJobDeliveryNote",
        "The delivery note of what a pick job sent, as PDF",
        answers={200: "application/pdf"},
        errors=(404,),
    )
    def get(self, request, pk):
        return self.note_of(get_object_or_404(self.at_my_facilities(PickJob.objects.all()), pk=pk).pk)


class PackJobDeliveryNote(NoteView):
    """GET /api/packjobs/{id}/deliverynote"""

    @operation(
        "getPackJobDeliveryNote",
        "The delivery note of a pack job as PDF",
        answers={200: "application/pdf"},
        errors=(404,),
    )
    def get(self, request, pk):
        job = get_object_or_404(self.at_my_facilities(PackJob.objects.all()), pk=pk)
        return self.note_of(job.pick_job_id)


class PackJobReturnNote(NoteView):
    """GET /api/packjobs/{id}/returnnote"""

    @operation(
        "getPackJobReturnNote",
        "The return slip of a pack job as PDF",
        answers={200: "application/pdf"},
        errors=(404,),
    )
    def get(self, request, pk):
        job = get_object_or_404(self.at_my_facilities(PackJob.objects.all()), pk=pk)
        return self.note_of(job.pick_job_id, Kind.RETURN_SLIP)
