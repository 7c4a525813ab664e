"""Where something comes from, as links."""

from __future__ import annotations


def link(pathspec: str) -> str:
    """A run in Markdown: a link into Metaflow's UI where METAFLOW_UI_URL names one."""
    from metaflow import metaflow_config

    if not metaflow_config.UI_URL:
        return f"`{pathspec}`"
    return f"[{pathspec}]({metaflow_config.UI_URL.rstrip('/')}/{pathspec})"
