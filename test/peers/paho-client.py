"""python3-paho-mqtt as a client: exchanges everything with itself and prints what it saw as one line of JSON.

Argument: JSON with transport (tcp, tls, websockets, or both of the last two as wss), host, port, login
(username and password, or cert and key) and ca.
"""
import json
import sys
import threading

import paho.mqtt.client as mqtt

task = json.loads(sys.argv[1])
LARGE = b"p" * 100_000
FROM = "paho/" + task["transport"]
TIMEOUT_S = 15


class Client:
    def __init__(self, name, clean=True, will=None):
        transport = "websockets" if task["transport"] in ("websockets", "wss") else "tcp"
        self.mqtt = mqtt.Client(task["transport"] + "-" + name, clean_session=clean, transport=transport)
        self.received = []
        self.happened = threading.Condition()
        self.up = self.subscribed = self.published = 0
        self.mqtt.on_connect = lambda _c, _u, _f, code: self.note("up", 1 if code == 0 else -code)
        self.mqtt.on_subscribe = lambda *_: self.note("subscribed", self.subscribed + 1)
        self.mqtt.on_publish = lambda *_: self.note("published", self.published + 1)
        self.mqtt.on_disconnect = lambda _c, _u, code: self.up or self.note("up", -code)
        self.mqtt.on_message = self.on_message
        if "cert" in task:
            self.mqtt.tls_set(task["ca"], task["cert"], task["key"])
        elif "ca" in task:
            self.mqtt.tls_set(task["ca"])
        if "username" in task:
            self.mqtt.username_pw_set(task["username"], task["password"])
        if will is not None:
            self.mqtt.will_set(will, "gone", qos=1)
        self.mqtt.connect(task["host"], task["port"])
        self.mqtt.loop_start()
        self.until(lambda: self.up != 0)
        if self.up < 0:
            raise RuntimeError("refused with %d" % -self.up)

    def note(self, what, value):
        with self.happened:
            setattr(self, what, value)
            self.happened.notify_all()

    def on_message(self, _client, _userdata, message):
        with self.happened:
            whole = len(message.payload) if message.payload == LARGE else message.payload.decode()
            self.received.append([message.topic, whole, message.qos, bool(message.retain)])
            self.happened.notify_all()

    def until(self, is_true):
        with self.happened:
            if not self.happened.wait_for(is_true, TIMEOUT_S):
                raise RuntimeError("not in time")

    def subscribe(self, topic, qos):
        before = self.subscribed
        self.mqtt.subscribe(topic, qos)
        self.until(lambda: self.subscribed > before)

    def publish(self, topic, payload, qos, retain=False):
        before = self.published
        self.mqtt.publish(topic, payload, qos, retain)
        self.until(lambda: self.published > before)

    def end(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def exchange():
    one = Client("one")
    two = Client("two")
    one.publish(FROM + "/kept", "kept", 1, retain=True)
    two.subscribe(FROM + "/#", 2)
    two.until(lambda: len(two.received) == 1)
    for qos in (0, 1, 2):
        one.publish("%s/%d" % (FROM, qos), LARGE, qos)
    two.until(lambda: len(two.received) == 4)
    one.end()
    two.end()
    return two.received


def will():
    watcher = Client("watcher")
    watcher.subscribe(FROM + "/will", 1)
    mortal = Client("mortal", will=FROM + "/will")
    mortal.mqtt.loop_stop()
    mortal.mqtt.socket().close()
    watcher.until(lambda: len(watcher.received) == 1)
    watcher.end()
    return watcher.received


def session():
    before = Client("session", clean=False)
    before.subscribe(FROM + "/queue", 1)
    before.end()
    other = Client("other")
    for n in "123":
        other.publish(FROM + "/queue", n, 1)
    other.end()
    after = Client("session", clean=False)
    after.until(lambda: len(after.received) == 3)
    after.end()
    return after.received


print(json.dumps({"exchange": exchange(), "will": will(), "session": session()}))
