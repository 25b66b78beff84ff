"""What words do in the languages of the house: greet, thank, promise, tell of the past. For the packet of a transfer.

Law: lists of words, no grammar: a hit is a suggestion that a person reads over. Patterns are linear: no customer's text makes them slow.
English, Swedish, Norwegian (and Danish, which shares the words), Finnish, Russian, German.
"""

from __future__ import annotations

import re

_GREETINGS = (
    "hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings",
    "hej|hejsan|tjena|tja|god (?:morgon|kväll|middag|dag)|bästa|kära",
    "hei|heisann|hallo|god (?:morgen|kveld|ettermiddag)|kjære|kære|goddag",
    "moi|moikka|terve|päivää|hyvää (?:huomenta|päivää|iltaa|iltapäivää)|huomenta|hyvä",
    "здравствуйте|здравствуй|добрый (?:день|вечер)|доброе утро|доброго дня|привет|приветствую|уважаем(?:ый|ая|ые)",
    "guten (?:tag|morgen|abend)|moin|servus|grüß gott|grüezi|sehr geehrte[rs]?|liebe[rs]?",
    "bonjour|bonsoir|hola|buenos días|buenas tardes|ciao|buongiorno|olá|bom dia|boa tarde|boa noite|dag|merhaba|مرحبا|مرحباً",
)
GREETING = re.compile(
    rf"(?:{'|'.join(_GREETINGS)})(?!\w)(?:[ \t]+[^\s,!.?:;]{{1,30}}){{0,3}}"
    r"(?:,[ \t]*[^\s,!.?:;]{1,30}(?=[!.]))?[ \t]*(?:[,!.:;–-]+|$)[ \t]*",
    re.I,
)
"""A greeting with at most three more words, up to its comma."""
ASIAN_GREETING = re.compile(
    r"(?:こんにちは|こんばんは|おはようございます|はじめまして|您好|你好|안녕하세요)[、。!,!．. ]*"
)

_THANKS = (
    "thanks?|thank you|thx|cheers|kind regards|best regards|regards|best wishes|yours sincerely|sincerely|many thanks",
    "tack|tusen tack|mvh|hälsningar|vänliga hälsningar|med vänlig hälsning|bästa hälsningar",
    "takk|tusen takk|mange takk|hilsen|med vennlig hilsen|vennlig hilsen|mange tak|venlig hilsen|med venlig hilsen",
    "kiitos|kiitoksia|terveisin|ystävällisin terveisin|terv|yt",
    "спасибо|благодарю|с уважением|заранее спасибо|всего доброго|до свидания",
    "danke|vielen dank|besten dank|mit freundlichen grüßen|freundliche grüße|viele grüße|beste grüße|mfg|lg|vg",
    "merci|gracias|grazie|obrigad[oa]|cordialement|saludos",
)
THANKS = re.compile(rf"(?:{'|'.join(_THANKS)})\b", re.I)
"""How a sentence begins that only thanks or takes leave: if it is short."""
SIGN_OFF = re.compile(
    r"(?:kind |best )?regards|mvh|(?:med |bästa )?vänliga? hälsning(?:ar)?|(?:med )?venn?lig hilsen|(?:ystävällisin )?terveisin|"
    r"с уважением|mit freundlichen grüßen|(?:viele|freundliche|beste) grüße|yours (?:sincerely|faithfully)|cordialement",
    re.I,
)

