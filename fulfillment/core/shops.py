"""“Connect your shop”: tokens for programs, with what they sent last."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from . import journal
from .access import network
from .api.wire import time
from .forms import ShopForm
from .models import ApiToken, Channel, Permission
from .queries import sku_in_stock
from .services import tokens

IN_SESSION = "new_api_token"  # shown on the next page, once


@require_safe
@network(Permission.CONNECT)
def shop_list(request):
    """All tokens, those in use first."""
    rows = ApiToken.objects.select_related("channel").order_by("revoked_at", "-created_at")
    now = timezone.now()
    return render(
        request, "core/shop_list.html", {"tokens": [(token, token.is_usable(now)) for token in rows]}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@network(Permission.CONNECT)
def shop_connect(request):
    """Make a token."""
    form = ShopForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        token, secret = tokens.create(
            name=data["name"],
            channel_name=data["channel"],
            scopes=data["scopes"],
            is_sandbox=data["is_sandbox"],
            now=timezone.now(),
        )
        request.session[IN_SESSION] = [token.pk, secret]
        return redirect("core:shop-detail", token.pk)
    context = {"form": form.focus(), "channels": Channel.objects.values_list("name", flat=True)}
    return render(request, "core/shop_connect.html", context, status=422 if form.errors else 200)


@require_safe
@never_cache
@network(Permission.CONNECT)
def shop_detail(request, pk):
    """One token: its secret right after it was made, a call to copy, and its last requests."""
    token = get_object_or_404(ApiToken.objects.select_related("channel"), pk=pk)
    made, secret = request.session.pop(IN_SESSION, (None, ""))
    now = timezone.now()
    context = {
        "token": token,
        "is_usable": token.is_usable(now),
        "scopes": [ApiToken.Scope(scope).label for scope in token.scopes],
        "secret": secret if made == token.pk else "",
        "address": request.build_absolute_uri(reverse("api-orders")),
        "number": f"TEST-{now:%m%d-%H%M%S}",
        "ordered_at": time(now),
        "sku": sku_in_stock(now.date()),
        "requests": journal.last(token.pk),
    }
    return render(request, "core/shop_detail.html", context)


@require_POST
@network(Permission.CONNECT)
def shop_revoke(request, pk):
    """End a token at once."""
    token = get_object_or_404(ApiToken, pk=pk)
    tokens.revoke(ApiToken.objects.filter(pk=token.pk), now=timezone.now())
    messages.success(request, _("%(token)s is revoked.") % {"token": token})
    return redirect("core:shop-list")
