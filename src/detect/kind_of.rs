//! What a correlation looks for: its kind, read out of Sigma's words and those under `signinel:`.

use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType,
};

use super::extension::{Extension, ExtensionKind};
use super::kinds::{
    Absence, Awakening, Baseline, Condition, EventCount, FirstSeen, Kind, Needs, Newcomer, Ratio,
    Rhythm, Statistic, Streak, Temporal, TemporalOrdered, ValueCount, ValueStatistic, WEEK, Which,
};

pub(super) const SECOND: i64 = 1_000_000;

/// The kind of a correlation; the sentence says why it has none.
pub(super) fn kind(rule: &CorrelationRule, extension: &Extension) -> Result<Kind, String> {
    let timespan = i64::try_from(rule.timespan.seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(SECOND))
        .filter(|timespan| *timespan > 0)
        .ok_or("`timespan` must be longer than nothing")?;
    if extension.kind.is_none()
        && matches!(
            rule.correlation_type,
            CorrelationType::Temporal | CorrelationType::TemporalOrdered
        )
    {
        return temporal(rule, timespan);
    }
    let CorrelationCondition::Threshold { predicates, percentile, .. } = &rule.condition else {
        return Err("`condition` must compare a count, such as `gte: 10`".to_owned());
    };
    let condition = Condition(predicates.clone());
    if let Some(ours) = extension.kind {
        return own(ours, extension, timespan, condition);
    }
    let statistic = |statistic| {
        let condition = condition.clone();
        Ok(Kind::ValueStatistic(ValueStatistic { timespan, condition, statistic }))
    };
    match rule.correlation_type {
        CorrelationType::EventCount => Ok(Kind::EventCount(EventCount { timespan, condition })),
        CorrelationType::ValueCount => Ok(Kind::ValueCount(ValueCount { timespan, condition })),
        CorrelationType::ValueSum => statistic(Statistic::Sum),
        CorrelationType::ValueAvg => statistic(Statistic::Average),
        CorrelationType::ValueMedian => statistic(Statistic::Median),
        CorrelationType::ValuePercentile => match percentile.unwrap_or(50) {
            percent @ 0..=100 => statistic(Statistic::Percentile(percent)),
            other => Err(format!("`condition.percentile: {other}` is not from 0 to 100")),
        },
        other => Err(format!("`type: {}` is not evaluated yet", other.as_str())),
    }
}

/// A kind that Sigma has not.
fn own(
    kind: ExtensionKind,
    extension: &Extension,
    timespan: i64,
    condition: Condition,
) -> Result<Kind, String> {
    let least = |whose| at_least(&condition.0, whose);
    let learn_for = span("learn_for", extension.learn_for.as_ref())?.unwrap_or(0);
    let learn_events = extension.learn_events;
    Ok(match kind {
        ExtensionKind::Streak => Kind::Streak(Streak {
            length: least("a streak")?,
            at_least: span("at_least", extension.at_least.as_ref())?.unwrap_or(0),
        }),
        ExtensionKind::FirstSeen => Kind::FirstSeen(FirstSeen {
            timespan,
            learn_for,
            learn_events,
            known_at_most: extension.known_at_most.unwrap_or(FirstSeen::VALUES_AT_MOST),
            least: least("`first_seen`")?,
            at_least: span("at_least", extension.at_least.as_ref())?.unwrap_or(0),
        }),
        ExtensionKind::Newcomer => {
            Kind::Newcomer(Newcomer { timespan, least: least("`newcomer`")? })
        }
        ExtensionKind::Awakening => Kind::Awakening(Awakening {
            timespan,
            at_least: span("at_least", extension.at_least.as_ref())?
                .ok_or("`at_least` is missing: how long a silence is one")?,
            factor: factor(extension)?,
            learn_events: learn_events.max(1),
        }),
        ExtensionKind::Rhythm => {
            Kind::Rhythm(Rhythm { timespan, least: least("`rhythm`")?, learn_for, learn_events })
        }
        ExtensionKind::Ratio => return ratio(extension, timespan, condition),
        ExtensionKind::Absence => return absence(extension, timespan),
        ExtensionKind::Baseline => return baseline(extension, timespan, least("a baseline")?),
    })
}

