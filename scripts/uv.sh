# Sourced by the other scripts: sets $UV to uv (the one on PATH, else one kept in .venv/uv) and hands it pip's settings.

for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
    [ -n "$name" ] || continue
    PYTHON="$("$name" -c 'import sys; print(sys.executable if (3, 11) <= sys.version_info < (3, 15) else "")' 2>/dev/null)" || PYTHON=""
    [ -z "$PYTHON" ] || break
done
if [ -z "$PYTHON" ]; then
    echo "Python 3.11 to 3.14 is needed and was not found on PATH; set PYTHON to one." >&2
    exit 1
fi

# uv does not read pip's configuration: a mirror, or a certificate for one, set there counts here too.
pip_setting() { "$PYTHON" -m pip config get "global.$1" 2>/dev/null || true; }
: "${UV_DEFAULT_INDEX:=${UV_INDEX_URL:-${PIP_INDEX_URL:-$(pip_setting index-url)}}}"
: "${UV_INDEX:=${UV_EXTRA_INDEX_URL:-${PIP_EXTRA_INDEX_URL:-$(pip_setting extra-index-url)}}}"
: "${SSL_CERT_FILE:=${PIP_CERT:-$(pip_setting cert)}}"
[ -z "$UV_DEFAULT_INDEX" ] || export UV_DEFAULT_INDEX
[ -z "$UV_INDEX" ] || export UV_INDEX
if [ -n "$SSL_CERT_FILE" ]; then
    export SSL_CERT_FILE
elif [ "$(uname)" = Darwin ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ]; then
    export UV_SYSTEM_CERTS=true
fi
# With several indexes the locked version may be in any of them; the locked hashes say that it is the right one.
export UV_INDEX_STRATEGY=unsafe-best-match

UV="$(command -v uv 2>/dev/null || true)"
if [ -z "$UV" ] || ! "$UV" --version >/dev/null 2>&1; then
    UV="$PWD/.venv/uv/bin/uv"
    if [ ! -x "$UV" ]; then
        echo "Installing uv into .venv/uv"
        "$PYTHON" -m pip install --quiet --disable-pip-version-check --target .venv/uv 'uv>=0.9,<1' 2>&1 |
            { grep -v 'as the .root. user' || true; }
    fi
fi
