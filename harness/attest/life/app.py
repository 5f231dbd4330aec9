"""An app whose life the gates watch: it says who it is, and is ready and alive when it was told to be.

Python's standard library alone: it runs in the images of the application that the gate has built.
"""
import json
import os
import signal
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEPT = "/data/kept"
BOOT = uuid.uuid4().hex
WELL = {"/ready": os.environ.get("GATES_READY") != "no", "/alive": os.environ.get("GATES_ALIVE") != "no"}
asked = dict.fromkeys(WELL, 0)


def kept():
    try:
        with open(KEPT) as file:
            return file.read()
    except OSError:
        return None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path in WELL:
            asked[self.path] += 1
            self.answer(200 if WELL[self.path] else 503, {})
            return
        word = os.environ.get("GATES_WORD")
        self.answer(200, {"boot": BOOT, "word": word, "kept": kept(), "asked": asked})

    def do_POST(self):
        """Lets the app be ready or alive from now on, or keeps what it is sent."""
        if self.path in WELL:
            WELL[self.path] = True
        else:
            with open(KEPT, "w") as file:
                file.write(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer(200, {})

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """k1s asks every second: the log would hold nothing else."""


# The first process of a container is ended by a signal only when it takes it.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
