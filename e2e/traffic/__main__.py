"""`python -m e2e.traffic --url … --host … --rate …`: sends payments until it is told to stop.

Two vegeta processes in a row: one attacks at a constant rate whatever comes back (an open loop: a
slow service gets no fewer requests), the other writes each result as JSON. Every two seconds one
line with the totals so far is printed, and a last one at the end, when every answer is in.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import threading
import time

from e2e.model import data
from e2e.traffic import targets
from e2e.traffic.counter import Counts

EVERY = 2.0  # seconds between two lines
TIMEOUT = 10  # seconds until a request counts as failed


def main() -> int:
    """Returns vegeta's own exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.traffic")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", required=True, help="the virtual host to ask for")
    parser.add_argument("--rate", type=int, default=40, help="requests per second")
    parser.add_argument(
        "--new-channel",
        type=float,
        default=data.NEW_CHANNEL_SHARE,
        help="share of payments by a channel that came after the training data (%(default)s)",
    )
    parser.add_argument(
        "--spoiled",
        type=float,
        default=0.0,
        help="share of payments that arrive without an amount, which no version can take",
    )
    parser.add_argument(
        "--shift",
        type=float,
        default=1.0,
        help="amounts are so many times as large: another population (%(default)s: the same)",
    )
    parser.add_argument("--limit", type=float, default=0.25, help="seconds until an answer is slow")
    parser.add_argument(
        "--connections",
        type=int,
        # More would idle until a stall, and then be used just when the gateway closes them.
        default=1,
        help="at most so many are kept open for the next request (%(default)s)",
    )
    parser.add_argument(
        "--h2c", action="store_true", help="HTTP/2 without TLS: all requests on one connection"
    )
    parser.add_argument("--fresh", action="store_true", help="a new connection for each request")
    parser.add_argument("--duration", default="0", help="such as 60s; 0: until SIGTERM")
    asked = parser.parse_args()
    attack = subprocess.Popen(
        [
            *("vegeta", "attack", "-lazy", "-format=json", "-max-body=512"),
            *(f"-rate={asked.rate}", f"-duration={asked.duration}", f"-timeout={TIMEOUT}s"),
            f"-connections={asked.connections}",
            *(("-h2c",) if asked.h2c else ()),
            *(("-keepalive=false",) if asked.fresh else ()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    encode = subprocess.Popen(
        ["vegeta", "encode", "-to=json"], stdin=attack.stdout, stdout=subprocess.PIPE
    )
    assert attack.stdin and attack.stdout and encode.stdout
    attack.stdout.close()  # only the encoder holds it now, so that it sees the end

    def stop(*_: object) -> None:
        attack.send_signal(signal.SIGINT)  # ends the attack after the requests under way

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    payments = data.live(new_channel=asked.new_channel, spoiled=asked.spoiled, shift=asked.shift)

    def feed() -> None:
        try:
            for line in targets.lines(asked.url, asked.host, payments):
                attack.stdin.write(line.encode() + b"\n")
        except (BrokenPipeError, ValueError):
            return  # the attack is over

    threading.Thread(target=feed, daemon=True).start()
    counts, lock, over = Counts(limit=asked.limit), threading.Lock(), threading.Event()

    def report() -> None:
        while not over.wait(EVERY):
            with lock:
                print(counts.line(at=time.time()), flush=True)

    reporter = threading.Thread(target=report)
    reporter.start()
    for line in encode.stdout:
        result = json.loads(line)
        with lock:
            counts.add(result)
    over.set()
    reporter.join()
    print(counts.line(at=time.time()), flush=True)
    encode.wait()
    return attack.wait()


raise SystemExit(main())
