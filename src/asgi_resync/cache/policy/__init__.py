"""What RFC 9111 lets a shared cache do. Pure: no clock, no loop, no I/O; every decision gives its reason."""
