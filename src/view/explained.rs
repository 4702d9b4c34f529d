//! Why a rule did or did not match, for a terminal.

use super::phrase::{clean, moment};
use crate::detect::{Explanation, Folded, GroupValue, InGroup, Judged, Node, Told};

/// The whole answer; ends with a line break.
#[must_use]
pub fn explained(explanation: &Explanation) -> String {
    let Explanation { rule, kind, level, title, event, at, identity, .. } = explanation;
    let mut lines = vec![
        format!("{rule} ({kind}, {level}): {}", clean(title)),
        format!("{}  {}  {event}", moment(*at), clean(identity)),
    ];
    if !explanation.without_data.is_empty() {
        let lacks = explanation.without_data.join("; ");
        lines.push(format!("The rule is without data and was not asked: {lacks}."));
        return lines.join("\n") + "\n";
    }
    if !explanation.counts_findings_of.is_empty() {
        let inner = explanation.counts_findings_of.join("`, `");
        lines.push(format!("The rule counts what others find, not sign-ins; ask of `{inner}`."));
        return lines.join("\n") + "\n";
    }
    lines.push(verdict(explanation).to_owned());
    for judged in &explanation.detections {
        detection(judged, &mut lines);
    }
    if let Some(rules) = &explanation.counted_by {
        lines.push(String::new());
        lines.push(building_block(rules));
    }
    for group in &explanation.groups {
        in_group(group, explanation.is_one_record, &mut lines);
    }
    lines.join("\n") + "\n"
}

fn verdict(explanation: &Explanation) -> &'static str {
    let roles = || explanation.groups.iter().filter_map(|group| group.role);
    if explanation.counted_by.is_some() {
        return if explanation.counts {
            "This sign-in is what the building block looks for."
        } else {
            "This sign-in is not what the building block looks for."
        };
    }
    if explanation.counts {
        "This sign-in counts for the rule."
    } else if roles().any(|role| role == "breaks") {
        "This sign-in does not count for the rule; it breaks what was counted."
    } else if roles().next().is_some() {
        "This sign-in does not count for the rule; it tells what is usual."
    } else {
        "This sign-in is nothing to the rule."
    }
}

fn building_block(rules: &[String]) -> String {
    let nothing = "A building block finds nothing by itself";
    match rules {
        [] => format!("{nothing}, and no rule asks for this one."),
        [one] => format!("{nothing}; ask of the rule that is made of it: `{one}`."),
        several => {
            format!("{nothing}; ask of the rules that are made of it: `{}`.", several.join("`, `"))
        }
    }
}

fn detection(judged: &Judged, lines: &mut Vec<String>) {
    lines.push(String::new());
    let is = if judged.matched { "matched" } else { "not matched" };
    lines.push(format!("{} ({}): {is}", judged.name, judged.role));
    for node in &judged.conditions {
        tree(node, 1, lines);
    }
    if !judged.filters.is_empty() {
        let titles: Vec<String> = judged.filters.iter().map(|title| clean(title)).collect();
        lines.push(format!("  filtered by: {}", titles.join(", ")));
    }
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no " }
}

fn tree(node: &Node, depth: usize, lines: &mut Vec<String>) {
    let mut line =
        format!("{:1$}{2}  {3}", "", 2 * depth, yes_or_no(node.matched), clean(&node.is));
    if let Some(item) = &node.item {
        let value = item.value.as_ref().map(|value| clean(value));
        match (&item.field, value) {
            (None, _) => {}
            (Some(_), Some(value)) => line.extend(["; the event has ", &value]),
            (Some(_), None) => line.push_str("; the event has no value"),
        }
        if let Some(means) = item.means.filter(|means| Some(*means) != item.field.as_deref()) {
            line.extend([" in `", means, "`"]);
        }
        if let Some(note) = item.note {
            line.extend([" (", note, ")"]);
        }
    }
    lines.push(line);
    for part in &node.parts {
        tree(part, depth + 1, lines);
    }
}

fn in_group(group: &InGroup, is_one_record: bool, lines: &mut Vec<String>) {
    lines.push(String::new());
    let by = group.by.iter().map(|GroupValue { field, value }| {
        format!("{field} = {}", value.as_deref().map_or_else(|| "no value".to_owned(), clean))
    });
    lines.push(format!("Group: {}", by.collect::<Vec<_>>().join(", ")));
    match &group.fold {
        Some(fold) => folded(fold, is_one_record, lines),
        None if group.role.is_some() => {
            lines.push("  It is in no group of the rule: a field of it has no value.".to_owned());
        }
        None => {}
    }
}

fn folded(fold: &Folded, is_one_record: bool, lines: &mut Vec<String>) {
    if let Some([after, until]) = fold.window {
        let count = fold.in_window.unwrap_or_default();
        let (after, until) = (moment(after), moment(until));
        lines.push(format!("Window: after {after}, up to {until}: {count} that count"));
    }
    let known = if is_one_record {
        "no other sign-in is known beside a record from a file".to_owned()
    } else {
        format!("{} of the group by then, this one with them", fold.events)
    };
    lines.push(format!("Sign-ins taken in: {known}"));
    for measure in &fold.standing.measures {
        let (what, is) = (&measure.what, clean(&measure.is));
        lines.push(match &measure.enough {
            Some(enough) => {
                format!("  {}  {what}: {is}; enough is {enough}", yes_or_no(measure.met))
            }
            None => format!("       {what}: {is}"),
        });
    }
    if let Some(due_at) = fold.due_at {
        lines.push(format!("Next sign-in due by {}", moment(due_at)));
    }
    for told in &fold.findings {
        lines.push(finding(told));
    }
    if fold.findings.is_empty() {
        lines.push("Nothing was found by then.".to_owned());
    } else if !fold.is_evidence {
        lines.push("This sign-in is no evidence of it.".to_owned());
    }
}

fn finding(told: &Told) -> String {
    let Told { started_at, detected_at, last_at, events, is_over } = told;
    format!(
        "A finding since {}, detected {}, {events} sign-ins up to {}{}",
        moment(*started_at),
        moment(*detected_at),
        moment(*last_at),
        if *is_over { "; over with this sign-in" } else { "" }
    )
}
