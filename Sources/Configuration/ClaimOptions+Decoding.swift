internal import YAML

extension ClaimOptions {
  static let durationRange = Duration.seconds(1) ... .seconds(30 * 24 * 3600)

  /// Reads `claim`, whose reader hides values. Whether `button` is a line is checked by who knows the lines.
  init?(from reader: inout MappingReader, in surroundings: Surroundings) {
    self.init()
    secret = reader.secret("secret", isRequired: false, in: surroundings)
    duration = reader.duration("duration", in: Self.durationRange)
    atBoot = reader.boolean("at_boot") ?? false
    button = reader.nonEmptyString("button")
    guard reader.finish() else { return nil }
  }
}
