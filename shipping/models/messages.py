from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Channel

from .handovers import HandoverJob


class MessageKind(models.TextChoices):
    READY = "READY", _("Ready for pick-up")
    SHIPPED = "SHIPPED", _("Shipped")


class MessageText(models.Model):
    """What customers of a sales channel are told, in one language; the usual words where there is none."""

    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="message_texts",
        verbose_name=_("sales channel"),
        help_text=_("None: for every channel without a text of its own."),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=MessageKind.choices)
    language = models.CharField(
        _("language"), max_length=5, validators=[RegexValidator(r"^[a-z]{2}$", _("Enter a code like de."))]
    )
    subject = models.CharField(_("subject"), max_length=150)
    body = models.TextField(
        _("text"),
        max_length=5000,
        help_text=_(
            "In place of $name, $order, $facility, $address, $pin, $until, $carrier, $number, $link and $missing stands what is meant."
        ),
    )

    class Meta:
        ordering = ["kind", "language"]
        verbose_name = _("message to customers")
        verbose_name_plural = _("messages to customers")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "kind", "language"],
                name="message_text_once",
                violation_error_message=_("There is such a text already."),
            ),
            models.UniqueConstraint(
                fields=["kind", "language"],
                condition=Q(channel=None),
                name="message_text_for_all_once",
                violation_error_message=_("There is such a text already."),
            ),
            models.CheckConstraint(condition=Q(kind__in=["READY", "SHIPPED"]), name="message_text_kind"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} ({self.language})"


class SentMessage(models.Model):
    """A customer was told: nobody is told the same twice."""

    job = models.ForeignKey(HandoverJob, on_delete=models.CASCADE, related_name="sent_messages")
    kind = models.CharField(max_length=10, choices=MessageKind.choices)
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "kind"], name="sent_message_once"),
            models.CheckConstraint(condition=Q(kind__in=["READY", "SHIPPED"]), name="sent_message_kind"),
        ]

    def __str__(self):
        return f"{self.kind} {self.job}"
