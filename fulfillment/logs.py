import logging


class RefusedInOneLine(logging.Filter):
    """A request that is not allowed, or finds nothing, is no fault of ours: where it was refused tells nobody anything."""

    def filter(self, record):
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
        return True
