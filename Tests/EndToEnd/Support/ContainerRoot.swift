import Foundation

/// A root directory in which a real dpkg installs real packages and a real daemon runs: the host's /usr below an
/// overlay, everything else its own, in a mount namespace that is gone with it. No service manager is in it; the network
/// is the host's.
///
/// Source: unshare(1), nsenter(1), chroot(8), Documentation/filesystems/overlayfs.rst.
final class ContainerRoot: Sendable {
  /// Why there is none here, such as a container that may not mount; `nil` where there can be.
  static let obstacle: String? = {
    if geteuid() != 0 { return "only root may mount and chroot" }
    for program in ["dpkg", "dpkg-deb", "unshare", "nsenter", "objdump", "strip", "make"]
    where !["/usr/bin/", "/bin/"].contains(where: { FileManager.default.isExecutableFile(atPath: $0 + program) }) {
      return "there is no \(program)"
    }
    do {
      let root = try ContainerRoot()
      let answer = try root.run(["/bin/sh", "-c", "dpkg --version && touch /usr/libexec/probe"])
      return answer.status == 0 ? nil : "a command in the container fails: \(answer.errors)"
    } catch { return "\(error)" }
  }()

  /// How a process enters it.
  private let entrance: [String]
  private let holder: pid_t
  private let scratch: Scratch
  private let processPath: String

  init() throws {
    let scratch = try Scratch()
    self.scratch = scratch
    try scratch.write(Self.script, to: "build")
    let log = scratch.file("holder")
    let held = try DaemonProcess.launch(
      ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", scratch.file("build"), scratch.path],
      output: log)
    holder = held
    let end = Date().addingTimeInterval(20)
    while !scratch.read("holder").hasSuffix("ready\n") {
      var status: CInt = 0
      if Date() > end || waitpid(held, &status, WNOHANG) == held {
        kill(held, SIGKILL)
        throw DaemonProcess.Failure("mounting is not permitted: \(scratch.read("holder"))")
      }
      usleep(10_000)
    }
    entrance = ["/usr/bin/nsenter", "--target", "\(held)", "--mount", "/usr/sbin/chroot", "\(scratch.path)/in/root"]
    processPath = "/proc/\(held)/root\(scratch.path)/in/root"
  }

  deinit {
    // The namespace's last process: its mounts go with it.
    kill(holder, SIGKILL)
    waitpid(holder, nil, 0)
  }

  /// A file of the container, as the host sees it.
  func file(_ path: String) -> String { processPath + path }

  func read(_ path: String) -> String { (try? String(contentsOfFile: file(path), encoding: .utf8)) ?? "" }

  func write(_ text: String, to path: String) throws {
    try text.write(toFile: file(path), atomically: false, encoding: .utf8)
  }

  func exists(_ path: String) -> Bool { access(file(path), F_OK) == 0 }

  /// Runs a program in there to its end.
  func run(_ arguments: [String]) throws -> (status: CInt, output: String, errors: String) {
    try DaemonProcess.run(entrance + arguments, environment: Self.environment)
  }

  /// Starts a program in there; the caller ends and awaits it.
  ///
  /// - Parameter output: Where both its outputs go, a file of the host's.
  func launch(_ arguments: [String], output: String) throws -> pid_t {
    try DaemonProcess.launch(entrance + arguments, environment: Self.environment, output: output)
  }

  /// What dpkg says of the package's version there; empty where it is not installed.
  func installedVersion(of package: String) throws -> String {
    try run(["/usr/bin/dpkg-query", "-W", "-f", "${Version}", package]).output
  }

  /// Tells the container's dpkg that what a package depends on is there, as it is below the overlay.
  func satisfyDependencies(of deb: String) throws {
    let depends = try DaemonProcess.run(["/usr/bin/dpkg-deb", "-f", deb, "Depends"]).output
    var status = ""
    for name in depends.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespacesAndNewlines) }) {
      status += """
        Package: \(name)
        Status: install ok installed
        Maintainer: nobody
        Architecture: all
        Multi-Arch: foreign
        Version: 999
        Description: below the overlay


        """
    }
    try write(status, to: "/var/lib/dpkg/status")
  }

  private static let environment = [
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
  ]

  /// Everything that is mounted is mounted in a tmpfs of the namespace, which nobody outside sees.
  private static let script = """
    set -e
    base=$1/in
    mkdir "$base"
    mount -t tmpfs -o mode=0755 baudgate-test "$base"
    root=$base/root
    mkdir -p "$base/upper" "$base/work" "$root/usr" "$root/etc" "$root/dev" "$root/proc" "$root/tmp" "$root/run" \\
      "$root/root" "$root/var/tmp" "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
    chmod 1777 "$root/tmp" "$root/var/tmp"
    mount -t overlay -o "lowerdir=/usr,upperdir=$base/upper,workdir=$base/work" overlay "$root/usr"
    for name in bin sbin lib lib32 lib64 libx32; do
      if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
      elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"
      fi
    done
    mount --rbind /dev "$root/dev"
    mount --rbind /proc "$root/proc"
    for name in ld.so.cache ld.so.conf ld.so.conf.d nsswitch.conf hosts ssl; do
      if [ -e "/etc/$name" ]; then cp -a "/etc/$name" "$root/etc/$name"; fi
    done
    printf 'root:x:0:0:root:/root:/bin/sh\\nnobody:x:65534:65534:nobody:/:/bin/false\\n' >"$root/etc/passwd"
    printf 'root:x:0:\\ndialout:x:20:\\nnogroup:x:65534:\\n' >"$root/etc/group"
    : >"$root/var/lib/dpkg/status"
    : >"$root/var/lib/dpkg/available"
    echo ready
    exec sleep infinity
    """
}
