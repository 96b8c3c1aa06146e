"""Pages of the person at the screen: how it looks and sounds, the shared device, and coming in there."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth import views as auth_views
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from . import sheets
from .access import at_facility
from .forms import DeviceForm, EnterForm, PinForm, PreferencesForm
from .middleware import DEVICE_COOKIE, DEVICE_KEY
from .models import PairedDevice, Permission
from .services import pairing

DEVICE_COOKIE_AGE = 400 * 24 * 3600  # what browsers keep at most


class SignInView(auth_views.LoginView):
    """Sign-in with e-mail and password; on a shared device also with a badge or a PIN."""

    redirect_authenticated_user = True

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        device = device_at(self.request)
        if device is not None:
            if not context["form"].is_bound:  # the badge comes first
                context["form"].fields["username"].widget.attrs.pop("autofocus", None)
            context |= {"device": device, "enter_form": EnterForm(people=pairing.people_at(device))}
        return context


def device_at(request):
    """The shared device that a request comes from, or None."""
    return pairing.device_of(request.COOKIES.get(DEVICE_COOKIE), timezone.now())


@require_POST
@never_cache
def enter(request):
    """Come in at a shared device: with a badge, or with a name and a PIN."""
    device = device_at(request)
    if device is None:
        raise PermissionDenied
    form = EnterForm(request.POST, people=pairing.people_at(device))
    if not form.is_valid():
        messages.error(request, _("Scan the badge, or choose your name and enter the PIN."))
        return redirect("login")
    data = form.cleaned_data
    if data["badge"]:
        user = pairing.enter_by_badge(device, data["badge"])
    else:
        user = pairing.enter_by_pin(device, data["who"], data["pin"])
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[DEVICE_KEY] = device.pk
    request.session.set_expiry(device.lock_minutes * 60)
    return redirect("picking:job-list", device.facility.slug)


@require_POST
@at_facility(None)
def lock(request):
    """Leave a shared device: the next person comes in with the own badge. What was scanned is kept on the device."""
    logout(request)
    return redirect("login")


@require_POST
def set_language(request):
    """Choose the language of the screens in the menu: for this device, and for who is signed in."""
    chosen = request.POST.get("language")
    if request.user.is_authenticated and chosen in dict(settings.LANGUAGES):
        request.user.language = chosen
        request.user.save(update_fields=["language"])
    return i18n.set_language(request)


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(None)
def preferences(request):
    """How the screens look and sound for this person."""
    of_device = translation.get_language_from_request(request)
    form = PreferencesForm(request.POST or None, instance=request.user, of_device=of_device)
    if request.method == "POST" and form.is_valid():
        form.save()
        with translation.override(form.cleaned_data["language"] or translation.get_language()):
            messages.success(request, _("Your settings are kept."))
        return redirect("core:preferences", request.facility.slug)
    context = {"form": form, "pin_form": PinForm(), "is_limited": request.user.limited_to is not None}
    return render(request, "core/preferences.html", context, status=422 if form.is_bound else 200)


def _not_limited(request):
    """A badge opens the work, not the keys to it."""
    if request.user.limited_to is not None:
        raise PermissionDenied


@require_POST
@at_facility(None)
def pin_set(request):
    _not_limited(request)
    form = PinForm(request.POST)
    pairing.set_pin(request.user, form.data.get("pin", ""))
    messages.success(request, _("Your PIN is set.") if form.data.get("pin") else _("Your PIN is removed."))
    return redirect("core:preferences", request.facility.slug)


@require_POST
@never_cache
@at_facility(None)
def badge_new(request):
    """A new badge as a PDF; the one before opens nothing any more."""
    _not_limited(request)
    code = pairing.new_badge(request.user)
    return _pdf(sheets.badge(request.user, request.facility, code, translation.get_language()), "badge.pdf")


@require_safe
@at_facility(Permission.SUPERVISE)
def device_list(request):
    """The shared devices of a facility, and whether this is one."""
    devices = PairedDevice.objects.filter(facility=request.facility, revoked_at=None).select_related(
        "paired_by"
    )
    context = {"devices": devices, "form": DeviceForm(), "here": device_at(request)}
    return render(request, "core/device_list.html", context)


@require_POST
@at_facility(Permission.SUPERVISE)
def device_pair(request):
    """Make the device in the hand a shared one."""
    form = DeviceForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("core:device-list", request.facility.slug)
    device, secret = pairing.pair(request.facility, **form.cleaned_data, by=request.user, now=timezone.now())
    messages.success(request, _("%(device)s is a shared device now.") % {"device": device})
    response = redirect("core:device-list", request.facility.slug)
    response.set_cookie(
        DEVICE_COOKIE,
        secret,
        max_age=DEVICE_COOKIE_AGE,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )
    return response


@require_POST
@at_facility(Permission.SUPERVISE)
def device_revoke(request, pk):
    device = get_object_or_404(PairedDevice, pk=pk, facility=request.facility)
    pairing.revoke(device, now=timezone.now())
    messages.success(request, _("%(device)s is no shared device any more.") % {"device": device})
    return redirect("core:device-list", request.facility.slug)


def _pdf(data, name):
    return HttpResponse(
        data,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"},
    )
