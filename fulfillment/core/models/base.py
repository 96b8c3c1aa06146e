import uuid

from django.core.exceptions import EmptyResultSet
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.lookups import In
from django.utils import timezone

from ..ids import uuid7
from ..rows import array


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class AnyOf(In):
    """``pk__any=[...]``: as ``__in`` for many values, which PostgreSQL gets as one array instead of each by itself."""

    lookup_name = "any"

    def get_prep_lookup(self):
        # Nothing to prepare of ids, of which there are the most.
        ids = list(self.rhs)
        return ids if all(type(value) is uuid.UUID for value in ids) else super().get_prep_lookup()

    def as_postgresql(self, compiler, connection):
        if not self.rhs:
            raise EmptyResultSet
        column, parameters = self.process_lhs(compiler, connection)
        if all(type(value) is uuid.UUID for value in self.rhs):
            return f"{column} = ANY(%s::uuid[])", (*parameters, array(self.rhs))
        _placeholders, values = self.batch_process_rhs(compiler, connection)
        return f"{column} = ANY(%s)", (*parameters, list(values))


class LockingQuerySet(models.QuerySet):
    def lock(self, **lookup):
        """Load one row and hold its lock until the transaction ends. Lock first, then look, then decide."""
        return self.select_for_update(of=("self",)).get(**lookup)

    def lock_all(self):
        """Load and lock the rows in primary-key order, so that two steps never wait for each other in a circle."""
        return list(self.select_for_update(of=("self",)).order_by("pk"))


class Entity(models.Model):
    """What the API shows and changes: sortable id, optimistic version, free attributes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)
    custom_attributes = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    tags = models.JSONField(default=list, blank=True)

    objects = LockingQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["pk"]


class Stateful(Entity):
    """An entity with a protected ``status`` that only ``core.status.transit`` changes."""

    class Meta(Entity.Meta):
        abstract = True

    def refresh_from_db(self, using=None, fields=None, from_queryset=None):
        # The field refuses assignment, so a refresh first forgets the old value and then loads by name.
        names = [field.attname for field in self._meta.concrete_fields] if fields is None else list(fields)
        if "status" in names:
            self.__dict__.pop("status", None)
        if fields is None:
            self._prefetched_objects_cache = {}
            for field in self._meta.related_objects:
                if field.is_cached(self):
                    field.delete_cached_value(self)
        super().refresh_from_db(using=using, fields=names, from_queryset=from_queryset)

    @property
    def log_order_id(self):
        """The order this entity belongs to, for the order's history; None for master data."""
        return getattr(self, "order_id", None)

    @property
    def log_facility_id(self):
        return getattr(self, "facility_id", None)
