//! The rows of the lists: what their tables show and what their JSON holds.

use chrono::{DateTime, TimeDelta, Utc};
use owo_colors::AnsiColors;
use serde::Serialize;

use super::json::IncidentRow;
use super::phrase::moment;
use super::style::{severity_colour, state_colour};
use super::table::{ListRow, Shown};
use crate::detect::{Dataless, Rule, Rulebook};
use crate::model::{Delivery, Severity};
use crate::store::HeadCoverage;
use crate::store::deliveries::DeliveryState;
use crate::store::gaps::{Gap, GapState};
use crate::store::overview::{IdentityOverview, SourceOverview};
use crate::store::rejects::RejectOverview;

fn moment_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

/// A state of something, and why nobody is told of it.
fn untold(state: &str, why: &str) -> String {
    if state.is_empty() { why.to_owned() } else { format!("{state}, {why}") }
}

impl ListRow for IncidentRow {
    const COLUMNS: &'static [&'static str] =
        &["ID", "SEVERITY", "STATE", "STARTED", "SIGN-INS", "TITLE"];
    const GIVES_WAY: usize = 5;
    const NONE: &'static str = "no incidents";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.id.to_string().into(),
            Shown::coloured(self.severity.as_str(), severity_colour(self.severity)),
            if self.shadow {
                Shown::coloured(untold(&self.state.to_string(), "shadow"), AnsiColors::Cyan)
            } else if self.silenced_until.is_some() {
                Shown::coloured(untold(&self.state.to_string(), "silenced"), AnsiColors::Cyan)
            } else {
                Shown::coloured(self.state.to_string(), state_colour(self.state))
            },
            moment(self.started_at).into(),
            self.event_count.to_string().into(),
            self.title.as_str().into(),
        ]
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRow {
    pub name: String,
    pub title: String,
    pub level: Severity,
    pub category: String,
    pub kind: &'static str,
    /// stable, test, experimental, …
    pub status: String,
    /// Evaluated and shown, and never told.
    pub shadow: bool,
    /// What of its data does not come; then it finds nothing.
    pub without_data: Vec<String>,
}

impl From<&Rule> for RuleRow {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            title: rule.text.title.clone(),
            level: rule.level,
            category: rule.category.clone(),
            kind: rule.kind_name(),
            status: rule.text.status.clone(),
            shadow: rule.is_shadow,
            without_data: Vec::new(),
        }
    }
}

impl From<&Dataless> for RuleRow {
    fn from(rule: &Dataless) -> Self {
        Self {
            name: rule.name.clone(),
            title: rule.title.clone(),
            level: rule.level,
            category: rule.category.clone(),
            kind: rule.kind,
            status: rule.status.to_owned(),
            shadow: false,
            without_data: rule.lacks.clone(),
        }
    }
}

/// Every rule that finds, gravest first, then those that cannot for want of data.
#[must_use]
pub fn rules(rulebook: &Rulebook) -> Vec<RuleRow> {
    let mut rows: Vec<RuleRow> = rulebook.rules.values().map(RuleRow::from).collect();
    rows.extend(rulebook.dataless.values().map(RuleRow::from));
    rows.sort_by_key(|row| (!row.without_data.is_empty(), std::cmp::Reverse(row.level)));
    rows
}

impl ListRow for RuleRow {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "LEVEL", "CATEGORY", "KIND", "STATUS", "TITLE"];
    const GIVES_WAY: usize = 5;
    const NONE: &'static str = "no rules";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.name.as_str().into(),
            Shown::coloured(self.level.as_str(), severity_colour(self.level)),
            self.category.as_str().into(),
            self.kind.into(),
            if self.shadow {
                Shown::coloured(untold(&self.status, "shadow"), AnsiColors::Cyan)
            } else {
                self.status.as_str().into()
            },
            self.title_and_lacks().into(),
        ]
    }
}

