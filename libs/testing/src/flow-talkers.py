"""Flows that both ends can talk on, each by itself. Takes one JSON command a line, answers one JSON value a line.

open  {name, protocol: tcp|udp|icmp, client: netns path, server: netns path, source, listen, target, sourcePort, port}
speak {name, sides}   which ends send a message every 20 ms from now on: client, server
heard {name}          messages so far: {client: what came to the client, server: what came to the server}
"""
import ctypes, json, os, select, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
HOME = os.open('/proc/self/ns/net', os.O_RDONLY)
TICK = 0.02


def within(path, make):
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, 0) != 0:
            raise OSError(ctypes.get_errno(), 'setns ' + path)
        try:
            return make()
        finally:
            if libc.setns(HOME, 0) != 0:
                os._exit(1)
    finally:
        os.close(fd)


def bound(family, kind, address, port):
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


class Flow:
    def __init__(self, command):
        self.protocol = command['protocol']
        self.family = socket.AF_INET6 if ':' in command['target'] else socket.AF_INET
        self.sides = []
        self.heard = {'client': 0, 'server': 0}
        self.peer = None
        getattr(self, 'open_' + self.protocol)(command)
        for sock in (self.client, self.server):
            if sock is not None:
                sock.setblocking(False)

    def open_tcp(self, c):
        listener = within(c['server'], lambda: bound(self.family, socket.SOCK_STREAM, c['listen'], c['port']))
        listener.listen()
        listener.settimeout(3)
        self.client = within(c['client'], lambda: bound(self.family, socket.SOCK_STREAM, c['source'], c['sourcePort']))
        self.client.settimeout(1)
        self.client.connect((c['target'], c.get('targetPort', c['port'])))
        self.server, _ = listener.accept()
        listener.close()
        for sock in (self.client, self.server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def open_udp(self, c):
        self.server = within(c['server'], lambda: bound(self.family, socket.SOCK_DGRAM, c['listen'], c['port']))
        self.client = within(c['client'], lambda: bound(self.family, socket.SOCK_DGRAM, c['source'], c['sourcePort']))
        self.client.connect((c['target'], c.get('targetPort', c['port'])))
        self.client.send(b'.')
        self.server.settimeout(1)
        _, self.peer = self.server.recvfrom(2048)

    def open_icmp(self, c):
        protocol = socket.IPPROTO_ICMPV6 if self.family == socket.AF_INET6 else socket.IPPROTO_ICMP
        self.server = None
        self.client = within(c['client'], lambda: socket.socket(self.family, socket.SOCK_RAW, protocol))
        self.client.bind((c['source'], 0))
        self.client.connect((c['target'], 0))
        self.id = c['sourcePort']

    def say(self):
        for side in self.sides:
            try:
                if self.protocol == 'icmp':
                    self.client.send(self.echo())
                elif side == 'client':
                    self.client.send(b'.')
                elif self.protocol == 'udp':
                    self.server.sendto(b'.', self.peer)
                else:
                    self.server.send(b'.')
            except OSError:
                pass

    def echo(self):
        if self.family == socket.AF_INET6:
            return struct.pack('!BBHHH', 128, 0, 0, self.id, 1)
        body = struct.pack('!BBHHH', 8, 0, 0, self.id, 1)
        return struct.pack('!BBHHH', 8, 0, 0xffff - (0x0800 + self.id + 1) % 0xffff, self.id, 1)

    def hear(self, side):
        sock = self.client if side == 'client' else self.server
        try:
            while sock is not None:
                data = sock.recv(65536)
                if not data:
                    break
                if self.protocol == 'icmp':
                    header = data if self.family == socket.AF_INET6 else data[20:]
                    reply = 129 if self.family == socket.AF_INET6 else 0
                    if header[0] != reply or struct.unpack('!H', header[4:6])[0] != self.id:
                        continue
                self.heard[side] += len(data) if self.protocol == 'tcp' else 1
        except OSError:
            pass

    def close(self):
        for sock in (self.client, self.server):
            if sock is not None:
                sock.close()


flows = {}


def run(command):
    name = command.get('name')
    if command['do'] == 'open':
        try:
            flows[name] = Flow(command)
            return True
        except OSError as error:
            return str(error)
    flow = flows[name]
    if command['do'] == 'speak':
        flow.sides = command['sides']
    if command['do'] == 'close':
        flows.pop(name).close()
        return True
    for side in ('client', 'server'):
        flow.hear(side)
    return dict(flow.heard)


next_tick = time.monotonic()
pending = b''
while True:
    ready, _, _ = select.select([0], [], [], max(0, next_tick - time.monotonic()))
    if ready:
        piece = os.read(0, 65536)
        if not piece:
            break
        pending += piece
        *lines, pending = pending.split(b'\n')
        for line in lines:
            sys.stdout.write(json.dumps(run(json.loads(line))) + '\n')
            sys.stdout.flush()
    if time.monotonic() >= next_tick:
        next_tick = time.monotonic() + TICK
        for flow in flows.values():
            flow.say()
            flow.hear('client')
            flow.hear('server')
