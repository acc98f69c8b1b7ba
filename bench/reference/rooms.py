#!/usr/bin/python3
"""TickStock's own way to its browsers: Flask-SocketIO, a redis-py thread, one room a symbol.

Message queue not used (one process); gevent with gevent-websocket, as Flask-SocketIO's documentation recommends for speed. A client
emits `subscribe` with a symbol, is put into its room and told so; every message of Redis is emitted to its symbol's room.

usage: rooms.py REDIS-URL PORT
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402

import redis  # noqa: E402
from flask import Flask, request  # noqa: E402
from flask_socketio import SocketIO, join_room  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent", ping_interval=60, ping_timeout=60, logger=False, engineio_logger=False,
                    max_http_buffer_size=1 << 20)


@socketio.on("subscribe")
def subscribe(symbol):
    join_room("symbol:" + symbol)
    socketio.emit("joined", symbol, to=request.sid)


def follow(url):
    pubsub = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("tickstock:indicators:streaming", "tickstock:patterns:streaming")
    for message in pubsub.listen():
        event = json.loads(message["data"])
        socketio.emit("event", event, room="symbol:" + event["symbol"])


if __name__ == "__main__":
    socketio.start_background_task(follow, sys.argv[1])
    socketio.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_output=False)
