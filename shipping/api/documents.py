"""The labels and papers of parcels, and the papers of jobs, in the API."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from fulfillment.core.api.access import READ
from fulfillment.core.api.document import operation
from fulfillment.core.api.views import ApiView
from fulfillment.core.pdf import join_pdfs
from fulfillment.core.services import documents
from packing.models import PackJob
from picking.models import PickJob

from .. import services
from ..models import Pickup, Shipment
from ..models.papers import Kind
from ..queries import papers_of
from ..wire.parcels import LABELS
from .parcels import ParcelView


class ParcelLabel(ParcelView):
    access = {"GET": READ}

    @operation(
        "getParcelLabel",
        "The labels: all.pdf, send.pdf, return.pdf and customs.pdf, or send.zpl and return.zpl for label printers",
        answers={200: "application/pdf"},
        errors=(404, 422),
    )
    def get(self, request, pk, document):
        rows = self.parcels().select_related("label", "return_label", "customs_document")
        parcel = get_object_or_404(rows, pk=pk)
        if document not in LABELS:
            raise Http404
        form = document.rpartition(".")[2]
        papers = [getattr(parcel, name) for name in LABELS[document]]
        stored = [row for row in papers if row is not None and row.format == form.upper()]
        if not stored:
            if any(papers):
                raise Http404  # it is there in the other format
            raise services.ParcelNotReady(code=parcel.code, status=parcel.get_status_display())
        files = [documents.read(row) for row in stored]
        return HttpResponse(
            join_pdfs(files) if form == "pdf" else b"\n".join(files),
            content_type=f"application/{form}",
            headers={
                "Content-Disposition": f'attachment; filename="{parcel.code}-{document}"',
                "X-Content-Type-Options": "nosniff",
            },
        )


class ParcelDeliveryNote(ParcelView):
    access = {"GET": READ}

    @operation(
        "getParcelDeliveryNote",
        "The delivery note of the parcel's shipment as PDF",
        answers={200: "application/pdf"},
        errors=(404,),
    )
    def get(self, request, pk):
        parcel = get_object_or_404(self.parcels().select_related("shipment__delivery_note"), pk=pk)
        note = parcel.shipment.delivery_note
        if note is None:
            raise Http404
        return HttpResponse(documents.read(note), content_type="application/pdf")


class NoteView(ApiView):
    access = {"GET": READ}

    def note_of(self, pick_job_id, kind=Kind.DELIVERY_NOTE):
        """The paper as it was printed; there is none before the last label, or when the customer collects."""
        shipment = Shipment.objects.select_related("delivery_note").filter(pick_job=pick_job_id).first()
        holder = shipment or Pickup.objects.select_related("job").filter(job__pick_job=pick_job_id).first()
        note = next((paper.document for paper in papers_of(holder) if paper.kind == kind), None)
        if note is None:
            raise Http404
        short_id = shipment.short_id if shipment else holder.job.short_id
        return HttpResponse(
            documents.read(note),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'attachment; filename="{kind.lower().replace("_", "-")}-{short_id}.pdf"',
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
