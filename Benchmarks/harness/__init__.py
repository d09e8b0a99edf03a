"""What `make bench` measures with; docs/benchmarks.md explains the figures."""
