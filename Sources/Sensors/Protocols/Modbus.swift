/// `protocol: modbus_rtu` and `protocol: modbus_ascii`: units on a line that are asked for registers, by Baudgate as the
/// line's only master. RTU over TCP is `modbus_rtu` on a port with a path such as `tcp://192.0.2.7:4001`.
///
/// Source: MODBUS Application Protocol Specification V1.1b3; Modbus over Serial Line V1.02.
enum ModbusProtocol {
  static let rtu = entry("modbus_rtu", .rtu)
  static let ascii = entry("modbus_ascii", .ascii)

  private static func entry(_ name: String, _ framing: ModbusFraming) -> ProtocolEntry {
    ProtocolEntry(
      name: name,
      decode: { reader, naming in ModbusSettings(from: &reader, framing, naming) },
      hints: [
        "slave": "the key is \"unit\"", "slave_id": "the key is \"unit\"", "unit_id": "the key is \"unit\"",
        "address": "the unit's is \"unit\"; a register's stands in registers: {voltage: {input: 0}}",
        "scale": "it belongs to a register: registers: {voltage: {input: 0, scale: 0.1}}",
        "offset": "it belongs to a register: registers: {temperature: {input: 0, offset: -40}}",
        "type": "it belongs to a register: registers: {voltage: {input: 0, type: float32}}",
        "baud": "it belongs to the port",
      ],
      source: .bus { sensor in ModbusPoll(sensor) })
  }
}
