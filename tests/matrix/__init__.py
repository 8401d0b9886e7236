"""Frameworks × versions × servers × Pythons: each cell keeps the promises of `tests/frameworks` over real sockets."""
