"""Clauses: where text that is still being written can be cut, so that its beginning is spoken already. Pure."""

from __future__ import annotations

from speechmlx.reading.sentences import STOPS, finished, phrase

FIRST_CLAUSE = 10
LONGEST_FIRST_CLAUSE = 60
"""Characters of the first clause, at least and at most: it is short because the listener waits for it."""
CLAUSE = 24
"""Characters of later clauses and of phrases, at least: shorter ones are not worth a synthesis of their own."""
LONGEST = 400
"""Characters that wait for the end of their clause, at most: more are cut between words, or anywhere. So the work for
each token is bounded, whatever a language model writes."""
PATIENCE = 0.4
"""Seconds in which a clause is usually written. A slower one is cut into phrases, so that the sound does not stop."""


class ClauseSplitter:
    """Cuts one text that arrives in pieces. The clauses join to the text as far as it was given out."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_first = True
        self._began = 0.0
        """When the pending clause began to arrive, on the caller's clock."""

    def push(self, text: str, now: float) -> list[str]:
        """Add `text`, which arrives at `now` seconds. Returns the clauses that are complete by it."""
        if not self._pending.strip():
            self._began = now
        least = FIRST_CLAUSE if self._is_first else CLAUSE
        clauses, self._pending = finished(self._pending + text, least, by_clause=True)
        if not clauses:
            clauses, self._pending = cut_early(self._pending, self._is_first, now - self._began > PATIENCE)
        if len(self._pending) > LONGEST:
            cut, self._pending = cut_long(self._pending)
            clauses += cut
        if clauses:
            self._is_first, self._began = False, now
        return clauses

    def flush(self, cut_off: bool) -> str | None:
        """The last clause; None where nothing is left.

        `cut_off`: a limit of tokens ended the text. The rest of a sentence is then left out, unless it is all there is.
        """
        last, self._pending = self._pending, ""
        return last if last.strip() and (self._is_first or not cut_off) else None


def cut_early(text: str, first: bool, slow: bool) -> tuple[list[str], str]:
    """What can be spoken of an incomplete clause, and the rest.

    A first clause ends at a comma that just came. A slow or long one ends after its first phrase. A long first clause
    without phrases ends between two words.
    """
    if first and len(text) >= FIRST_CLAUSE and text[-1] in ",;:" and text[-2].isalpha():  # no number that goes on
        return [text], ""
    is_long = first and len(text) > LONGEST_FIRST_CLAUSE
    if (not slow and not is_long) or text.rstrip()[-1:] in STOPS:  # at a stop it is short enough as it is
        return [], text
    cut, rest = phrase(text, CLAUSE)
    if not cut and is_long:
        end = text.rfind(" ", FIRST_CLAUSE, LONGEST_FIRST_CLAUSE) + 1
        cut, rest = text[:end], text[end:]
    return ([cut], rest) if cut else ([], text)


def cut_long(text: str) -> tuple[list[str], str]:
    """Pieces of at most LONGEST characters, and the rest, which is no longer: cut between words, or anywhere."""
    pieces, at = list[str](), 0
    while len(text) - at > LONGEST:
        end = text.rfind(" ", at + FIRST_CLAUSE, at + LONGEST) + 1 or at + LONGEST
        pieces.append(text[at:end])
        at = end
    return pieces, text[at:]
