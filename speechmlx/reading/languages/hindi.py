"""Hindi."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

FIRST = {1: "पहल", 2: "दूसर", 3: "तीसर", 4: "चौथ", 6: "छठ"}
ENDINGS = {
    "ला": "ा",
    "ली": "ी",
    "ले": "े",
    "रा": "ा",
    "री": "ी",
    "रे": "े",
    "था": "ा",
    "थी": "ी",
    "थे": "े",
    "ठा": "ा",
    "ठी": "ी",
}
PLURAL = ("वां", "वाँ", "वीं", "वें")


class Hindi(Language):
    code = "hi"
    decimal = "."
    comma, point = "दशमलव", "दशमलव"
    minus, to, over, per, of = "माइनस", "से", "बटा", "प्रति", ""
    dot = "डॉट"
    months = listed("जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर")
    short_months = numbered("फरवरी=2, सितम्बर=9, नवम्बर=11, दिसम्बर=12, अक्तूबर=10")
    units = nouns(
        "km=किलोमीटर, किमी=किलोमीटर, कि.मी.=किलोमीटर, m=मीटर, मी=मीटर, cm=सेंटीमीटर, सेमी=सेंटीमीटर, mm=मिलीमीटर, "
        "kg=किलोग्राम, किग्रा=किलोग्राम, कि.ग्रा.=किलोग्राम, g=ग्राम, ग्रा=ग्राम, mg=मिलीग्राम, t=टन, l=लीटर, "
        "L=लीटर, ml=मिलीलीटर, मिली=मिलीलीटर, h=घंटा/घंटे, min=मिनट, s=सेकंड, °=डिग्री, °C=डिग्री सेल्सियस, "
        "°F=डिग्री फ़ारेनहाइट, m²=वर्ग मीटर, km²=वर्ग किलोमीटर, m³=घन मीटर, W=वाट, kW=किलोवाट, MW=मेगावाट, "
        "V=वोल्ट, Hz=हर्ट्ज़, MHz=मेगाहर्ट्ज़, GHz=गीगाहर्ट्ज़, KB=किलोबाइट, MB=मेगाबाइट, GB=गीगाबाइट, "
        "TB=टेराबाइट, km/h=किलोमीटर प्रति घंटा, किमी/घंटा=किलोमीटर प्रति घंटा, ‰=प्रति हज़ार"
    )
    currencies = nouns(
        "INR=रुपया/रुपये, USD=डॉलर, EUR=यूरो, GBP=पाउंड, JPY=येन, CNY=युआन, RUB=रूबल, BRL=रियाल, KRW=वॉन, CHF=स्विस फ़्रैंक"
    )
    cents = nouns("INR=पैसा/पैसे, USD=सेंट, EUR=सेंट, GBP=पेंस")
    magnitudes = nouns(
        "लाख करोड़=लाख करोड़, करोड़=करोड़, लाख=लाख, हज़ार=हज़ार, हजार=हजार, अरब=अरब, खरब=खरब, मिलियन=मिलियन, "
        "बिलियन=बिलियन, M=मिलियन, k=हज़ार"
    )
    abbreviations = pairs(
        "डॉ.=डॉक्टर, डा.=डॉक्टर, प्रो.=प्रोफ़ेसर, श्री.=श्री, कु.=कुमारी, पं.=पंडित, सं.=संख्या, नं.=नंबर, पृ.=पृष्ठ, "
        "रु.=रुपये, मो.=मोहम्मद, ई.=ईस्वी, ई.पू.=ईसा पूर्व, Dr.=डॉक्टर, Mr.=मिस्टर, Mrs.=मिसेज़, No.=नंबर, "
        "कि.मी.=किलोमीटर, कि.ग्रा.=किलोग्राम, उ.प्र.=उत्तर प्रदेश, म.प्र.=मध्य प्रदेश"
    )
    signs = pairs(
        "%=प्रतिशत, &=और, +=प्लस, ==बराबर, @=ऐट, ×=गुणा, *=गुणा, ÷=भाग, #=हैश, №=नंबर, €=यूरो, $=डॉलर, £=पाउंड, "
        "₹=रुपये, °=डिग्री, ²=का वर्ग, ³=का घन, √=वर्गमूल, <=से कम, >=से ज़्यादा, ≠=बराबर नहीं, ±=प्लस माइनस, "
        "≈=लगभग, ^=की घात, §=धारा, ©=कॉपीराइट, ∞=अनंत, π=पाई, /=स्लैश, -=हाइफ़न, _=अंडरस्कोर, −=माइनस, |=, ~=लगभग, "
        "?=प्रश्नचिह्न"
    )
    phone = r"[6-9]\d{4}[ -]\d{5}|[6-9]\d{9}"
    hours = "बजे|बजकर"

    def year(self, number: int) -> str:
        if 1100 <= number < 2000:
            rest = f" {self.cardinal(number % 100)}" if number % 100 else ""
            return f"{self.cardinal(number // 100)} सौ{rest}"
        return self.cardinal(number)

    def time(self, clock: TimeOfDay) -> str:
        hour = self.cardinal(clock.hour)
        if not clock.minute:
            return f"{hour} बजे"
        return f"{hour} बजकर {self.cardinal(clock.minute)} मिनट"

    def range_of_times(self, first: str, last: str) -> str:
        return f"{first} से {last}"

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.number(number)} {noun.of(number)} {self.number(cents)} {cent.of(cents)}"

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        if suffix in ENDINGS and number in FIRST:
            return FIRST[number] + ENDINGS[suffix]
        return self.cardinal(number) + suffix if suffix in PLURAL else None

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        if (number, parts) == (1, 2):
            return "आधा"
        if parts == 4 and number in (1, 3):
            return f"{self.cardinal(number)} चौथाई"
        return f"{self.cardinal(number)} बटा {self.cardinal(parts)}"
