"""A container's healthcheck: `python -I -S probe.py PORT PATH` exits with 0 if `GET PATH` answers 200.

Bare, and without our package: it runs every few seconds for as long as a service lives.
"""

import socket
import sys

TIMEOUT_S = 2.0

port, path = sys.argv[1:]
with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT_S) as connection:
    connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    status = connection.recv(64).split(b" ")[1:2]
sys.exit(status != [b"200"])
