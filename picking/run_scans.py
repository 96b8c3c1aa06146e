"""What the screen of a run sends: the same actions as that of a job, exactly once too, booked on the right order's line.

The run is locked, then the jobs of the lines that change: nobody else changes lines of the run meanwhile. The id of the
run stands where that of a job stands.
"""

from django.db.models import Q
from django.utils.translation import gettext as _

from fulfillment.core.ids import uuid7
from fulfillment.core.models.facility import PickingMethod, ScanRule

from . import floor, load_units, recordables, run_queries, runs, scans, services, substitutes
from .models import LoadUnit, PickJob, PickRun, PickRunJob, ScanEvent
from .refusals import NotALine, NothingToUndo, ScanRefused, ToteOfOthers
from .stops import group


class WrongTote(ScanRefused):
    kind = "wrong_tote"
    text = _("This is the tote of %(scanned)s. The last unit belongs into %(expected)s.")


def act(action, *, facility, by, now):
    """Do one action of the screen of a run, see ``scans.act``."""
    return scans.act(action, facility=facility, by=by, now=now, work=RunWork)


class RunWork(scans.Work):
    """One action at its run, which stands where a job stands; its stops where lines do."""

    def find(self, *, is_for_status):
        lock = runs.lock if is_for_status else _lock
        self.job = self.event.run = lock(self.action.job)

    def check(self):
        """Nothing is to be done elsewhere."""

    def load_lines(self):
        lines, self.numbers = run_queries.lines_of(self.job)
        return run_queries.name_targets(
            self.job, group(lines, is_batch=self.job.method == PickingMethod.BATCH), self.numbers
        )

    def note(self, line):
        if line is not None and self.event.line is None:
            self.event.line = line.current
        if self.event.line is not None:
            self.event.job_id = self.event.line.job_id

    def line(self):
        wanted = self.action.line
        stop = next((one for one in self.lines if wanted in {line.pk for line in one.lines}), None)
        if stop is None:
            raise NotALine
        return stop

    def replan(self, line):
        lines = [line for stop in self.lines for line in stop.lines]
        allocation = line.allocations.select_related("stock__location").first()
        return floor.replan(lines, allocation.stock.location if allocation else None)

    def totes(self):
        return LoadUnit.objects.in_use().filter(Q(run=self.job) | Q(job__in=self.numbers))

    # The actions

    def tote(self, unit):
        """A free tote is given to an order, that of the current stop before others; another one is checked."""
        services.check_picker(self.job, self.by)
        if unit.status == LoadUnit.Status.IN_USE:
            return self.check_tote(unit)
        if self.job.method == PickingMethod.BATCH:
            unit = LoadUnit.objects.lock(pk=unit.pk)
            load_units.take_along(unit, job=None, run=self.job, by=self.by, now=self.now)
            return "tote", _("Tote …%(tail)s goes along.") % {"tail": unit.tail}, None
        target = self.target()
        job = PickJob.objects.lock(pk=target.job_id)
        unit = LoadUnit.objects.lock(pk=unit.pk)
        load_units.take_along(unit, job=job, run=self.job, by=self.by, now=self.now)
        text = _("Tote …%(tail)s is number %(number)s now, for %(job)s.") % {
            "tail": unit.tail,
            "number": target.number,
            "job": job,
        }
        return "tote", text, None

    def target(self):
        """The order that gets the next tote: that of the current stop, unless it has one and another has none."""
        orders = list(PickRunJob.objects.filter(run=self.job).select_related("job"))
        with_tote = set(
            LoadUnit.objects.filter(job__in=[one.job_id for one in orders]).values_list("job", flat=True)
        )
        current = next((stop for stop in self.lines if stop.open_units), self.lines[-1])
        orders.sort(key=lambda one: (one.job_id in with_tote, one.job_id != current.job_id, one.number))
        return orders[0]

    def check_tote(self, unit):
        if unit.job_id not in self.numbers and unit.run_id != self.job.pk:
            raise ToteOfOthers(holder=unit.job or unit.run)
        last = ScanEvent.objects.filter(run=self.job, picked_delta__gt=0, undone_by=None).last()
        if last is not None and unit.job_id and last.job_id != unit.job_id:
            raise WrongTote(scanned=self.name_of(unit.job_id), expected=self.name_of(last.job_id))
        return "place", _("Right: tote …%(tail)s.") % {"tail": unit.tail}, None

    def name_of(self, job_id):
        job = PickJob.objects.get(pk=job_id)
        return _("%(number)s · %(job)s") % {"number": self.numbers.get(job_id, 0), "job": job}

    def keep_value(self, line, value):
        """Each order keeps the value for its own units."""
        jobs = self.lock_jobs(
            line.lines
        )  # whoever else records holds the run, as we do: the lines are as loaded
        if not recordables.keep(line.lines, self.action.attribute, value):
            raise NotALine
        self.note_parts([(one, {}) for one in line.lines], jobs)

    def substitute(self):
        """Each order gets the other article for its own units; they are a stop of their own."""
        services.check_picker(self.job, self.by)
        stop = self.line()
        choice, units = self.choice_for(stop)
        jobs = self.lock_jobs(stop.lines)
        moves = []
        for line, mine, _missing in stop.shares(units, 0):
            pk = uuid7() if moves else self.action.id
            moves.append((substitutes.move(line, choice, mine, pk=pk), {"moved": mine}))
        self.note_parts(moves, jobs)
        return self.substituted(self.stop_of(moves[0][0]), units)

    def undo_moves(self, parts, lines):
        jobs = self.lock_jobs([part.line for part in parts])
        undone = []
        for part in parts:
            other = lines[part.line_id]
            other.replaces = lines[other.replaces_id]
            substitutes.move_back(other, part.moved)
            undone.append((other, {"undoes": part}))
        self.note_parts(undone, jobs)
        return self.wanted_again(self.stop_of(undone[0][0].replaces))

    def stop_of(self, line):
        """The stop of a line, of stops that have changed."""
        self.lines = self.load_lines()
        return next(stop for stop in self.lines if line.pk in {one.pk for one in stop.lines})

    def undo(self):
        services.check_picker(self.job, self.by)
        parts = next(run_queries.undoable(self.job), None)
        if parts is None:
            raise NothingToUndo
        last = parts[0]
        own = {line.pk: (stop, line) for stop in self.lines for line in stop.lines}
        if last.moved:
            return self.undo_moves(parts, {pk: line for pk, (_stop, line) in own.items()})
        self.change([(own[part.line_id][1], -part.picked_delta, -part.short_delta, part) for part in parts])
        stop = own[last.line_id][0]
        text = _("Taken back: %(title)s, %(picked)s of %(quantity)s.") % {
            "title": stop.shown_title,
            "picked": stop.picked,
            "quantity": stop.quantity,
        }
        return "ok", text, stop

    def pause(self):
        self.job = runs.pause(self.job.pk, by=self.by, now=self.now)
        return "paused", _("Run %(run)s is put aside.") % {"run": self.job}, None

    def close(self):
        self.job = runs.close(self.job.pk, is_tote_needed=True, by=self.by, now=self.now)
        kind = "closed_short" if any(stop.short for stop in self.lines) else "closed"
        return kind, _("Run %(run)s is closed; its orders go to packing.") % {"run": self.job}, None

    # What they have in common

    def book(self, line, *, picked=0, short=0):
        """Book units of a stop on its lines, in the order of their numbers."""
        self.change([(*share, None) for share in line.shares(picked, short)])

    def change(self, changes):
        """Change lines under the locks of their jobs: ``[(line, picked, short, the event that is undone)]``.

        Each has an event of its own, so that lot, serial number and undo are known per order; the first is the action's.
        """
        jobs = self.lock_jobs([line for line, *_change in changes])
        parts = []
        for line, picked, short, undone in changes:
            with services.telling_of_line(line, by=self.by, now=self.now):
                line.count(line.picked + picked, line.short + short, line.short_reason)
                if picked and self.facility.location_scan == ScanRule.EACH:
                    line.place = None
                line.save(update_fields=services.COUNTED)
            parts.append((line, {"picked_delta": picked, "short_delta": short, "undoes": undone}))
        self.note_parts(parts, jobs)

    @staticmethod
    def lock_jobs(lines):
        return PickJob.objects.filter(pk__in={line.job_id for line in lines}).lock_all()

    def note_parts(self, parts, jobs):
        """Keep what happened to each line, ``[(line, {what: value})]``, and raise the versions of jobs and run."""
        more = []
        for number, (line, figures) in enumerate(parts):
            event = self.part() if number else self.event
            event.line, event.job_id = line, line.job_id
            for name, value in figures.items():
                setattr(event, name, value)
            if number:
                more.append(event)
        ScanEvent.objects.bulk_create(more)
        for job in jobs:
            services.raise_version(job)
        services.raise_version(self.job)

    def part(self):
        """An event beside that of the action, for another line."""
        whole = self.event
        return ScanEvent(
            id=uuid7(),
            part_of=whole,
            facility=self.facility,
            user=self.by,
            run=self.job,
            kind=whole.kind,
            code=whole.code,
            lot=whole.lot,
            serial=whole.serial,
            expires_on=whole.expires_on,
            scanned_at=whole.scanned_at,
            received_at=whole.received_at,
        )

    def outcome(self, line):
        kind, text = super().outcome(line)
        if kind == "job_done":
            text = _("Everything is picked. Close the run.")
        if line.into and self.event.picked_delta > 0:
            text = _("%(booked)s Into tote %(tote)s.") % {"booked": text, "tote": self.into}
        return kind, text

    @property
    def into(self):
        job_id = self.event.job_id
        return next((stop.into for stop in self.lines for line in stop.lines if line.job_id == job_id), "")


def _lock(run_id):
    return PickRun.objects.lock(pk=run_id)
