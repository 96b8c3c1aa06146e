from fulfillment.core.models.base import LockingQuerySet


class FacilityQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)
