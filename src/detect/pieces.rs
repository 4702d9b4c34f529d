//! Pieces of a rule file by themselves: whether Sigma's parser and compiler take one key, one condition or one whole.

use rsigma_eval::compile_rule;
use rsigma_eval::compiler::compile_detection;
use rsigma_parser::{
    ConditionExpr, SelectorPattern, SigmaCollection, detection_name_matches, parse_condition,
    parse_sigma_yaml,
};
use yaml_serde::{Mapping, Value};

/// The rules of a document, or why Sigma's parser or compiler does not take it.
pub(super) fn refusal(value: &Value) -> Result<SigmaCollection, String> {
    parsed(&yaml_serde::to_string(value).map_err(|error| error.to_string())?)
}

pub(super) fn parsed(text: &str) -> Result<SigmaCollection, String> {
    let rules = parse_sigma_yaml(text).map_err(|error| error.to_string())?;
    if let Some(error) = rules.errors.first() {
        return Err(error.clone());
    }
    for rule in &rules.rules {
        compile_rule(rule).map_err(|error| error.to_string())?;
    }
    for filter in &rules.filters {
        let names: Vec<&str> = filter.detection.named.keys().map(String::as_str).collect();
        for tree in filter.detection.named.values() {
            compile_detection(tree).map_err(|error| error.to_string())?;
        }
        // The engine takes what such a condition names for met by nothing.
        if let Some(name) =
            filter.detection.conditions.iter().find_map(|one| unknown_part(one, &names))
        {
            return Err(format!("`condition` names `{name}`, which is no part of it"));
        }
    }
    Ok(rules)
}

/// A document of one part alone.
fn alone(key: &Value, value: &Value) -> Value {
    let item: Mapping = [(key.clone(), value.clone())].into_iter().collect();
    let detection: Mapping =
        [("it".into(), item.into()), ("condition".into(), "it".into())].into_iter().collect();
    let mut map = Mapping::new();
    map.insert("title".into(), "one part".into());
    map.insert("logsource".into(), yaml(&[("product", "azure")]));
    map.insert("sigma-version".into(), 3.into());
    map.insert("detection".into(), detection.into());
    map.into()
}

/// What is wrong with one key of a part, and its values.
pub(super) fn item_fault(key: &Value, value: &Value) -> Option<String> {
    let error = refusal(&alone(key, value)).err()?;
    let key = shown(key);
    let modifier = error.strip_prefix("Unknown modifier ").map(|it| it.trim_matches('\''));
    Some(match modifier {
        Some(modifier) => format!(
            "`{key}`: Sigma knows no modifier `{modifier}`: take one that it knows, such as `contains`, \
             `startswith`, `re` or `cidr`"
        ),
        None => format!(
            "`{key}: {}`: {}; write what its modifiers take",
            shown(value),
            error.lines().map(str::trim).collect::<Vec<_>>().join(" ")
        ),
    })
}

/// What is wrong with the condition over these parts.
pub(super) fn condition_fault(said: &Value, parts: &Mapping) -> Option<String> {
    let is_part = |name: &&str| !matches!(*name, "condition" | "rules" | "timeframe");
    let names: Vec<&str> = parts.keys().filter_map(Value::as_str).filter(is_part).collect();
    let texts: Vec<&str> = match said {
        Value::String(text) => vec![text],
        Value::Sequence(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() {
        return Some("is no text: name the parts that must be met, as in `selection`".to_owned());
    }
    for text in texts {
        let Ok(expression) = parse_condition(text) else {
            return Some(format!(
                "`{text}` cannot be read: name parts with `and`, `or`, `not` and `1 of selection_*`"
            ));
        };
        if let Some(name) = unknown_part(&expression, &names) {
            let known = names.join("`, `");
            return Some(format!("names `{name}`, which is no part of it: there is `{known}`"));
        }
    }
    None
}

/// The first part that a condition names and that is not there.
fn unknown_part(expression: &ConditionExpr, names: &[&str]) -> Option<String> {
    match expression {
        ConditionExpr::And(all) | ConditionExpr::Or(all) => {
            all.iter().find_map(|one| unknown_part(one, names))
        }
        ConditionExpr::Not(one) => unknown_part(one, names),
        ConditionExpr::Identifier(name) => (!names.contains(&name.as_str())).then(|| name.clone()),
        ConditionExpr::Selector { pattern: SelectorPattern::Them, .. } => {
            names.is_empty().then(|| "them".to_owned())
        }
        ConditionExpr::Selector { pattern: SelectorPattern::Pattern(pattern), .. } => {
            let is_met = names.iter().any(|name| detection_name_matches(name, pattern));
            (!is_met).then(|| pattern.clone())
        }
    }
}

/// Whether the parser takes one key of a correlation as it is.
pub(super) fn stands(map: &Mapping, key: &str, said: &Value) -> bool {
    let mut correlation = yaml(&[("timespan", "1h"), ("condition", "{gte: 1}")]);
    let Some(tried) = correlation.as_mapping_mut() else { return false };
    // A condition may be one for its type alone, and a gap for its window.
    for beside in ["type", "window", "gap"] {
        if let Some(value) =
            map.get(beside).filter(|_| matches!(key, "condition" | "window" | "gap"))
        {
            tried.insert(beside.into(), value.clone());
        }
    }
    if !tried.contains_key("type") {
        tried.insert("type".into(), "event_count".into());
    }
    if key == "timeframe" {
        tried.remove("timespan");
    }
    tried.insert(key.into(), said.clone());
    let mut whole = Mapping::new();
    whole.insert("title".into(), "one key".into());
    whole.insert("correlation".into(), correlation);
    refusal(&whole.into()).is_ok()
}

pub(super) fn yaml(keys: &[(&str, &str)]) -> Value {
    let pair = |(key, value): &(&str, &str)| {
        (Value::from(*key), yaml_serde::from_str(value).unwrap_or_default())
    };
    Value::Mapping(keys.iter().map(pair).collect())
}

/// A value as it could stand behind its key.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Sequence(list) => {
            format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => yaml_serde::to_string(other).unwrap_or_default().trim().to_owned(),
    }
}
