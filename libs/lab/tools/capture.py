"""Writes every frame that one interface sends or receives to standard output, until a line (or the end) of standard input.

  capture.py INTERFACE
A record is: kind (0 in, 1 out, 2 ready), time in nanoseconds since the epoch, length, bytes. The kernel takes VLAN tags out of frames; they are put back.
"""
import select, socket, struct, sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 3, 263, 8, 35, 33
VLAN_VALID, TPID_VALID = 0x10, 0x40
RECORD = struct.Struct('!BQI')

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
sock.bind((sys.argv[1], ETH_P_ALL))
sock.setblocking(False)
out = sys.stdout.buffer
out.write(RECORD.pack(2, 0, 0))
out.flush()


def drain():
    while True:
        try:
            frame, ancillary, _, address = sock.recvmsg(65536, 1024)
        except BlockingIOError:
            break
        except OSError:  # the interface went down; it may come back
            break
        at = 0
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack('qq', data[:16])
                at = seconds * 10**9 + nanoseconds
            elif level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack('IIIHHHH', data[:20])
                if status & VLAN_VALID:
                    frame = frame[:12] + struct.pack('!HH', tpid if status & TPID_VALID else 0x8100, tci) + frame[12:]
        out.write(RECORD.pack(1 if address[2] == socket.PACKET_OUTGOING else 0, at, len(frame)) + frame)
    out.flush()


stopped = False
while not stopped:
    stopped = sys.stdin in select.select([sock, sys.stdin], [], [])[0]
    drain()
