"""A Redis that misbehaves by script.

Each connection is handed to the next script of the list (the last one serves all that follow). A script is a function of
one Peer; what it returns or raises ends the connection.
"""
import socket
import threading

from ports import free_port


def bulk(value):
    value = value if isinstance(value, bytes) else value.encode()
    return b"$%d\r\n%s\r\n" % (len(value), value)


def array(*items):
    return b"*%d\r\n" % len(items) + b"".join(
        b":%d\r\n" % i if isinstance(i, int) else b"$-1\r\n" if i is None else bulk(i) for i in items)


class Gone(Exception):
    pass


class Peer:
    """One client: commands in, bytes out."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.commands = []

    def command(self):
        line = self.file.readline()
        if not line.startswith(b"*"):
            raise Gone
        args = []
        for _ in range(int(line[1:])):
            n = int(self.file.readline()[1:])
            args.append(self.file.read(n).decode())
            self.file.read(2)
        self.commands.append(args)
        return args

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as gone:
            raise Gone from gone

    def reply(self, args, refuse=()):
        """What a good Redis says to a command; channels in `refuse` are not permitted."""
        verb = args[0].upper()
        if verb in ("SUBSCRIBE", "PSUBSCRIBE"):
            if args[1] in refuse:
                return b"-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"
            return array(verb.lower(), args[1], 1)
        if verb == "PING":
            return array("pong", "")
        return b"+OK\r\n"

    def subscribe(self, n, refuse=()):
        """Serves until n channels were asked for."""
        while n > 0:
            args = self.command()
            self.send(self.reply(args, refuse))
            n -= args[0] in ("SUBSCRIBE", "PSUBSCRIBE")

    def serve(self, refuse=()):
        while True:
            self.send(self.reply(self.command(), refuse))


class FakeRedis:
    def __init__(self, *scripts, family=socket.AF_INET, address="127.0.0.1"):
        self.scripts = list(scripts)
        self.connections = 0
        self.peers = []
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = free_port(address)
        self.listener.bind((address, self.port))
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            peer = Peer(sock)
            self.peers.append(peer)
            threading.Thread(target=self.run, args=(script, peer), daemon=True).start()

    @staticmethod
    def run(script, peer):
        try:
            script(peer)
        except (Gone, OSError, ValueError):
            pass
        finally:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.file.close()
            peer.sock.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
