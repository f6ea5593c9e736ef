"""Being told to stop, by Ctrl-C or SIGTERM: the process tidies up and ends within a second, whatever it is at."""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
"""Exit code of a process that was told to stop."""
HOW_TO_GO_ON = "interrupted; what was finished is kept, so type the same call again to go on"
GRACE = 0.7
"""Seconds for tidying up. Then the process ends as it is, which costs nothing: folders survive any death."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BARE_LINE = b"\r\x1b[2K\x1b[?25h"
"""Removes what a progress bar has drawn, and shows the cursor that it has hidden."""


class Stop:
    """Turns the first SIGINT or SIGTERM into KeyboardInterrupt, drops those after it, and sees to an end.

    The interpreter only gets to raise between two of its own steps, and minutes may lie between those of a library. So
    the system's own handler also writes to a pipe, and a thread that reads it ends the process once GRACE is over.
    """

    def __init__(self) -> None:
        self.told = False
        self._said = threading.Event()

    def listen(self) -> None:
        """Begin; to be called once, by the main thread. A signal that the caller's caller has set to be ignored is."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        # A forked child has the same pipe; being stopped itself, it would stop this process.
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
        threading.Thread(target=self._watch, args=(reader,), daemon=True).start()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise_once)

    def unlisten(self) -> None:
        """End: the work is done, and what comes while the interpreter shuts down changes nothing any more."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if self.told:
            self.leave()

    def said(self) -> None:
        """Take note that the person knows how to go on, so that it isn't said twice."""
        self._said.set()

    def leave(self) -> None:
        """End the process now, with INTERRUPTED; say how to go on if nobody has."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # its reader may be gone
                stream.flush()
        self._end()

    def _raise_once(self, _number: int, _frame: FrameType | None) -> None:
        if not self.told:
            self.told = True
            raise KeyboardInterrupt

    def _watch(self, reader: int) -> None:
        while os.read(reader, 1)[0] not in _SIGNALS:
            pass
        # Whoever leaves first ends this thread too.
        threading.Event().wait(GRACE)
        self._end()

    def _end(self) -> None:
        if not self._said.is_set():
            bare = _BARE_LINE if os.isatty(2) else b""
            with contextlib.suppress(OSError):
                os.write(2, bare + f"searchapp: {HOW_TO_GO_ON}\n".encode())
        os._exit(INTERRUPTED)


stop = Stop()
"""This process's one."""
