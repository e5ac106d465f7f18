"""Answer every request with an empty object after the seconds of the first argument; the port is said on stdout."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sleepy(BaseHTTPRequestHandler):
    """Answers in one piece: a body that is sent after its head waits for the client to acknowledge the head."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(sys.argv[1]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Sleepy)
print(server.server_address[1], flush=True)
server.serve_forever()
