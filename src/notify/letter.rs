//! A message as a mail: headers that keep one thread per incident, a plain and an HTML part.

use std::time::SystemTime;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};

use super::message::{Message, digest, plain};
use super::words::{colour, has_steps, headline, standing};
use crate::diagnose::phrase::{count, time};
use crate::diagnose::{Cause, Confidence, Step, Who};
use crate::model::{IncidentState, TellReason};

/// Identities listed with all their ids.
const WHO_AT_MOST: usize = 10;

/// Seconds from 1601, where Windows counts from, to 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600;

/// The parts of a text that stand between backticks, and those outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) is_code: bool,
}

/// Cuts a sentence at its backticks. A backtick without its fellow stays in the text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, code, after)) = rest
        .split_once('`')
        .and_then(|(before, rest)| rest.split_once('`').map(|(code, after)| (before, code, after)))
    {
        pieces.push(Piece { text: before, is_code: false });
        pieces.push(Piece { text: code, is_code: true });
        rest = after;
    }
    pieces.push(Piece { text: rest, is_code: false });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

struct CauseLines<'a> {
    sentence: &'a str,
    confidence: &'static str,
    because: &'a [String],
}

struct WhoLines<'a> {
    title: &'a str,
    rows: Vec<(&'static str, String)>,
}

/// What both parts show. The two templates see the same values, so neither says more.
struct View<'a> {
    topic: &'a str,
    badge: String,
    colour: &'static str,
    headline: String,
    standing: String,
    is_over: bool,
    what: &'a str,
    steps_title: &'static str,
    steps: &'a [Step],
    causes: Vec<CauseLines<'a>>,
    unusual: &'a [String],
    who: Vec<WhoLines<'a>>,
    who_left_out: String,
    unknown: &'a [String],
    commands: &'a [String],
    footer: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct PlainPart<'a> {
    view: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlPart<'a> {
    view: &'a View<'a>,
}

/// The plain and the HTML part.
pub(super) fn render(message: &Message) -> Result<(String, String), askama::Error> {
    let view = view(message);
    Ok((PlainPart { view: &view }.render()? + "\n", HtmlPart { view: &view }.render()?))
}

/// Makes the mail. The same message gives the same bytes, on every attempt.
pub(super) fn compose(
    message: &Message,
    from: &Mailbox,
    to: &[Mailbox],
) -> Result<lettre::Message, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the mail cannot be written: {error}");
    let (text, html) = render(message).map_err(|error| failed(&error))?;
    let topic = plain(&message.topic);
    let subject = if message.number == 1 { topic.clone() } else { format!("Re: {topic}") };
    let mut mail = lettre::Message::builder()
        .from(from.clone())
        .date(SystemTime::from(message.planned_at))
        .message_id(Some(message.message_id()))
        .subject(subject)
        .raw_header(header("Thread-Topic", topic))
        .raw_header(header("Thread-Index", thread_index(message)))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("X-Signinel-Incident-Id", message.incident_id.to_string()))
        .raw_header(header("List-Id", format!("Signinel <incidents.{}>", message.mail_host())));
    if let Some(root) = message.root_id() {
        mail = mail.in_reply_to(root.clone()).references(root);
    }
    for mailbox in to {
        mail = mail.to(mailbox.clone());
    }
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("signinel-{}", message.key()))
        .singlepart(SinglePart::plain(text))
        .singlepart(SinglePart::html(html));
    mail.multipart(parts).map_err(|error| failed(&error))
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The thread as Outlook knows it: when it began and which it is, and for an answer one block more.
///
/// Header: the upper six bytes of the beginning as FILETIME and a GUID. Block: a bit that says which
/// unit, 31 bits of the time since the beginning, and a byte to tell answers apart.
fn thread_index(message: &Message) -> String {
    let incident = &message.card.incident;
    let began = filetime(incident.opened_at);
    let guid =
        digest(&format!("{}|{}|{}", message.host, incident.id, incident.opened_at.timestamp()));
    let mut index = began.to_be_bytes()[..6].to_vec();
    index.extend(&guid[..16]);
    if message.number > 1 {
        let since = filetime(message.planned_at).saturating_sub(began);
        // Short spans in units of 2^18, long ones (over 1.7 years) in units of 2^23.
        let (unit, shift) = if since >> 49 == 0 { (0, 18) } else { (1_u32 << 31, 23) };
        let span = u32::try_from((since >> shift) & 0x7fff_ffff).unwrap_or(0x7fff_ffff);
        index.extend((unit | span).to_be_bytes());
        index.push(u8::try_from(message.number & 0xff).unwrap_or(0));
    }
    STANDARD.encode(index)
}

