//! What would have been found and told, for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::phrase::{clean, moment};
use super::style::{Style, severity_colour};
use super::table::{ListRow, Shown, table};
use crate::backtest::{Apart, ChannelTold, IncidentApart, KeyApart, KeyNoise, Report, RuleReport};
use crate::diagnose::phrase::{self, count};
use crate::store::noise::FindingsApart;

/// Incidents of one sort that are shown; JSON has all.
const SHOWN_AT_MOST: usize = 30;

/// Days that are listed; JSON has all.
const DAYS_AT_MOST: usize = 31;

/// A day and what each channel was told on it.
struct DayTold {
    day: String,
    channels: Vec<(String, u64)>,
}

impl ListRow for DayTold {
    const COLUMNS: &'static [&'static str] = &["DAY", "DELIVERIES", "BY CHANNEL"];
    const GIVES_WAY: usize = 2;
    const NONE: &'static str = "nobody was told anything";

    fn columns(&self) -> Vec<Shown> {
        let all: u64 = self.channels.iter().map(|(_, deliveries)| deliveries).sum();
        let told = self.channels.iter().map(|(channel, told)| format!("{channel} {told}"));
        vec![
            self.day.as_str().into(),
            all.to_string().into(),
            told.collect::<Vec<_>>().join(", ").into(),
        ]
    }
}

impl ListRow for KeyApart {
    const COLUMNS: &'static [&'static str] = &["DELIVERIES", "BEFORE", "OF"];
    const GIVES_WAY: usize = 2;
    const NONE: &'static str = "of each as much is told";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.deliveries.to_string().into(),
            self.against.to_string().into(),
            self.key.as_str().into(),
        ]
    }
}

impl ListRow for RuleReport {
    const COLUMNS: &'static [&'static str] =
        &["RULE", "LEVEL", "STATE", "FINDINGS", "INCIDENTS", "DELIVERIES", "TITLE"];
    const GIVES_WAY: usize = 6;
    const NONE: &'static str = "no rule found anything";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.rule.as_str().into(),
            Shown::coloured(self.level.as_str(), severity_colour(self.level)),
            if self.shadow { "shadow" } else { "live" }.into(),
            self.findings.to_string().into(),
            self.incidents.to_string().into(),
            self.deliveries.to_string().into(),
            self.title.as_str().into(),
        ]
    }
}

impl ListRow for ChannelTold {
    const COLUMNS: &'static [&'static str] =
        &["CHANNEL", "DELIVERIES", "A DAY", "DAYS TOLD", "BUSIEST DAY"];
    const GIVES_WAY: usize = 4;
    const NONE: &'static str = "no channel";

    fn columns(&self) -> Vec<Shown> {
        let busiest = self.busiest.as_ref();
        vec![
            self.channel.as_str().into(),
            self.deliveries.to_string().into(),
            format!("{:.1}", self.per_day).into(),
            self.by_day.len().to_string().into(),
            busiest
                .map_or_else(|| "-".to_owned(), |day| format!("{}: {}", day.day, day.deliveries))
                .into(),
        ]
    }
}

impl ListRow for KeyNoise {
    const COLUMNS: &'static [&'static str] = &["INCIDENTS", "DELIVERIES", "OF", "RULES"];
    const GIVES_WAY: usize = 3;
    const NONE: &'static str = "nobody";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.incidents.to_string().into(),
            self.deliveries.to_string().into(),
            self.key.as_str().into(),
            self.rules.join(", ").into(),
        ]
    }
}

impl ListRow for FindingsApart {
    const COLUMNS: &'static [&'static str] = &["NEW", "GONE", "CHANGED", "RULE"];
    const GIVES_WAY: usize = 3;
    const NONE: &'static str = "both find the same";

    fn columns(&self) -> Vec<Shown> {
        vec![
            self.new.to_string().into(),
            self.gone.to_string().into(),
            self.changed.to_string().into(),
            self.rule.as_str().into(),
        ]
    }
}

impl ListRow for IncidentApart {
    const COLUMNS: &'static [&'static str] =
        &["STARTED", "SEVERITY", "SIGN-INS", "DELIVERIES", "TITLE"];
    const GIVES_WAY: usize = 4;
    const NONE: &'static str = "none";

    fn columns(&self) -> Vec<Shown> {
        let shadow = if self.shadow { " (shadow)" } else { "" };
        let changes = self.changes.iter().map(|change| format!("\n  {change}"));
        vec![
            moment(self.started_at).into(),
            Shown::coloured(self.severity.as_str(), severity_colour(self.severity)),
            self.event_count.to_string().into(),
            self.deliveries.to_string().into(),
            format!("{}{shadow}{}", clean(&self.title), changes.collect::<String>()).into(),
        ]
    }
}

