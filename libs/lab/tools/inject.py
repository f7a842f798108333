"""Sends raw Ethernet frames, each behind its length as four bytes on standard input, out of one interface.

  inject.py INTERFACE
"""
import socket, struct, sys

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sock.bind((sys.argv[1], 0))
data = sys.stdin.buffer.read()
at = 0
while at < len(data):
    (length,) = struct.unpack_from('!I', data, at)
    sock.send(data[at + 4 : at + 4 + length])
    at += 4 + length
