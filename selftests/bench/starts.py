# SPDX-License-Identifier: GPL-2.0
"""Guests that are measured one by one, each in an emulated host of its own, and the table of what they said.

The counting host's emulator now and then delivers an interrupt a second time, whoever runs the guest, with whatever comes of
that (docs/hosts.md): a guest that dies or stands still. A start that does not end well, or not in its time, is therefore
thrown away and tried again, and the table says how many were. bench/disk, bench/net and start/table are made of this.
"""

import os
import queue
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "hosts"))

import host as hosts  # noqa: E402

BUILD = os.environ.get("KVIRT_BUILD") or os.path.join(hosts.TOP, "build")
# clock -> what a figure is, the AMD-V host's arguments, starts at a time: those that are timed by the wall must be alone.
CLOCKS = {"ticks": ("ticks", ["--icount"], os.cpu_count() or 1), "wall": ("nanoseconds", [], 1)}
TRIES = 6


def add_arguments(p):
    p.add_argument("--clock", choices=sorted(CLOCKS), default="ticks", help="ticks: instructions of host and guest; wall: time (ticks)")
    add_limits(p, 4, 90)


def add_limits(p, runs, limit):
    p.add_argument("--runs", type=int, default=runs, help="starts of each guest that have to end well (%d)" % runs)
    p.add_argument("--limit", type=int, default=limit,
                   help="most wall seconds for a start; once one of that guest ended, thrice what that took (%d)" % limit)


def by_clock(name, args, arguments):
    """Starts in the AMD-V host with the clock that was asked for."""
    return Starts(name, args, "svm", CLOCKS[args.clock][1] + arguments, CLOCKS[args.clock][2])


class Starts:
    """Jobs, each run in a fresh host until one start of it ended well. A key's last word numbers starts of the same guest."""

    def __init__(self, name, args, host, arguments, lanes=os.cpu_count() or 1):
        self.name, self.args, self.host, self.arguments, self.lanes = name, args, host, arguments, lanes
        self.todo, self.lock = queue.Queue(), threading.Lock()
        self.said, self.done, self.longest, self.thrown, self.failed = {}, 0, {}, [], []

    def add(self, key, job):
        self.todo.put((key, job, TRIES))

    def run(self):
        """key -> the lines of all its good starts."""
        self.all = self.todo.qsize()
        lanes = [threading.Thread(target=self.lane, daemon=True) for _ in range(self.lanes)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        self.progress(end=True)
        return self.said

    def lane(self):
        while True:
            try:
                key, job, tries = self.todo.get_nowait()
            except queue.Empty:
                return
            self.progress()
            lines = []
            host = hosts.machine(self.host, self.arguments, BUILD)
            host.quiet = True
            log = os.path.join(BUILD, "bench", "%s-%s-%d.console" % (self.name, "-".join(key), tries))
            begun = time.monotonic()
            status, _ = host.run(job, self.limit(key), echo=None, on_line=lines.append, log=log)
            with self.lock:
                if not status:
                    self.longest[key[:-1]] = max(self.longest.get(key[:-1], 0), time.monotonic() - begun)
                    self.said.setdefault(key, []).extend(lines)
                    self.done += 1
                    continue
                said = "the host's kernel log is not clean" if status == hosts.DIRTY else host.said or "status %d" % status
                why = "%s: %s; its console: %s" % (" ".join(key), said, log)
                # What that emulator does to a guest does not show in the host's log.
                if tries > 1 and status != hosts.DIRTY:
                    self.thrown.append(why)
                    self.todo.put((key, job, tries - 1))
                else:
                    self.failed.append((why, lines[-20:]))

    def limit(self, key):
        """Of the wall's clock: the emulated one hardly moves in a guest that stands still."""
        longest = self.longest.get(key[:-1])
        return min(self.args.limit, max(30, 3 * longest)) if longest else self.args.limit

    def progress(self, end=False):
        if sys.stderr.isatty():
            text = "%s: %d of %d guests measured, %d starts thrown away" % (self.name, self.done, self.all, len(self.thrown))
            sys.stderr.write("\r\033[K" if end else "\r\033[K" + text)
            sys.stderr.flush()

    def show_failures(self):
        """Says what was thrown away and what was not measured at all; gives whether all was."""
        if self.thrown:
            print("\n%d starts of %d were thrown away (docs/hosts.md says why there are any):" % (len(self.thrown), len(self.thrown) + self.all))
            print("\n".join("    " + why for why in self.thrown))
        for why, lines in self.failed:
            print("\nNOT MEASURED: %s" % why)
            print("\n".join("    " + line for line in lines))
        return not self.failed


def table(title, columns, figures):
    """Prints figures[row][column], lists of numbers, as medians and ranges, beside those of the first column. True when each is
    there and the second column is not worse than the first by more than the range of both."""
    good = bool(figures)
    print(title)
    print("%-28s %34s" % ("", columns[0]) + "".join(" %34s %6s" % (column, "ratio") for column in columns[1:]))
    for row, of in figures.items():
        text, peer = "%-28s" % row, of.get(columns[0])
        for column in columns:
            mine = of.get(column)
            text += " %34s" % ("%d (%d to %d)" % (statistics.median(mine), min(mine), max(mine)) if mine else "-")
            if column != columns[0]:
                text += " %6s" % ("%.2f" % (statistics.median(mine) / statistics.median(peer)) if mine and peer else "-")
        print(text)
        second = of.get(columns[1])
        good = good and all(of.get(column) for column in columns) and min(second) <= max(peer)
    return good
