"""The people who write mails."""

from __future__ import annotations

from agent_tui.demo.stories import Line, Story, Turn

SOREN = Story(
    name="Søren Kjær",
    address="soren.kjaer@brev.example",
    way="mail",
    subject="Charged twice on 18 Nov, order 55-2108",
    wrote="Den {date} skrev {name}:",
    opening=(
        Line(
            text="Hello,\n\nthe hotel in Aarhus was charged twice on 18 November, 1.240,00 kr each time. I stayed one "
            "night, and I slept badly.\n\nThe order is 55-2108. Could you please look into it?\n\n"
            "Med venlig hilsen\nSøren Kjær"
        ),
    ),
    turns=(
        Turn(
            words=("receipt", "kvittering", "bill", "invoice"),
            say=("Of course, the bill of the hotel is attached. One night, as I said.\n\nSøren",),
            file="faktura-aarhus.pdf",
        ),
        Turn(words=("refund", "returned", "credited", "dispute", "back"), say=(), is_end=True),
    ),
    otherwise=("Thank you for the quick answer. Do you need anything from me, the bill perhaps?\n\nSøren",),
    thanks="That is very kind, thank you. I give 9 of 10, the tenth I keep for the hotel.\n\nSøren Kjær",
    again="Hello again,\n\nthe second charge has come back, but now 35 kr are missing. A fee, perhaps?\n\nSøren",
    advice=(
        "Dear Mr Kjær,\n\nI am sorry about that. Could you send me the receipt of the hotel?",
        "Dear Mr Kjær,\n\nthank you. I have opened a dispute, and the 1.240 kr are credited today.",
    ),
)

LEA = Story(
    name="Léa Fontaine-Dubois de Montfort",
    address="lea.fontaine@courriel.example",
    way="mail",
    subject="Change of address, proof attached",
    wrote="Le {date}, {name} a écrit :",
    opening=(
        Line(
            text="Bonjour,\n\nj'ai déménagé le 1er novembre : 14 rue des Lilas, Lyon. Vous trouverez le justificatif "
            "en pièce jointe.\n\nMerci d'avance,\nLéa Fontaine-Dubois de Montfort",
            file="justificatif.pdf",
        ),
    ),
    turns=(Turn(words=("changed", "updated", "modifi", "enregistr", "à jour"), say=(), is_end=True),),
    otherwise=("Bonjour,\n\nest-ce que le justificatif vous suffit ?\n\nLéa",),
    thanks="Parfait, merci beaucoup ! Note : 10/10.\n\nLéa",
    again="Bonjour,\n\nma carte est partie à l'ancienne adresse. Que faire ?\n\nLéa",
    advice=("Bonjour Madame,\n\nmerci, votre nouvelle adresse est enregistrée, et le justificatif nous suffit.",),
)

YUSUF = Story(
    name="Yusuf Demir",
    address="yusuf.demir@mektup.example",
    way="mail",
    subject="about the transfer to Izmir",
    wrote="{name} şunları yazdı ({date}):",
    opening=(
        Line(
            text="Merhaba,\n\nlast week I sent 4.000 kr to my mother in İzmir. It arrived with 310 kr less. Which fee "
            "is that, and whose?\n\nTeşekkürler,\nYusuf Demir\nŞişli'den sevgilerle"
        ),
    ),
    turns=(
        Turn(words=("swift", "correspondent", "other bank", "their bank"), say=("I see. Can I avoid it next time?",)),
        Turn(words=("sepa", "our", "next time", "choose", "option"), say=(), is_end=True),
    ),
    otherwise=("Thank you, but I still do not understand who took the 310 kr.\n\nYusuf",),
    thanks="Now it is clear. Çok teşekkür ederim! 8/10.\n\nYusuf",
    again="Merhaba,\n\nit worked without a fee this time. How do I make it monthly?\n\nYusuf",
    advice=(
        "Dear Mr Demir,\n\nthe 310 kr were taken by the correspondent bank (SWIFT), not by us.",
        "Next time choose the option OUR: then the fee is ours and known before.",
    ),
)

GRACE = Story(
    name="Grace O'Neill",
    address="grace.oneill@letterbox.example",
    way="mail",
    subject="Refund of 41.20",
    opening=(
        Line(
            text="Good morning,\n\nthe shop says it refunded 41.20 eleven days ago. My account says otherwise.\n"
            "Who is right?\n\nKind regards,\nGrace O'Neill"
        ),
    ),
    turns=(Turn(words=("on its way", "monday", "tomorrow", "arrived", "booked"), say=(), is_end=True),),
    otherwise=("Dear team,\n\nis it on its way, or lost?\n\nGrace",),
    thanks="Lovely, thank you. 9 out of 10 from me.\n\nGrace",
    again="Good morning,\n\nthe refund is here, and so is another one that is not mine. Do you want it back?\n\nGrace",
    advice=("Dear Ms O'Neill,\n\nthe refund of 41.20 is on its way: it is booked on Monday.",),
)

ASA = Story(
    name="Åsa Nyström",
    address="asa.nystrom@brevlada.example",
    way="mail",
    subject="Fullmakt för min far",
    wrote="Den {date} skrev {name}:",
    opening=(
        Line(
            text="Hej,\n\nmin far kan inte längre sköta sina räkningar själv. Vad behövs för en fullmakt, och måste "
            "han komma till kontoret?\n\nVänliga hälsningar\nÅsa Nyström"
        ),
    ),
    turns=(
        Turn(words=("blankett", "form", "underskrift", "sign"), say=("Tack! Får jag skriva under åt honom?\n\nÅsa",)),
        Turn(words=("vittne", "witness", "nej", "no,"), say=(), is_end=True),
    ),
    otherwise=("Tack för svaret. Finns det en blankett?\n\nÅsa",),
    thanks="Då vet jag, tack för ett vänligt svar. 10 av 10.\n\nÅsa",
    again="Hej igen,\n\nfullmakten är skickad. När gäller den?\n\nÅsa",
    advice=(
        "Hej Åsa,\n\ndet räcker med en blankett med hans underskrift, han behöver inte komma hit.",
        "Nej, han skriver själv, med två vittnen.",
    ),
)

WRITERS = (SOREN, LEA, YUSUF, GRACE, ASA)
