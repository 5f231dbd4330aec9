"""A WebSocket server that sends back what it is sent (RFC 6455), for one look of the gates.

Python's standard library alone: it runs in the image of the application that the gate has built.
"""
import asyncio
import base64
import hashlib
import json
import os
import struct
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE, PING, PONG = 8, 9, 10


async def read_frame(reader):
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack(">Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(length)
    plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return first & 0x80, first & 0x0F, plain


def frame(kind, data):
    if len(data) < 126:
        size = bytes([len(data)])
    elif len(data) < 65536:
        size = struct.pack(">BH", 126, len(data))
    else:
        size = struct.pack(">BQ", 127, len(data))
    return bytes([0x80 | kind]) + size + data


def first_line(*files):
    for file in files:
        try:
            with open(file) as text:
                return text.readline().strip()
        except OSError:
            pass


def own_process():
    """What this process may do, as the kernel has it."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    with open("/proc/self/mountinfo") as mounts:
        root = next(line.split()[5] for line in mounts if line.split()[4] == "/")
    limits = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    return {
        "user": os.getuid(),
        "group": os.getgid(),
        "capabilities": fields["CapBnd"].strip(),
        "root": root,
        "memory": first_line(*limits),
        "environment": os.environ.get("GATES_ECHO"),
    }


async def upgrade(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    key = fields.get("sec-websocket-key")
    if key is None:  # k1s asks whether the app is ready, and the gate what its process may do.
        body = json.dumps(own_process()).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        return False
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    return True


async def echo(reader, writer):
    kind, message = 0, b""
    while True:
        last, code, data = await read_frame(reader)
        if code == CLOSE:
            writer.write(frame(CLOSE, data))
            return
        if code == PING:
            writer.write(frame(PONG, data))
        elif code != PONG:
            kind, message = code or kind, message + data
            if last:
                writer.write(frame(kind, message))
                message = b""
        await writer.drain()


async def serve(reader, writer):
    try:
        if await upgrade(reader, writer):
            await echo(reader, writer)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    # What the gate wants to read in the pod's log.
    for which, stream in ("first", sys.stdout), ("second", sys.stdout), ("third", sys.stderr):
        print(f"gates: {which} on {stream.name}", file=stream, flush=True)
    async with await asyncio.start_server(serve, "0.0.0.0", 8080) as server:
        await server.serve_forever()


asyncio.run(main())
