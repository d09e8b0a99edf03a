internal import YAML

/// `map: sdm120`: a file of registers that many sensors share, in the sensors' own language.
struct RegisterMap {
  var order = RegisterOrder()
  var maxGap: Int?
  var maxRegisters: Int?

  /// Reads `map:`, if it is there, and adds its registers to `list`. What is wrong in the file is told at its place there.
  ///
  /// - Returns: `nil`, and a message, where the map cannot be used.
  init?(from reader: inout MappingReader, into list: inout RegisterList) {
    guard reader.makeKnown("map") else { return }
    guard let name = reader.nonEmptyString("map") else { return nil }
    let subject = "\(reader.path(of: "map")) is \(quoted(name))"
    let file: LibraryFile
    do throws(LibraryFailure) {
      guard let library = reader.diagnostics.library else { throw LibraryFailure("no other file is read here") }
      file = try library.file(named: name)
    } catch {
      reader.error(at: "map", "\(subject); \(error.message)")
      return nil
    }
    let diagnostics = Diagnostics(file: file.path)
    list.files.append(diagnostics)
    guard let document = YAMLNode.load(file.bytes, file: file.path, diagnostics: diagnostics),
      var map = MappingReader(document, path: "", diagnostics: diagnostics)
    else { return nil }
    map.require("registers")
    order = RegisterOrder(from: &map, usual: RegisterOrder())
    (maxGap, maxRegisters) = ModbusSettings.planOptions(&map)
    _ = list.add(&map, usual: order)
    guard map.finish(hints: ["unit": "it belongs to the sensor", "units": "they belong to a register"]) else {
      return nil
    }
  }
}
