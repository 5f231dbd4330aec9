"""Sets this machine's clock by some seconds until standard input ends, and puts it back to where it would be by then.

Whoever started it may be killed: its end of standard input goes with it.
"""
import signal
import sys
import time

by = float(sys.argv[1])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)


def ahead():
    """By how much the machine's clock is ahead of one that nobody sets."""
    return time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)


right = ahead()
try:
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_BOOTTIME) + right + by)
    print("set", flush=True)
    sys.stdin.read()
finally:
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_BOOTTIME) + right)
