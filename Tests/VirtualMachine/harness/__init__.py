"""What the parts of `make vm-test` stand on: the image, the machine, its disk, the server beside it."""
