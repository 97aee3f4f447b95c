"""What differs between the generations of CosyVoice besides their networks: vocabularies and words before a text."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEECH_TOKENS, FIRST_SPEECH_TOKENS = 6561, 4096
"""Tokens of sound, and those of CosyVoice 1. Those after them have no sound; generated, each ends the speech."""
END_OF_PROMPT = "<|endofprompt|>"
"""Between an instruction and the text."""
HEARD_SIGNS = (
    "[breath]", "<strong>", "</strong>", "[noise]", "[laughter]", "[cough]", "[clucking]", "[accent]", "[quick_breath]",
    "<laughter>", "</laughter>", "[hissing]", "[sigh]", "[vocalized-noise]", "[lipsmack]", "[mn]",
)  # fmt: skip
SECOND_SIGNS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", END_OF_PROMPT, *HEARD_SIGNS)
"""Tokens of text after those of the vocabulary, in the order of their numbers."""

PHONES = (
    "AA AA0 AA1 AA2 AE AE0 AE1 AE2 AH AH0 AH1 AH2 AO AO0 AO1 AO2 AW AW0 AW1 AW2 AY AY0 AY1 AY2 B CH D DH EH EH0 EH1 "
    "EH2 ER ER0 ER1 ER2 EY EY0 EY1 EY2 F G HH IH IH0 IH1 IH2 IY IY0 IY1 IY2 JH K L M N NG OW OW0 OW1 OW2 OY OY0 OY1 "
    "OY2 P R S SH T TH UH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH"
)
"""English sounds in the notation of CMU's dictionary, which a text may have in brackets."""
SYLLABLES = (
    "a ai an ang ao b c ch d e ei en eng f g h i ian in ing iu ià iàn iàng iào iá ián iáng iáo iè ié iòng ióng iù iú "
    "iā iān iāng iāo iē iě iōng iū iǎ iǎn iǎng iǎo iǒng iǔ j k l m n o ong ou p q r s sh t u uang ue un uo uà uài "
    "uàn uàng uá uái uán uáng uè ué uì uí uò uó uā uāi uān uāng uē uě uī uō uǎ uǎi uǎn uǎng uǐ uǒ vè w x y z zh à ài "
    "àn àng ào á ái án áng áo è èi èn èng èr é éi én éng ér ì ìn ìng í ín íng ò òng òu ó óng óu ù ùn ú ún ā āi ān "
    "āng āo ē ēi ēn ēng ě ěi ěn ěng ěr ī īn īng ō ōng ōu ū ūn ǎ ǎi ǎn ǎng ǎo ǐ ǐn ǐng ǒ ǒng ǒu ǔ ǔn ǘ ǚ ǜ"
)
"""Initials and finals of Chinese syllables, likewise."""
THIRD_SIGNS = (*SECOND_SIGNS, "<|endofsystem|>", *(f"[{sound}]" for sound in f"{PHONES} {SYLLABLES}".split()))


FIRST_SIGNS = ("<|", "[breath]", "[laughter]", "<strong>", "</strong>", "<laughter>", "</laughter>")
"""What CosyVoice 1 was trained to hear; the first begins the mark of a language (`<|en|>`). They are spelt out."""


@dataclass(frozen=True)
class Generation:
    """One generation. Speech and text have one table of embeddings here: text comes after speech."""

    name: str
    logits: int
    """Speech tokens that the language model tells apart, with those that have no sound."""
    begin: int
    task: int
    """Tokens of the table at the beginning of a prompt, and between the text and the speech."""
    text: int
    """What is added to the number of a text token."""
    languages: tuple[str, ...]
    signs: tuple[str, ...]
    end: int
    """The token that ends speech."""
    highest: float
    """Hz of the highest band of the spectrogram."""
    preamble: str = ""
    """Words before every instruction, and before `end_of_prompt` where there is no other."""
    silent: frozenset[int] = frozenset()
    """Speech tokens of which no more than MOST_SILENT are heard in a row."""
    is_told_first: bool = False
    """An instruction may stand before a text that comes among its speech; it was trained so."""
    speech: int = SPEECH_TOKENS
    """Tokens of sound."""
    token_rate: int = 25
    """Speech tokens of a second."""
    fft: int = 1920
    """Samples of a frame of the vocoder's spectrogram."""
    is_chunked: bool = True
    """Its sound is made in chunks while speech tokens are generated; else in one piece with the last of them."""
    end_of_prompt: str = END_OF_PROMPT
    reads_speaker: bool = False
    """Its language model reads the embedding of the speaker, but not with an instruction."""
    recording_refused: str = ""
    """Why it takes no recording, and the call that would work; "": it takes one."""
    instruction_refused: str = ""
    """The same of an instruction."""


MOST_SILENT = 5

FIRST = Generation(
    name="CosyVoice-300M",
    logits=FIRST_SPEECH_TOKENS + 1,
    begin=FIRST_SPEECH_TOKENS,
    task=FIRST_SPEECH_TOKENS + 1,
    text=FIRST_SPEECH_TOKENS + 2,
    languages=("zh", "en", "ja", "ko", "yue"),
    signs=FIRST_SIGNS,
    end=FIRST_SPEECH_TOKENS,
    highest=8000.0,
    speech=FIRST_SPEECH_TOKENS,
    token_rate=50,
    fft=1024,
    is_chunked=False,
    end_of_prompt="<endofprompt>",
    reads_speaker=True,
    instruction_refused="follows no instruction: leave instruct_text out, or use CosyVoice-300M-Instruct with a "
    "speaker's name as voice",
)
FIRST_SFT = replace(
    FIRST,
    name="CosyVoice-300M-SFT",
    recording_refused="imitates no recording: leave prompt_speech and prompt_text out and give a speaker's name as "
    "voice, or use CosyVoice-300M",
)
FIRST_INSTRUCT = replace(
    FIRST,
    name="CosyVoice-300M-Instruct",
    recording_refused="imitates no recording: leave prompt_speech and prompt_text out and give a speaker's name as "
    "voice with instruct_text, or use CosyVoice-300M",
    instruction_refused="",
)
SECOND = Generation(
    name="CosyVoice 2",
    logits=SPEECH_TOKENS + 3,
    begin=SPEECH_TOKENS + 3,
    task=SPEECH_TOKENS + 4,
    text=SPEECH_TOKENS + 5,
    languages=("zh", "en", "ja", "ko", "yue"),
    signs=SECOND_SIGNS,
    end=SPEECH_TOKENS,
    highest=8000.0,
)
THIRD = Generation(
    name="CosyVoice 3",
    logits=SPEECH_TOKENS + 200,
    begin=SPEECH_TOKENS,
    task=SPEECH_TOKENS + 2,
    text=SPEECH_TOKENS + 200,
    languages=("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru", "yue"),
    signs=THIRD_SIGNS,
    end=SPEECH_TOKENS + 1,
    highest=12_000.0,
    preamble="You are a helpful assistant.",
    silent=frozenset((1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323)),
    is_told_first=True,
)
