//! What data a rule is about, and what of it no sign-in of ours tells.

use rsigma_parser::{Detection as Tree, DetectionItem, LogSource, Modifier, SigmaRule, SigmaValue};

use super::fields::Field;
use crate::model::Severity;

/// A rule over data that we do not take: it is read and shown, and never asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataless {
    pub name: String,
    pub title: String,
    pub level: Severity,
    pub category: String,
    pub kind: &'static str,
    pub status: &'static str,
    /// What is missing, a sentence for each.
    pub lacks: Vec<String>,
}

/// Logs of Entra and Azure that rules are written for and that are not sign-ins.
const OTHER_LOGS: [(&str, &str); 4] = [
    ("auditlogs", "the directory's audit log"),
    ("activitylogs", "Azure's activity log"),
    ("riskdetection", "risk detections"),
    ("pim", "what Privileged Identity Management says"),
];

/// What a detection reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) fields: Vec<Field>,
    /// What it asks of events that they do not tell, a sentence for each.
    pub(super) lacks: Vec<String>,
}

/// What a detection reads, and what is missing for it.
pub(super) fn of_detection(rule: &SigmaRule) -> Reads {
    let mut trees: Vec<_> = rule.detection.named.iter().collect();
    // The parser's order is of no order.
    trees.sort_by_key(|(name, _)| *name);
    let mut reads = of_trees(trees.into_iter().map(|(_, tree)| tree));
    if let Some(lack) = lack_of_log(&rule.logsource) {
        // Its fields are those of another log: there is no more to say of them.
        reads.lacks = vec![lack];
    }
    reads
}

/// What the trees read, whatever log they are for.
pub(super) fn of_trees<'t>(trees: impl Iterator<Item = &'t Tree>) -> Reads {
    let mut reads = Reads::default();
    trees.for_each(|tree| reads.tree(tree));
    reads
}

/// Why no event of ours is of a log.
pub(super) fn lack_of_log(source: &LogSource) -> Option<String> {
    let is = |text: &Option<String>, name: &str| {
        text.as_deref().is_none_or(|text| text.eq_ignore_ascii_case(name))
    };
    if !is(&source.product, "azure") {
        let product = source.product.as_deref().unwrap_or_default();
        return Some(format!("it is about `product: {product}`; sign-ins are of `azure`"));
    }
    if !is(&source.service, "signinlogs") {
        let service = source.service.as_deref().unwrap_or_default();
        let named = OTHER_LOGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(service));
        return Some(match named {
            Some((_, log)) => format!("{log} (`service: {service}`) is not read"),
            None => format!("`service: {service}` is not read; sign-ins are `signinlogs`"),
        });
    }
    let category = source.category.as_deref()?;
    Some(format!("`category: {category}` is not read; sign-ins have none"))
}

impl Reads {
    fn tree(&mut self, tree: &Tree) {
        match tree {
            Tree::AllOf(items) => items.iter().for_each(|item| self.item(item)),
            Tree::AnyOf(trees) | Tree::And(trees) => {
                for tree in trees {
                    self.tree(tree);
                }
            }
            // A keyword may stand in any field, so such a rule reads them all, the event's own id too.
            Tree::Keywords(_) => self.fields.push(Field::Id),
            Tree::ArrayMatch { field, .. } => self.name(field),
            Tree::Conditional { named, .. } => named.values().for_each(|tree| self.tree(tree)),
        }
    }

    fn item(&mut self, item: &DetectionItem) {
        let Some(name) = &item.field.name else { return self.fields.push(Field::Id) };
        if name.eq_ignore_ascii_case("Status") && !asks_for_outcome(item) {
            return self
                .lack(format!("`{name}` is known as `Success` or `Failure`, with no more words"));
        }
        self.name(name);
        if item.field.has_modifier(Modifier::FieldRef) {
            item.values.iter().filter_map(text).for_each(|name| self.name(&name));
        }
    }

    fn name(&mut self, name: &str) {
        match Field::named(name) {
            Some(field) => self.fields.push(field),
            None => self.lack(format!("`{name}` is not kept of a sign-in")),
        }
    }

    fn lack(&mut self, sentence: String) {
        if !self.lacks.contains(&sentence) {
            self.lacks.push(sentence);
        }
    }
}

/// Whether an item asks what the portal's column `Status` says and we know: how it ended.
fn asks_for_outcome(item: &DetectionItem) -> bool {
    item.field.modifiers.is_empty()
        && item.values.iter().all(|value| {
            text(value).is_some_and(|text| {
                text.eq_ignore_ascii_case("success") || text.eq_ignore_ascii_case("failure")
            })
        })
}

fn text(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => Some(text.original.clone()),
        _ => None,
    }
}