_WILL = (
    r"(?:i|we|you|he|she|it|they|that|there)['’]ll|will|shall|(?:am|are|is|['’]m|['’]re) going to|promise|guarantee",
    r"(?:jag|vi|du|ni|det|den) (?:ska|skall)|kommer att|lovar|återkommer|hör av (?:mig|oss)|ska(?:ll)? (?:jag|vi)",
    r"(?:jeg|vi|du|dere|det|den) (?:skal|vil)|kommer til å|kommer til at|lover|gir beskjed|tar kontakt|skal (?:jeg|vi)",
    r"lupaan|lupaamme|ilmoitan|ilmoitamme|lähetän|lähetämme|palaan|palaamme|soitan|soitamme|hoidan|hoidamme|saat|saatte",
    r"обещаю|обещаем|перезвон(?:ю|им)|отправ(?:лю|им)|пришл(?:ю|ём|ем)|сдела(?:ю|ем)|верн(?:у|ём|ем)|свяж(?:усь|емся)|"
    r"сообщ(?:у|им)|проверю|проверим|буд(?:у|ет|ем|ут)|ответ(?:лю|им)|откро(?:ю|ем)|вышл(?:ю|ем)|прид[её]т",
    r"(?:ich|wir|sie|es|das) (?:werden?|wird)|(?:werden?|wird) (?:ich|wir|sie|es|das)|verspreche|versprechen|melde mich|"
    r"melden uns|erhalten sie|bekommen sie|rufe sie|rufen sie|schicke ihnen|schicken ihnen",
)
WILL = re.compile(rf"(?<!\w)(?:{'|'.join(_WILL)})(?!\w)", re.I)
"""Somebody says what is going to be."""

_WHEN = (
    r"(?:by|before|until|till|within|no later than|at the latest) (?:the |next |this |noon|end)?\s?"
    r"(?:\d|an? |one|two|three|mon|tue|wed|thu|fri|sat|sun|tomorrow|today|tonight|noon|end|week|month|hour|day)",
    r"today|tomorrow|tonight|next week|on (?:mon|tues|wednes|thurs|fri|satur|sun)day",
    r"senast|innan|före|inom|idag|i dag|imorgon|i morgon|ikväll|i kväll|nästa vecka|på (?:mån|tis|ons|tors|fre|lör|sön)dag",
    r"senest|innen|før|i morgen|i kveld|neste uke|inden|på (?:man|tirs|ons|tors|fre|lør|søn)dag",
    r"tänään|huomenna|viimeistään|mennessä|ennen|ensi viikolla|sisällä|kuluessa|"
    r"(?:maanan|tiis|keskiviikko|tors|perjan|lauan|sunnun)(?:ta)?ina",
    r"сегодня|завтра|послезавтра|до \d|к \d|до конца|в течение|не позднее|через|на следующей неделе|"
    r"в(?:о)? (?:понедельник|вторник|среду|четверг|пятницу|субботу|воскресенье)",
    r"heute|morgen|übermorgen|spätestens|innerhalb|bis (?:zum|zu|heute|morgen|\d|mo|di|mi|do|fr|sa|so)|nächste woche|"
    r"am (?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)",
    r"本日|今日中|明日|今週中|来週|までに",
)
WHEN = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(_WHEN)})", re.I)
"""A time that is still to come."""

_PAST = (
    r"was|were|has|have|had|did|sent|went|called|wrote|got|yesterday|already",
    r"var|har|hade|skickade|fick|igår|i går|redan",
    r"sendte|fikk|ble|allerede|har vært",
    r"oli|olivat|on ollut|lähetin|lähetettiin|sai|eilen|jo",
    r"был[аио]?|отправил[аи]?|сделал[аи]?|прислал[аи]?|вчера|уже",
    r"war|waren|wurde|wurden|habe|haben|hat|hatte|gestern|bereits",
)
PAST = re.compile(rf"(?<!\w)(?:{'|'.join(_PAST)})(?!\w)", re.I)
"""It tells of what has happened: a time word alone is no promise then."""

NOTHING_SAID = re.compile(
    r"(?:ok(?:ay)?|yes|no|sure|of course|great|perfect|ja|nej|nei|joo|kyllä|ei|да|нет|хорошо|nein|gern|please wait|one moment|"
    r"ett ögonblick|et øyeblikk|hetki|минутку|einen moment|how can i help(?: you)?|nice to hear from you(?: again)?|"
    r"(?:i am |i['’]m )?sorry(?: (?:to hear|about|for) (?:that|this))?|"
    r"(?:das )?tut mir leid|(?:det )?beklager|förlåt|anteeksi|извините|"
    r"thank you for (?:your|the) [\w ]{1,30}|tack för [\w ]{1,30}|"
    r"takk for [\w ]{1,30}|kiitos [\w ]{1,30}|спасибо за [\w ]{1,30}|danke für [\w ]{1,30}|vielen dank für [\w ]{1,30})[\s.!,…]*",
    re.I,
)
"""A whole sentence that says nothing of the matter."""
