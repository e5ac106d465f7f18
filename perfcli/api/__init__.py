"""The instrumented inference API: `create_app`, schemas, routes, and `instrument`, which is pure ASGI."""
