# SPDX-License-Identifier: GPL-2.0
"""What both emulated hosts share: the job a host is given, its serial console, its verdict.

A host boots Debian's kernel with the archives of scripts/initramfs and a small third one, made here, that holds the
job: a shell script run by process 1 (selftests/hosts/init). The console goes to a file that is followed from outside.
Lines that begin with "@@ " are the protocol:

    @@ booted RELEASE      process 1 runs the job now
    @@ klog boot, @@ klog  kernel log lines follow, of the boot (suspicious ones) and since (all)
    @@ exit N              the job ended with status N; everything is said

The verdict is that last line and a clean kernel log, never the emulator's own exit status. Emulated clocks run far from
wall time, so the one time limit is out here, in wall time.

svm and vmx make a command line of this; selftests/run and the Makefile call those; other programs ask machine() for one. Nothing
here knows a test.
"""

import argparse
import importlib.machinery
import importlib.util
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# What the caller learns when the job itself did not end: as timeout(1) and the shell have it.
TIMEOUT, BROKEN, DIRTY = 124, 125, 126

BAD = re.compile(
    r"\] WARNING: |\bBUG:|kernel BUG at|\bOops\b|Call Trace:|general protection fault|unchecked MSR access|"
    r"INFO: (task|rcu|possible|suspicious|trying)|possible (recursive|circular) locking|inconsistent lock state|"
    r"suspicious RCU usage|scheduling while atomic|sleeping function called|refcount_t: |list_(add|del) corruption|"
    r"soft lockup|hard LOCKUP|KASAN|UBSAN|kmemleak|Bad page|stack-protector|double fault|kernel tried to execute|"
    r"Objects remaining in|still has objects|unable to handle|Kernel panic")

# A stock kernel says these three under Bochs whether kvirt is there or not, and each while it boots: Bochs' XSAVE sizes, its
# TSC-deadline timer's microcode revision, its missing performance counters.
ALLOWED_AT_BOOT = (
    re.compile(r"WARNING: CPU: \d+ PID: \d+ at arch/x86/kernel/fpu/xstate\.c"),
    re.compile(r"TSC_DEADLINE disabled due to Errata"),
    re.compile(r"Failed to access perfctr msr"),
)

# A kernel of scripts/debug-kernel: what a host needs for it, and how much longer everything may take there. KASAN says all that
# it finds; preemption is Debian's (docs/hosts.md says what happens with another); errors come on the console at once, in case
# that the host never shows its log. Not warnings: one from an interrupt gives lockdep a report, of the console's own lock.
DEBUG_OPTIONS = ["--memory", "2048", "--append", "kasan_multi_shot preempt=voluntary loglevel=4"]
DEBUG_SLOWNESS = 6


def newc(entries):
    """A cpio archive (format newc) of (name, mode, data)."""
    out = bytearray()
    for name, mode, data in list(entries) + [("TRAILER!!!", 0, b"")]:
        raw = name.encode() + b"\0"
        head = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        out += b"070701" + b"".join(b"%08X" % field for field in head) + raw
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out + bytes(-len(out) % 512))


def suspicious(log, boot):
    """The lines of a kernel log that must not be there."""
    return [line for line in log
            if BAD.search(line) and not (boot and any(a.search(line) for a in ALLOWED_AT_BOOT))]


