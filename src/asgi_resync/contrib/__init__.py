"""What the idiom of a framework needs, and no more: each framework has a module of its own, which nothing else imports.

Quart, Django, Falcon, BlackSheep and bare ASGI apps need none: `app = resync(app)` and `cache_for` are theirs as well.
"""
