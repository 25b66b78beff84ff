"""Quote folding: what is new stays visible, what is old is folded, nothing is lost."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.email.quotes import fold

MARKED = {
    "english gmail": "On Mon, Apr 2, 2012 at 6:26 PM, Megan One <m@example.com> wrote:",
    "english wrapped": "On Dec 16, 2011, at 12:47 PM, Corey Donohoe\n<reply@example.com>\nwrote:",
    "english wrapped early": "On Wednesday, 26 June 2014, a person with a rather long name\nand a title <a@example.com> wrote:",
    "english bare": "Megan wrote:",
    "english dated": "2012/4/2 bob <bob@example.com>:",
    "german": "Am Montag, 2. April 2012 um 18:26 schrieb Megan One:",
    "german thunderbird": "Am 26.06.2014 14:41, schrieb Alexander L:",
    "german web": "Gesendet am 2.4.2012 um 18:26, Bob <bob@example.com> hat geschrieben:",
    "russian gmail": "пн, 2 апр. 2012 г. в 18:26, Мария Иванова <m@example.com>:",
    "russian older gmail": "2 апреля 2012 г., 18:26 пользователь Мария <m@example.com> написал:",
    "russian yandex": '26.06.2014, 14:41, "Alexander L" <a@example.com>:',
    "russian mail.ru": "Четверг, 26 июня 2014, 14:00 +04:00 от Alexander L <a@example.com>:",
    "russian thunderbird": "26.06.2014 14:41, Alexander L пишет:",
    "russian feminine": "Мария Иванова писала 26.06.2014:",
    "ukrainian": "пн, 2 квіт. 2012 о 18:26 Марія <m@example.com> пише:",
    "swedish": "Den 2 april 2012 18:26 skrev Megan One <m@example.com>:",
    "swedish apple": "2 apr. 2012 kl. 18:26 skrev Megan <m@example.com>:",
    "norwegian": "man. 2. apr. 2012 kl. 18:26 skrev Megan <m@example.com>:",
    "danish": "Den man. 2. apr. 2012 kl. 18.26 skrev Megan <m@example.com>:",
    "finnish": "ma 2. huhtik. 2012 klo 18.26 Megan (m@example.com) kirjoitti:",
    "finnish short": "Megan kirjoitti 2.4.2012 kello 18:26:",
    "french": "Le lun. 2 avr. 2012 à 18:26, Megan <m@example.com> a écrit :",
    "spanish": "El lun., 2 abr. 2012 a las 18:26, Megan (<m@example.com>) escribió:",
    "italian": "Il giorno lun 2 apr 2012 alle ore 18:26 Megan <m@example.com> ha scritto:",
    "portuguese": "Em seg., 2 de abr. de 2012 às 18:26, Megan <m@example.com> escreveu:",
    "dutch": "Op ma 2 apr. 2012 om 18:26 schreef Megan <m@example.com>:",
    "mutt": "* Bob <b@example.com> [2024-05-01 10:00]:",
    "the bat": "Вы писали 1 мая 2024 г., 10:00:00:",
    "fastmail": "On Mon, 1 May 2024, at 10:00 AM, Bob wrote:",
    "spark": "On 1 May 2024, 10:00 +0200, Bob <b@example.com>, wrote:",
    "android german": "Bob <b@example.com> schrieb am Mi., 1. Mai 2024, 10:00:",
    "android russian": "1 мая 2024 г. 10:00:00 GMT+03:00, Bob <b@example.com> пишет:",
    "wrapped inside the address": "ons. 1. mai 2024, 10:00 skrev Bob Bobsen <\nb@example.com>:",
    "polish": "pon., 2 kwi 2012 o 18:26 Megan <m@example.com> napisał(a):",
    "chinese": "Megan <m@example.com> 于2012年4月2日周一 18:26写道：",
}

BLOCKS = {
    "english": "From: Bob <b@example.com>\nSent: Friday, 23 March 2012 17:08\nTo: Ann\nSubject: Order",
    "english starred": "*From:* Bob [mailto:b@example.com]\n*Sent:* Monday 2:15 AM\n*To:* a@example.com\n*Subject:* Order",
    "german": "Von: Bob <b@example.com>\nGesendet: Freitag, 23. März 2012 17:08\nAn: Ann\nBetreff: Bestellung",
    "russian": "От: Боб <b@example.com>\nОтправлено: 23 марта 2012 г. 17:08\nКому: Анна\nТема: Заказ",
    "swedish": "Från: Bob <b@example.com>\nSkickat: den 23 mars 2012 17:08\nTill: Ann\nÄmne: Order",
    "norwegian": "Fra: Bob <b@example.com>\nSendt: fredag 23. mars 2012 17:08\nTil: Ann\nEmne: Ordre",
    "finnish": "Lähettäjä: Bob <b@example.com>\nLähetetty: 23. maaliskuuta 2012 17:08\nVastaanottaja: Ann\nAihe: Tilaus",
    "french": "De : Bob <b@example.com>\nEnvoyé : vendredi 23 mars 2012 17:08\nÀ : Ann\nObjet : Commande",
    "spanish": "De: Bob <b@example.com>\nEnviado: viernes, 23 de marzo de 2012\nPara: Ann\nAsunto: Pedido",
    "dutch": "Van: Bob <b@example.com>\nVerzonden: vrijdag 23 maart 2012\nAan: Ann\nOnderwerp: Order",
    "polish": "Od: Bob <b@example.com>\nWysłano: piątek, 23 marca 2012\nDo: Ann\nTemat: Zamówienie",
    "date first": "Date: Thu, 26 Jun 2014 13:53:45 +0400\nSubject: Order\nFrom: b@example.com\nTo: a@example.com",
    "direction marks": "От: Боб <b@example.com>\nОтправлено: \u200eчетверг\u200e, \u200e26\u200e\nКому: Анна",
}

SEPARATORS = {
    "english": "-----Original Message-----",
    "yahoo": "----- Original Message -----",
    "proton": "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐",
    "notes": "-----Bob Smith wrote: -----",
    "samsung": "-------- Original message --------",
    "em client": "------ Originalnachricht ------",
    "german": "-----Ursprüngliche Nachricht-----",
    "russian": "-----Исходное сообщение-----",
    "swedish": "-----Ursprungligt meddelande-----",
    "norwegian": "-----Opprinnelig melding-----",
    "danish": "-----Oprindelig meddelelse-----",
    "finnish": "-----Alkuperäinen viesti-----",
    "forward gmail": "---------- Forwarded message ---------",
    "forward apple": "Begin forwarded message:",
    "forward thunderbird": "-------- Forwarded Message --------",
    "forward german": "-------- Weitergeleitete Nachricht --------",
    "forward russian": "-------- Пересылаемое сообщение --------",
}


@pytest.mark.parametrize("attribution", MARKED.values(), ids=MARKED)
def test_attribution_is_folded_with_the_marked_quote_below_it(attribution: str) -> None:
    folded = fold(f"Yes, please.\n\n{attribution}\n\n> Shall we send it?\n> Bob")
    assert folded.text == "Yes, please."
    assert folded.quote.startswith(attribution)
    assert folded.quote.endswith("> Bob")


UNMARKED = [name for name in MARKED if name not in ("english bare", "russian feminine", "mutt", "the bat")]


@pytest.mark.parametrize("name", UNMARKED)
def test_dated_attribution_folds_what_follows_even_without_marks(name: str) -> None:
    folded = fold(f"Yes, please.\n\n{MARKED[name]}\n\nShall we send it?\nBob")
    assert folded.text == "Yes, please."


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_header_block_of_another_mail_starts_the_quote(block: str) -> None:
    folded = fold(f"Yes, please.\n\n________________________________\n{block}\n\nShall we send it?")
    assert folded.text == "Yes, please."
    assert folded.quote.startswith("________")
    assert "Shall we send it?" in folded.quote


@pytest.mark.parametrize("line", SEPARATORS.values(), ids=SEPARATORS)
def test_separator_line_starts_the_quote(line: str) -> None:
    folded = fold(f"Yes, please.\n\n{line}\nFrom: b@example.com\n\nShall we send it?")
    assert folded.text == "Yes, please."
    assert folded.quote.startswith(line)


VISIBLE = {
    "prose that begins with On": "On the other hand I wrote to you twice.\n\nWhat now?",
    "prose with a year": "On the other hand, in 2012 I wrote:\n\nplease cancel my card",
    "a dated remark": "On 12.05.2024 at 10:30 you wrote:\nthe parcel comes tomorrow. It did not.",
    "a form": "From: Oslo\nTo: Bergen\nDate: 12 May\n\nTwo adults.",
    "a question with a colon": "One question I had:\n\nWhen I run it on 10:30, what happens?",
    "a signature": "Thanks\n\n-- \nBob\nSent from my iPhone",
    "a list": "- first\n- second\n\n--- end ---",
    "the word wrote in a sentence": "He wrote me at 10:30 that it is done: good.",
    "an appointment": "Please send the papers by 12.05.2024 14:00 to (bob@example.com):\n\n1. passport\n2. photo",
    "russian prose": "В 2012 году мы писали вам:\n\nверните деньги",
    "a mailbox escape": ">From now on call me Bob.\n\nThanks",
}


@pytest.mark.parametrize("body", VISIBLE.values(), ids=VISIBLE)
def test_own_words_are_never_taken_for_a_quote(body: str) -> None:
    assert fold(body) == (body, "")


def test_answers_between_quoted_lines_stay_visible() -> None:
    folded = fold("On 1 May 2024 at 10:00, Bob wrote:\n> One?\nYes.\n> Two?\n\nNo, never.\n\n> Three?\n>\n-- \nAnn")
    assert folded.text == "Yes.\n\nNo, never.\n\n-- \nAnn"
    assert "One?" in folded.quote and "Two?" in folded.quote and "Three?" in folded.quote


def test_answer_below_the_quote_stays_visible() -> None:
    assert fold("On 04/02/2012 06:26 PM, Megan One wrote:\n> Hi\nHello").text == "Hello"


@pytest.mark.parametrize("line", ["---------- Forwarded message ---------", "Begin forwarded message:"])
@pytest.mark.parametrize("before", ["", "\n\nSent from my iPhone\n\n", "\n-- \nBob\n"])
def test_mail_that_is_only_a_forward_shows_what_it_forwards(line: str, before: str) -> None:
    body = f"{before}{line}\nFrom: b@example.com\nSubject: Order\n\nWhere is it?"
    assert fold(body) == (body.strip("\n"), "")


def test_mail_that_is_only_a_quote_is_not_blank() -> None:
    assert fold("> a\n> b") == ("> a\n> b", "")


def test_quoted_forward_marker_folds_like_any_quoted_line() -> None:
    folded = fold("Fine.\n\n> ---------- Forwarded message ----------\n> From: b@example.com\n> text")
    assert folded.text == "Fine."


# From here on: real mails. What each must show is read from the mail, by eye.
ZAPIER = {
    "email_1_1.txt": ("Hi folks", "riak-users mailing list", ""),
    "email_1_2.txt": ("Hi,", "would do it.", "Hi folks"),
    "email_1_3.txt": ("Oh thanks.", "-Abhishek Kona", "You can list the keys"),
    "email_1_4.txt": ("Awesome!", "problem with it.", "Loader seems"),
    "email_1_5.txt": ("One: Here's what", "for a while.", ""),
    "email_1_6.txt": ("I get proper", "magnificent torch of pixels", "related or fixed already?"),
    "email_1_7.txt": (":+1:", ":+1:", "Steps 0-2"),
    "email_1_8.txt": ("I will reply under this one", "this is my signature", "write a 2 second line"),
    "email_2_1.txt": ("Outlook with a reply", "Outlook with a reply", "Dear Google Apps"),
    "email_2_2.txt": ("Outlook with a reply", "directly above line", "A new comment"),
    "email_2_3.txt": ("Outlook with a reply", "unusual format", "Respond to Kim"),
    "email_BlackBerry.txt": ("Here is another email", "Sent from my BlackBerry", ""),
    "email_bullets.txt": ("test 2 this should", "Joe Smith | Director", "Give us an example"),
    "email_gmail.txt": ("This is a test", "github message.", "That way people"),
    "email_headers_no_delimiter.txt": ("And another reply!", "And another reply!", "A reply"),
    "email_iPhone.txt": ("Here is another email", "Sent from my iPhone", ""),
    "email_one_is_not_on.txt": ("Thank, this", "when I run...", "found a much better query"),
    "email_partial_quote_header.txt": ("On your remote host", "not working.", "odd issue"),
    "greedy_on.txt": ("On your remote host", "not working.", "odd issue"),
    "pathological.txt": ("I think you're onto", "back to a computer.", "debugging output"),
    "correct_sig.txt": ("this is an email", "rick", ""),
    "email_sent_from_my_not_signature.txt": ("Here is another", "mobile phone.", ""),
    "email_sig_delimiter_in_middle_of_line.txt": ("Hi there!", "kthxbai", ""),
    "email_multi_word_sent_from_my_mobile_device.txt": ("Here is", "Verizon Wireless BlackBerry", ""),
}


@pytest.mark.parametrize("name", ZAPIER)
def test_real_reply_is_folded_as_a_reader_would(corpus: Path, name: str) -> None:
    first, last, quoted = ZAPIER[name]
    folded = fold((corpus / "reply" / "zapier" / name).read_text(encoding="utf-8"))
    assert folded.text.startswith(first)
    assert last in folded.text
    assert (quoted in folded.quote and quoted not in folded.text) if quoted else folded.quote == ""


LINES = st.sampled_from(
    [
        *("", "Hello", "> quoted", ">> twice", "-- ", "Sent from my iPhone", "From: Bob <b@example.com>", "To: Ann"),
        *("Subject: x", "Sent: 1 May 2024 10:00", "On 1 May 2024 at 10:00, Bob <b@example.com> wrote:", "wrote:"),
        *("-----Original Message-----", "________________", "Begin forwarded message:", "own words", ">From here"),
    ]
)


@given(st.lists(LINES | st.text(max_size=30).filter(lambda text: "\n" not in text), max_size=30))
def test_every_line_is_in_the_text_or_in_the_quote(lines: list[str]) -> None:
    folded = fold("\n".join(lines))
    kept = [line for half in folded for line in half.split("\n") if line.strip()]
    assert sorted(kept) == sorted(line for line in lines if line.strip())


@given(st.lists(LINES, max_size=30))
def test_folding_what_is_visible_changes_nothing_more_that_is_own(lines: list[str]) -> None:
    folded = fold("\n".join(lines))
    assert bool(folded.text.strip()) == any(line.strip() for line in lines)
