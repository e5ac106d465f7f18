"""A plan to a `LoadResult`; `engine` is the child process, the only code that imports Locust or gevent."""