/// Tenths of microseconds since 1601.
fn filetime(at: DateTime<Utc>) -> u64 {
    let micros = at.timestamp_micros().saturating_add(FILETIME_EPOCH * 1_000_000);
    u64::try_from(micros).unwrap_or(0).saturating_mul(10)
}

fn view(message: &Message) -> View<'_> {
    let card = &message.card;
    let steps: &[Step] = if has_steps(message) { &card.steps } else { &[] };
    let is_over = message.is_over();
    View {
        topic: &message.topic,
        badge: badge(message),
        colour: colour(message),
        headline: headline(message),
        standing: standing(message),
        is_over,
        what: &card.what,
        // A mail that comes late, of the first reading perhaps, tells of what is over already.
        steps_title: match card.incident.state() {
            IncidentState::Resolved => "Still worth doing",
            IncidentState::Open | IncidentState::Acknowledged => "Do now",
        },
        steps,
        causes: card.causes.iter().map(cause_lines).collect(),
        unusual: if is_over { &[] } else { &card.unusual },
        who: card.who.iter().take(WHO_AT_MOST).map(who_lines).collect(),
        who_left_out: card
            .left_out(card.who.len().min(WHO_AT_MOST))
            .map_or_else(String::new, |others| format!("and {others}: see the incident")),
        unknown: if is_over { &[] } else { &card.unknown },
        commands: &message.commands,
        footer: footer(message),
    }
}

fn badge(message: &Message) -> String {
    let severity = message.card.incident.severity.as_str();
    match message.reason {
        TellReason::Opened => severity.to_owned(),
        TellReason::Worse => format!("{severity}, worse"),
        TellReason::Reopened => format!("{severity}, back again"),
        TellReason::Resolved => "over".to_owned(),
    }
}

fn cause_lines(cause: &Cause) -> CauseLines<'_> {
    let confidence = match cause.confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    };
    CauseLines { sentence: &cause.sentence, confidence, because: &cause.because }
}

fn who_lines(who: &Who) -> WhoLines<'_> {
    let ids = [
        ("Service principal", &who.service_principal_id),
        ("Client id", &who.app_id),
        ("Tenant", &who.tenant_id),
        ("Azure resource", &who.arm_resource_id),
    ];
    let mut rows: Vec<(&str, String)> = ids
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| (label, value.clone()))
        .collect();
    let last_good = who.last_good_at.map_or_else(|| "none stored".to_owned(), time);
    rows.push(("Last good sign-in", last_good));
    let title = [&who.name, &who.app_id, &who.service_principal_id]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("without a name or id", String::as_str);
    WhoLines { title, rows }
}

