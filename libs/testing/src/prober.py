"""Sockets in many network namespaces, driven by lines of JSON: see prober.ts for the operations."""
import ctypes, json, os, select, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


def within(ns, make):
    own, other = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(ns, os.O_RDONLY)
    try:
        if libc.setns(other, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), ns)
        try:
            return make()
        finally:
            # What came after would be made in the wrong place.
            if libc.setns(own, CLONE_NEWNET) != 0:
                os._exit(1)
    finally:
        os.close(own)
        os.close(other)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp_or_tcp(kind, address, port):
    s = socket.socket(family(address), kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setblocking(False)
    s.bind((address, port))
    return s


poll = select.epoll()
handlers = {}
received = set()
kept = {}


def watch(s, handler):
    handlers[s.fileno()] = (s, handler)
    poll.register(s.fileno(), select.EPOLLIN)


def forget(s):
    if handlers.pop(s.fileno(), None):
        poll.unregister(s.fileno())
    s.close()


def accept(listener):
    s, _ = listener.accept()
    s.setblocking(False)
    watch(s, echo_stream)


def echo_stream(s):
    try:
        data = s.recv(65536)
        if data:
            return s.send(data)
    except OSError:
        pass
    forget(s)


def echo_datagram(s):
    data, peer = s.recvfrom(65536)
    received.add(data)
    try:
        s.sendto(data, peer)
    except OSError:
        pass


def serve(until, done=lambda: False):
    while not done():
        left = until - time.monotonic()
        if left <= 0:
            return
        for fd, _ in poll.poll(left):
            if fd in handlers:
                s, handler = handlers[fd]
                handler(s)


def listen(ns, address, tcp=(), udp=()):
    def make():
        for port in tcp:
            s = udp_or_tcp(socket.SOCK_STREAM, address, port)
            s.listen(64)
            watch(s, accept)
        for port in udp:
            watch(udp_or_tcp(socket.SOCK_DGRAM, address, port), echo_datagram)

    within(ns, make)


class Probe:
    """One question, answered `open`, `one-way` (UDP: it arrived, its answer did not), `refused` or `closed`."""

    number = 0

    def __init__(self, ns, source, target, protocol, port=0, sourcePort=0):
        Probe.number += 1
        self.result, self.poller, self.target, self.port = None, None, target, port
        self.token = b"probe %d" % Probe.number
        within(ns, lambda: getattr(self, protocol)(source, target, port, sourcePort))

    def tcp(self, source, target, port, source_port):
        self.socket = udp_or_tcp(socket.SOCK_STREAM, source, source_port)
        if self.socket.connect_ex((target, port)) not in (0, 115):
            self.result = "closed"
        poll.register(self.socket.fileno(), select.EPOLLOUT | select.EPOLLERR)
        handlers[self.socket.fileno()] = (self.socket, self.connected)

    def connected(self, s):
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.result = {0: "open", 111: "refused"}.get(error, "closed")
        poll.modify(s.fileno(), 0)

    def udp(self, source, target, port, source_port):
        self.socket = udp_or_tcp(socket.SOCK_DGRAM, source, source_port)
        watch(self.socket, self.answered)
        self.socket.connect((target, port))
        self.socket.send(self.token)

    def answered(self, s):
        try:
            if s.recv(65536) == self.token:
                self.result = "open"
        except ConnectionRefusedError:
            self.result = "refused"
        except OSError:
            self.result = "closed"

    def icmp(self, source, target, port, source_port):
        v6 = family(target) == socket.AF_INET6
        self.socket = socket.socket(family(target), socket.SOCK_RAW, 58 if v6 else 1)
        self.socket.bind((source, 0))
        watch(self.socket, self.echoed)
        self.key = struct.pack("!HH", os.getpid() & 0xFFFF, Probe.number & 0xFFFF)
        body = self.key + self.token
        head = bytes([128 if v6 else 8, 0, 0, 0])
        if not v6:
            head = head[:2] + struct.pack("!H", checksum(head + body))
        try:
            self.socket.sendto(head + body, (target, 0))
        except OSError:
            self.result = "closed"

    def echoed(self, s):
        data, _ = s.recvfrom(65536)
        if data[0] >> 4 == 4:
            data = data[20:]
        if data[0] in (0, 129) and data[4:8] == self.key:
            self.result = "open"

    def end(self, keep=None):
        if keep is None:
            forget(self.socket)
        elif self.result == "open":
            handlers.pop(self.socket.fileno(), None)
            poll.unregister(self.socket.fileno())
            kept[keep] = self.socket
        if self.result is None:
            self.result = "one-way" if self.token in received else "closed"
        return self.result


def probe(probes, waitMs, keep=None):
    made = [Probe(**p) for p in probes]
    serve(time.monotonic() + waitMs / 1000, lambda: all(p.result is not None for p in made))
    return [p.end(keep) for p in made]


def talk(name, waitMs):
    """Whether what is sent on a kept connection comes back."""
    s = kept[name]
    answers = []
    Probe.number += 1
    token = b"talk %d;" % Probe.number

    def answered(sock):
        try:
            answers.append(sock.recv(65536))
        except OSError:
            answers.append(b"")

    watch(s, answered)
    try:
        s.send(token)
        serve(time.monotonic() + waitMs / 1000, lambda: token in b"".join(answers) or b"" in answers)
    except OSError:
        pass
    handlers.pop(s.fileno(), None)
    poll.unregister(s.fileno())
    return token in b"".join(answers)


def sequence(name):
    """Where the next byte of a kept TCP connection will be: TCP_REPAIR 19, TCP_REPAIR_QUEUE 20, TCP_QUEUE_SEQ 21."""
    s = kept[name]
    s.setsockopt(socket.IPPROTO_TCP, 19, 1)
    s.setsockopt(socket.IPPROTO_TCP, 20, 2)
    number = s.getsockopt(socket.IPPROTO_TCP, 21)
    s.setsockopt(socket.IPPROTO_TCP, 20, 0)
    # Off, and no window probe.
    s.setsockopt(socket.IPPROTO_TCP, 19, -1)
    return number & 0xFFFFFFFF


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def packed(address):
    return socket.inet_pton(family(address), address)


def packet(
    source, destination, protocol, sourcePort=4444, port=0, flags="S", sequence=1000, type=None, code=0, body="", quote=None
):
    """An IP packet. protocol: tcp, udp, sctp (INIT), icmp (type, code, body in hex), or a number with the body in hex.
    An ICMP error goes on with the packet that it quotes."""
    v6 = family(source) == socket.AF_INET6
    data = bytes.fromhex(body)
    if quote is not None:
        data += packet(**quote)[:64]
    ports = struct.pack("!HH", sourcePort, port)
    at = None
    if protocol == "tcp":
        bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}[f] for f in flags)
        data, at = ports + struct.pack("!IIBBHHH", sequence, 2000 if "A" in flags else 0, 0x50, bits, 8192, 0, 0) + data, 16
    elif protocol == "udp":
        data, at = ports + struct.pack("!HH", 8 + len(data), 0) + data, 6
    elif protocol == "sctp":
        init = struct.pack("!BBHIIHHI", 1, 0, 20, 77, 65536, 1, 1, 5)
        data = ports + struct.pack("!II", 0, 0) + init
        data = data[:8] + struct.pack("<I", crc32c(data)) + data[12:]
    elif protocol == "icmp":
        data, at = bytes([type, code, 0, 0]) + data, 2
    number = PROTOCOLS.get(protocol) or (58 if v6 else 1) if isinstance(protocol, str) else protocol
    if at is not None:
        pseudo = packed(source) + packed(destination)
        pseudo += struct.pack("!IHBB", len(data), 0, 0, number) if v6 else struct.pack("!BBH", 0, number, len(data))
        if number == 1:
            pseudo = b""
        data = data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2 :]
    if v6:
        return struct.pack("!IHBB", 6 << 28, len(data), number, 255) + packed(source) + packed(destination) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 255, number, 0) + packed(source) + packed(destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def arp(source, destination, op, senderMac, sender, target):
    head = mac(destination) + mac(source) + struct.pack("!H", 0x0806)
    return head + struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac(senderMac) + packed(sender) + bytes(6) + packed(target)


def summary(data, protocol):
    """What a packet is, as far as tests ask."""
    if protocol == 0x0806:
        return {"arp": struct.unpack("!H", data[6:8])[0], "sender": socket.inet_ntop(socket.AF_INET, data[14:18])}
    if protocol == 0x0800:
        number, source, destination = data[9], data[12:16], data[16:20]
        rest, af = data[(data[0] & 15) * 4 :], socket.AF_INET
    else:
        number, source, destination, rest, af = data[6], data[8:24], data[24:40], data[40:], socket.AF_INET6
    found = {"source": socket.inet_ntop(af, source), "destination": socket.inet_ntop(af, destination), "protocol": number}
    if number in PROTOCOLS.values() and len(rest) >= 4:
        found["sourcePort"], found["port"] = struct.unpack("!HH", rest[:4])
    if number == 6 and len(rest) >= 14:
        found["flags"] = "".join(f for f, bit in zip("FSRPA", (1, 2, 4, 8, 16)) if rest[13] & bit)
    if number in (1, 58) and rest:
        found["type"] = rest[0]
    return found


def inject(send, watchIn, waitMs):
    """Sends packets and frames and gives what came in at each of the watched namespaces meanwhile."""
    sniffers = []
    for ns in watchIn:
        s = within(ns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)))
        s.setblocking(False)
        sniffers.append(s)
    for item in send:
        within(item["ns"], lambda: inject_one(item))
    serve(time.monotonic() + waitMs / 1000)
    seen = []
    for s in sniffers:
        found = []
        while True:
            try:
                data, (device, protocol, kind, _, _) = s.recvfrom(65536)
            except BlockingIOError:
                break
            if kind != socket.PACKET_OUTGOING and device != "lo" and protocol in (0x0800, 0x0806, 0x86DD):
                found.append(summary(data, protocol))
        s.close()
        seen.append(found)
    return seen


