"""Japanese counters: how they and the number before them change each other's sound.

Only the end of a number is put in kana, with its counter: 2024 年 is 二千二十ヨネン, 30 分 is サンジュップン.
"""

from __future__ import annotations

from speechmlx.reading.languages.east_asian import numeral

ONES = ("", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュウ")
_HUNDREDS = "ヒャク ニヒャク サンビャク ヨンヒャク ゴヒャク ロッピャク ナナヒャク ハッピャク キュウヒャク"
HUNDREDS = ("", *_HUNDREDS.split())
DOUBLED = dict(
    zip(
        "イチ ロク ハチ ジュウ ヒャク ピャク ビャク".split(),
        "イッ ロッ ハッ ジュッ ヒャッ ピャッ ビャッ".split(),
        strict=True,
    )
)
HALF_VOICED = dict(zip("ハヒフヘホ", "パピプペポ", strict=True))
VOICED = dict(zip("カキクケコサシスセソハヒフヘホ", "ガギグゲゴザジズゼゾバビブベボ", strict=True))
DOUBLING = {
    "k": ("イチ", "ロク", "ハチ", "ジュウ", "ヒャク"),
    "s": ("イチ", "ハチ", "ジュウ"),
    "p": ("ジュウ",),
    "q": ("ロク", "ジュウ", "ヒャク"),
}
DOUBLING |= {"t": DOUBLING["s"], "h": DOUBLING["k"], "f": DOUBLING["k"], "g": DOUBLING["k"], "z": DOUBLING["s"]}
"""The ends of numbers that lose their last syllable to a doubled consonant, for each kind of counter."""

_SOUNDS = {
    "k": (
        "回=カイ 個=コ か月=カゲツ ヶ月=カゲツ カ月=カゲツ ヵ月=カゲツ 箇月=カゲツ か所=カショ ヶ所=カショ "
        "カ所=カショ か国=カコク カ国=カコク ヶ国=カコク 件=ケン 曲=キョク 巻=カン 課=カ 級=キュウ 機=キ "
        "区=ク 期=キ 基=キ 口=クチ 校=コウ 画=カク 球=キュウ 局=キョク 缶=カン 系=ケイ 回目=カイメ "
        "個入り=コイリ"
    ),
    "g": ("階=カイ 階建て=カイダテ 軒=ケン 軒目=ケンメ"),
    "s": (
        "歳=サイ 才=サイ 冊=サツ 週間=シュウカン 週=シュウ 章=ショウ 世紀=セイキ 世帯=セタイ 隻=セキ 席=セキ "
        "種類=シュルイ 社=シャ 勝=ショウ 周=シュウ 周年=シュウネン 色=ショク 式=シキ 品目=ヒンモク "
        "試合=シアイ 作品=サクヒン 視点=シテン 世代=セダイ 選手=センシュ 線=セン 首=シュ "
        "センチメートル=センチメートル セント=セント"
    ),
    "z": ("足=ソク"),
    "t": ("頭=トウ 着=チャク 通=ツウ 点=テン 丁目=チョウメ 等=トウ 都市=トシ トン=トン 棟=トウ 滴=テキ"),
    "h": ("本=ホン 匹=ヒキ 杯=ハイ 本目=ホンメ 票=ヒョウ"),
    "f": ("分=フン 分間=フンカン 泊=ハク 発=ハツ 歩=ホ 品=ヒン 版=ハン 班=ハン 編=ヘン 拍=ハク 敗=ハイ"),
    "p": ("パーセント=パーセント ポイント=ポイント ページ=ページ ポンド=ポンド"),
    "q": (
        "キロメートル=キロメートル キログラム=キログラム キロワット=キロワット キロ=キロ "
        "キロカロリー=キロカロリー キロバイト=キロバイト"
    ),
}
SOUNDS = {
    name: (kind, sound) for kind, table in _SOUNDS.items() for name, sound in (row.split("=") for row in table.split())
}
"""The kind and the sound of each counter that changes a number's sound, or whose sound a number changes.

The kinds are named by the consonant. After サン, h, g and z are voiced (サンボン, サンガイ, サンゾク), and f
becomes p (サンプン).
"""

YO = {
    "円": "エン",
    "年": "ネン",
    "年間": "ネンカン",
    "年生": "ネンセイ",
    "年前": "ネンマエ",
    "年後": "ネンゴ",
    "年目": "ネンメ",
    "人": "ニン",
}
YO |= {"時": "ジ", "時間": "ジカン", "時半": "ジハン", "人前": "ニンマエ", "人組": "ニングミ", "日間": "カカン"}
_DAYS = (
    "イチニチカン フツカカン ミッカカン ヨッカカン イツカカン ムイカカン ナノカカン ヨウカカン ココノカカン トオカカン"
)
WHOLE = {
    "人": {1: "ヒトリ", 2: "フタリ"},
    "時": {0: "零時"},
    "つ": dict(enumerate("ヒトツ フタツ ミッツ ヨッツ イツツ ムッツ ナナツ ヤッツ ココノツ".split(), 1)),
    "歳": {20: "ハタチ"},
    "才": {20: "ハタチ"},
    "日間": dict(enumerate(_DAYS.split(), 1)),
}
HOURS = ("時", "時間", "時半")

spelled_out = {*SOUNDS, *YO, *WHOLE}
"""The counters that change a number's sound."""


def kana(value: int) -> str:
    """A number below 1000 in kana."""
    hundreds, tens, ones = value // 100, value // 10 % 10, value % 10
    ten = ("" if tens < 2 else ONES[tens]) + ("ジュウ" if tens else "")
    return HUNDREDS[hundreds] + ten + ONES[ones]


def counted(value: int, counter: str) -> str | None:
    """A number and its counter; None where neither changes the other's sound."""
    if counter in WHOLE and value in WHOLE[counter]:
        return WHOLE[counter][value]
    if counter in YO:
        return _yo(value, counter)
    if counter not in SOUNDS or not value or value % 1000 == 0:
        return None
    kind, sound = SOUNDS[counter]
    tail = value % 10 or value % 100 or value % 1000
    head = value - tail
    return (numeral(head, one="", zero="") if head else "") + _joined(kana(tail), kind, sound)


def _yo(value: int, counter: str) -> str | None:
    last = value % 10
    special = {4: "ヨ"} if counter not in HOURS else {4: "ヨ", 7: "シチ", 9: "ク"}
    if last not in special or counter == "日間":
        return None
    head = value - last
    return (numeral(head, one="", zero="") if head else "") + special[last] + YO[counter]


def _joined(number: str, kind: str, sound: str) -> str:
    end = next((e for e in DOUBLING[kind] if number.endswith(e)), "")
    if not end and kind in "hfg" and number.endswith(("ピャク", "ビャク")):
        end = number[-3:]
    if end:
        number = number.removesuffix(end) + DOUBLED[end]
        return number + (HALF_VOICED.get(sound[0], sound[0]) + sound[1:] if kind in "hf" else sound)
    if number.endswith("サン"):
        if kind in "hgz":
            return number + VOICED.get(sound[0], sound[0]) + sound[1:]
        if kind == "f":
            return number + HALF_VOICED[sound[0]] + sound[1:]
    if kind == "f" and number.endswith("ヨン"):
        return number + HALF_VOICED[sound[0]] + sound[1:]
    return number + sound
