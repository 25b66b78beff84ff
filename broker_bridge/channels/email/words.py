"""The words by which mail programs announce a quote, by language; data for `quotes` and `automatic`.

Law: a word stands here because a mail program or its users' language writes it; no pattern is made for one sample.
"""

import re

WROTE = (
    r"wrote|writes|said|has written|"  # English
    r"schrieb(?:en)?|geschrieben|"  # German
    r"написал(?:а|и|\(а\)|о)?|писал(?:а|и|\(а\))?|пишет|пишете|сообщил(?:а|\(а\))?|"  # Russian
    r"написав|написала|пише|"  # Ukrainian
    r"skrev|skriver|har skrivit|har skrevet|"  # Swedish, Norwegian, Danish
    r"kirjoitti|kirjoittaa|kirjoittivat|"  # Finnish
    r"a écrit|écrit|écrivait|"  # French
    r"escribió|escribio|ha escrito|ha escrit|"  # Spanish, Catalan
    r"ha scritto|scrive|scrisse|"  # Italian
    r"escreveu|"  # Portuguese
    r"schreef|heeft geschreven|schreef het volgende|"  # Dutch
    r"napisał(?:a|\(a\))?|pisze|"  # Polish
    r"napsal(?:a|\(a\))?|napísal(?:a|\(a\))?|"  # Czech, Slovak
    r"írta|a scris|yazdı|şunu yazdı|kirjutas|rakstīja|rašė"  # Hungarian, Romanian, Turkish, Baltic
)
WROTE_UNSPACED = r"写道|寫道|のメール|さんは書きました|님이 작성"
"""Chinese, Japanese, Korean: no word ends there."""
WROTE_THEN_NAME = r"schrieb|skrev|schreef|kirjoitti"
"""Where the name stands after the word: `Am 2. April um 18:26 schrieb Megan One:`."""

ORIGINAL = (
    r"original message|original e-?mail|original appointment|reply message|"
    r"ursprüngliche nachricht|originalnachricht|ursprüngliche mail|"
    r"исходное сообщение|оригинальное сообщение|оригинал сообщения|исходное письмо|вихідне повідомлення|"
    r"original ?meddelande|ursprungligt meddelande|originalmeddelande|"
    r"opprinnelig melding|original melding|oprindelig meddelelse|original ?meddelelse|oprindelig besked|"
    r"alkuperäinen viesti|"
    r"message d['’]origine|message original|message initial|mensaje original|messaggio originale|mensagem original|"
    r"oorspronkelijk bericht|oorspronkelijke bericht|wiadomość oryginalna|oryginalna wiadomość|původní zpráva|"
    r"eredeti üzenet|orijinal mesaj|原始邮件|元のメッセージ"
)

FORWARDED = (
    r"forwarded message|begin forwarded message|forwarded by|"
    r"weitergeleitete nachricht|anfang der weitergeleiteten nachricht|weitergeleitete e-?mail|"
    r"пересылаемое сообщение|пересланное сообщение|пересылаемое письмо|начало переадресованного сообщения|"
    r"начало переадресованного письма|переслане повідомлення|"
    r"vidarebefordrat meddelande|vidarebefordrat brev|vidarebefordrat mejl|början på vidarebefordrat brev|"
    r"videresendt melding|videresendt meddelelse|videresendt besked|videresendt e-?post|start på videresendt melding|"
    r"välitetty viesti|edelleenlähetetty viesti|välitetty viesti alkaa|edelleen lähetetty viesti|"
    r"message transféré|début du message (?:transféré|réexpédié)|message réexpédié|mensaje reenviado|"
    r"inicio del mensaje reenviado|messaggio inoltrato|mensagem encaminhada|doorgestuurd bericht|"
    r"begin doorgestuurd bericht|przekazana wiadomość|wiadomość przekazana|přeposlaná zpráva|转发的邮件|转发邮件"
)

FROM = (
    "from|von|от|від|от кого|från|fra|lähettäjä|de|da|van|od|kimden|feladó|expéditeur|remitente|mittente|afzender|"
    "发件人|寄件者|差出人|보낸 사람"
)
SENT = (
    "sent|date|gesendet|datum|отправлено|дата|отправлен|дата отправки|надіслано|skickat|sendt|dato|lähetetty|päivä|"
    "päiväys|päivämäärä|envoyé|enviado|fecha|inviato|data|verzonden|wysłano|odesláno|enviada em|enviada|gönderilen|"
    "gönderme tarihi|elküldve|送信日時|发送时间|日期|보낸 날짜"
)
TO = "to|an|кому|till|til|vastaanottaja|à|a|para|aan|do|komu|destinataire|destinatario|kime|címzett|收件人|宛先|받는 사람"
CC = "cc|bcc|kopie|kopia|kopi|kopio|копия|копія|скрытая копия|抄送"
SUBJECT = (
    "subject|betreff|тема|ämne|emne|aihe|otsikko|objet|asunto|oggetto|onderwerp|temat|assunto|předmět|tárgy|konu|"
    "主题|主旨|件名|제목"
)
REPLY_TO = "reply-to|antwort an|ответить|svar till|svar til|vastausosoite|répondre à|responder a|importance|priority|attachments?"

LABELS = {"from": FROM, "sent": SENT, "to": TO, "cc": CC, "subject": SUBJECT, "other": REPLY_TO}

SIGNATURE = re.compile(
    r"(?i)^\s*(?:--\s*$|sent (?:from|with|via|by) |get outlook for|von meinem .{0,40} gesendet|gesendet (?:von|mit|über) |"
    r"отправлено (?:с|из|от) |отправлен[оа]? (?:с|из) |skickat från |sendt fra |lähetetty |envoyé (?:de|depuis) |"
    r"enviado (?:desde|do|de) |inviato da |verzonden (?:met|vanaf) |wysłane z )"
)

OUT_OF_OFFICE = re.compile(
    r"(?i)^\s*(?:auto(?:matic|mated)?[- ]?(?:reply|response|replied)|autoreply|out of (?:the )?office|i am away|"
    r"automatische (?:antwort|abwesenheit)|abwesenheitsnotiz|abwesend|автоответ|автоматический ответ|"
    r"autosvar|automatiskt svar|frånvaro|automatisk svar|fraværende|automaattinen vastaus|poissaoloilmoitus|"
    r"réponse automatique|absence du bureau|respuesta automática|risposta automatica|resposta automática|"
    r"automatisch antwoord|odpowiedź automatyczna|autoodpowiedź|automatická odpověď)"
)
NO_TEXT_HERE = re.compile(
    r"(?i)(?:does not|doesn['’]t|not able to|cannot|can['’]t|unable to) (?:support|display|read|view|show).{0,40}html|"
    r"html.{0,60}(?:not supported|capable|compatible|enabled|required|e-?mail (?:client|reader|program))|"
    r"view (?:this|it|the) .{0,40}(?:in (?:your|a|the) )?(?:web )?browser|"
    r"не поддерживает .{0,30}html|unterstützt kein .{0,20}html|stöder inte html|støtter ikke html|ei tue html"
)