def inject_one(item):
    if "device" in item:
        frame = arp(**item["arp"]) if "arp" in item else None
        if frame is None:
            kind = 0x86DD if ":" in item["packet"]["source"] else 0x0800
            head = mac(item["destinationMac"]) + mac(item["sourceMac"]) + bytes.fromhex(item.get("tags", ""))
            frame = head + struct.pack("!H", kind) + packet(**item["packet"])
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((item["device"], 0))
            for _ in range(item.get("count", 1)):
                s.send(frame)
        return
    content = item["packet"]
    with socket.socket(family(content["source"]), socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        for _ in range(item.get("count", 1)):
            s.sendto(packet(**content), (content["destination"], 0))


OPERATIONS = {"listen": listen, "probe": probe, "talk": talk, "sequence": sequence, "inject": inject}

stop = False
buffered = b""


def command(stdin):
    global stop, buffered
    data = os.read(0, 1 << 20)
    stop = not data
    buffered += data
    while b"\n" in buffered:
        line, buffered = buffered.split(b"\n", 1)
        request = json.loads(line)
        try:
            answer = {"value": OPERATIONS[request.pop("op")](**request)}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


class Stdin:
    def fileno(self):
        return 0


watch(Stdin(), command)
while not stop:
    serve(time.monotonic() + 3600, lambda: stop)