impl RuleRow {
    fn title_and_lacks(&self) -> String {
        if self.without_data.is_empty() {
            return self.title.clone();
        }
        format!("{}\nwithout data: {}", self.title, self.without_data.join("; "))
    }
}

impl ListRow for SourceOverview {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "KIND", "READ", "STORED", "TWICE", "REJECTED", "OTHER", "READ TO, FAILURES"];
    const GIVES_WAY: usize = 7;
    const LEAST: usize = 60;
    const NONE: &'static str = "no source was read yet";

    fn columns(&self) -> Vec<Shown> {
        let tally = &self.tally;
        let mut lines: Vec<String> = self
            .heads
            .iter()
            .map(|head| {
                let failures = match head.failures {
                    0 => String::new(),
                    number => format!(", failed {number} in a row"),
                };
                format!("{} {}{failures}", moment(head.read_to), head.name)
            })
            .collect();
        if let (Some(at), Some(failure)) = (self.last_failed_at, &self.last_failure) {
            lines.push(format!("{} {}", moment(at), super::phrase::clean(failure)));
        }
        vec![
            self.name.as_str().into(),
            self.kind.as_str().into(),
            tally.read.to_string().into(),
            tally.stored.to_string().into(),
            tally.duplicates.to_string().into(),
            match tally.rejected {
                0 => "0".into(),
                number => Shown::coloured(number.to_string(), AnsiColors::Yellow),
            },
            std::iter::once(tally.other.to_string())
                .chain(self.others.iter().map(|(log, count)| format!("{count} {log}")))
                .collect::<Vec<_>>()
                .join("\n")
                .into(),
            if lines.is_empty() { "-".into() } else { lines.join("\n").into() },
        ]
    }
}

/// A delivery and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    #[serde(flatten)]
    pub delivery: Delivery,
    pub state: DeliveryState,
}

impl From<Delivery> for DeliveryRow {
    fn from(delivery: Delivery) -> Self {
        let state = match (delivery.sent_at, delivery.dead_at) {
            (Some(_), _) => DeliveryState::Sent,
            (None, Some(_)) => DeliveryState::Dead,
            (None, None) => DeliveryState::Pending,
        };
        Self { delivery, state }
    }
}

impl ListRow for DeliveryRow {
    const COLUMNS: &'static [&'static str] =
        &["ID", "INCIDENT", "CHANNEL", "REASON", "STATE", "TRIED", "WHEN", "LAST ERROR"];
    const GIVES_WAY: usize = 7;
    const NONE: &'static str = "no deliveries";

    fn columns(&self) -> Vec<Shown> {
        let delivery = &self.delivery;
        let (word, colour, at) = match self.state {
            DeliveryState::Sent => ("sent", AnsiColors::Green, delivery.sent_at),
            DeliveryState::Dead => ("dead", AnsiColors::Red, delivery.dead_at),
            DeliveryState::Pending => {
                ("pending", AnsiColors::Yellow, Some(delivery.next_attempt_at))
            }
        };
        vec![
            delivery.id.to_string().into(),
            delivery.incident_id.to_string().into(),
            delivery.channel.as_str().into(),
            delivery.reason.as_str().into(),
            Shown::coloured(word, colour),
            delivery.attempts.to_string().into(),
            moment_or_dash(at).into(),
            delivery.last_error.as_deref().map_or_else(|| "-".into(), super::phrase::clean).into(),
        ]
    }
}

impl ListRow for IdentityOverview {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "SERVICE PRINCIPAL, CLIENT ID", "LAST SEEN", "OPEN"];
    const GIVES_WAY: usize = 0;
    const NONE: &'static str = "no identity was seen yet";

    fn columns(&self) -> Vec<Shown> {
        let name = if self.name.is_empty() { "-" } else { &self.name };
        let ids: Vec<&str> = [&self.service_principal_id, &self.app_id]
            .into_iter()
            .map(|id| if id.is_empty() { "-" } else { id.as_str() })
            .collect();
        vec![
            super::phrase::clean(name).into(),
            ids.join("\n").into(),
            moment_or_dash(self.last_seen_at).into(),
            match self.open_incidents {
                0 => "0".into(),
                number => Shown::coloured(number.to_string(), AnsiColors::Red),
            },
        ]
    }
}

