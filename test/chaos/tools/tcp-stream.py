"""Keeps one TCP connection busy until standard input ends or has a line: numbered lines one way, the same lines back.

  tcp-stream.py serve ADDRESS
prints {"port": …} and echoes the one connection that it accepts, until that ends.
  tcp-stream.py send FROM TO PORT
prints {"connected": true}, and at the end {"sent", "echoed", "error"}: error says what ended the connection early, if anything did.
"""
import json, select, socket, sys, time

EVERY = 0.01   # seconds between lines
PATIENCE = 5.0  # seconds that the last echoes may take


def say(value):
    print(json.dumps(value), flush=True)


def serve(address):
    listener = socket.create_server((address, 0))
    say({'port': listener.getsockname()[1]})
    connection, _ = listener.accept()
    try:
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError:
        pass


def send(source, target, port):
    connection = socket.create_connection((target, port), timeout=PATIENCE, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say({'connected': True})
    sent, echoed, rest, error, due, end = 0, 0, b'', None, time.monotonic(), None
    try:
        while end is None or (echoed < sent and time.monotonic() < end):
            now = time.monotonic()
            wait = max(0.0, due - now) if end is None else end - now
            readable = select.select([connection] + ([sys.stdin] if end is None else []), [], [], wait)[0]
            if sys.stdin in readable:
                end = time.monotonic() + PATIENCE
            if connection in readable:
                data = connection.recv(65536)
                if not data:
                    error = 'the connection was closed'
                    break
                *lines, rest = (rest + data).split(b'\n')
                for line in lines:
                    if int(line) != echoed:
                        error = f'{line!r} came back instead of {echoed}'
                        end = 0
                    echoed += 1
            if end is None and time.monotonic() >= due:
                connection.sendall(b'%d\n' % sent)
                sent, due = sent + 1, due + EVERY
    except OSError as failure:
        error = str(failure)
    say({'sent': sent, 'echoed': echoed, 'error': error})


if sys.argv[1] == 'serve':
    serve(sys.argv[2])
else:
    send(sys.argv[2], sys.argv[3], int(sys.argv[4]))
