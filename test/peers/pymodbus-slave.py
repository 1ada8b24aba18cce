"""A Modbus slave by pymodbus: values laid into its registers by its payload builder, in every order.

Arguments: device, framer (rtu or ascii), unit, values as JSON. Holding registers: 100 for each order, of Big/Big,
Big/Little, Little/Big, Little/Little (bytes/words). Says "ready" when it listens.
"""
import asyncio
import json
import sys

from pymodbus.constants import Endian
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.payload import BinaryPayloadBuilder
from pymodbus.server import StartAsyncSerialServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer

ORDERS = [(Endian.Big, Endian.Big), (Endian.Big, Endian.Little), (Endian.Little, Endian.Big), (Endian.Little, Endian.Little)]


def registers(values):
    laid = []
    for byteorder, wordorder in ORDERS:
        builder = BinaryPayloadBuilder(byteorder=byteorder, wordorder=wordorder)
        builder.add_16bit_uint(values["uint16"])
        builder.add_16bit_int(values["int16"])
        builder.add_32bit_uint(values["uint32"])
        builder.add_32bit_int(values["int32"])
        builder.add_64bit_uint(int(values["uint64"]))
        builder.add_64bit_int(int(values["int64"]))
        builder.add_32bit_float(values["float32"])
        builder.add_64bit_float(values["float64"])
        builder.add_string(values["string"])
        laid += (builder.to_registers() + [0] * 100)[:100]
    return laid


async def main():
    device, framer, unit, values = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    words = registers(values)
    context = ModbusSlaveContext(
        hr=ModbusSequentialDataBlock(0, words),
        ir=ModbusSequentialDataBlock(0, words),
        co=ModbusSequentialDataBlock(0, [at % 5 == 0 for at in range(64)]),
        di=ModbusSequentialDataBlock(0, [at % 3 == 0 for at in range(64)]),
        zero_mode=True,
    )
    asyncio.get_running_loop().call_later(0.3, lambda: print("ready", flush=True))
    await StartAsyncSerialServer(
        context=ModbusServerContext(slaves={unit: context}, single=False),
        framer=ModbusRtuFramer if framer == "rtu" else ModbusAsciiFramer,
        port=device,
        baudrate=38400,
        bytesize=8,
        parity="N",
        stopbits=1,
    )


asyncio.run(main())
