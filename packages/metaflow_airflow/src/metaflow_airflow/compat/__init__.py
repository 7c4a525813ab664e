"""Private ground: what the bridge relies on and no framework promises, one module a framework.

Each entry says why, and in which version it was read; a test of its name in tests/compat fails when
upstream moves it. The launcher loads this room by its path: standard library only at the top.
"""
