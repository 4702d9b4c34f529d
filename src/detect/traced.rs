//! What the engine says of one event, condition by condition and field by field, in the words of the rule.

use rsigma_eval::RuleExplanation;
use rsigma_eval::explain::{ConditionTrace, DetectionTrace, ItemTrace, MatchReason};
use rsigma_parser::{Detection as Tree, DetectionItem, FilterRule, FilterRuleTarget, SigmaRule};
use serde::Serialize;
use serde_json::Value;

use super::fields::Field;

/// A part of a condition, with what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// `and`, `or`, `not`, `1 of …`, the name of a selection, or what an item asks.
    pub is: String,
    pub matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Asked>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Node>,
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// As the rule spells it; `None` for a keyword.
    pub field: Option<String>,
    /// Our name of it.
    pub means: Option<&'static str>,
    pub modifiers: Vec<String>,
    pub wants: Vec<String>,
    /// `None` where the event has none.
    pub value: Option<String>,
    /// Why it did not match, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// The conditions of a detection; a filter adds its own.
pub(super) fn nodes(
    explained: &RuleExplanation,
    rule: &SigmaRule,
    filters: &[FilterRule],
) -> Vec<Node> {
    let words = Words { rule, filters };
    explained.conditions.iter().map(|trace| words.condition(trace)).collect()
}

/// The titles of the filters that take away from a detection.
pub(super) fn filters_of(filters: &[FilterRule], name: &str) -> Vec<String> {
    let is_for = |filter: &&FilterRule| match &filter.rules {
        FilterRuleTarget::Any => true,
        FilterRuleTarget::Specific(names) => names.iter().any(|it| it == name),
    };
    filters.iter().filter(is_for).map(|filter| filter.title.clone()).collect()
}

/// The rules as they were written, beside what the engine made of them.
struct Words<'r> {
    rule: &'r SigmaRule,
    filters: &'r [FilterRule],
}

impl Words<'_> {
    fn condition(&self, trace: &ConditionTrace) -> Node {
        let (is, parts) = match trace {
            ConditionTrace::Selection { name, detection, .. } => {
                let (is, tree) = self.selection(name);
                (is, self.detection(detection, tree))
            }
            ConditionTrace::And { children, .. } => ("and".to_owned(), self.all(children)),
            ConditionTrace::Or { children, .. } => ("or".to_owned(), self.all(children)),
            ConditionTrace::Not { child, .. } => ("not".to_owned(), vec![self.condition(child)]),
            ConditionTrace::Quantified { need, got, branches, .. } => {
                let parts = branches.iter().map(|branch| {
                    let (is, tree) = self.selection(&branch.name);
                    let parts = self.detection(&branch.detection, tree);
                    Node { is, matched: branch.matched, item: None, parts }
                });
                let is = format!("{need} of {} selections ({got} met)", branches.len());
                (is, parts.collect())
            }
        };
        Node { is, matched: trace.matched(), item: None, parts }
    }

    fn all(&self, traces: &[ConditionTrace]) -> Vec<Node> {
        traces.iter().map(|trace| self.condition(trace)).collect()
    }

    /// A selection by its name in the engine: filters' are those of a filter by its place.
    fn selection(&self, name: &str) -> (String, Option<&Tree>) {
        let of_filter = name.strip_prefix("__filter_").and_then(|rest| {
            let (place, name) = rest.split_once('_')?;
            let filter = self.filters.get(place.parse::<usize>().ok()?)?;
            let is = format!("{name} (filter \"{}\")", filter.title);
            Some((is, filter.detection.named.get(name)))
        });
        of_filter.unwrap_or_else(|| (name.to_owned(), self.rule.detection.named.get(name)))
    }

    fn detection(&self, trace: &DetectionTrace, tree: Option<&Tree>) -> Vec<Node> {
        let several = |traces: &[DetectionTrace], trees: &[Tree], is: &str| {
            traces
                .iter()
                .enumerate()
                .map(|(place, trace)| Node {
                    is: is.to_owned(),
                    matched: trace.matched(),
                    item: None,
                    parts: self.detection(trace, trees.get(place)),
                })
                .collect()
        };
        match (trace, tree) {
            (DetectionTrace::AllOf { items, .. }, Some(Tree::AllOf(asked)))
                if items.len() == asked.len() =>
            {
                items.iter().zip(asked).map(|(trace, asked)| item(trace, Some(asked))).collect()
            }
            (DetectionTrace::AllOf { items, .. }, _) => {
                items.iter().map(|trace| item(trace, None)).collect()
            }
            (DetectionTrace::AnyOf { branches, .. }, tree) => {
                let trees =
                    if let Some(Tree::AnyOf(trees)) = tree { trees.as_slice() } else { &[] };
                several(branches, trees, "either")
            }
            (DetectionTrace::And { branches, .. }, tree) => {
                let trees = if let Some(Tree::And(trees)) = tree { trees.as_slice() } else { &[] };
                several(branches, trees, "both")
            }
            (DetectionTrace::Keywords { item: trace, .. }, tree) => {
                let mut node = item(trace, None);
                if let (Some(asked), Some(Tree::Keywords(values))) = (&mut node.item, tree) {
                    asked.wants = values.iter().map(ToString::to_string).collect();
                    node.is = format!("anywhere: {}", asked.wants.join(", "));
                }
                vec![node]
            }
            (DetectionTrace::ArrayMatch { field, quantifier, matched, .. }, _) => {
                let is = format!("{field}[{quantifier}]: no field of a sign-in is a list");
                vec![Node { is, matched: *matched, item: None, parts: Vec::new() }]
            }
            (DetectionTrace::Conditional { condition, .. }, _) => vec![self.condition(condition)],
            (DetectionTrace::Other { kind, matched }, _) => {
                vec![Node { is: kind.clone(), matched: *matched, item: None, parts: Vec::new() }]
            }
        }
    }
}

fn item(trace: &ItemTrace, asked: Option<&DetectionItem>) -> Node {
    let modifiers: Vec<String> = asked
        .iter()
        .flat_map(|asked| &asked.field.modifiers)
        .filter_map(|modifier| serde_json::to_value(modifier).ok()?.as_str().map(str::to_owned))
        .collect();
    let wants: Vec<String> = match asked {
        Some(asked) => asked.values.iter().map(ToString::to_string).collect(),
        None => trace.pattern.iter().cloned().collect(),
    };
    let field = trace.field.clone();
    let name = std::iter::once(field.as_deref().unwrap_or("anywhere"))
        .chain(modifiers.iter().map(String::as_str));
    let is = format!("{}: {}", name.collect::<Vec<_>>().join("|"), wants.join(", "));
    let value = trace.actual.as_ref().filter(|value| !value.is_null()).map(text);
    let means = field.as_deref().and_then(Field::named).map(Field::name);
    let note = match trace.reason {
        MatchReason::CaseMismatch => Some("only the case of letters differs"),
        _ => None,
    };
    let item = Some(Asked { field, means, modifiers, wants, value, note });
    Node { is, matched: trace.matched, item, parts: Vec::new() }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
