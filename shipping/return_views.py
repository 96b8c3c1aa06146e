"""Goods that come back: find the order, receive them by scanning, decide, finish."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.models import Permission

from . import returns
from .models import ItemReturn, ReturnCondition, ReturnedItem, ReturnJob
from .return_forms import (
    ArticleScanForm,
    ConditionForm,
    JudgeForm,
    ReceiveForm,
    ReturnFindForm,
    ReturnScanForm,
)
from .return_queries import contents_of, returns_at, scanned_line

PAGE_SIZE = 25


@require_safe
@at_facility(Permission.RETURNS)
def return_list(request):
    """Returns that are here or on their way; with ``named`` the orders that somebody looked for by name."""
    form = ReturnFindForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    text, status = wanted.get("q", ""), wanted.get("status", "")
    page = Paginator(returns_at(request.facility, status=status, text=text), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    named, jobs = _named(request, request.GET)
    context = {
        "form": form,
        "scan_form": ReturnScanForm(),
        "page": page,
        "is_filtered": bool(text or status),
        "named": named,
        "jobs": jobs,
    }
    return render(request, "shipping/itemreturn_list.html", context)


def _named(request, given):
    """(what somebody looked for, the return jobs that it may be)."""
    named = given.get("named", "").replace("\0", "").strip()[:120]
    return named, returns.find(request.facility, named)[0] if named else []


@require_POST
@at_facility(Permission.RETURNS)
def return_scan(request):
    """A code opens the return of its order; a name lists whose it may be."""
    form = ReturnScanForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan or type a code."))
        return redirect("shipping:return-list", request.facility.slug)
    code = form.cleaned_data["code"]
    jobs, is_exact = returns.find(request.facility, code)
    if is_exact and len(jobs) == 1:
        return _opened(request, jobs[0], code)
    if not jobs:
        messages.error(
            request, _("Nothing that was handed over has the code or name %(code)s.") % {"code": code}
        )
        return redirect("shipping:return-list", request.facility.slug)
    address = reverse("shipping:return-list", args=[request.facility.slug])
    return redirect(f"{address}?{urlencode({'named': code})}")


def _opened(request, job, code=""):
    row = returns.open_at(request.facility, job.pk, code=code, by=request.user, now=timezone.now())
    return _detail(request, row)


def _detail(request, row):
    return redirect("shipping:return-detail", request.facility.slug, row.pk)


@require_POST
@at_facility(Permission.RETURNS)
def return_job_open(request, pk):
    """The goods of one of the orders that were found are here."""
    named, jobs = _named(request, request.POST)
    found = next((one for one in jobs if one.pk == pk), None)
    job = found or get_object_or_404(ReturnJob.objects.at_any([request.facility.pk]), pk=pk)
    return _opened(request, job, named)


def _return(request, pk):
    rows = ItemReturn.objects.at(request.facility).select_related("job", "order", "facility")
    return get_object_or_404(rows, pk=pk)


@require_safe
@at_facility(Permission.RETURNS)
def return_detail(request, pk):
    """One return. ``line`` is the article in the hand: its condition is asked for."""
    return _page(request, _return(request, pk))


def _page(request, row, *, receive_form=None, status=200):
    contents, is_here = contents_of(row), row.status in ItemReturn.HERE
    chosen = _chosen(request, contents) if is_here else None
    awaited = {one.line.pk: one.units for one in contents.awaited}
    may_pick = Permission.PICK in permissions_at(request.user, request.facility)
    context = {
        "row": row,
        "contents": contents,
        "is_here": is_here,
        "chosen": chosen,
        "awaited_units": awaited.get(chosen.pk, 0) if chosen else 0,
        "scan_form": ArticleScanForm(),
        "may_pick": may_pick,
    }
    if chosen:
        most = {"most": chosen.left, "initial": {"units": 1}}
        context["receive_form"] = receive_form or ReceiveForm(**most)
        context["conditions"] = ReturnCondition.objects.filter(is_active=True)
    return render(request, "shipping/itemreturn_detail.html", context, status=status)


def _chosen(request, contents):
    """The line whose condition is asked for: the scanned one, or the only one as long as nothing was received."""
    wanted = request.POST.get("line") or request.GET.get("line")
    chosen = next((line for line in contents.lines if str(line.pk) == wanted), None)
    if chosen is None and len(contents.lines) == 1 and not contents.received:
        return contents.lines[0]
    return chosen


@require_POST
@at_facility(Permission.RETURNS)
def return_open(request, pk):
    """What was announced is here."""
    row = _return(request, pk)
    returns.open_announced(row.pk, by=request.user, now=timezone.now())
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_article(request, pk):
    """An article of the return, or the slip of the next one."""
    row, form = _return(request, pk), ArticleScanForm(request.POST)
    code = form.cleaned_data["code"] if form.is_valid() else ""
    line = scanned_line(row, code) if code else None
    if line is not None:
        if not line.left:
            raise returns.TooManyReturned(left=0, title=line.title)
        address = reverse("shipping:return-detail", args=[request.facility.slug, row.pk])
        return redirect(f"{address}?{urlencode({'line': line.pk})}")
    jobs, is_exact = returns.find(request.facility, code) if code else ([], False)
    if is_exact and len(jobs) == 1 and jobs[0].pk != row.job_id:
        return _opened(request, jobs[0], code)
    if is_exact and row.job_id in {job.pk for job in jobs}:  # the slip of another parcel of this order
        messages.info(request, _("%(code)s belongs to this return, too. Scan its articles.") % {"code": code})
        return _detail(request, row)
    messages.error(
        request,
        _("%(code)s was not sent with order %(order)s.") % {"code": code or "–", "order": row.order},
    )
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_receive(request, pk):
    row, form, pressed = _return(request, pk), ReceiveForm(request.POST), ConditionForm(request.POST)
    if not pressed.is_valid():
        messages.error(request, _("Press the condition of the goods."))
        return _detail(request, row)
    if not form.is_valid():
        return _page(request, row, receive_form=form, status=422)
    data, now = form.cleaned_data, timezone.now()
    items = returns.receive(
        row.pk,
        pressed.cleaned_data["line"],
        data["units"],
        pressed.cleaned_data["condition"],
        reason=data["reason"],
        comment=data["comment"],
        action=data["action"],
        by=request.user,
        now=now,
    )
    is_replay = items[0].received_at != now
    words = (
        _("Noted before, nothing is added: %(units)s × %(title)s: %(condition)s.")
        if is_replay
        else _("%(units)s × %(title)s: %(condition)s.")
    )
    noted = {"units": len(items), "title": items[0].line.title, "condition": items[0].condition}
    messages.add_message(request, messages.INFO if is_replay else messages.SUCCESS, words % noted)
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_judge(request, pk):
    """Decide otherwise than the condition proposes, or take units out again."""
    row = _return(request, pk)
    form = JudgeForm(request.POST, item_return=row)
    if not form.is_valid():
        messages.error(request, _("These goods changed meanwhile. Look again."))
        return _detail(request, row)
    data, who = form.cleaned_data, {"by": request.user, "now": timezone.now()}
    if data["decision"] == "REJECT":
        returns.reject(row.pk, data["items"], reason=data["reason"], **who)
    elif data["decision"] == "TAKE_OUT":
        returns.take_out(row.pk, data["items"], **who)
    else:
        place = ReturnedItem.Place(data["decision"])
        returns.accept(row.pk, data["items"], place, reason=data["reason"], **who)
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_finish(request, pk):
    row = _return(request, pk)
    returns.finish(row.pk, by=request.user, now=timezone.now())
    messages.success(request, _("The return of order %(order)s is finished.") % {"order": row.order})
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_start(request, pk):
    """Go on with a return that was put aside."""
    row = returns.start(_return(request, pk).pk, by=request.user, now=timezone.now())
    return _detail(request, row)


@require_POST
@at_facility(Permission.RETURNS)
def return_move(request, pk, step):
    """Put a return aside, ask somebody else, or cancel it."""
    row = _return(request, pk)
    move = {"pause": returns.pause, "ask": returns.wait_for_input, "cancel": returns.cancel}[step]
    move(row.pk, by=request.user, now=timezone.now())
    return redirect("shipping:return-list", request.facility.slug)
