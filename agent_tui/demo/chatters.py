"""The people who come by web chat: Nordbank's customers on an ordinary Saturday."""

from __future__ import annotations

from agent_tui.demo.stories import Line, Story, Turn

SITE = "https://nordbank.example"

ANNA = Story(
    name="Anna Berg",
    address="anna.berg@posten.example",
    way="chat",
    page=f"{SITE}/cards/tariffs",
    opening=(
        Line(text="Hi! I am in Tokyo next week. Which fee applies if I take out cash there with the gold card?"),
        Line(text="And can I pay 1 万円 in a shop without any fee?", after_s=14),
    ),
    turns=(
        Turn(
            words=("switch on", "cash abroad", "shall i", "turn on", "activate"),
            say=("Yes please 🙂 last year this one was charged twice:",),
            file="kvitto-tokyo.pdf",
        ),
        Turn(
            words=("twice", "double", "refund", "look at", "receipt", "charge"),
            say=("That would be great. It is order 55-1980, I think.",),
        ),
        Turn(words=("waive", "returned", "back on", "credited", "done"), say=(), is_end=True),
    ),
    otherwise=(
        "So is it free with Gold, or is there a fee for each withdrawal?",
        "And in shops, is it only the exchange rate of the day?",
    ),
    thanks="Perfect, then I can fly in peace. Tack! That was a 10 of 10.",
    nudge="Hello, is anybody there? My flight is on Monday.",
    again="Hi, it is Anna again, from Tokyo this time. The machine at the station kept my card, what do I do?",
    note="She asked me the same on the phone at 12:40. The fee was waived last year, see order 55-1980.",
    advice=(
        "Hello Anna, nice to hear from you again. With Gold the first two withdrawals a month are free, after that "
        "35 kr each. In shops you pay no fee. Shall I switch on cash abroad for 7 to 14 December?",
        "Thank you for the receipt. I look at the double charge now.",
        "Found it: the second charge is credited to your account, it is there on Monday.",
    ),
)

MISAKI = Story(
    name="田中 美咲",
    address="misaki.tanaka@yubin.example",
    way="chat",
    page=f"{SITE}/cards/delivery",
    opening=(Line(text="カードがまだ届きません。二週間前に申し込みました。"),),
    turns=(
        Turn(
            words=("住所", "address"), say=("住所は先月変わりました。東京都杉並区です。", "前の住所に送られましたか?")
        ),
        Turn(words=("再発行", "送り", "発送", "new card", "send"), say=(), is_end=True),
    ),
    otherwise=("English is fine too. When will the card arrive?", "Which address was it sent to?"),
    thanks="ありがとうございます。助かりました。評価は9です。",
    nudge="すみません、まだお待ちしたほうがいいですか?",
    again="新しいカードが届きました!暗証番号はどこで確認できますか?",
    advice=(
        "田中様、お待たせして申し訳ございません。現在のご住所を教えていただけますか?",
        "ありがとうございます。新しい住所にカードを再発行し、本日発送いたします。",
    ),
)

OLGA = Story(
    name="Ольга Петрова",
    address="olga.petrova@pochta.example",
    way="chat",
    page=f"{SITE}/accounts/open",
    opening=(
        Line(text="Здравствуйте! Подала заявку на счёт в четверг."),
        Line(text="А когда откроют счёт?", after_s=2),
    ),
    turns=(
        Turn(words=("паспорт", "документ", "passport"), say=("Паспорт я уже загрузила в приложении, вчера вечером.",)),
        Turn(words=("открыт", "понедельник", "сегодня", "завтра", "open"), say=(), is_end=True),
    ),
    otherwise=("Простите, я не совсем поняла. Счёт уже открыт?", "А сколько это ещё займёт?"),
    thanks="Спасибо большое, всё понятно! Оценка 5 из 5.",
    nudge="Подскажите, пожалуйста, есть кто-нибудь?",
    again="Добрый день! Счёт открыт, спасибо. А можно к нему вторую карту для мамы?",
    advice=(
        "Здравствуйте, Ольга! Для открытия не хватает только копии паспорта. Вы уже отправили документ?",
        "Вижу его, спасибо. Счёт будет открыт сегодня до 18:00, вам придёт сообщение.",
    ),
)

MARCO = Story(
    name="Marco Bianchi",
    address="marco.bianchi@posta.example",
    way="chat",
    page=f"{SITE}/branches",
    opening=(Line(text="Where do I pick up the new card?"),),
    turns=(Turn(words=("götgatan", "branch", "street", "open"), say=(), is_end=True),),
    otherwise=("In which branch?",),
    thanks="ok grazie. 8",
    again="the pin?",
    advice=("Hello Marco, it is ready at our branch in Götgatan 12, open until 17 today. Bring your passport.",),
)

PAULINE = Story(
    name="Pauline Roux",
    address="pauline.roux@courrier.example",
    way="chat",
    page=f"{SITE}/help/lost-card",
    opening=(
        Line(text="my card is gone, I think I lost it in the train"),
        Line(text="THREE payments this morning are not mine. I want them back today.", after_s=20),
        Line(text="I told all this on the phone already!! why does nobody know", after_s=16),
    ),
    turns=(
        Turn(words=("sorry", "block", "désol"), say=("blocked, fine. and the 3 payments? 214, 80 and 19.90",)),
        Turn(words=("dispute", "refund", "back", "rembours"), say=("and how long does that take, a year?",)),
        Turn(words=("day", "tomorrow", "today", "hour", "jour"), say=(), is_end=True),
    ),
    otherwise=(
        "that does not answer my question. Is the card blocked or not",
        "I am still waiting for the money",
    ),
    thanks="ok. thank you, and sorry for the tone, it was a long morning. 7 of 10",
    nudge="???",
    again="The money is back already. I did not expect that, thank you!",
    note="She called at 08:20 and was cut off. Card ends 4471, not blocked by the phone group.",
    hand_over="She is upset and has told it twice. The card is blocked, the three payments are open. Can you take her?",
    advice=(
        "I am sorry, Pauline, you should not have to tell it twice. I have just blocked the card, nobody can use it now.",
        "I have opened a dispute for 214, 80 and 19.90. You get the money back while we look into it.",
        "It is on your account within two working days.",
    ),
)

