"""Pages: their headers, and links that work below any path."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import FileResponse

from speechmlx.protocols.http.paths import CLIENT_PATH
from speechmlx.protocols.http.static import page_response


@pytest.mark.parametrize(("path", "base"), [("/docs", None), ("/docs/", "../"), ("/docs//", "../../")])
def test_slashes_at_the_end_move_the_base_of_links(path: str, base: str | None) -> None:
    scope = {"type": "http", "method": "GET", "path": "/docs", CLIENT_PATH: path, "headers": []}
    response = page_response(Request(scope), "docs.html")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in response.headers["content-security-policy"]
    if base is None:
        assert isinstance(response, FileResponse)
    else:
        assert f'<base href="{base}">'.encode() in bytes(response.body)
