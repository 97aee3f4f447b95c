"""Names of people, places and makes, and loan words, that the dictionaries lack and their spelling does not tell."""

from __future__ import annotations

_NAMES = """
matthew mˈæθju; anthony ˈænθəni; donald dˈɑnəld; ashley ˈæʃli; emily ˈɛməli; michelle mɪʃˈɛl; kevin kˈɛvᵊn;
amanda əmˈændə; brian bɹˈIən; dorothy dˈɔɹəθi; ronald ɹˈɑnəld; ryan ɹˈIən; kathleen kæθlˈin; angela ˈænʤələ;
pamela pˈæmələ; katherine kˈæθɹɪn; catherine kˈæθɹɪn; christine kɹɪstˈin; debra dˈɛbɹə; patrick pˈætɹɪk; julie ʤˈuli;
diane dIˈæn; nathan nˈAθən; douglas dˈʌɡləs; olivia əlˈɪviə; ethan ˈiθən; evelyn ˈɛvəlɪn; cheryl ʃˈɛɹəl;
andrea ˈændɹiə; jacqueline ʤˈækwəlɪn; ann ˈæn; teresa təɹˈisə; theresa təɹˈisə; sara sˈɛɹə; dylan dˈɪlən; denise dənˈis;
marilyn mˈɛɹəlɪn; sophia sOfˈiə; marie məɹˈi; natalie nˈæTᵊli; kim kˈɪm; ava ˈAvə; lucas lˈukəs; mateo mətˈAO;
theo θˈiO; joan ʤˈOn; chloe klˈOi; ian ˈiən; igor ˈiɡɔɹ; olga ˈOlɡə; hugo hjˈuɡO; rebecca ɹəbˈɛkə; danielle dænjˈɛl;
garcia ɡɑɹsˈiə; rodriguez ɹɑdɹˈiɡɛz; hernandez hɜɹnˈændɛz; lopez lˈOpɛz; gonzalez ɡənzˈɑlɛz; perez pˈɛɹɛz;
thompson tˈɑmpsən; harris hˈɛɹɪs; sanchez sˈænʧɛz; ramirez ɹəmˈɪɹɛz; robinson ɹˈɑbɪnsən; rivera ɹɪvˈɛɹə;
gomez ɡˈOmɛz; diaz dˈiɑz; reyes ɹˈAɛs; morris mˈɔɹɪs; gutierrez ɡutjˈɛɹɛz; ortiz ɔɹtˈiz; howard hˈWəɹd;
ramos ɹˈɑmOs; chavez ʃˈɑvɛz; ruiz ɹuˈiz; alvarez ˈælvəɹɛz; castillo kæstˈijO; jimenez himˈɛnɛz; martinez mɑɹtˈinɛz;
mozart mˈOtsɑɹt; beethoven bˈAtOvᵊn; bach bˈɑk; darwin dˈɑɹwɪn; chopin ʃˈOpæn; tchaikovsky ʧIkˈɔfski; vivaldi vɪvˈɑldi;
wagner vˈɑɡnəɹ; nietzsche nˈiʧə; goethe ɡˈɜɹtə; descartes dAkˈɑɹt; camus kæmˈu; proust pɹˈust; monet mOnˈA;
manet mænˈA; degas dAɡˈɑ; dali dˈɑli; gogh ɡˈO; putin pˈutɪn; macron mɑkɹˈOn; merkel mˈɜɹkᵊl; zelensky zəlˈɛnski;
zelenskyy zəlˈɛnski; modi mˈOdi; schwarzenegger ʃwˈɔɹtsənˌɛɡəɹ; arnold ˈɑɹnəld; sinead ʃɪnˈAd; aoife ˈifə;
ciara kˈiɹə; eoin ˈOən; caoimhe kˈivə; hermione hɜɹmˈIəni; tolkien tˈɑlkin; rowling ɹˈOlɪŋ; seuss sˈus; kafka kˈɑfkə;
dvorak dvˈɔɹʒæk; dvořák dvˈɔɹʒɑk; mbappe mbɑpˈA; mbappé əmbɑpˈA; messi mˈɛsi; ronaldo ɹənˈɑldO; neymar nAmˈɑɹ;
zidane zidˈɑn; federer fˈɛdəɹəɹ; djokovic ʤˈOkəvɪʧ; nadal nədˈɑl; hamilton hˈæmᵊltən; schumacher ʃˈumɑkəɹ;
kyiv kˈiv; qatar kˈʌtɑɹ; ljubljana lubliˈɑnə; curacao kjˈʊɹəsˌW; curaçao kjˈʊɹəsˌW; reykjavík ɹˈAkjəvɪk;
reykjavik ɹˈAkjəvɪk; hong hˈɔŋ; kong kˈɔŋ; jiang ʤjˈɑŋ; xinjiang ʃˈɪnʤjˈɑŋ; xiamen ʃjˈɑmən; yosemite jOsˈɛməTi;
toyota tOjˈOTə; nissan nˈisɑn; audi ˈWdi; volkswagen vˈOkswæɡən; samsung sˈæmsʌŋ; sony sˈOni; spotify spˈɑTəfˌI;
reddit ɹˈɛdɪt; tiktok tˈɪktɑk; ikea Ikˈiə; xbox ˈɛksbɑks; nintendo nɪntˈɛndO; lidl lˈidᵊl; aldi ˈɑldi; adidas ədˈidəs;
gucci ɡˈuʧi; prada pɹˈɑdə; chanel ʃənˈɛl; dior diˈɔɹ; vuitton vwitˈɑn; versace vəɹsˈɑʧA; porsche pˈɔɹʃə;
lamborghini lˌæmbəɹɡˈini; renault ɹənˈO; peugeot pˈuʒO; citroen sˈɪtɹOən; citroën sˈɪtɹOən; skoda skˈOdə; škoda skˈOdə;
hyundai hˈʌndA; huawei wˈɑwA; xiaomi ʃˈWmi; lenovo lənˈOvO; asus əsˈus; nvidia ɛnvˈɪdiə; hermes ɜɹmˈɛz; hermès ɜɹmˈɛz;
moet mOˈɛt; moët mOˈɛt; nestle nˈɛsli; nestlé nˈɛslA; danone dænˈOn; loreal lˌɔɹiˈæl; l'oréal lˌɔɹiˈæl; stihl stˈil;
bosch bˈɑʃ; siemens sˈimənz; ubuntu ʊbˈʊntu; kubernetes kˌubəɹnˈɛTiz; nginx ˈɛnʤɪn ˈɛks; postgres pˈOstɡɹɛs;
mysql mˌIsˌikjuˈɛl; sqlite ˌɛskjuˈɛlIt; github ɡˈɪthʌb; gitlab ɡˈɪtlæb; json ʤˈAsən; yaml jˈæmᵊl; regex ɹˈɛʤɛks;
stdin stˌændəɹdˈɪn; stdout stˌændəɹdˈWt; localhost lˈOkᵊlhˌOst; backend bˈækˌɛnd; frontend fɹˈʌntˌɛnd;
webhook wˈɛbhˌʊk; tokenizer tˈOkənˌIzəɹ; config kˈɑnfɪɡ; async ˈAsɪŋk; sudo sˈudu; bluetooth blˈutuθ; captcha kˈæpʧə;
et ɛt; cetera sˈɛTəɹə; non nˌɑn; de də; le lə; la lə; von vɑn; der dɛɹ; van væn; du du; des dA; del dɛl; san sæn;
los lɔs; las lɑs; el ɛl; al æl; deja dˈAʒɑ; déjà dˈAʒɑ; vu vˈu; vis-a-vis vˌizəvˈi; vis-à-vis vˌizəvˈi; hors ɔɹ;
d'oeuvre dˈɜɹv; d'oeuvres dˈɜɹvz; d'œuvre dˈɜɹv; d'état dAtˈɑ; d'etat dAtˈɑ; acai ˌɑsɑˈi; grazie ɡɹˈɑtsiA;
bonjour bOnʒˈʊɹ; merci mɛɹsˈi; ciao ʧˈW; gracias ɡɹˈɑsiəs; gnocchi nˈOki; quinoa kˈinwɑ; macchiato mˌɑkiˈɑTO;
chardonnay ʃˌɑɹdənˈA; mayo mˈAO; cinco sˈɪŋkO; miz mˈɪz; namaste nˈɑməstA; schadenfreude ʃˈɑdənfɹˌYdə;
zeitgeist tsˈItɡIst; karaoke kˌɛɹiˈOki; tsunami sunˈɑmi; xylophone zˈIləfˌOn
"""

NAMES = dict(entry.strip().split(" ", 1) for entry in _NAMES.split(";") if entry.strip())
"""Lower case → American phonemes; the British follow by rule. Asked where the dictionary has no entry."""
