"""The same small API in Starlette, FastAPI and Litestar, wrapped in one line and served for real."""