fn footer(message: &Message) -> String {
    let times = count(u64::try_from(message.number).unwrap_or(1), "message");
    format!(
        "Signinel at {}, channel {}, {times} about this incident so far. Written {}. Nobody reads answers to this mail.",
        message.host,
        message.channel,
        time(message.planned_at)
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::{IncidentId, ResolvedBy};

    fn mail(message: &Message) -> String {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        let mail = compose(
            message,
            &mailbox("Signinel <signinel@example.com>"),
            &[mailbox("on-call@example.com"), mailbox("second@example.com")],
        );
        String::from_utf8(mail.unwrap().formatted()).unwrap()
    }

    fn header_of(mail: &str, name: &str) -> Option<String> {
        let head = mail.split_once("\r\n\r\n").unwrap().0.replace("\r\n ", " ");
        let start = format!("{name}: ");
        head.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    }

    #[test]
    fn every_telling_is_in_the_thread_of_the_first() {
        let first = mail(&sample::message(TellReason::Opened, 1));
        let later = mail(&sample::message(TellReason::Resolved, 3));
        let root = header_of(&first, "Message-ID");
        assert!(root.is_some() && header_of(&first, "In-Reply-To").is_none());
        assert_eq!(header_of(&later, "In-Reply-To"), root);
        assert_eq!(header_of(&later, "References"), root);
        assert_ne!(header_of(&later, "Message-ID"), root);
        let subject = header_of(&first, "Subject").unwrap();
        assert_eq!(subject, "[HIGH] Application not found, many times: billing-api (#12)");
        assert_eq!(header_of(&later, "Subject"), Some(format!("Re: {subject}")));
        assert_eq!(header_of(&later, "Thread-Topic"), Some(subject));
        assert_eq!(header_of(&first, "Auto-Submitted").as_deref(), Some("auto-generated"));
        assert_eq!(header_of(&first, "X-Signinel-Incident-Id").as_deref(), Some("12"));
        assert_eq!(
            header_of(&first, "List-Id").as_deref(),
            Some("Signinel <incidents.signinel.example.com>")
        );
    }

    #[test]
    fn the_thread_index_of_an_answer_is_that_of_the_first_and_five_bytes() {
        let index = |number| {
            STANDARD.decode(thread_index(&sample::message(TellReason::Worse, number))).unwrap()
        };
        let (first, later) = (index(1), index(2));
        assert_eq!((first.len(), later.len()), (22, 27));
        assert_eq!(first[..22], later[..22]);
        // 2026-01-03 02:16 UTC as FILETIME is 0x01dc7c56_????????.
        let began = filetime(sample::incident().opened_at);
        assert_eq!(began / 10_000_000 - 11_644_473_600, 1_767_405_840 + 12 * 60);
        assert_eq!(first[0], 1);
        let span = u64::from(u32::from_be_bytes(later[22..26].try_into().unwrap())) << 18;
        assert!(span <= 600_000_000 && span + (1 << 18) > 600_000_000, "one minute: {span}");
    }

    #[test]
    fn the_same_message_gives_the_same_bytes() {
        let message = sample::message(TellReason::Opened, 1);
        assert_eq!(mail(&message), mail(&message));
    }

    #[test]
    fn no_text_of_a_log_makes_a_header_or_a_tag() {
        let mut message = sample::message(TellReason::Opened, 1);
        message.topic =
            "[HIGH] x\r\nBcc: thief@example.org\r\n\r\n<script> \u{1f980} (#12)".to_owned();
        message.card.who[0].name = "<img src=https://example.org/x>".to_owned();
        message.card.incident.id = IncidentId(12);
        let text = mail(&message);
        assert_eq!(header_of(&text, "Bcc"), None);
        assert!(text.lines().all(|line| line.len() < 998));
        let (_, html) = render(&message).unwrap();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn both_parts_answer_the_six_questions() {
        let (text, html) = render(&sample::message(TellReason::Opened, 1)).unwrap();
        assert!(text.lines().next().unwrap().ends_with("Since 2026-01-03 02:04 UTC."), "{text}");
        for part in [
            "az ad sp show --id 7f9d2f0a",
            "deleted and made anew",
            "96 good sign-ins a day",
            "9b0f4c1e-5f2d-4d53-9a3b-7c1d2e3f4a5b",
            "Where the requests came from",
            "signinel timeline 12",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
            assert!(html.contains(part), "{part} in\n{html}");
        }
        assert!(!text.contains("&#"), "{text}");
        assert!(!html.contains("http"), "nothing remote: {html}");
    }

    #[test]
    fn a_mail_reads_like_this() {
        let (text, html) = render(&sample::message(TellReason::Opened, 1)).unwrap();
        insta::assert_snapshot!("opened_text", text);
        insta::assert_snapshot!("opened_html", html);
        let mut over = sample::message(TellReason::Resolved, 2);
        over.card.incident.resolved_at = Some(sample::at(116));
        over.card.incident.resolved_by = Some(ResolvedBy::Recovered);
        insta::assert_snapshot!("resolved_text", render(&over).unwrap().0);
    }

    #[test]
    fn backticks_become_code_and_a_lone_one_stays() {
        let piece = |text, is_code| Piece { text, is_code };
        assert_eq!(pieces("a `b` c"), [piece("a ", false), piece("b", true), piece(" c", false)]);
        assert_eq!(pieces("it`s"), [piece("it`s", false)]);
        assert_eq!(pieces(""), []);
    }
}
