"""What `make bench` measures: quality and speed, beside the stack one would otherwise write."""
