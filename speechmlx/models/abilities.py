"""What a recogniser that is a default cannot do, and which models can: told before anything is fetched or loaded."""

from __future__ import annotations

from speechmlx import languages
from speechmlx.config import LISTEN, Config
from speechmlx.errors import Unsupported
from speechmlx.models.spec import LISTED, Catalog, Model, profile
from speechmlx.names import listed
from speechmlx.types import Kind, Listen, Request, Transcribe


def check_ability(known: Catalog, config: Config, row: Model, request: Request) -> None:
    """Raises Unsupported, which names what can, where `row` cannot do what a request for recognition asks.

    That is a translation, and a language that a recogniser lacks which the setting `languages` chose. Of everything
    else the engine says whether it does it.
    """
    if not isinstance(request, Transcribe | Listen):
        return
    if request.task == "translate":
        check_translation(known, config, row)
    if request.language and config.languages and row.languages:
        _check_language(known, config, row, request, request.language)


def check_translation(known: Catalog, config: Config, row: Model) -> None:
    """Raises Unsupported, which names models that translate, for a recogniser that does not."""
    if not row.translates:
        can = listed("", known.translators(config), LISTED)
        raise Unsupported(f"{row.name} writes what is said and does not translate; name a model that does: {can}")


def _check_language(known: Catalog, config: Config, row: Model, request: Transcribe | Listen, language: str) -> None:
    if languages.match(language, row.languages) or row.name not in _chosen(known, config, config.languages):
        return
    code = languages.code(language) or language
    able = [name for name in _chosen(known, config, (code,)) if languages.match(code, known.resolve(name).languages)]
    hint = f". {able[0]} knows it: name it as the model" if able else ""
    is_set = Kind.ASR in config.models or (isinstance(request, Listen) and LISTEN in config.models)
    if able and not is_set:  # where a model is set, languages choose none
        hint += f", or set languages to {','.join((*config.languages, code))}"
    raise Unsupported(f"{languages.refusal(language, row.languages, row.name)}{hint}")


def _chosen(known: Catalog, config: Config, spoken: tuple[str, ...]) -> tuple[str, ...]:
    """The recognisers that the profile has for the languages `spoken`: that of recordings, and that of live words."""
    here = profile(config)
    listener = known.listener_of(here, spoken)
    return (known.of_profile(here, spoken)[Kind.ASR], *([listener] if listener else []))