impl ListRow for HeadCoverage {
    const COLUMNS: &'static [&'static str] =
        &["SOURCE, HEAD", "COMPLETE TO", "LATE: HALF, 99 %, MOST", "REQUESTS", "FAILED"];
    const GIVES_WAY: usize = 0;
    const NONE: &'static str = "no source was polled yet";

    fn columns(&self) -> Vec<Shown> {
        let late = |seconds: Option<u64>| {
            let span =
                seconds.and_then(|seconds| TimeDelta::try_seconds(i64::try_from(seconds).ok()?));
            span.map_or_else(|| "-".to_owned(), crate::diagnose::phrase::span)
        };
        let lateness = &self.lateness;
        let half = late(lateness.p50_seconds);
        vec![
            format!("{}\n{}", self.source, self.head).into(),
            match self.failures {
                0 if self.missing > 0 => Shown::coloured(
                    format!(
                        "{}\nthe source counts {} more",
                        moment_or_dash(self.complete_to),
                        self.missing
                    ),
                    AnsiColors::Red,
                ),
                0 => moment_or_dash(self.complete_to).into(),
                number => Shown::coloured(
                    format!("{}\nfailed {number} in a row", moment_or_dash(self.complete_to)),
                    AnsiColors::Yellow,
                ),
            },
            format!("{half}, {}, {}", late(lateness.p99_seconds), late(lateness.most_seconds))
                .into(),
            self.requests.to_string().into(),
            self.failed_requests.to_string().into(),
        ]
    }
}

impl ListRow for Gap {
    const COLUMNS: &'static [&'static str] = &["GAP", "FROM", "TO", "STATE", "WHY"];
    const GIVES_WAY: usize = 4;
    const NONE: &'static str = "no gaps";

    fn columns(&self) -> Vec<Shown> {
        let state = self.state.to_string();
        let why = if self.reason.is_empty() { "not running" } else { &self.reason };
        vec![
            format!("{}\n{}", self.source, self.head).into(),
            moment(self.from).into(),
            moment_or_dash(self.to).into(),
            match self.state {
                GapState::Filled => state.into(),
                GapState::Open => Shown::coloured(state, AnsiColors::Yellow),
                GapState::Lost => Shown::coloured(state, AnsiColors::Red),
            },
            super::phrase::clean(why).into(),
        ]
    }
}

