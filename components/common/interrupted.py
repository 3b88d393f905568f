"""Imported by the process that forks workers, and by no other: Ctrl-C ends it, and each of them.

They get what is set before the first fork. Set by a worker itself it would come too late where
Ctrl-C finds the worker at its start. Until this is imported the signal waits.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
