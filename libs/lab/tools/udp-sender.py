"""Sends numbered datagrams at a steady rate until a line (or the end) of standard input.

  udp-sender.py FROM TO PORT PPS TOKEN
prints {"started": true} behind the first datagram, and at the end what was sent.
Each datagram has its place in time, counted from the first. A sender that was held up catches up a few and leaves out the others, so that the
rate which it prints is honest and no burst fills a queue.
"""
import json, os, select, socket, struct, sys, time

CATCH_UP = 5  # datagrams

source, target, port, rate, token = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), bytes.fromhex(sys.argv[5])
try:
    os.nice(-10)  # a busy machine must not look like a broken network
except OSError:
    pass
sock = socket.socket(socket.AF_INET6 if ':' in target else socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((source, 0))
sent, errors, last_error, first, due = 0, 0, None, time.monotonic(), time.monotonic()
while True:
    try:
        sock.sendto(token + struct.pack('!Q', sent), (target, port))
    except OSError as error:
        errors, last_error = errors + 1, str(error)
    last = time.monotonic()
    sent += 1
    if sent == 1:
        print(json.dumps({'started': True}), flush=True)
    due += 1 / rate
    if last - due > CATCH_UP / rate:
        due = last
    if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        break
seconds = last - first
print(json.dumps({'sent': sent, 'rate': (sent - 1) / seconds if sent > 1 else 0.0, 'errors': errors, 'lastError': last_error}), flush=True)