class Console:
    """Follows the serial console's file: splits lines, keeps the kernel log apart, echoes the rest.

    step() returns False when the host has said everything, or can say nothing more."""

    def __init__(self, path, echo, on_line=None):
        self.path, self.echo, self.on_line = path, echo, on_line
        self.file = None
        self.partial = b""
        self.section = "before"
        self.klog, self.boot_log = [], []
        self.release = None
        self.status = None
        self.panic = False
        self.tail = []              # the last lines, whoever said them
        self.last = time.monotonic()

    def step(self):
        if not self.file:
            try:
                self.file = open(self.path, "rb")
            except FileNotFoundError:
                return True
        data = self.file.read()
        if data:
            self.last = time.monotonic()
            lines = (self.partial + data).split(b"\n")
            self.partial = lines.pop()
            for line in lines:
                self.line(line.decode("utf-8", "replace").rstrip("\r"))
                if self.status is not None:
                    return False
        return not (self.panic and time.monotonic() - self.last > 2)

    def line(self, line):
        # A program may leave its line unfinished, so a marker can stand behind text.
        marker = re.search(r"@@ (booted|klog|exit)\b ?(\S*)$", line)
        if marker:
            before = line[:marker.start()]
            if before:
                self.say(before)
            word, value = marker.groups()
            if word == "booted":
                self.release, self.section = value, "job"
            elif word == "klog":
                self.section = "klog boot" if value else "klog"
            elif self.section == "klog" and value.isdigit():
                self.status = int(value)
            return
        if self.section == "klog":
            self.klog.append(line)
        elif self.section == "klog boot":
            self.boot_log.append(line)
        else:
            if "end Kernel panic" in line or "Kernel panic - not syncing" in line:
                self.panic = True
            self.say(line)

    def say(self, line):
        self.tail = self.tail[-59:] + [line]
        if self.echo and (self.section == "job" or self.panic or self.echo == "all" or BAD.search(line)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        if self.on_line and self.section == "job":
            self.on_line(line)


class Host:
    """One emulated machine, from the images under build/ to a verdict. A subclass gives the command line."""

    name = None
    boot_allowance = 180        # wall seconds until process 1 runs, on a busy machine

    def __init__(self, options, build=None):
        self.options = options
        self.build = build or os.environ.get("KVIRT_BUILD") or os.path.join(TOP, "build")
        for needed in ["kernel/release"] + ["hosts/%s.cpio" % archive for archive in ["base", "payload"] + options.archive]:
            if not os.path.exists(os.path.join(self.build, needed)):
                sys.exit("%s: %s is missing; run make first" % (self.name, os.path.join(self.build, needed)))
        self.dir = None
        self.deadline = None        # monotonic; a caller may move it while the job runs
        self.quiet = False          # complain() keeps its words in said
        self.said = None

    # Given by the subclass.
    def command(self):
        """Makes what the emulator reads, in self.dir; gives its argument list."""
        raise NotImplementedError

    def shell_command(self, terminal):
        """As command(), with the console on the pseudo terminal of that name."""
        raise NotImplementedError

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def kernel_arguments(self):
        """115200: at the default speed a boot log costs an emulated CPU billions of ticks. The self-tests of the kernel's
        cryptography would be more than half of a Bochs boot."""
        words = ["console=ttyS0,115200", "loglevel=1", "panic=0", "oops=panic", "log_buf_len=2M", "tsc=reliable",
                 "cryptomgr.notests"]
        return " ".join(words + self.options.append)

    def job_archive(self, job, shell):
        entries = []
        if job:
            entries.append(("job", 0o100755, job.encode()))
        if shell:
            entries.append(("shell", 0o100644, b"\n"))
        if self.options.verbose:
            entries.append(("verbose", 0o100644, b"\n"))
        for spec in self.options.file:
            source, _, name = spec.partition(":")
            with open(source, "rb") as f:
                mode = 0o100755 if os.access(source, os.X_OK) else 0o100644
                entries.append(((name or "tmp/" + os.path.basename(source)).lstrip("/"), mode, f.read()))
        return newc(entries)

    def prepare(self, job, shell):
        folder = os.path.join(self.build, "hosts")
        for left in os.listdir(folder):             # by a driver that was killed
            owner = re.match(self.name + r"\.(\d+)\.", left)
            if owner and not os.path.exists("/proc/" + owner.group(1)):
                shutil.rmtree(os.path.join(folder, left), ignore_errors=True)
        self.dir = tempfile.mkdtemp(prefix="%s.%d." % (self.name, os.getpid()), dir=folder)
        with open(self.path("initrd"), "wb") as out:
            for archive in ["base", "payload"] + self.options.archive:
                with open(os.path.join(self.build, "hosts", archive + ".cpio"), "rb") as f:
                    shutil.copyfileobj(f, out)
            out.write(self.job_archive(job, shell))

    def run(self, job, timeout, echo="job", on_line=None, log=None):
        """Boots, runs the job, powers off. Gives (status, console); status is the job's own, or one of the three above."""
        self.prepare(job, False)
        process, console = None, Console(self.path("serial"), echo, on_line)
        try:
            with open(self.path("emulator.log"), "wb") as out:
                process = self.start(self.command(), out)
            status = self.follow(process, console, timeout)
        finally:
            if process:
                self.kill(process)
            if log and os.path.exists(self.path("serial")):
                os.makedirs(os.path.dirname(os.path.abspath(log)), exist_ok=True)
                shutil.copyfile(self.path("serial"), log)
            shutil.rmtree(self.dir, ignore_errors=True)
        return status, console

    def follow(self, process, console, timeout):
        start = time.monotonic()
        while console.step():
            now = time.monotonic()
            if process.poll() is not None:
                console.step()
                if console.status is not None:
                    break
                self.complain("the emulator ended (status %d) before the job did" % process.returncode)
                self.show_emulator_log()
                return BROKEN
            if not console.release and now - start > self.boot_allowance:
                self.complain("did not boot within %d s" % self.boot_allowance)
                self.show_emulator_log()
                return BROKEN
            if now - start > timeout or self.deadline and now > self.deadline:
                self.complain("the job did not end within its time (%d s)" % (now - start))
                return TIMEOUT
            time.sleep(0.02)
        if console.status is None:
            self.complain("the host's kernel panicked")
            return BROKEN
        bad = suspicious(console.boot_log, True) + suspicious(console.klog, False)
        if bad and not self.quiet:
            self.complain("the host's kernel log is not clean:")
            for line in bad[:5]:
                print("    " + line)
            print("--- kernel log since boot")
            print("\n".join(console.klog))
            print("---")
        return console.status or (DIRTY if bad else 0)

    def shell(self, job):
        """The host's console on this terminal. Ctrl-A x ends it at once."""
        self.prepare(job, True)
        master, slave = pty.openpty()
        tty.setraw(slave)
        process = None
        try:
            with open(self.path("emulator.log"), "wb") as out:
                process = self.start(self.shell_command(os.ttyname(slave)), out)
            print("%s: booting; leave with Ctrl-D, or Ctrl-A x at once" % self.name)
            self.bridge(master, process)
        finally:
            if process:
                self.kill(process)
            shutil.rmtree(self.dir, ignore_errors=True)
        return 0

    def bridge(self, master, process):
        keys = sys.stdin.fileno()
        saved = termios.tcgetattr(keys) if os.isatty(keys) else None
        sources, prefix = [master, keys], False
        try:
            if saved:
                tty.setraw(keys)
            while process.poll() is None:
                ready, _, _ = select.select(sources, [], [], 0.2)
                if master in ready:
                    data = os.read(master, 4096)
                    os.write(sys.stdout.fileno(), data)
                    if b"reboot: Power down" in data:
                        break
                if keys in ready:
                    data = os.read(keys, 256)
                    if not data:
                        sources.remove(keys)
                    for key in data:
                        if prefix and key == ord("x"):
                            return
                        if not prefix and key == 1:
                            prefix = True
                            continue
                        prefix = False
                        os.write(master, bytes([key]))
        finally:
            if saved:
                termios.tcsetattr(keys, termios.TCSADRAIN, saved)

    def start(self, command, log):
        """The emulator, which does not outlive us however we end."""
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + command, stdin=subprocess.DEVNULL, stdout=log,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def kill(self, process):
        """The emulator and whatever it was started through, all in one session of their own."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def complain(self, what):
        self.said = what
        if not self.quiet:
            print("%s: %s" % (self.name, what), flush=True)

    def show_emulator_log(self):
        with open(self.path("emulator.log"), errors="replace") as f:
            for line in f.read().splitlines()[-12:]:
                print("    " + line)


def machine(name, arguments=(), build=None):
    """The host of the program hosts/NAME, with that program's arguments."""
    loader = importlib.machinery.SourceFileLoader("host_" + name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    kind = next(c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Host) and c.name == name)
    return kind(module.options(list(arguments)), build)


def parser(name, doc):
    p = argparse.ArgumentParser(prog=name, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", nargs="*", help="shell words to run in the host; without any, with --script or --shell")
    p.add_argument("--script", help="a file to run in the host instead")
    p.add_argument("--shell", action="store_true", help="an interactive prompt of the host on this terminal")
    p.add_argument("--timeout", type=int, default=300, help="wall seconds for boot and job together (300)")
    p.add_argument("--cpus", type=int, default=1, help="host CPUs (1; two can livelock in QEMU, see docs/hosts.md)")
    p.add_argument("--memory", type=int, default=1024, help="MiB (1024)")
    p.add_argument("--append", action="append", default=[], help="a kernel argument more")
    p.add_argument("--file", action="append", default=[], help="HOSTFILE[:NAME]: one more file in the host, in /tmp if not named")
    p.add_argument("--archive", action="append", default=[], help="one more of build/hosts/*.cpio (vmms: other people's VMMs)")
    p.add_argument("--log", help="keep the whole console in this file")
    p.add_argument("--verbose", action="store_true", help="kernel messages on the console as they come")
    return p


def main(host_class, options):
    job = " ".join(options.command)
    if options.script:
        with open(options.script) as f:
            job = f.read()
    host = host_class(options)
    # A caller that is told to end takes its emulator along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.shell:
        return host.shell(job)
    if not job:
        sys.exit("%s: give a command, --script or --shell" % host.name)
    status, _ = host.run(job + "\n", options.timeout, "all" if options.verbose else "job", log=options.log)
    return status
