#!/usr/bin/env python3
"""Modbus slaves of other people's making (pymodbus) on one serial line, with data that is known beforehand.

    modbus_slave.py --port FILE [--baud 19200] [--framing rtu|ascii] [--units 1,2,3,4,5] [--delay MS]
    modbus_slave.py --tcp [--framing rtu|ascii|socket] …         listens on a free port of 127.0.0.1

Prints `READY`, or `READY PORT`. Units that are not listed never answer. Lines on standard input:

    get UNIT holding|input|coil|discrete ADDRESS COUNT   -> a JSON list
    set UNIT holding|input|coil|discrete ADDRESS VALUE…  -> ok
    mute UNIT, unmute UNIT                               -> ok; a muted unit does not answer
    requests                                             -> {"1": 12, …}: requests to each unit, answered or not

At the end of standard input it ends. The data of unit U, addresses as on the wire; input and holding registers alike, of
which the holding ones can be written:

    0      uint16 1000 + U
    1      int16 -1234
    2      int8 -5 in the upper byte, uint8 250 in the lower
    3      bits 0xA503
    4-5    uint32 4000000000 + U
    6-7    int32 -2000000000
    8-11   uint64 0x0123456789ABCDEF
    12-15  int64 -9007199254740993
    16     float16 21.5
    17-18  float32 230.25
    19-22  float64 3.141592653589793
    23-30  string "Baudgate U", filled up with zero bytes
    31-32  float32 49.98 (0x4247EB85), low word first
    33-34  uint32 0x12345678, bytes of each word swapped
    35-36  float32 -1.5, low word first and bytes swapped
    37     uint16 2, an enumeration
    38-39  float32, not a number
    40-99  nothing: exception 2
    100-299  uint16 1000 * U + address

Coils and discrete inputs 0 to 2099: a coil is on at odd addresses, a discrete input at multiples of 3.
"""

import argparse
import asyncio
import collections
import json
import logging
import struct
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

BITS = 2100


def words(data):
    return list(struct.unpack(f">{len(data) // 2}H", data))


def swapped(data):
    return b"".join(data[i + 1 : i + 2] + data[i : i + 1] for i in range(0, len(data), 2))


def low_word_first(data):
    return b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))


def registers(unit):
    data = struct.pack(">Hh", 1000 + unit, -1234) + struct.pack(">bB", -5, 250) + struct.pack(">H", 0xA503)
    data += struct.pack(">Ii", 4_000_000_000 + unit, -2_000_000_000)
    data += struct.pack(">Qq", 0x0123456789ABCDEF, -9_007_199_254_740_993)
    data += struct.pack(">efd", 21.5, 230.25, 3.141592653589793)
    data += f"Baudgate {unit}".encode().ljust(16, b"\0")
    data += low_word_first(struct.pack(">f", 49.98)) + swapped(struct.pack(">I", 0x12345678))
    data += swapped(low_word_first(struct.pack(">f", -1.5)))
    data += struct.pack(">H", 2) + struct.pack(">I", 0x7FC00000)
    values = dict(enumerate(words(data)))
    assert len(values) == 40
    values.update({address: (1000 * unit + address) & 0xFFFF for address in range(100, 300)})
    return values


def block(values):
    # The context adds 1 to each address.
    return ModbusSparseDataBlock({address + 1: value for address, value in values.items()})


class Unit(ModbusSlaveContext):
    """A slave that may take its time."""

    def __init__(self, unit, delay):
        super().__init__(
            di=block({address: address % 3 == 0 for address in range(BITS)}),
            co=block({address: address % 2 == 1 for address in range(BITS)}),
            ir=block(registers(unit)),
            hr=block(registers(unit)),
        )
        self.delay = delay

    async def async_getValues(self, function, address, count=1):
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.getValues(function, address, count)


FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


def obey(line, units, context, requests):
    verb, *rest = line.split()
    if verb == "requests":
        return json.dumps(requests)
    number = int(rest[0])
    if verb == "mute":
        del context[number]
    elif verb == "unmute":
        context[number] = units[number]
    elif verb == "get":
        return json.dumps(units[number].getValues(FUNCTIONS[rest[1]], int(rest[2]), int(rest[3])))
    elif verb == "set":
        units[number].setValues(FUNCTIONS[rest[1]], int(rest[2]), [int(value, 0) for value in rest[3:]])
    else:
        raise ValueError(f"unknown: {line}")
    return "ok"


async def obey_all(units, context, requests):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip():
            print(obey(line.decode(), units, context, requests), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--baud", type=int, default=19200)
    parser.add_argument("--framing", choices=["rtu", "ascii", "socket"], default="rtu")
    parser.add_argument("--units", default="1,2,3,4,5")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds before each answer to a reading")
    arguments = parser.parse_args()

    units = {int(number): Unit(int(number), arguments.delay / 1000) for number in arguments.units.split(",")}
    context = ModbusServerContext(slaves=dict(units), single=False)
    requests = collections.Counter()

    def count(is_sending, pdu):
        if not is_sending:
            requests[str(pdu.dev_id)] += 1
        return pdu

    # It logs each exception it answers with, and each unit it has not.
    logging.disable(logging.ERROR)
    common = {
        "framer": FramerType(arguments.framing),
        "ignore_missing_slaves": True,
        "broadcast_enable": True,
        "trace_pdu": count,
    }
    if arguments.tcp:
        server = ModbusTcpServer(context, address=("127.0.0.1", 0), **common)
    else:
        server = ModbusSerialServer(context, port=arguments.port, baudrate=arguments.baud, **common)
    await server.serve_forever(background=True)
    port = f" {server.transport.sockets[0].getsockname()[1]}" if arguments.tcp else ""
    print(f"READY{port}", flush=True)
    await obey_all(units, context, requests)
    await server.shutdown()


asyncio.run(main())
