"""A FastCGI client that speaks raw records, and wrong ones when asked."""
import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT = 1, 2, 3, 4, 5, 6


def record(kind, body=b"", request_id=1):
    return struct.pack(">BBHHBx", 1, kind, request_id, len(body), 0) + body


def pair(name, value):
    def length(n):
        return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)
    name, value = name.encode(), value.encode()
    return length(len(name)) + length(len(value)) + name + value


def begin(role=1, flags=0):
    return record(BEGIN, struct.pack(">HB5x", role, flags))


def head(path="/livez", method="GET", query="", more=()):
    variables = [("REQUEST_METHOD", method), ("SCRIPT_NAME", ""), ("PATH_INFO", path),
                 ("QUERY_STRING", query), ("REMOTE_ADDR", "127.0.0.1"), *more]
    body = b"".join(pair(*v) for v in variables)
    return begin() + record(PARAMS, body) + record(PARAMS)


def connect(where, timeout=8):
    s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    s.settimeout(timeout)
    s.connect(where)
    return s


def read_all(s):
    """Everything until the other side closes: (stdout, True if END_REQUEST came, bodies of the STDOUT records)."""
    data = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    out, ended = [], False
    while len(data) >= 8:
        _, kind, _, n, pad = struct.unpack(">BBHHBx", data[:8])
        if kind == STDOUT:
            out.append(data[8:8 + n])
        ended = ended or kind == END
        data = data[8 + n + pad:]
    return b"".join(out), ended, out


def request(where, path="/livez", method="GET", query="", body=b"", more=()):
    """(status, headers, body)"""
    if body:
        more = [*more, ("CONTENT_LENGTH", str(len(body)))]
    stdin = b"".join(record(STDIN, body[i:i + 32768]) for i in range(0, len(body), 32768)) + record(STDIN)
    with connect(where) as s:
        s.sendall(head(path, method, query, more) + stdin)
        out, ended, _ = read_all(s)
    assert ended, out
    top, _, rest = out.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in top.decode().split("\r\n")]
    headers = {name.lower(): value for name, value in lines}
    return int(headers["status"].split()[0]), headers, rest