/// The report, and how it differs from that of other rules.
#[must_use]
pub fn backtest(report: &Report, apart: Option<&Apart>, style: &Style) -> String {
    if report.counted_events == 0 {
        return nothing(report);
    }
    let mut text = format!(
        "{} evaluated; counted from {} to {}, {}\n{}, {}, {}\n",
        count(report.events, "sign-in"),
        moment(report.since),
        moment(report.until),
        count(report.days, "day"),
        count(report.findings, "finding"),
        count(report.incidents, "incident"),
        deliveries(report.deliveries)
    );
    if report.shadow_findings > 0 {
        let _ = writeln!(
            text,
            "in shadow, told to nobody: {}, {}",
            count(report.shadow_findings, "finding"),
            count(report.shadow_incidents, "incident")
        );
    }
    section(&mut text, "Rules", &table(&report.rules, style));
    if !report.quiet_rules.is_empty() {
        let _ = writeln!(
            text,
            "found nothing: {}",
            count(report.quiet_rules.len() as u64, "other rule")
        );
    }
    section(&mut text, "Told", &table(&report.channels, style));
    days(&mut text, &report.channels, style);
    section(&mut text, "Loudest", &table(&report.loudest, style));
    if let Some(apart) = apart {
        difference(&mut text, apart, style);
    }
    text
}

/// Where no sign-in is counted.
fn nothing(report: &Report) -> String {
    if report.events == 0 {
        return format!(
            "no sign-in before {} is stored, so there is nothing to find; `signinel import FILE` or `signinel run` \
             brings some\n",
            moment(report.until)
        );
    }
    format!(
        "no sign-in from {} on is stored, so nothing is counted; there {} before: give an earlier `--since`\n",
        moment(report.since),
        if report.events == 1 { "is 1".to_owned() } else { format!("are {}", report.events) }
    )
}

/// What every channel was told on every day, a line for each day on which somebody was told something.
fn days(text: &mut String, channels: &[ChannelTold], style: &Style) {
    let mut by_day: BTreeMap<&str, Vec<(String, u64)>> = BTreeMap::new();
    for channel in channels {
        for day in &channel.by_day {
            let told = (channel.channel.clone(), day.deliveries);
            by_day.entry(&day.day).or_default().push(told);
        }
    }
    let days = by_day.into_iter().map(|(day, channels)| DayTold { day: day.to_owned(), channels });
    let days: Vec<DayTold> = days.collect();
    let left_out = days.len().saturating_sub(DAYS_AT_MOST);
    section(text, "Told, by day", &table(&days[left_out..], style));
    if left_out > 0 {
        let _ = writeln!(
            text,
            "and on {} before; `--format json` has all",
            count(left_out as u64, "day")
        );
    }
}

fn difference(text: &mut String, apart: &Apart, style: &Style) {
    section(text, "Findings that differ from the other rules", &table(&apart.findings, style));
    for (title, incidents) in [
        ("New incidents", &apart.new),
        ("Incidents that are gone", &apart.gone),
        ("Changed incidents", &apart.changed),
    ] {
        let number = incidents.len();
        let shown = &incidents[..number.min(SHOWN_AT_MOST)];
        section(text, &format!("{title}: {number}"), &table(shown, style));
        if number > SHOWN_AT_MOST {
            let _ = writeln!(text, "and {} more; `--format json` has all", number - SHOWN_AT_MOST);
        }
    }
    section(text, "Of whom more or less is told", &table(&apart.keys, style));
    let more = apart.deliveries.unsigned_abs();
    let more = match apart.deliveries {
        0 => "as many deliveries as".to_owned(),
        1.. => format!("{} more than", deliveries(more)),
        _ => format!("{} fewer than", deliveries(more)),
    };
    let _ = writeln!(
        text,
        "\n{} the same; {more} under the other rules",
        phrase::count(apart.same, "incident")
    );
}

fn deliveries(number: u64) -> String {
    if number == 1 { "1 delivery".to_owned() } else { format!("{number} deliveries") }
}

fn section(text: &mut String, title: &str, body: &str) {
    let _ = write!(text, "\n{title}\n{body}");
}