fn ratio(extension: &Extension, timespan: i64, condition: Condition) -> Result<Kind, String> {
    if extension.of.is_empty() {
        return Err(
            "`of` is missing: list the rules of the whole that a share is found of".to_owned()
        );
    }
    match extension.percent {
        percent @ 1..=100 => {
            Ok(Kind::Ratio(Ratio { timespan, condition, percent, turns: extension.turns }))
        }
        other => Err(format!("`percent: {other}` is not from 1 to 100")),
    }
}

fn absence(extension: &Extension, timespan: i64) -> Result<Kind, String> {
    let at_least = span("at_least", extension.at_least.as_ref())?.unwrap_or(0);
    let at_most = span("at_most", extension.at_most.as_ref())?.unwrap_or(timespan);
    if at_most < at_least {
        return Err("`at_most` is less than `at_least`".to_owned());
    }
    Ok(Kind::Absence(Absence {
        timespan,
        factor: factor(extension)?,
        at_least,
        at_most,
        learn_for: span("learn_for", extension.learn_for.as_ref())?.unwrap_or(0),
        learn_events: extension.learn_events,
    }))
}

fn baseline(extension: &Extension, timespan: i64, minimum: u64) -> Result<Kind, String> {
    const AN_HOUR: i64 = 3_600 * SECOND;
    let weeks = timespan / (WEEK * AN_HOUR);
    let learn_for = span("learn_for", extension.learn_for.as_ref())?.unwrap_or(0);
    if learn_for < WEEK * AN_HOUR || weeks * WEEK * AN_HOUR < learn_for || weeks > 52 {
        return Err(
            "a baseline's `learn_for` is a week at least, and its `timespan` that many weeks or \
                    more, up to a year"
                .to_owned(),
        );
    }
    if extension.rare == 0 {
        return Err("`rare` is missing: of how many hours at most one was as busy".to_owned());
    }
    let factor = u64::try_from(factor(extension)?).unwrap_or(1);
    Ok(Kind::Baseline(Baseline { weeks, minimum, factor, rare: extension.rare, learn_for }))
}

fn factor(extension: &Extension) -> Result<i64, String> {
    i64::try_from(extension.factor)
        .ok()
        .filter(|factor| *factor > 0)
        .ok_or_else(|| "`factor` is missing: how many times the usual is too much".to_owned())
}

fn temporal(rule: &CorrelationRule, timespan: i64) -> Result<Kind, String> {
    if rule.rules.len() > Which::AT_MOST {
        return Err(format!("`correlation.rules` lists more than {} rules", Which::AT_MOST));
    }
    let is_ordered = rule.correlation_type == CorrelationType::TemporalOrdered;
    let needs = match &rule.condition {
        // What the parser makes of an absent condition: each rule at least once.
        CorrelationCondition::Threshold { predicates, field: None, percentile: None }
            if *predicates == [(ConditionOperator::Gte, 1)] =>
        {
            Needs::All((0..rule.rules.len()).map(Needs::Rule).collect())
        }
        CorrelationCondition::Extended(expression) if !is_ordered => {
            needs(expression, &rule.rules)?
        }
        _ if is_ordered => {
            return Err(
                "`temporal_ordered` has no `condition`: the rules in their order".to_owned()
            );
        }
        _ => {
            return Err(
                "`temporal` has no `condition`, or one such as `one and (two or three)`".to_owned()
            );
        }
    };
    Ok(if is_ordered {
        Kind::TemporalOrdered(TemporalOrdered { timespan, length: rule.rules.len() })
    } else {
        Kind::Temporal(Temporal { timespan, needs })
    })
}

