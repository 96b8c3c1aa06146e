"""Shipping in the wire format: carriers, shipments, parcels and handover jobs."""
