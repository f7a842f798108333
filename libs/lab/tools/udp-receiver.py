"""Counts the numbered datagrams of one probe.

  udp-receiver.py ADDRESS TOKEN
prints {"port": N}; then reads one line, {"sent": N, "graceMs": M}: it ends when it has all N, or M milliseconds later, and prints what it saw.
"""
import json, select, socket, struct, sys, time

address, token = sys.argv[1], bytes.fromhex(sys.argv[2])
sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
sock.bind((address, 0))
sock.setblocking(False)
print(json.dumps({'port': sock.getsockname()[1]}), flush=True)

seen, duplicates, silence, last = set(), 0, 0.0, None
sent, end = None, None


def receive():
    global duplicates, silence, last
    while True:
        try:
            datagram = sock.recv(2048)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error that came back; the numbers tell what was lost
            continue
        if len(datagram) < 16 or datagram[:8] != token:
            continue
        now = time.monotonic()
        if last is not None:
            silence = max(silence, now - last)
        last = now
        (number,) = struct.unpack('!Q', datagram[8:16])
        if number in seen:
            duplicates += 1
        seen.add(number)


while sent is None or (len(seen) < sent and time.monotonic() < end):
    timeout = None if sent is None else max(0.0, end - time.monotonic())
    ready, _, _ = select.select([sock] + ([sys.stdin] if sent is None else []), [], [], timeout)
    if sock in ready:
        receive()
    if sys.stdin in ready:
        line = sys.stdin.readline()
        if not line:
            sys.exit(1)
        stop = json.loads(line)
        sent, end = stop['sent'], time.monotonic() + stop['graceMs'] / 1000
receive()
missing = [number for number in range(sent) if number not in seen]
print(json.dumps({'received': len(seen), 'missing': missing, 'duplicates': duplicates, 'longestSilenceMs': silence * 1000}), flush=True)
