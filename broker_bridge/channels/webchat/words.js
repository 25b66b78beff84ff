// Every word a visitor reads, in the five languages of the house. {x} is filled in; the text of a person never is markup.
const WORDS = {
  en: {
    open: "Chat", close: "Close", you: "You", us: "Support", connecting: "connecting…", live: "connected",
    offline: "offline — your messages wait and are sent when you are back",
    greeting: "Hello. Write to us here. You can leave and come back: the answer waits for you on this page.",
    name: "Your name (optional)", placeholder: "Write a message", send: "Send", attach: "Attach a file",
    hint: "Enter sends, Shift+Enter starts a new line", typing: "{name} is typing…",
    sending: "sending…", waits: "waits for the connection", sent: "sent", seen: "seen", failed: "not sent",
    again: "Try again", remove: "Remove", today: "Today", yesterday: "Yesterday", newer: "{n} new", unread: "{n} unread",
    uploading: "uploading, {n} %", save: "save", tooMany: "{n} characters too many", messages: "Messages",
    quick: "sent in a moment", later: "trying again", cannotLoad: "The chat cannot be loaded at the moment; trying again.",
    too_large: "This file is too large: {n} MB at most.", type: "Files of this kind cannot be sent here.",
    upload: "The upload did not work. Choose the file again.", gone: "This file cannot be fetched at the moment.",
  },
  sv: {
    open: "Chatt", close: "Stäng", you: "Du", us: "Kundtjänst", connecting: "ansluter…", live: "ansluten",
    offline: "frånkopplad — dina meddelanden väntar och skickas när du är tillbaka",
    greeting: "Hej. Skriv till oss här. Du kan gå och komma tillbaka: svaret väntar på dig på den här sidan.",
    name: "Ditt namn (valfritt)", placeholder: "Skriv ett meddelande", send: "Skicka", attach: "Bifoga en fil",
    hint: "Enter skickar, Skift+Enter ger ny rad", typing: "{name} skriver…",
    sending: "skickas…", waits: "väntar på anslutningen", sent: "skickat", seen: "läst", failed: "inte skickat",
    again: "Försök igen", remove: "Ta bort", today: "I dag", yesterday: "I går", newer: "{n} nya", unread: "{n} olästa",
    uploading: "laddas upp, {n} %", save: "spara", tooMany: "{n} tecken för mycket", messages: "Meddelanden",
    quick: "skickas om ett ögonblick", later: "försöker igen", cannotLoad: "Chatten kan inte hämtas just nu; försöker igen.",
    too_large: "Filen är för stor: högst {n} MB.", type: "Den här sortens filer kan inte skickas här.",
    upload: "Uppladdningen lyckades inte. Välj filen igen.", gone: "Filen kan inte hämtas just nu.",
  },
  fi: {
    open: "Chat", close: "Sulje", you: "Sinä", us: "Asiakaspalvelu", connecting: "yhdistetään…", live: "yhdistetty",
    offline: "ei yhteyttä — viestisi odottavat ja lähtevät, kun yhteys palaa",
    greeting: "Hei. Kirjoita meille tähän. Voit poistua ja palata: vastaus odottaa sinua tällä sivulla.",
    name: "Nimesi (vapaaehtoinen)", placeholder: "Kirjoita viesti", send: "Lähetä", attach: "Liitä tiedosto",
    hint: "Enter lähettää, Vaihto+Enter aloittaa uuden rivin", typing: "{name} kirjoittaa…",
    sending: "lähetetään…", waits: "odottaa yhteyttä", sent: "lähetetty", seen: "nähty", failed: "ei lähetetty",
    again: "Yritä uudelleen", remove: "Poista", today: "Tänään", yesterday: "Eilen", newer: "{n} uutta", unread: "{n} lukematta",
    uploading: "ladataan, {n} %", save: "tallenna", tooMany: "{n} merkkiä liikaa", messages: "Viestit",
    quick: "lähtee hetken kuluttua", later: "yritetään uudelleen", cannotLoad: "Keskustelua ei voi ladata juuri nyt; yritetään uudelleen.",
    too_large: "Tiedosto on liian suuri: enintään {n} Mt.", type: "Tällaisia tiedostoja ei voi lähettää tässä.",
    upload: "Lataus ei onnistunut. Valitse tiedosto uudelleen.", gone: "Tiedostoa ei voi hakea juuri nyt.",
  },
  nb: {
    open: "Chat", close: "Lukk", you: "Du", us: "Kundeservice", connecting: "kobler til…", live: "tilkoblet",
    offline: "frakoblet — meldingene dine venter og sendes når du er tilbake",
    greeting: "Hei. Skriv til oss her. Du kan gå og komme tilbake: svaret venter på deg på denne siden.",
    name: "Navnet ditt (valgfritt)", placeholder: "Skriv en melding", send: "Send", attach: "Legg ved en fil",
    hint: "Enter sender, Skift+Enter gir ny linje", typing: "{name} skriver…",
    sending: "sendes…", waits: "venter på forbindelsen", sent: "sendt", seen: "sett", failed: "ikke sendt",
    again: "Prøv igjen", remove: "Fjern", today: "I dag", yesterday: "I går", newer: "{n} nye", unread: "{n} uleste",
    uploading: "lastes opp, {n} %", save: "lagre", tooMany: "{n} tegn for mye", messages: "Meldinger",
    quick: "sendes om et øyeblikk", later: "prøver igjen", cannotLoad: "Chatten kan ikke hentes akkurat nå; prøver igjen.",
    too_large: "Filen er for stor: høyst {n} MB.", type: "Filer av dette slaget kan ikke sendes her.",
    upload: "Opplastingen virket ikke. Velg filen på nytt.", gone: "Filen kan ikke hentes akkurat nå.",
  },
  ru: {
    open: "Чат", close: "Закрыть", you: "Вы", us: "Поддержка", connecting: "подключаемся…", live: "на связи",
    offline: "нет связи — ваши сообщения ждут и уйдут, как только связь вернётся",
    greeting: "Здравствуйте. Напишите нам здесь. Можно уйти и вернуться: ответ дождётся вас на этой странице.",
    name: "Ваше имя (необязательно)", placeholder: "Напишите сообщение", send: "Отправить", attach: "Приложить",
    hint: "Enter отправляет, Shift+Enter — новая строка", typing: "{name} печатает…",
    sending: "отправляется…", waits: "ждёт связи", sent: "отправлено", seen: "прочитано", failed: "не отправлено",
    again: "Повторить", remove: "Убрать", today: "Сегодня", yesterday: "Вчера", newer: "новых: {n}", unread: "непрочитанных: {n}",
    uploading: "загружается, {n} %", save: "сохранить", tooMany: "лишних знаков: {n}", messages: "Сообщения",
    quick: "уйдёт через мгновение", later: "пробуем ещё раз", cannotLoad: "Чат сейчас не загружается; пробуем ещё раз.",
    too_large: "Файл слишком большой: не более {n} МБ.", type: "Такие файлы здесь отправить нельзя.",
    upload: "Загрузка не удалась. Выберите файл ещё раз.", gone: "Файл сейчас не получить.",
  },
};

/** The words for the first wanted language that we have; `fill` puts values into {x}. */
function wordsFor(wanted) {
  const tags = wanted.map((tag) => tag.toLowerCase().split("-")[0]).map((tag) => (tag === "no" || tag === "nn" ? "nb" : tag));
  const lang = tags.find((tag) => Object.hasOwn(WORDS, tag)) || "en";
  const fill = (key, values = {}) => WORDS[lang][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  return { lang, fill };
}
