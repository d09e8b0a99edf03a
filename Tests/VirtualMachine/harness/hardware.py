"""What the machine is made of. A saved state fits this file's very contents alone: another text here, another first start."""

import os
import shlex
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = "1G"
# One: with two, QEMU's emulation has been seen to let a kernel that changes its own code run into a half-changed instruction.
PROCESSORS = 1
# Where the host's server is for the machine; nothing else is there.
SERVER_ADDRESS = "10.0.2.100"
SERVER_PORT = 8080


def command(image, overlay, share, directory, port, accelerator):
    """QEMU's command line; its sockets and logs are in `directory`."""
    forward = shlex.join([sys.executable, os.path.join(HERE, "forward.py"), str(port)])
    processor = {"kvm": ["-accel", "kvm", "-cpu", "host"],
                 "tcg": ["-accel", "tcg", "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"]}[accelerator]

    def file(name):
        return os.path.join(directory, name)

    # A panic ends QEMU: at once, and without a start nobody has asked for.
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35", *processor, "-m", MEMORY, "-smp", str(PROCESSORS), "-rtc", "base=utc",
        "-kernel", image.kernel, "-initrd", image.initrd,
        "-append", "console=ttyS0 quiet net.ifnames=0 systemd.show_status=0 mitigations=off panic=-1",
        "-chardev", f"file,id=console,path={file('console')}", "-serial", "chardev:console",
        "-qmp", f"unix:{file('qmp')},server=on,wait=off",
        "-drive", f"file={overlay},format=qcow2,if=none,id=root,cache=unsafe", "-device", "virtio-blk-pci,drive=root",
        "-device", "virtio-scsi-pci,id=scsi", "-device", "virtio-rng-pci",
        # Adapters are of full speed, which the UHCI companions serve. QEMU's XHCI has been seen to forget the reads of an
        # adapter that was opened again in a machine taken up from a saved state.
        "-device", "ich9-usb-ehci1,id=usb,addr=1d.7,multifunction=on",
        "-device", "ich9-usb-uhci1,masterbus=usb.0,firstport=0,addr=1d.0,multifunction=on",
        "-device", "ich9-usb-uhci2,masterbus=usb.0,firstport=2,addr=1d.1",
        "-device", "ich9-usb-uhci3,masterbus=usb.0,firstport=4,addr=1d.2",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={file('agent')},server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        "-netdev", f"user,id=net,restrict=on,guestfwd=tcp:{SERVER_ADDRESS}:{SERVER_PORT}-cmd:{forward}",
        "-device", "virtio-net-pci,netdev=net,id=nic",
        "-fsdev", f"local,id=share,path={share},security_model=none,readonly=on",
        "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
    ]
