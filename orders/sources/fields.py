"""Form fields of connections: tables and lists as text that an operator can read."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class TableField(forms.CharField):
    """A table of two columns as lines ``code = own word``; the value is a dict.

    Args:
        prefixes: what an own word must be or begin with, when not everything is allowed.
    """

    def __init__(self, *, prefixes=(), **options):
        self.prefixes = prefixes
        super().__init__(widget=forms.Textarea(attrs={"rows": 4}), **options)

    def prepare_value(self, value):
        if isinstance(value, dict):
            return "\n".join(f"{code} = {word}" for code, word in value.items())
        return value

    def to_python(self, value):
        table = {}
        for line in super().to_python(value).splitlines():
            if not line.strip():
                continue
            code, equals, word = (piece.strip() for piece in line.rpartition("="))
            if not equals or not code or not word:
                raise ValidationError(_("“%(line)s” is not of the form code = word."), params={"line": line})
            if self.prefixes and not _is_allowed(word, self.prefixes):
                raise ValidationError(
                    _("“%(word)s” is not one of %(allowed)s."),
                    params={"word": word, "allowed": ", ".join(prefix.strip() for prefix in self.prefixes)},
                )
            table[code] = word
        return table

    def has_changed(self, initial, data):
        return super().has_changed(self.prepare_value(initial), data)


def _is_allowed(word, prefixes):
    return any(word == prefix or (prefix.endswith(" ") and word.startswith(prefix)) for prefix in prefixes)


class ListField(forms.CharField):
    """Words separated by commas; the value is a list."""

    def prepare_value(self, value):
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value):
        if isinstance(value, list):
            return value
        return [word.strip() for word in super().to_python(value).split(",") if word.strip()]

    def has_changed(self, initial, data):
        return (initial or []) != self.to_python(data)
