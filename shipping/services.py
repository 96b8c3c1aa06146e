"""Placeholder of the first hour: the owner of this app replaces the whole file."""


def on_pick_job_closed(*args, **kwargs):
    raise NotImplementedError


def on_pack_job_closed(*args, **kwargs):
    raise NotImplementedError


def book_parcel(*args, **kwargs):
    raise NotImplementedError


def on_order_cancelled(*args, **kwargs):
    raise NotImplementedError
