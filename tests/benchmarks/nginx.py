"""An nginx that gives the same short answer to everything: the fastest server that Debian has."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NGINX = """
worker_processes 1;
daemon off;
pid FOLDER/pid;
error_log FOLDER/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c;
  uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;
  server {
    listen 127.0.0.1:PORT;
    location / { default_type application/json; return 200 '{"predictions":[1],"model_version":"1"}'; }
  }
}
"""


@contextmanager
def running_nginx(folder: Path, preexec_fn: Callable[[], None]) -> Iterator[str]:
    """Run nginx with one worker, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.replace("FOLDER", str(folder)).replace("PORT", str(port)))
    server = subprocess.Popen(["nginx", "-c", str(configuration)], preexec_fn=preexec_fn)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
