"""What the pages of the administration share."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from import_export.forms import ImportForm
from import_export.tmp_storages import MediaStorage

LARGEST_IMPORT = 10 * 1024 * 1024  # bytes
INTERNAL = ("custom_attributes", "tags")


class ReadOnly:
    """Shown, never written here."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ChangedFields:
    """Saves only what the form changed: counters of the same row may move while somebody edits it."""

    def save_model(self, request, obj, form, change):
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        names = [name for name in form.changed_data if name in columns]
        if names and "version" in columns:
            obj.version += 1
            names += ["version", "modified_at"]
        if names:
            obj.save(update_fields=names)


class CsvImportForm(ImportForm):
    def clean_import_file(self):
        file = self.cleaned_data["import_file"]
        if file.size > LARGEST_IMPORT:
            raise ValidationError(
                _("The file is larger than %(most)s MB; import it in parts."),
                params={"most": LARGEST_IMPORT // 1024 // 1024},
            )
        return file


class CsvAdmin(ImportExportMixin):
    """Import by preview and confirmation, all or nothing; export guarded against formulas."""

    formats = (base_formats.CSV,)
    import_form_class = CsvImportForm
    import_template_name = "core/admin_import.html"
    skip_export_form = True  # one format, always all columns
    tmp_storage_class = MediaStorage  # the confirmation may reach another web process
    from_encoding = "utf-8-sig"
    to_encoding = "utf-8-sig"
    skip_admin_log = True  # services write their own log

    def has_import_permission(self, request):
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_export_permission(self, request):
        return self.has_view_permission(request)

    def get_import_data_kwargs(self, **kwargs):
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}

    def add_success_message(self, result, request):
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, _("Nothing was imported: the data changed since the preview. Try again."))
        else:
            super().add_success_message(result, request)


class ListJSONField(forms.CharField):
    """A list of words, edited as text separated by commas."""

    def __init__(self, **options):
        options.setdefault("required", False)
        super().__init__(widget=forms.TextInput(attrs={"class": "vTextField"}), **options)

    def prepare_value(self, value):
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value):
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def has_changed(self, initial, data):
        return (initial or []) != self.to_python(data)


def choices_field(choices, label, **options):
    return forms.MultipleChoiceField(
        label=capfirst(label),
        choices=choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        **options,
    )
