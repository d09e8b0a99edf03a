internal import Gateway
internal import Glibc

exit(Daemon.run(CommandLine.arguments))