impl ListRow for RejectOverview {
    const COLUMNS: &'static [&'static str] = &["ID", "SOURCE", "RECEIVED", "WHERE AND WHY"];
    const GIVES_WAY: usize = 3;
    const NONE: &'static str = "no record was set aside";

    fn columns(&self) -> Vec<Shown> {
        let place = format!("{}:{}", super::phrase::clean(&self.origin), self.place);
        vec![
            self.id.to_string().into(),
            self.source.as_str().into(),
            moment(self.received_at).into(),
            format!("{place}\n{}", super::phrase::clean(&self.reason)).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fetched, Head, Reject};
    use crate::view::night::{self, at};
    use crate::view::{Style, json, table};

    const PLAIN: Style = Style { colour: false, width: 80 };

    /// A record was set aside, and the source does not answer.
    async fn troubled(night: &night::Night) {
        let mut fetched = Fetched::default();
        fetched.rejects.push(Reject {
            origin: "signins\u{1b}[2J.json".to_owned(),
            place: 7,
            reason: "`createdDateTime` is missing".to_owned(),
            record: b"{}".to_vec(),
            form: None,
        });
        let head = Head {
            name: "managedIdentity".to_owned(),
            read_to: at("23 08:00:00"),
            failures: 2,
            next_attempt_at: None,
            last_read_at: None,
        };
        let (source, now) = (("contoso", "graph"), at("23 08:05:00"));
        night.store.add(source, fetched, None, now).await.unwrap();
        night.store.head_failed(source, &head, "no answer", (2, 2), now).await.unwrap();
        night.store.open_gap(source, &head.name, head.read_to, now).await.unwrap();
    }

    #[test]
    fn what_was_seen_is_listed_within_the_width() {
        night::block_on(async {
            let night =
                night::whole("build-agent with a rather long name, as they happen to be").await;
            troubled(&night).await;
            let incidents: Vec<IncidentRow> =
                night.store.incidents().await.unwrap().iter().map(IncidentRow::from).collect();
            let tellings = night.store.tellings_of(incidents[0].id).await.unwrap();
            let deliveries: Vec<DeliveryRow> =
                tellings.into_iter().map(|telling| telling.delivery.into()).collect();
            let sources = night.store.source_overviews().await.unwrap();
            let identities = night.store.identity_overviews(10).await.unwrap();
            let rejects = night.store.reject_overviews(10).await.unwrap();
            let lists = [
                table(&incidents, &PLAIN),
                table(&deliveries, &PLAIN),
                table(&sources, &PLAIN),
                table(&identities, &PLAIN),
                table(&rejects, &PLAIN),
                table(&night.store.coverage().await.unwrap(), &PLAIN),
                table(&night.store.gaps().await.unwrap(), &PLAIN),
            ];
            let all = lists.join("\n");
            assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
            assert!(!all.contains('\u{1b}'), "{all}");
            insta::assert_snapshot!(all, @r#"
            ID  SEVERITY  STATE     STARTED                  SIGN-INS
              TITLE
            1   high      resolved  2026-11-23 02:14:07 UTC  16
              Application not found, many times: build-agent with a rather long name, as th…

            ID  INCIDENT  CHANNEL  REASON  STATE  TRIED  WHEN
              LAST ERROR
            2   1         chat     opened  dead   9      2026-11-23 03:21:00 UTC
              refused: 404 Not Found
            1   1         on-call  opened  sent   1      2026-11-23 02:21:00 UTC

            NAME     KIND   READ  STORED  TWICE  REJECTED  OTHER
              READ TO, FAILURES
            contoso  graph  22    21      0      1         0
              2026-11-23 08:00:00 UTC managedIdentity, failed 2 in a row
              2026-11-23 08:05:00 UTC no answer

            SERVICE PRINCIPAL, CLIENT ID          LAST SEEN                OPEN
              NAME
            5a3e9d70-1c2b-4e8f-8f60-7b9c0d1e2f32  2026-11-23 07:30:00 UTC  0
            c4b1e6a8-7d35-4c2e-9b1f-0e8d7a6b5c43
              build-agent with a rather long name, as they happen to be

            ID  SOURCE   RECEIVED                 WHERE AND WHY
            1   contoso  2026-11-23 08:05:00 UTC  signins [2J.json:7
                                                  `createdDateTime` is missing

            COMPLETE TO        LATE: HALF, 99 %, MOST  REQUESTS  FAILED
              SOURCE, HEAD
            -                  -, -, -                 2         2
            failed 2 in a row
              contoso
              managedIdentity

            GAP              FROM                     TO  STATE  WHY
            contoso          2026-11-23 08:00:00 UTC  -   open   not running
            managedIdentity
            "#);
        });
    }

    #[test]
    fn every_list_is_json_too() {
        night::block_on(async {
            let night = night::whole("build-agent").await;
            let sources = json::document(&night.store.source_overviews().await.unwrap());
            assert!(sources.contains("\"duplicates\": 0"), "{sources}");
            let identities = json::document(&night.store.identity_overviews(1).await.unwrap());
            assert!(identities.contains("\"open_incidents\": 0"), "{identities}");
            let rows = rules(&night.rulebook);
            assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.level)));
            let rules = json::document(&rows);
            assert!(rules.contains("\"kind\": \"streak\",\n    \"status\": \"stable\""), "{rules}");
        });
    }
}
