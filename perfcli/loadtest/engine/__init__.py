"""The load engine, a child process: the only code that imports Locust or gevent.

`__main__` imports Locust before anything else, because Locust replaces parts of the standard library.
"""
