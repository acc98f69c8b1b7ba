"""Ports for servers that live as long as a run or a test, each handed out once.

What the kernel gives for port 0 is of the range of outgoing connections: any of these may have the port by the time its server binds it, or starts again.
And a client that still asks for a server that is gone finds whoever has its port next. So ports are taken below that range, a block of them for each process:
whose a block is, a socket in the abstract namespace tells, which belongs to the network namespace as ports do, and goes with the process.
"""

import errno
import random
import socket

FIRST, BLOCK = 11000, 20  # browsers refuse some ports below
TOP_BY_DEFAULT = 32768
mine = []  # the sockets that hold our blocks
unused = []


def top():
    """The first port of outgoing connections, where that leaves room."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            low = int(f.read().split()[0])
    except (OSError, ValueError):
        low = 0
    return low if low >= FIRST + 50 * BLOCK else TOP_BY_DEFAULT


def take_block():
    """Makes a block ours that no process has."""
    firsts = range(FIRST, top() - BLOCK, BLOCK)
    for first in random.sample(firsts, len(firsts)):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0tickgate-ports-{first}")
        except OSError as e:
            holder.close()
            if e.errno != errno.EADDRINUSE:
                raise
            continue
        mine.append(holder)
        unused.extend(range(first, first + BLOCK))
        return
    raise OSError("no block of ports is left")


def free_port(address="127.0.0.1"):
    """A port of `address` that nobody listens on and that no process gets from here as long as this one lives."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        if not unused:
            take_block()
        port = unused.pop(0)
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise  # no other port of an address that is not there would do
                continue
        return port