fn needs(expression: &ConditionExpr, rules: &[String]) -> Result<Needs, String> {
    let several = |expressions: &[ConditionExpr]| {
        expressions.iter().map(|expression| needs(expression, rules)).collect::<Result<Vec<_>, _>>()
    };
    match expression {
        ConditionExpr::And(all) => several(all).map(Needs::All),
        ConditionExpr::Or(any) => several(any).map(Needs::Any),
        ConditionExpr::Not(one) => Ok(Needs::Not(Box::new(needs(one, rules)?))),
        ConditionExpr::Identifier(name) => rules
            .iter()
            .position(|rule| rule == name)
            .map(Needs::Rule)
            .ok_or_else(|| format!("`condition` names `{name}`, which is not in `rules`")),
        ConditionExpr::Selector { .. } => {
            Err("`condition` of `temporal` names rules with `and`, `or`, `not`".to_owned())
        }
    }
}

/// The number of a condition that is `gte` alone.
fn at_least(predicates: &[(ConditionOperator, u64)], whose: &str) -> Result<u64, String> {
    match predicates {
        [(ConditionOperator::Gte, number)] if *number > 0 => Ok(*number),
        _ => Err(format!("{whose}'s `condition` is `gte` and a number above 0")),
    }
}

/// A span of time in microseconds.
fn span(key: &str, text: Option<&String>) -> Result<Option<i64>, String> {
    let Some(text) = text else { return Ok(None) };
    humantime::parse_duration(text)
        .ok()
        .and_then(|duration| i64::try_from(duration.as_micros()).ok())
        .map(Some)
        .ok_or_else(|| format!("`{key}: {text}` is not a span of time: write \"7d\""))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::detect::Rulebook;

    const DETECTION: &str = "title: one\nlogsource: {product: azure}\ndetection:\n  it:\n    outcome: success\n  \
                             condition: it\nsigninel: {category: building_block}\n";

    /// What is said of a correlation of `one` with these keys.
    fn said(correlation: &str, ours: &str) -> String {
        let text = format!(
            "title: r\ncorrelation:\n  rules: [one]\n  group-by: [identity]\n{correlation}\nsigninel: {{{ours}}}\n"
        );
        let files = [("one", DETECTION.to_owned()), ("r", text)];
        match Rulebook::read(
            &files.map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text)),
        ) {
            Ok(_) => String::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn a_figure_needs_numbers() {
        let of = |field: &str| {
            let condition =
                format!("  type: value_sum\n  timespan: 1h\n  condition: {{{field}gte: 3}}");
            said(&condition, "")
        };
        assert_eq!(of("field: status.errorCode, "), "");
        assert!(of("field: resource, ").contains("`resource` has no numbers"));
        assert!(of("").contains("`condition.field` is missing"));
    }

    #[test]
    fn a_percentile_is_of_a_hundred() {
        let of = |percentile: u64| {
            said(
                &format!(
                    "  type: value_percentile\n  timespan: 1h\n  \
                     condition: {{field: status.errorCode, percentile: {percentile}, gte: 3}}"
                ),
                "",
            )
        };
        assert_eq!(of(100), "");
        assert!(of(101).contains("not from 0 to 100"));
    }

    #[test]
    fn the_condition_of_a_temporal_rule_names_its_rules() {
        let of = |kind: &str, condition: &str| {
            said(&format!("  type: {kind}\n  timespan: 1h\n{condition}"), "")
        };
        assert_eq!(of("temporal", ""), "");
        assert_eq!(of("temporal", "  condition: one"), "");
        assert!(
            of("temporal", "  condition: one and two").contains("`two`, which is not in `rules`")
        );
        assert!(
            of("temporal", "  condition: {gte: 2}").contains("has no `condition`, or one such as")
        );
        assert!(of("temporal_ordered", "  condition: one").contains("has no `condition`"));
        assert!(
            said("  type: event_count\n  timespan: 1h\n  condition: {gte: 1}\n  aliases: {who: {one: appId}}", "")
                .contains("`aliases` are for `temporal`")
        );
    }

    #[test]
    fn a_correlation_of_itself_is_told_apart_from_a_slip() {
        let text = "title: r\ncorrelation:\n  type: event_count\n  rules: [NAME]\n  group-by: [identity]\n  \
                    timespan: 1h\n  condition: {gte: 2}\n";
        let of = |name: &str| {
            let file = (PathBuf::from("r.yml"), text.replace("NAME", name));
            let faults = Rulebook::read(&[file]).unwrap_err();
            faults.iter().map(ToString::to_string).collect::<String>()
        };
        assert!(of("r").contains("in a circle"));
        assert!(of("s").contains("no such detection rule"));
    }

    #[test]
    fn findings_are_counted_by_what_they_have() {
        let of = |inner: &str, outer: &str| {
            let text = |rules: &str, more: &str| {
                format!(
                    "title: r\ncorrelation:\n  type: event_count\n  rules: [{rules}]\n  timespan: 1h\n  \
                     condition: {{gte: 2}}\n  {more}\n"
                )
            };
            let outer = outer.split_once('|').unwrap();
            let files = [
                ("one", DETECTION.to_owned()),
                ("inner", text("one", inner)),
                ("outer", text(outer.0, outer.1)),
            ];
            let read = Rulebook::read(
                &files.map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text)),
            );
            match read {
                Ok(book) => {
                    assert!(book.rules["inner"].is_quiet != outer.1.contains("generate"));
                    String::new()
                }
                Err(faults) => faults.iter().map(ToString::to_string).collect(),
            }
        };
        let by_both = "group-by: [identity, resource]";
        assert_eq!(of(by_both, "inner|group-by: [identity]"), "");
        assert_eq!(of(by_both, "inner|group-by: [tenantId]\n  generate: true"), "");
        assert!(
            of(by_both, "inner|group-by: [appId]").contains("`appId` is no value of what `inner`")
        );
        assert!(
            of(by_both, "inner, one|group-by: [identity]").contains("both detection rules and")
        );
        assert!(
            of(by_both, "inner|group-by: [identity]\nsigninel: {kind: streak}")
                .contains("`kind: streak` is of events")
        );
    }

    #[test]
    fn our_kinds_say_which_number_is_missing() {
        let count = "  type: event_count\n  timespan: 4w\n  condition: {gte: 3}";
        let of = |ours: &str| said(count, ours);
        assert!(of("kind: ratio, percent: 5").contains("`of` is missing"));
        assert!(of("kind: ratio, of: [one], percent: 101").contains("not from 1 to 100"));
        assert!(of("of: [one]").contains("`of` is for `kind: ratio` only"));
        assert!(of("kind: absence").contains("`factor` is missing"));
        assert!(of("kind: absence, factor: 2, at_least: 2h, at_most: 1h").contains("is less than"));
        assert!(of("kind: absence, factor: 2, at_least: soon").contains("not a span of time"));
        assert_eq!(of("kind: absence, factor: 2"), "");
        assert!(
            of("kind: baseline, factor: 2, rare: 9, learn_for: 6d").contains("a week at least")
        );
        assert!(
            of("kind: baseline, factor: 2, rare: 9, learn_for: 5w").contains("that many weeks")
        );
        assert!(of("kind: baseline, factor: 2, learn_for: 7d").contains("`rare` is missing"));
        assert_eq!(of("kind: baseline, factor: 2, rare: 9, learn_for: 7d"), "");
        assert!(of("inherits: true").contains("is for what is learnt"));
        assert!(of("known_at_most: 3").contains("is for `kind: first_seen` only"));
        let busy = "kind: baseline, factor: 2, rare: 9, learn_for: 7d, inherits: true";
        assert_eq!(of(busy), "");
    }

    #[test]
    fn what_is_hidden_hides_nothing_itself() {
        let of = |name: &str, hides: &str| {
            let text = format!(
                "title: {name}\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by: [tenantId]\n  \
                 timespan: 1h\n  condition: {{gte: 2}}\nsigninel: {{hides: [{hides}]}}\n"
            );
            (PathBuf::from(format!("{name}.yml")), text)
        };
        let read = |files: [(PathBuf, String); 2]| {
            let one = (PathBuf::from("one.yml"), DETECTION.to_owned());
            Rulebook::read(&[&files[..], &[one]].concat()).map_err(|faults| faults.len())
        };
        assert!(read([of("cause", "symptom, taken_away"), of("symptom", "")]).is_ok());
        assert_eq!(read([of("cause", "symptom"), of("symptom", "cause")]).unwrap_err(), 2);
    }
}
