"""Shipping in the API: carriers, shipments, parcels, their papers, and handover jobs."""