HANNA = Story(
    name="Hanna Virtanen",
    address="hanna.virtanen@posti.example",
    way="chat",
    page=f"{SITE}/forms",
    opening=(
        Line(text="Hei, minulla olisi yksi kysymys", is_dropped=True),
        Line(text="Hei! Mistä löydän lomakkeen osoitteenmuutosta varten?", after_s=25),
    ),
    turns=(
        Turn(words=("lomak", "form", "link"), say=("Löysin sen nyt. Täytyykö se allekirjoittaa?",)),
        Turn(words=("allekirjoit", "sign", "pankkitunnu"), say=(), is_end=True),
    ),
    otherwise=("Anteeksi, missä se lomake on?",),
    thanks="Kiitos, selvä! Arvosana 9.",
    again="Hei taas! Milloin uusi osoite näkyy sovelluksessa?",
    advice=(
        "Hei Hanna! Lomake on kohdassa Asetukset, Omat tiedot. Lähetin sinne myös linkin.",
        "Ei tarvitse allekirjoittaa, pankkitunnukset riittävät.",
    ),
)

JORG = Story(
    name="Jörg Müller",
    address="joerg.mueller@briefkasten.example",
    way="chat",
    page=f"{SITE}/cards/damaged",
    subject="Foto der Karte, aus dem Chat",
    wrote="Am {date} schrieb {name}:",
    opening=(
        Line(text="Guten Tag, der Chip meiner Karte geht nicht mehr."),
        Line(text="Im Supermarkt war das heute ziemlich peinlich …", after_s=9),
    ),
    turns=(
        Turn(
            words=("foto", "photo", "bild", "picture", "schick", "send"),
            say=("Das Foto ist zu groß für das Telefon, ich schicke es per Mail. Anbei die Karte, Vorderseite.",),
            file="karte.png",
            by_mail=True,
        ),
        Turn(words=("neue karte", "ersatz", "new card", "replacement", "unterwegs"), say=(), is_end=True),
    ),
    otherwise=("Brauchen Sie dafür noch etwas von mir?",),
    thanks="Super, vielen Dank für die schnelle Hilfe! Note 1.",
    again="Guten Tag, die neue Karte ist da. Muss ich sie noch freischalten?",
    advice=(
        "Guten Tag Herr Müller, das tut mir leid. Könnten Sie mir ein Foto der Karte schicken?",
        "Danke, der Chip ist gerissen. Eine neue Karte ist unterwegs, sie kommt am Dienstag.",
    ),
)

INES = Story(
    name="Inês Costa",
    address="ines.costa@correio.example",
    way="chat",
    page=f"{SITE}/loans",
    opening=(Line(text="Boa tarde! Posso pagar o empréstimo antes do fim do prazo?"),),
    turns=(
        Turn(words=("taxa", "fee", "0,5", "comiss"), say=("E se pagar só metade agora?",)),
        Turn(words=("metade", "half", "parcial", "partial"), say=(), is_end=True),
    ),
    otherwise=("Há alguma taxa?",),
    thanks="Muito obrigada, foi muito clara. 10!",
    again="Boa tarde, paguei metade. O novo plano já está disponível?",
    advice=(
        "Boa tarde, Inês! Pode sim. A taxa é 0,5 % do valor que pagar antes do prazo.",
        "Também é possível um pagamento parcial: metade agora, e a prestação baixa no mês seguinte.",
    ),
)

PIET = Story(
    name="Piet de Vries",
    address="piet.devries@brievenbus.example",
    way="chat",
    page=f"{SITE}/help/lost-card",
    opening=(Line(text="Pas gestolen. Blokkeren aub!"),),
    turns=(Turn(words=("geblokkeerd", "blocked", "blokkeer"), say=(), is_end=True),),
    otherwise=("Is hij geblokkeerd?",),
    thanks="Pfff, dank je wel. 10.",
    nudge="Hallo?? Het is dringend",
    again="De pas is gevonden, onder de bank. Kan de blokkade eraf?",
    advice=("Dag Piet, de pas is geblokkeerd, niemand kan hem nog gebruiken. Een nieuwe komt binnen drie dagen.",),
)

AMINA = Story(
    name="أمينة حداد",
    address="amina.haddad@barid.example",
    way="chat",
    page=f"{SITE}/transfers",
    opening=(Line(text="مرحبا، حولت 2500 كرونة إلى أختي يوم الأربعاء ولم تصل بعد."),),
    turns=(
        Turn(words=("iban", "رقم", "حساب"), say=("رقم الحساب ينتهي بـ 7731.",)),
        Turn(words=("غدا", "اليوم", "tomorrow", "today", "وصل"), say=(), is_end=True),
    ),
    otherwise=("English is fine too. Where is the money now?",),
    thanks="شكرا جزيلا على المساعدة! التقييم 9 من 10",
    again="وصلت الحوالة، شكرا! هل يمكنني إرسالها كل شهر تلقائيا؟",
    advice=(
        "مرحبا أمينة، أبحث عنها الآن. ما هو رقم حساب أختك؟",
        "وجدتها: ستصل الحوالة اليوم قبل الساعة السادسة.",
    ),
)

CHATTERS = (ANNA, MISAKI, OLGA, PAULINE, MARCO, HANNA, JORG, AMINA, INES, PIET)
