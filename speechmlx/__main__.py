"""`python -m speechmlx` is `audio-server`."""

from speechmlx.cli import main

if __name__ == "__main__":
    main()
