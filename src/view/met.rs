//! What a timeline says of the rules that were met, and of those whose findings another explains.

use std::collections::{BTreeMap, BTreeSet};

use super::noted::LATE;
use super::phrase::moment;
use super::timeline::{Entry, EntryKind, summed_up};
use crate::detect::Rulebook;
use crate::diagnose::{measured, phrase};
use crate::model::{Incident, NAMED_AT_MOST};
use crate::store::incidents::IncidentFinding;
use crate::store::time;

pub(super) fn rules_met(
    rulebook: &Rulebook,
    value_names: &BTreeMap<String, String>,
    findings: &[IncidentFinding],
    incident: &Incident,
) -> Vec<Entry> {
    let mut names: Vec<&str> = findings.iter().map(|row| row.rule.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut entries = Vec::new();
    for name in &names {
        let of_rule: Vec<&IncidentFinding> =
            findings.iter().filter(|row| row.rule == *name).collect();
        let hides = |cause: &&&str| {
            rulebook.rules.get(**cause).is_some_and(|rule| rule.hides.iter().any(|it| it == name))
        };
        if let Some(cause) = names.iter().find(hides) {
            entries.extend(symptom((name, cause), &of_rule));
            continue;
        }
        let met: Vec<Entry> =
            of_rule.into_iter().map(|row| rule_met(rulebook, value_names, row, incident)).collect();
        entries.extend(summed_up(met, |number| {
            format!("Rule `{name}` was met {} more", phrase::times(number))
        }));
    }
    entries
}

/// All that a rule found which another explains, in one line.
fn symptom((name, cause): (&str, &str), findings: &[&IncidentFinding]) -> Option<Entry> {
    let drafts = || findings.iter().map(|row| &row.finding.draft);
    let at = drafts().map(|draft| draft.detected_at).min()?;
    let (from, to) =
        (drafts().map(|it| it.started_at).min()?, drafts().map(|it| it.last_at).max()?);
    let identities: BTreeSet<i64> = drafts().flat_map(|draft| &draft.identities).copied().collect();
    let sentence = format!(
        "Taken in as a symptom of `{cause}`: `{name}`, {} of {}",
        phrase::count(findings.len() as u64, "finding"),
        identities_told(identities.len())
    );
    let sign_ins = drafts().map(|draft| draft.event_count).sum();
    let detail =
        format!("{} {}", phrase::count(sign_ins, "sign-in"), phrase::within(time(from), time(to)));
    let entry = Entry::new(time(at), EntryKind::RuleMet, sentence);
    Some(entry.with_detail(detail).with_count(sign_ins))
}

/// A finding names no more identities than it can.
fn identities_told(number: usize) -> String {
    match number {
        1 => "1 identity".to_owned(),
        _ if number >= NAMED_AT_MOST => format!("at least {number} identities"),
        _ => format!("{number} identities"),
    }
}

fn rule_met(
    rulebook: &Rulebook,
    value_names: &BTreeMap<String, String>,
    row: &IncidentFinding,
    incident: &Incident,
) -> Entry {
    let draft = &row.finding.draft;
    let title = rulebook
        .rules
        .get(&row.rule)
        .map_or_else(String::new, |rule| format!(": {} ({})", rule.text.title, rule.level));
    let is_shadow = incident.is_shadow || incident.shadow_rules.contains(&row.rule);
    let shadow = if is_shadow { " in shadow" } else { "" };
    let value = draft.measures.get("value");
    let new = value.map(|value| phrase::quoted(value_names.get(value).unwrap_or(value)));
    let new: Vec<String> = new.into_iter().collect();
    let detail = match rulebook.rules.get(&row.rule) {
        Some(rule) => {
            let enough = measured::enough(rule, draft);
            measured::numbers(rule.kind_name(), draft, &new, &enough)
        }
        // Nobody knows any more what the rule asked for.
        None => phrase::count(draft.event_count, "sign-in"),
    };
    let detail = detail + &found_later(row, incident);
    Entry::new(
        time(draft.detected_at),
        EntryKind::RuleMet,
        format!("Rule `{}` was met{shadow}{title}", row.rule),
    )
    .with_detail(detail)
    .with_count(draft.event_count)
}

/// When it was found, where that was long after it happened and not when the incident was opened, which has an
/// entry of its own.
fn found_later(row: &IncidentFinding, incident: &Incident) -> String {
    let happened_at = time(row.finding.draft.detected_at);
    if row.found_at - happened_at > LATE && row.found_at > incident.opened_at {
        format!("; found at {}", moment(row.found_at))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_can_be_named_may_be_more() {
        for (number, told) in
            [(1, "1 identity"), (63, "63 identities"), (64, "at least 64 identities")]
        {
            assert_eq!(identities_told(number), told);
        }
    }
}
